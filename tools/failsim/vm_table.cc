#include "tools/failsim/vm_table.h"

#include <vector>

#include "cluster/migration/migration_state.h"
#include "cluster/units.h"
#include "tools/failsim/output.h"

namespace failsim::cli {
namespace {

// What became of its newest migration, or how far it is; "-" if there is nothing to tell.
std::string migration_of(const json::object& vm) {
  const auto state = static_cast<MigrationState>(enum_value_in(vm, "migration_state"));
  if (state == MigrationState::kNoMigration) return "-";
  const bool is_under_way = state != MigrationState::kCanceled && state != MigrationState::kFailure;
  return plain_in(vm, "migration_state") +
         (is_under_way ? ", " + plain_in(vm, "migration_progress") + " %" : "");
}

}  // namespace

std::string vm_table(const json::array& vms) {
  std::vector<std::vector<std::string>> rows;
  for (const json::value& one : vms) {
    const json::object& vm = one.as_object();
    rows.push_back({plain_in(vm, "name"), plain_in(vm, "state"), plain_in(vm, "owner_node"),
                    show_size(number_in(vm, "memory_bytes")), migration_of(vm)});
  }
  return format_table({"NAME", "STATE", "OWNER NODE", "MEMORY", "MIGRATION"}, rows);
}

std::string vm_phrase(const json::object& vm) {
  const std::string migration = migration_of(vm);
  return plain_in(vm, "name") + " " + plain_in(vm, "state") + " on " + plain_in(vm, "owner_node") +
         (migration == "-" ? "" : " (" + migration + ")");
}

}  // namespace failsim::cli
