#include "tools/failsim/vm_table.h"

#include <gtest/gtest.h>

namespace failsim::cli {
namespace {

json::object vm(std::uint64_t state, const std::string& name) {
  return {{"name", "web"},
          {"state", {{"value", 5}, {"name", "Running"}}},
          {"owner_node", "node-1"},
          {"memory_bytes", std::uint64_t{256} << 20},
          {"migration_state", {{"value", state}, {"name", name}}},
          {"migration_progress", 43}};
}

TEST(VmTable, TellsHowFarAMigrationIs) {
  EXPECT_EQ(vm_table({vm(2, "Data Transfer")}),
            "NAME  STATE    OWNER NODE  MEMORY   MIGRATION\n"
            "web   Running  node-1      256 MiB  Data Transfer, 43 %\n");
  EXPECT_EQ(vm_phrase(vm(2, "Data Transfer")), "web Running on node-1 (Data Transfer, 43 %)");
}

TEST(VmTable, TellsHowTheNewestEndedIfNotWell) {
  EXPECT_EQ(vm_phrase(vm(4, "Canceled")), "web Running on node-1 (Canceled)");
  EXPECT_EQ(vm_phrase(vm(0, "No Migration")), "web Running on node-1");
}

}  // namespace
}  // namespace failsim::cli
