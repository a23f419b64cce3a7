#include "tools/failsim/process_sight.h"

#include <algorithm>
#include <array>

namespace failsim::cli {
namespace {

using Text = std::optional<std::string>;

std::string flag_text(bool value) {
  return value ? "true" : "false";
}

std::string or_none(const std::string& text) {
  return text.empty() ? "none" : text;
}

const json::object* row_of(const json::array& rows, std::string_view key, const std::string& name) {
  const json::object* found = nullptr;
  for (const json::value& row : rows) {
    if (row.is_object() && text_in(row.get_object(), key) == name) found = &row.get_object();
  }
  return found;
}

std::string digest_text(const json::object& migration) {
  if (is_null_in(migration, "digest_match")) return "Unknown";
  return flag_in(migration, "digest_match") ? "Match" : "Mismatch";
}

bool executes(const Sight& sight, const std::string& name, const json::object& vm) {
  if (sight.is_agreed_now && !is_null_in(vm, "guest")) {
    return flag_in(object_in(vm, "guest"), "executing");
  }
  const std::string state = word_in(vm, "state");
  if (state == "TurnedOff" || state == "Saved") return false;  // a moment ago it may have
  const auto owner = sight.nodes.find(text_in(vm, "owner_node"));
  if (owner == sight.nodes.end() || !owner->second.is_running) return false;
  const auto journal = sight.writes_journal.find(name);
  return journal != sight.writes_journal.end() && journal->second;
}

std::uint64_t seen_last(const std::map<std::string, std::uint64_t>& last, const std::string& name) {
  const auto found = last.find(name);
  return found == last.end() ? 0 : found->second;
}

Text look_at_vm(const Sight& sight, const std::string& name, const std::string& field) {
  const json::object* vm = sight.vm(name);
  if (field == "exists") return flag_text(vm != nullptr);
  if (vm == nullptr) return std::nullopt;
  if (field == "state") return word_in(*vm, "state");
  if (field == "owner") return or_none(text_in(*vm, "owner_node"));
  if (field == "executing") return flag_text(executes(sight, name, *vm));
  if (field == "executes_on") {
    return executes(sight, name, *vm) ? or_none(text_in(*vm, "owner_node")) : "none";
  }
  if (field == "boot") return std::to_string(seen_last(sight.last_boot, name));
  if (field != "counter") return std::nullopt;
  return std::to_string(executes(sight, name, *vm) ? seen_last(sight.last_counter, name) : 0);
}

Text look_at_migration(const Sight& sight, const std::string& name, const std::string& field) {
  const json::object* vm = sight.vm(name);
  if (vm == nullptr) return std::nullopt;
  if (field == "state") return word_in(*vm, "migration_state");
  if (field == "reason") return word_in(*vm, "migration_failure_reason");
  const json::object* migration = sight.newest_migration(name);
  if (migration == nullptr) return std::nullopt;
  if (field == "result") return or_none(word_in(*migration, "result"));
  if (field == "job_state") return or_none(word_in(*migration, "job_state"));
  if (field == "source") return or_none(text_in(*migration, "from"));
  if (field == "target") return or_none(text_in(*migration, "to"));
  if (field == "round") return std::to_string(number_in(*migration, "rounds"));
  if (field == "not_converging") {
    return flag_text(!text_in(*migration, "not_converging").empty());
  }
  if (field == "forced") return flag_text(flag_in(*migration, "forced_switch"));
  if (field == "throttle") return std::to_string(number_in(*migration, "throttle_percent"));
  if (field == "restarted") return flag_text(flag_in(*migration, "restarted_elsewhere"));
  if (field == "digest") return digest_text(*migration);
  return std::nullopt;
}

Text look_at_node(const Sight& sight, const std::string& name, const std::string& field) {
  const auto node = sight.nodes.find(name);
  if (node == sight.nodes.end()) return std::nullopt;
  if (field == "running") return flag_text(node->second.is_running);
  if (field == "leads") return flag_text(sight.leader() == name);
  if (field == "quorum") return flag_text(node->second.has_quorum);
  const json::object* row = row_of(sight.node_rows, "name", name);
  if (row == nullptr) return std::nullopt;
  if (field == "state") return word_in(*row, "state");
  if (field == "memory") return std::to_string(number_in(*row, "memory_in_use_bytes"));
  return std::nullopt;
}

Text look_at_task(const Sight& sight, const std::string& which, const std::string& field) {
  const std::string id = which == "last" ? std::to_string(sight.last_task) : which;
  for (const json::value& row : sight.tasks) {
    const json::object& task = row.as_object();
    if (std::to_string(number_in(task, "id")) != id) continue;
    if (field == "complete") return flag_text(flag_in(task, "is_complete"));
    if (field == "result") return or_none(word_in(task, "result"));
  }
  return std::nullopt;
}

// The kinds of events that say what a field has become.
struct Told {
  std::string_view kind;
  std::string_view subject;
  std::string_view field;
};
constexpr std::array kTold = {Told{"migration-state", "migration", "state"},
                              Told{"vm-state", "vm", "state"}, Told{"owner", "vm", "owner"},
                              Told{"node-state", "node", "state"}};

// The object's name without its kind; empty if it has none.
std::string name_in(const json::object& event) {
  const std::string object = text_in(event, "object");
  const std::size_t slash = object.find('/');
  return slash == std::string::npos ? "" : object.substr(slash + 1);
}

}  // namespace

std::string word_in(const json::object& object, std::string_view key) {
  std::string word = text_in(object, key);
  if (word.empty()) word = enum_name_in(object, key);
  std::erase(word, ' ');
  return word;
}

const json::object* Sight::vm(const std::string& name) const {
  return row_of(vms, "name", name);
}

// They are listed with the newest last.
const json::object* Sight::newest_migration(const std::string& vm) const {
  return row_of(migrations, "vm", vm);
}

// A former leader may take itself for one until it learns better, but not with a quorum.
std::string Sight::leader() const {
  for (const auto& [name, node] : nodes) {
    if (node.is_running && node.has_quorum && node.leader == name) return name;
  }
  return "";
}

std::optional<std::string> Sight::look(const std::string& subject, const std::string& object,
                                       const std::string& field) const {
  if (subject == "vm") return look_at_vm(*this, object, field);
  if (subject == "migration") return look_at_migration(*this, object, field);
  if (subject == "node") return look_at_node(*this, object, field);
  if (subject == "task") return look_at_task(*this, object, field);
  if (subject == "cluster" && field == "leader") return or_none(leader());
  if (subject == "cluster" && field == "quorum") {
    return flag_text(std::any_of(nodes.begin(), nodes.end(),
                                 [](const auto& node) { return node.second.has_quorum; }));
  }
  if (subject == "answer" && field == "code") return code_name(answer.code);
  if (subject == "answer" && field == "return_value") return std::to_string(answer.return_value);
  if (subject == "answer" && field == "job_state") return or_none(answer.job_state);
  return std::nullopt;
}

// A failover waits until the former guest is certainly frozen or dead.
bool Announced::tell_before(const json::object& event) {
  const bool is_failover =
      text_in(event, "kind") == "owner" && text_in(event, "reason") != "live migration";
  const std::string vm = name_in(event);
  if (!is_failover || vm.empty()) return false;
  values_[{"vm", vm, "owner"}] = or_none(word_in(event, "from"));
  values_[{"vm", vm, "executing"}] = "false";
  values_[{"vm", vm, "executes_on"}] = "none";
  return true;
}

bool Announced::tell(const json::object& event) {
  const std::string kind = text_in(event, "kind");
  const std::string name = name_in(event);
  if (kind == "vm-state") {
    values_.erase({"vm", name, "executing"});
    values_.erase({"vm", name, "executes_on"});
  }
  for (const auto& [of, subject, field] : kTold) {
    if (of != kind || name.empty()) continue;
    values_[{std::string(subject), name, std::string(field)}] = word_in(event, "to");
    return true;
  }
  return false;
}

std::optional<std::string> Announced::look(const std::string& subject, const std::string& object,
                                           const std::string& field) const {
  const auto found = values_.find({subject, object, field});
  return found == values_.end() ? std::nullopt : Text(found->second);
}

}  // namespace failsim::cli
