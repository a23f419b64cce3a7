#include "tools/failsim/process_watch.h"

#include <algorithm>

#include "tools/failsim/nodes.h"

namespace failsim::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPause{15};          // between two looks at the same
constexpr milliseconds kStatusLimit{500};   // a node answers that at once or not at all
constexpr milliseconds kAgreedLimit{800};   // after that another node is asked
constexpr milliseconds kEventsWait{500};    // of a long poll
constexpr milliseconds kJournalGrows{400};  // a guest writes every few milliseconds
constexpr milliseconds kAgreedNow{600};     // an answer older than that is of the past

std::optional<json::array> rows(const HttpAnswer& answer) {
  if (answer.transport != Transport::kAnswered || answer.status != 200) return std::nullopt;
  std::optional<json::value> parsed = parse_json(answer.body);
  if (!parsed || !parsed->is_array()) return std::nullopt;
  return std::move(parsed->get_array());
}

}  // namespace

ProcessWatch::ProcessWatch(const ClusterDirectory& directory, const ClusterDescription& description)
    : directory_(directory), description_(description) {
  for (std::uint32_t node = 1; node <= description.nodes; ++node) {
    threads_.emplace_back([this, node](const std::stop_token& stop) { watch_node(stop, node); });
  }
  threads_.emplace_back([this](const std::stop_token& stop) { watch_agreed(stop); });
  threads_.emplace_back([this](const std::stop_token& stop) { watch_events(stop); });
  threads_.emplace_back([this](const std::stop_token& stop) { watch_journals(stop); });
}

ProcessWatch::~ProcessWatch() {
  for (std::jthread& thread : threads_) thread.request_stop();
}

// ---- For the one who looks ----------------------------------------------------------------------

Sight ProcessWatch::sight() const {
  const std::lock_guard lock(mutex_);
  Sight sight = sight_;
  sight.is_agreed_now = Clock::now() - agreed_at_ < kAgreedNow;
  sight.as_of = Clock::time_point::max();
  // The nodes, and what is agreed.
  for (const auto& [source, began] : asked_) sight.as_of = std::min(sight.as_of, began);
  if (asked_.size() < description_.nodes + 1) sight.as_of = Clock::time_point::min();
  return sight;
}

std::vector<json::object> ProcessWatch::events_after(std::uint64_t number) const {
  const std::lock_guard lock(mutex_);
  const auto first = std::find_if(events_.begin(), events_.end(), [number](const auto& event) {
    return number_in(event, "number") > number;
  });
  return {first, events_.end()};
}

std::uint64_t ProcessWatch::last_event() const {
  const std::lock_guard lock(mutex_);
  return events_.empty() ? 0 : number_in(events_.back(), "number");
}

void ProcessWatch::wait(Clock::time_point until) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, until, [this] { return version_ != seen_version_; });
  seen_version_ = version_;
}

// With the mutex held.
void ProcessWatch::publish() {
  ++version_;
  changed_.notify_all();
}

void ProcessWatch::pause(const std::stop_token& stop, milliseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, stop, time, [] { return false; });
}

// ---- Nodes --------------------------------------------------------------------------------------

void ProcessWatch::watch_node(const std::stop_token& stop, std::uint32_t node) {
  Client client(directory_, description_, kStatusLimit);
  const std::string name = node_name(node);
  while (!stop.stop_requested()) {
    const Clock::time_point began = Clock::now();
    Sight::Node seen;
    const auto process = process_of_node(directory_, name);
    seen.is_running = process && !is_stopped(*process);
    if (seen.is_running) {
      const HttpAnswer answer = client.ask(node, "/v1/status", kStatusLimit);
      const json::object status = parse_object(answer.body).value_or(json::object{});
      seen.leader = text_in(status, "leader");
      seen.has_quorum = flag_in(status, "quorum");
    }
    {
      const std::lock_guard lock(mutex_);
      sight_.nodes[name] = seen;
      asked_[name] = began;
      publish();
    }
    pause(stop, kPause);
  }
}

// ---- What is agreed -----------------------------------------------------------------------------

std::uint32_t ProcessWatch::next_node(std::uint32_t failed) const {
  const std::lock_guard lock(mutex_);
  const auto leader = description_.node_named(sight_.leader());
  if (leader && *leader != failed) return *leader;
  std::uint32_t next = failed % description_.nodes + 1;
  for (std::uint32_t i = 0; i < description_.nodes; ++i) {
    const auto node = sight_.nodes.find(node_name(next));
    if (node != sight_.nodes.end() && node->second.has_quorum) break;
    next = next % description_.nodes + 1;
  }
  return next;
}

