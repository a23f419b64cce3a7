// The reading half of the interface.
#include <algorithm>
#include <limits>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "node/api/api.h"
#include "node/api/error_json.h"
#include "node/api/metrics.h"
#include "node/api/render.h"

namespace failsim::node {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kLongestWaitMs = 60'000;
constexpr std::size_t kShownCharacters = 80;  // of a name, in an error

Error no_such(Code code, std::string_view what, const std::string& name, std::string next) {
  return {
      code,
      "There is no " + std::string(what) + " called '" + name.substr(0, kShownCharacters) + "'.",
      std::move(next)};
}

Error no_such_vm(const std::string& name) {
  return no_such(Code::kGroupNotFound, "VM", name, "See 'failsim vm list'.");
}

Error no_such_task(const std::string& id) {
  return no_such(Code::kNotFound, "task", id, "See 'failsim task list'.");
}

// The VMs of the migrations that are under way: only of those there is more to say.
std::vector<std::string> migrating_vms(const ClusterState& state) {
  std::vector<std::string> vms;
  for (const auto& [name, vm] : state.vms()) {
    if (vm->job() != 0) vms.push_back(name);
  }
  return vms;
}

render::Live live_of(const std::map<std::string, render::Live>& live, const std::string& vm) {
  const auto found = live.find(vm);
  return found != live.end() ? found->second : std::nullopt;
}

}  // namespace

void Api::get_status(const CallPtr& call) {
  Arguments none = Arguments::of_query(call->query);
  if (!accepts(call, none)) return;
  answer(call, render::status(node_.state(), {node_.self(), node_.process_id(), node_.leader(),
                                              node_.has_quorum()}));
}

void Api::get_nodes(const CallPtr& call) {
  Arguments none = Arguments::of_query(call->query);
  if (!accepts(call, none)) return;
  json::array nodes;
  for (const auto& [id, row] : node_.state().nodes()) {
    nodes.push_back(render::node(node_.state(), *row));
  }
  answer(call, nodes);
}

void Api::get_node(const CallPtr& call) {
  Arguments none = Arguments::of_query(call->query);
  if (!accepts(call, none)) return;
  const pb::Node* const node = node_.state().node_named(call->names[0]);
  if (node == nullptr) {
    return refuse(call,
                  no_such(Code::kNodeNotFound, "node", call->names[0], "See 'failsim node list'."));
  }
  json::object rendered = render::node(node_.state(), *node);
  if (node->id() == node_.self()) {
    rendered["transport"] = render::transport(node_.transport_counters());
  }
  answer(call, rendered);
}

void Api::get_vms(const CallPtr& call) {
  Arguments none = Arguments::of_query(call->query);
  if (!accepts(call, none)) return;
  after_read(call, [this, call] {
    std::vector<std::string> names;
    for (const auto& [name, vm] : node_.state().vms()) names.push_back(name);
    with_live(names, [this, call](const LiveByVm& live) {
      json::array vms;
      for (const auto& [name, vm] : node_.state().vms()) {
        vms.push_back(render::vm(node_.state(), *vm, live_of(live, name)));
      }
      answer(call, vms);
    });
  });
}

void Api::get_vm(const CallPtr& call) {
  Arguments none = Arguments::of_query(call->query);
  if (!accepts(call, none)) return;
  after_read(call, [this, call] {
    const std::string& name = call->names[0];
    if (node_.state().vm(name) == nullptr) return refuse(call, no_such_vm(name));
    with_live({name}, [this, call, name](const LiveByVm& live) {
      const pb::Vm* const vm = node_.state().vm(name);
      if (vm == nullptr) return refuse(call, no_such_vm(name));
      answer(call, render::vm(node_.state(), *vm, live_of(live, name)));
    });
  });
}

void Api::get_migrations(const CallPtr& call) {
  Arguments none = Arguments::of_query(call->query);
  if (!accepts(call, none)) return;
  after_read(call, [this, call] {
    with_live(migrating_vms(node_.state()), [this, call](const LiveByVm& live) {
      json::array migrations;
      for (const auto& [id, task] : node_.state().tasks()) {
        if (!task->has_job()) continue;
        migrations.push_back(
            render::migration(node_.state(), *task, live_of(live, task->job().vm())));
      }
      answer(call, migrations);
    });
  });
}

