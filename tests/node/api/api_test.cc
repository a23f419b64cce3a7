#include "node/api/api.h"

#include "tests/node/api/asked_api.h"

namespace failsim::node {
namespace {

TEST_F(ApiTest, UnknownPathsAndMethodsAreTold) {
  EXPECT_EQ(send("GET", "/v1/nothing"), 404u);
  EXPECT_EQ(send("PUT", "/v1/vms"), 405u);
  EXPECT_EQ(send("GET", "/v1/%"), 400u);
  EXPECT_EQ(send("POST", "/v1/vms/web/explode"), 404u);
}

TEST_F(ApiTest, StatusAndNodesNeedNoQuorum) {
  node_.read_code = Code::kNoQuorum;
  EXPECT_EQ(send("GET", "/v1/status"), 200u);
  EXPECT_EQ(answer().at("quorum"), false);
  EXPECT_EQ(send("GET", "/v1/nodes"), 200u);
  EXPECT_EQ(send("GET", "/v1/nodes/node-2"), 200u);
  EXPECT_EQ(send("GET", "/v1/nodes/node-3"), 404u);
  EXPECT_EQ(error_name(), "ERROR_CLUSTER_NODE_NOT_FOUND");
  EXPECT_EQ(node_.reads, 0);
}

TEST_F(ApiTest, EveryOtherReadWaitsForTheBarrier) {
  for (const char* path :
       {"/v1/vms", "/v1/vms/web", "/v1/migrations", "/v1/migrations/web", "/v1/jobs", "/v1/jobs/1",
        "/v1/jobs/1/error", "/v1/tasks", "/v1/tasks/1", "/v1/events", "/v1/properties?object=web",
        "/v1/property?object=web&name=MigrationState"}) {
    node_.read_code = Code::kNoQuorum;
    EXPECT_EQ(send("GET", path), 503u) << path;
    EXPECT_EQ(error_name(), "ERROR_CLUSTER_NO_QUORUM") << path;
    node_.read_code = Code::kNotReady;
    EXPECT_EQ(send("GET", path), 503u) << path;
    EXPECT_EQ(error_name(), "ERROR_NOT_READY") << path;
  }
}

TEST_F(ApiTest, AVmIsCreatedWithTheDefaultsOfTheCommandLine) {
  EXPECT_EQ(send("POST", "/v1/vms", R"({"name":"db"})"), 200u);
  EXPECT_EQ(answer().at("task").to_number<int>(), 9);
  const pb::Request::CreateVm& create = asked().create_vm();
  EXPECT_EQ(create.name(), "db");
  EXPECT_EQ(create.owner(), 0u);
  EXPECT_FALSE(create.start());
  EXPECT_EQ(create.config().memory_bytes(), 256u << 20);
  EXPECT_EQ(create.config().dirty_bytes_per_second(), 20u << 20);
  EXPECT_EQ(create.config().working_set_bytes(), 32u << 20);
}

TEST_F(ApiTest, AVmIsCreatedAsAskedFor) {
  send("POST", "/v1/vms",
       R"({"name":"db","owner":"node-2","memory_bytes":4096,"dirty_bytes_per_second":0,
           "working_set_bytes":4096,"pattern":"sequential","fill":"zero","modelled":true,
           "start":true})",
       "cli:5");
  const pb::Request::CreateVm& create = asked().create_vm();
  EXPECT_EQ(create.owner(), 2u);
  EXPECT_EQ(create.config().pattern(), pb::PATTERN_SEQUENTIAL);
  EXPECT_EQ(create.config().fill(), pb::FILL_ZERO);
  EXPECT_TRUE(create.config().modelled());
  EXPECT_TRUE(create.start());
  EXPECT_EQ(asked().client(), "cli");
  EXPECT_EQ(asked().sequence(), 5u);
}

TEST_F(ApiTest, AMalformedRequestIsNeverAsked) {
  for (const char* body : {"", "{}", "[]", R"({"name":5})", R"({"name":"a","memory":1})",
                           R"({"name":"a","memory_bytes":-1})",
                           R"({"name":"a","memory_bytes":9e99})", R"({"name":"a","fill":"x"})"}) {
    EXPECT_EQ(send("POST", "/v1/vms", body), 400u) << body;
  }
  EXPECT_EQ(send("POST", "/v1/vms", R"({"name":"a"})", "no-number"), 400u);
  EXPECT_EQ(send("POST", "/v1/vms/web/start", R"({"now":true})"), 400u);
  EXPECT_EQ(send("POST", "/v1/vms", R"({"name":"a","owner":"node-9"})"), 404u);
  EXPECT_TRUE(node_.asked.empty());
}

TEST_F(ApiTest, EveryMethodOfTheStateDiagramHasItsPath) {
  for (std::size_t i = 0; i < kVmMethodCount; ++i) {
    const auto method = static_cast<VmMethod>(i);
    EXPECT_EQ(send("POST", "/v1/vms/web/" + std::string(verb(method))), 200u);
    EXPECT_EQ(asked().vm_method().method(), static_cast<std::uint32_t>(method));
    EXPECT_EQ(asked().vm_method().vm(), "web");
  }
}

TEST_F(ApiTest, AnUnknownTargetIsLeftToTheCluster) {
  send("POST", "/v1/vms/web/migrate", R"({"to":"node-77"})");
  EXPECT_EQ(asked().migrate().target(), 0u);
  EXPECT_EQ(asked().migrate().target_name(), "node-77");
}