void ProcessWatch::note_agreed(json::array nodes, json::array vms, json::array migrations,
                               json::array tasks) {
  const std::lock_guard lock(mutex_);
  for (const json::value& row : vms) {
    const json::object& guest = object_in(row.as_object(), "guest");
    if (guest.empty()) continue;
    const std::string name = text_in(row.as_object(), "name");
    sight_.last_boot[name] = number_in(guest, "boot_id");
    sight_.last_counter[name] = number_in(guest, "counter");
  }
  sight_.node_rows = std::move(nodes);
  sight_.vms = std::move(vms);
  sight_.migrations = std::move(migrations);
  sight_.tasks = std::move(tasks);
  agreed_at_ = Clock::now();
}

bool ProcessWatch::ask_agreed(Client& client, std::uint32_t node) {
  const auto ask = [&](const char* target) { return rows(client.ask(node, target, kAgreedLimit)); };
  // The VMs are asked first: the nodes' rows need no quorum, and are as new as what was read then.
  std::optional<json::array> vms = ask("/v1/vms");
  if (!vms) return false;
  std::optional<json::array> migrations = ask("/v1/migrations");
  std::optional<json::array> tasks = migrations ? ask("/v1/tasks") : std::nullopt;
  std::optional<json::array> nodes = tasks ? ask("/v1/nodes") : std::nullopt;
  if (!nodes) return false;
  note_agreed(std::move(*nodes), std::move(*vms), std::move(*migrations), std::move(*tasks));
  return true;
}

void ProcessWatch::watch_agreed(const std::stop_token& stop) {
  Client client(directory_, description_, kAgreedLimit);
  std::uint32_t failed = 0;
  while (!stop.stop_requested()) {
    const Clock::time_point began = Clock::now();
    const std::uint32_t node = next_node(failed);
    failed = ask_agreed(client, node) ? 0 : node;
    {
      const std::lock_guard lock(mutex_);
      // One node that cannot answer tells nothing; nobody for a while, that nothing is agreed.
      const bool is_known = failed == 0 || Clock::now() - agreed_at_ > kAgreedNow;
      if (is_known) asked_["agreed"] = began;
      publish();
    }
    pause(stop, kPause);
  }
}

// ---- Events -------------------------------------------------------------------------------------

void ProcessWatch::take_events(const json::array& events) {
  if (events.empty()) return;
  const std::lock_guard lock(mutex_);
  for (const json::value& row : events) {
    const json::object& event = row.as_object();
    events_.push_back(event);
  }
  publish();
}

void ProcessWatch::watch_events(const std::stop_token& stop) {
  Client client(directory_, description_, kAgreedLimit);
  std::uint32_t failed = 0;
  while (!stop.stop_requested()) {
    const std::uint32_t node = next_node(failed);
    const auto events = rows(client.ask(node,
                                        "/v1/events?since=" + std::to_string(last_event()) +
                                            "&wait_ms=" + std::to_string(kEventsWait.count()),
                                        kAgreedLimit + kEventsWait));
    failed = events ? 0 : node;
    if (events) {
      take_events(*events);
    } else {
      pause(stop, kPause);
    }
  }
}

// ---- Journals -----------------------------------------------------------------------------------

void ProcessWatch::watch_journals(const std::stop_token& stop) {
  struct Journal {
    std::uintmax_t bytes = 0;
    Clock::time_point grew;
  };
  std::map<std::string, Journal> journals;
  const fs::path place = directory_.volume() / "vms";
  while (!stop.stop_requested()) {
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(place, error)) {
      if (entry.path().extension() != ".journal") continue;
      const std::uintmax_t bytes = fs::file_size(entry.path(), error);
      Journal& journal = journals[entry.path().stem().string()];
      if (error || bytes == journal.bytes) continue;
      journal.grew = Clock::now();
      journal.bytes = bytes;
    }
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [vm, journal] : journals) {
        sight_.writes_journal[vm] = Clock::now() - journal.grew < kJournalGrows;
      }
    }
    pause(stop, kPause);
  }
}

}  // namespace failsim::cli