void Api::get_migration(const CallPtr& call) {
  Arguments none = Arguments::of_query(call->query);
  if (!accepts(call, none)) return;
  after_read(call, [this, call] {
    const std::string& name = call->names[0];
    const pb::Task* const last = node_.state().last_migration(name);
    if (last == nullptr) {
      if (node_.state().vm(name) == nullptr) return refuse(call, no_such_vm(name));
      return refuse(call, {Code::kNotFound, "VM '" + name + "' has not been migrated yet.",
                           "Start a migration: 'failsim migrate " + name + " --to NODE'."});
    }
    const std::vector<std::string> vms =
        last->complete() ? std::vector<std::string>{} : std::vector<std::string>{name};
    with_live(vms, [this, call, name](const LiveByVm& live) {
      const pb::Task* const task = node_.state().last_migration(name);
      if (task == nullptr) return refuse(call, no_such_vm(name));
      answer(call, render::migration(node_.state(), *task, live_of(live, name)));
    });
  });
}

void Api::get_metrics(const CallPtr& call) {
  Arguments none = Arguments::of_query(call->query);
  if (!accepts(call, none)) return;
  after_read(call, [this, call] {
    with_live(migrating_vms(node_.state()), [this, call](const LiveByVm& live) {
      const auto of_vm = [&live](const std::string& vm) { return live_of(live, vm); };
      call->respond({200, migration_metrics(node_.state(), of_vm), kMetricsContentType});
    });
  });
}

void Api::get_tasks(const CallPtr& call) {
  Arguments none = Arguments::of_query(call->query);
  if (!accepts(call, none)) return;
  after_read(call, [this, call] {
    json::array tasks;
    for (const auto& [id, task] : node_.state().tasks()) tasks.push_back(render::task(*task));
    answer(call, tasks);
  });
}

void Api::get_task(const CallPtr& call) {
  Arguments arguments = Arguments::of_query(call->query);
  const std::uint64_t wait_ms = arguments.number("wait_ms", 0, kLongestWaitMs);
  if (!accepts(call, arguments)) return;
  const auto id = parse_number(call->names[0], kNoLimit);
  if (!id) return refuse(call, no_such_task(call->names[0]));
  after_read(call, [this, call, id = *id, wait_ms] {
    const auto attempt = [this, call, id](bool is_last) -> std::optional<HttpResponse> {
      const pb::Task* const task = node_.state().task(id);
      if (task == nullptr) {
        return HttpResponse{404, error_body(no_such_task(call->names[0]))};
      }
      if (!task->complete() && !is_last) return std::nullopt;
      return HttpResponse{200, json::serialize(render::task(*task))};
    };
    waiters_.wait(static_cast<Duration>(wait_ms) * kMillisecond, attempt, call->respond);
  });
}

// Events with a number greater than `since`, oldest first.
HttpResponse Api::events_after(std::uint64_t since, std::uint64_t limit) const {
  json::array events;
  const auto& rows = node_.state().events();
  for (auto row = rows.upper_bound(since); row != rows.end() && events.size() < limit; ++row) {
    events.push_back(render::event(*row->second));
  }
  return {200, json::serialize(events)};
}

void Api::get_events(const CallPtr& call) {
  Arguments arguments = Arguments::of_query(call->query);
  const std::uint64_t since = arguments.number("since", 0, kNoLimit);
  const std::uint64_t limit = arguments.number("limit", kNoLimit, kNoLimit);
  const std::uint64_t wait_ms = arguments.number("wait_ms", 0, kLongestWaitMs);
  if (!accepts(call, arguments)) return;
  after_read(call, [this, call, since, limit, wait_ms] {
    const auto attempt = [this, since, limit](bool is_last) -> std::optional<HttpResponse> {
      const auto& rows = node_.state().events();
      if (rows.upper_bound(since) == rows.end() && !is_last) return std::nullopt;
      return events_after(since, limit);
    };
    waiters_.wait(static_cast<Duration>(wait_ms) * kMillisecond, attempt, call->respond);
  });
}

}  // namespace failsim::node