TEST_F(ApiTest, ARefusalKeepsItsCodeAndSentence) {
  node_.reply.set_code(static_cast<std::uint32_t>(Code::kInvalidState));
  node_.reply.set_message("Not now.");
  node_.reply.set_next("Wait.");
  EXPECT_EQ(send("POST", "/v1/vms/web/cancel-migration"), 409u);
  EXPECT_EQ(answer(), json::parse(R"({"error":{"code":5023,"name":"ERROR_INVALID_STATE",
                                      "message":"Not now.","next":"Wait."}})"));
}

TEST_F(ApiTest, CodesHaveTheirHttpStatus) {
  const std::pair<Code, unsigned> expected[] = {
      {Code::kGroupNotFound, 404}, {Code::kInvalidData, 400}, {Code::kClusterBusy, 503},
      {Code::kNoQuorum, 503},      {Code::kTimeout, 504},     {Code::kAlreadyExists, 409}};
  for (const auto& [code, status] : expected) {
    node_.reply.set_code(static_cast<std::uint32_t>(code));
    EXPECT_EQ(send("DELETE", "/v1/vms/web"), status) << code_name(code);
  }
}

TEST_F(ApiTest, APropertyIsReadAndWritten) {
  EXPECT_EQ(send("GET", "/v1/property?object=vm/web&name=migrationstate"), 200u);
  EXPECT_EQ(answer().at("value").to_number<int>(), 0);
  for (const char* body : {R"({"value":5})", R"({"value":"5"})"}) {
    EXPECT_EQ(send("PUT", "/v1/property?object=web&name=MigrationState", body), 200u);
    EXPECT_EQ(asked().set_property().kind(), "vm");
    EXPECT_EQ(asked().set_property().object(), "web");
    EXPECT_EQ(asked().set_property().name(), "MigrationState");
    EXPECT_EQ(asked().set_property().value(), encode_value(Value::dword(5)).value());
    EXPECT_EQ(answer().at("value").to_number<int>(), 5);
  }
  EXPECT_EQ(send("PUT", "/v1/property?object=web&name=MigrationState", R"({"value":6})"), 400u);
  EXPECT_EQ(error_name(), "ERROR_INVALID_DATA");
  EXPECT_EQ(send("PUT", "/v1/property?object=web&name=MigrationState", R"({"value":true})"), 400u);
}

TEST_F(ApiTest, PropertiesOfWhatDoesNotExistAreNotFound) {
  EXPECT_EQ(send("GET", "/v1/property?object=web&name=Colour"), 404u);
  EXPECT_EQ(send("GET", "/v1/properties?object=vm/none"), 404u);
  EXPECT_EQ(send("GET", "/v1/properties?object=node/none"), 404u);
  EXPECT_EQ(send("GET", "/v1/properties?object=planet/mars"), 400u);
  EXPECT_EQ(send("GET", "/v1/properties"), 400u);
  for (const char* object : {"cluster", "node/node-1", "group/web", "vm/web"}) {
    EXPECT_EQ(send("GET", std::string("/v1/properties?object=") + object), 200u) << object;
    EXPECT_FALSE(answer().as_array().empty()) << object;
  }
}

TEST_F(ApiTest, EventsAreThoseAfterANumber) {
  for (std::uint64_t number = 1; number <= 5; ++number) add_event(number);
  send("GET", "/v1/events");
  EXPECT_EQ(answer().as_array().size(), 5u);
  send("GET", "/v1/events?since=2&limit=2");
  ASSERT_EQ(answer().as_array().size(), 2u);
  EXPECT_EQ(answer().at(0).at("number").to_number<int>(), 3);
  EXPECT_EQ(send("GET", "/v1/events?since=-1"), 400u);
  EXPECT_EQ(send("GET", "/v1/events?wait_ms=60001"), 400u);
}

TEST_F(ApiTest, ALongPollIsAnsweredByTheNextEvent) {
  EXPECT_EQ(send("GET", "/v1/events?since=0&wait_ms=1000"), 0u);
  add_event(1);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answer().as_array().size(), 1u);
}

TEST_F(ApiTest, ALongPollEndsEmptyHanded) {
  EXPECT_EQ(send("GET", "/v1/events?since=0&wait_ms=1000"), 0u);
  node_.timers.back()();
  EXPECT_EQ(answer().as_array().size(), 0u);
}

TEST_F(ApiTest, ATaskIsWaitedFor) {
  pb::Task task;
  task.set_id(2);
  node_.cluster.put(task);
  EXPECT_EQ(send("GET", "/v1/tasks/2?wait_ms=1000"), 0u);
  api_.state_changed();
  EXPECT_TRUE(answers_.empty());
  task.set_complete(true);
  node_.cluster.put(task);
  api_.state_changed();
  EXPECT_EQ(answer().at("is_complete"), true);
  EXPECT_EQ(send("GET", "/v1/tasks/3?wait_ms=1000"), 404u);
  EXPECT_EQ(send("GET", "/v1/tasks/none"), 404u);
}

TEST_F(ApiTest, TheLauncherReportsAProcessItReaped) {
  EXPECT_EQ(send("POST", "/v1/evidence", R"({"node":"node-2","instance":4294967295})"), 200u);
  EXPECT_EQ(answer(), json::parse("{}"));
  EXPECT_EQ(node_.died.at(0), std::make_pair(NodeId{2}, 0xffffffffu));
  EXPECT_EQ(send("POST", "/v1/evidence", R"({"node":"node-2"})"), 400u);
  EXPECT_EQ(send("POST", "/v1/evidence", R"({"node":"node-2","instance":4294967296})"), 400u);
  EXPECT_EQ(send("POST", "/v1/evidence", R"({"node":"node-3","instance":1})"), 404u);
}

}  // namespace
}  // namespace failsim::node
