// What is looked at before a migration begins.

#include "cluster/state/migration_check.h"

#include "tests/cluster/state/small_cluster.h"

namespace failsim {
namespace {

class Check : public SmallCluster {
 protected:
  Check() { run_vm("web", 1); }
  std::vector<FailedCheck> failed(NodeId target = 2) {
    return failed_checks(state, *state.vm("web"), target, "");
  }
  void of_vm(const std::string& property, const std::string& value) {
    ASSERT_EQ(set(ObjectKind::kVm, "web", property, value).code(), 0u);
  }
  void of_node(const std::string& property, const std::string& value,
               const std::string& node = "node-2") {
    ASSERT_EQ(set(ObjectKind::kNode, node, property, value).code(), 0u);
  }
  void expect_one(std::string_view check, CheckReturn returns, const std::string& sentence) {
    const auto found = failed();
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].check, check);
    EXPECT_EQ(found[0].error.message, sentence);
    EXPECT_FALSE(found[0].error.next.empty());
    EXPECT_EQ(check_return(found), returns);
    const pb::Reply reply = migrate("web", 2);
    EXPECT_EQ(reply.message(), sentence) << "migrate refuses with the same words";
    EXPECT_NE(reply.code(), 0u);
  }
};

TEST_F(Check, WithoutDemandsEveryNodeWillDo) {
  EXPECT_TRUE(failed().empty());
  EXPECT_EQ(check_return(failed()), CheckReturn::kCompleted);
}

TEST_F(Check, Memory) {
  run_vm("big", 2, 900);
  expect_one("memory", CheckReturn::kFailed,
             "node-2 has 100 MiB of memory free and VM 'web' needs 200 MiB.");
}

TEST_F(Check, ProcessorProfile) {
  of_vm("ProcessorProfile", "3");
  EXPECT_TRUE(failed().empty());
  of_node("ProcessorProfile", "2");
  expect_one("processor profile", CheckReturn::kIncompatibleParameters,
             "VM 'web' needs the processor profile x86-64-v3 and node-2 has x86-64-v2.");
}

TEST_F(Check, VirtualSwitch) {
  of_vm("VirtualSwitch", "lan");
  expect_one("virtual switch", CheckReturn::kIncompatibleParameters,
             "VM 'web' is connected to the virtual switch 'lan' and node-2 has none.");
  of_node("VirtualSwitches", "wan;dmz");
  expect_one("virtual switch", CheckReturn::kIncompatibleParameters,
             "VM 'web' is connected to the virtual switch 'lan' and node-2 has only 'wan;dmz'.");
  of_node("VirtualSwitches", "wan;lan");
  EXPECT_TRUE(failed().empty());
}

TEST_F(Check, ConfigurationVersion) {
  of_vm("ConfigurationVersion", "11");
  EXPECT_TRUE(failed().empty());
  of_node("ConfigurationVersionMaximum", "10");
  expect_one("configuration version", CheckReturn::kIncompatibleParameters,
             "VM 'web' has the configuration version 11 and node-2 supports 5 to 10.");
}

TEST_F(Check, StoragePath) {
  of_vm("VmStoreRootPath", "/vms/web");
  expect_one("storage path", CheckReturn::kIncompatibleParameters,
             "VM 'web' is stored in '/vms/web', which node-2 does not reach.");
  of_node("StoragePaths", "/vm;/vms/web2");
  expect_one("storage path", CheckReturn::kIncompatibleParameters,
             "VM 'web' is stored in '/vms/web', which node-2 does not reach: it reaches "
             "'/vm;/vms/web2'.");
  of_node("StoragePaths", "/vms/");
  EXPECT_TRUE(failed().empty());
}

TEST_F(Check, MigrationLimits) {
  of_node("EnableVirtualSystemMigration", "0", "node-1");
  expect_one("migration limits", CheckReturn::kNotSupported,
             "VM 'web' cannot be migrated from node-1: its EnableVirtualSystemMigration is 0 and "
             "has to be 1.");
}

TEST_F(Check, TheTargetItself) {
  EXPECT_EQ(check_return(failed(1)), CheckReturn::kInvalidParameter);
  EXPECT_EQ(check_return(failed(9)), CheckReturn::kInvalidParameter);
  EXPECT_EQ(failed(9)[0].error.message, "There is no node called 'node-9'.");
}

TEST_F(Check, AllThatFailIsTold) {
  of_vm("ProcessorProfile", "4");
  of_vm("VirtualSwitch", "lan");
  of_vm("ConfigurationVersion", "200");
  of_node("ProcessorProfile", "1");
  of_node("EnableVirtualSystemMigration", "0");
  const auto found = failed();
  ASSERT_EQ(found.size(), 4u);
  const Error error = joined(found);
  for (const FailedCheck& check : found) {
    EXPECT_NE(error.message.find(check.error.message), std::string::npos);
  }
  EXPECT_EQ(migrate("web", 2).message(), error.message);
}

TEST_F(Check, AStorePathCannotBeChangedOnceItIsSet) {
  of_vm("VmStoreRootPath", "/vms/web");
  of_vm("VmStoreRootPath", "/vms/web");
  const pb::Reply reply = set(ObjectKind::kVm, "web", "VmStoreRootPath", "/other");
  EXPECT_EQ(static_cast<Code>(reply.code()), Code::kPropertyUnchangeable);
}

}  // namespace
}  // namespace failsim
