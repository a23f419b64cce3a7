// The operator's actions as calls of a node's interface.
#include "tools/failsim/action_requests.h"

#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

namespace failsim::cli {
namespace {

// "POST /v1/vms/web/pause {}"
std::string call(const std::string& action) {
  const auto parsed = scenario::parse_action(action);
  if (!parsed) return parsed.error().message;
  const auto made = api_call_of(parsed.value(), [](const std::string&) { return 42; });
  if (!made) return made.error().message;
  return made.value().method + " " + made.value().target + " " + json::serialize(made.value().body);
}

TEST(ActionRequests, AskForWhatTheVerbsAskFor) {
  EXPECT_EQ(call("vm turn-off web"), "POST /v1/vms/web/turn-off {}");
  EXPECT_EQ(call("vm delete web"), "DELETE /v1/vms/web {}");
  EXPECT_EQ(call("migrate cancel web"), "POST /v1/vms/web/cancel-migration {}");
  EXPECT_EQ(call("task cancel 3"), "POST /v1/tasks/3/cancel {}");
  EXPECT_EQ(call("migrate web --to node-2 --bandwidth 4MiB/s"),
            "POST /v1/vms/web/migrate {\"to\":\"node-2\",\"downtime_limit_ms\":300,"
            "\"on_no_convergence\":\"go-on\",\"compression\":\"off\",\"verify\":\"background\","
            "\"bandwidth_bytes_per_second\":4194304}");
  EXPECT_EQ(call("migrate web --to node-2 --max-downtime 2s --max-bytes 1GiB "
                 "--on-no-convergence switch"),
            "POST /v1/vms/web/migrate {\"to\":\"node-2\",\"downtime_limit_ms\":300,"
            "\"on_no_convergence\":\"switch\",\"compression\":\"off\",\"verify\":\"background\","
            "\"max_downtime_ms\":2000,\"max_bytes\":1073741824}");
  EXPECT_EQ(call("migrate web --to node-2 --streams 4 --compression zstd"),
            "POST /v1/vms/web/migrate {\"to\":\"node-2\",\"downtime_limit_ms\":300,"
            "\"on_no_convergence\":\"go-on\",\"compression\":\"zstd\",\"verify\":\"background\","
            "\"streams\":4}");
  EXPECT_EQ(call("vm create db --memory 8MiB --owner node-2 --start"),
            "POST /v1/vms {\"name\":\"db\",\"memory_bytes\":8388608,\"dirty_bytes_per_second\":"
            "20971520,\"working_set_bytes\":8388608,\"pattern\":\"uniform\",\"fill\":\"random\","
            "\"modelled\":false,\"start\":true,\"owner\":\"node-2\"}");
}

TEST(ActionRequests, ABareNameOfAnObjectIsAVm) {
  EXPECT_EQ(call("property set web MigrationState 0"),
            "PUT /v1/property?object=vm%2Fweb&name=MigrationState {\"value\":\"0\"}");
  EXPECT_EQ(call("property set cluster Description x"),
            "PUT /v1/property?object=cluster&name=Description {\"value\":\"x\"}");
}

TEST(ActionRequests, AJobMayBeThatOfAVm) {
  EXPECT_EQ(call("job request-state-change job(web) terminate"),
            "POST /v1/jobs/42/request-state-change "
            "{\"requested_state\":\"Terminate\",\"timeout\":null}");
  EXPECT_EQ(
      call("job request-state-change 7 40000"),
      "POST /v1/jobs/7/request-state-change {\"requested_state\":\"40000\",\"timeout\":null}");
}

TEST(ActionRequests, RefuseWhatTheCommandLineRefuses) {
  EXPECT_EQ(call("vm create db --memory 5000B").find("POST"), std::string::npos);
}

}  // namespace
}  // namespace failsim::cli
