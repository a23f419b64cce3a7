#include "node/api/api.h"

#include <string>
#include <vector>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <gtest/gtest.h>

#include "cluster/migration/dirty_curve.h"
#include "cluster/vm/lifecycle.h"
#include "node/faults/fault_desk.h"

namespace failsim::node {
namespace {

namespace json = boost::json;

// A node that answers as the test tells it, at once.
class AskedNode final : public NodeService {
 public:
  NodeId self() const override { return 1; }
  Incarnation incarnation() const override { return 1; }
  std::uint64_t process_id() const override { return 4; }
  NodeId leader() const override { return leading; }
  bool has_quorum() const override { return read_code == Code::kOk; }
  const TransportCounters& transport_counters() const override { return counters; }
  const ClusterState& state() const override { return cluster; }
  void ask(pb::Request request, std::function<void(pb::Reply)> answer) override {
    asked.push_back(std::move(request));
    if (is_silent) {
      unanswered.push_back(std::move(answer));
      return;
    }
    answer(reply);
  }
  void read(std::function<void(Code)> answer) override {
    ++reads;
    if (leads_nowhere) return;  // no leader confirms it, for long
    answer(read_code);
  }
  void live(const std::string&, NodeId,
            std::function<void(std::optional<pb::PeerMessage::LiveReply>)> answer) override {
    answer(live_reply);
  }
  void process_died(NodeId node, std::uint32_t instance) override {
    died.emplace_back(node, instance);
  }
  void call_after(Duration, std::function<void()> call) override { timers.push_back(call); }
  FaultDesk* fault_desk() override { return faults.get(); }

  std::unique_ptr<FaultDesk> faults;
  ClusterState cluster;
  TransportCounters counters;
  NodeId leading = 1;
  bool leads_nowhere = false;
  Code read_code = Code::kOk;
  std::optional<pb::PeerMessage::LiveReply> live_reply;
  pb::Reply reply;
  bool is_silent = false;  // as without a quorum
  std::vector<std::function<void(pb::Reply)>> unanswered;
  int reads = 0;
  std::vector<pb::Request> asked;
  std::vector<std::pair<NodeId, std::uint32_t>> died;
  std::vector<std::function<void()>> timers;
};

class ApiTest : public testing::Test {
 protected:
  ApiTest() {
    pb::Bootstrap bootstrap;
    bootstrap.set_cluster_name("lab");
    bootstrap.add_nodes()->set_id(1);
    bootstrap.add_nodes()->set_id(2);
    node_.cluster = ClusterState::born(bootstrap);
    pb::Vm vm;
    vm.set_name("web");
    vm.set_owner(1);
    vm.set_state(1);
    node_.cluster.put(vm);
    node_.reply.set_task(9);
  }
  // A guest of 64 MiB that writes 64 MiB a second; 0 = anywhere.
  void let_web_be_migrated(std::uint64_t working_set_bytes) {
    pb::Vm vm = *node_.cluster.vm("web");
    vm.set_state(static_cast<std::uint32_t>(VmState::kRunning));
    vm.mutable_config()->set_memory_bytes(64u << 20);
    vm.mutable_config()->set_working_set_bytes(working_set_bytes);
    vm.mutable_config()->set_dirty_bytes_per_second(64u << 20);
    node_.cluster.put(vm);
    for (const NodeId id : {1u, 2u}) {
      pb::Node node = *node_.cluster.node(id);
      node.set_state(pb::NODE_UP);
      node.set_memory_bytes(1u << 30);
      node_.cluster.put(node);
    }
  }

  unsigned send(const std::string& method, const std::string& target, const std::string& body = "",
                const std::string& request_id = "") {
    answers_.clear();
    api_.handle({method, target, request_id, body}, [this](HttpResponse answer) {
      status_ = answer.status;
      body_ = answer.body;
      const bool is_json = answer.content_type == "application/json";
      answers_.push_back(is_json ? json::parse(answer.body) : json::value());
    });
    return answers_.empty() ? 0 : status_;
  }
  const json::value& answer() const { return answers_.at(0); }
  std::string error_name() const {
    return std::string(answer().at("error").at("name").as_string());
  }
  const pb::Request& asked() const { return node_.asked.back(); }

  void add_event(std::uint64_t number) {
    pb::EventRecord event;
    event.set_number(number);
    node_.cluster.put(event);
    api_.state_changed();
  }

  AskedNode node_;
  Api api_{node_};
  unsigned status_ = 0;
  std::string body_;
  std::vector<json::value> answers_;
};

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

TEST_F(ApiTest, AMigrationIsAskedForWithItsParameters) {
  EXPECT_EQ(send("POST", "/v1/vms/web/migrate",
                 R"({"to":"node-2","bandwidth_bytes_per_second":1000,"downtime_limit_ms":50,
                     "max_rounds":3,"timeout_ms":9,"verify":"before-resume",
                     "max_downtime_ms":2000,"max_bytes":4096,"on_no_convergence":"throttle",
                     "throttle_first_percent":10,"throttle_step_percent":5,
                     "throttle_most_percent":80,"streams":4,"compression":"zstd"})"),
            200u);
  const pb::Request::Migrate& migrate = asked().migrate();
  EXPECT_EQ(migrate.target(), 2u);
  EXPECT_EQ(migrate.parameters().bandwidth_bytes_per_second(), 1000u);
  EXPECT_EQ(migrate.parameters().downtime_limit_ns(), 50 * kMillisecond);
  EXPECT_EQ(migrate.parameters().max_rounds(), 3u);
  EXPECT_EQ(migrate.parameters().timeout_ns(), 9 * kMillisecond);
  EXPECT_EQ(migrate.parameters().verify(), pb::VERIFY_BEFORE_RESUME);
  EXPECT_EQ(migrate.parameters().max_downtime_ns(), 2 * kSecond);
  EXPECT_EQ(migrate.parameters().max_bytes(), 4096u);
  EXPECT_EQ(migrate.parameters().on_no_convergence(), pb::NO_CONVERGENCE_THROTTLE);
  EXPECT_EQ(migrate.parameters().throttle_first_percent(), 10u);
  EXPECT_EQ(migrate.parameters().throttle_step_percent(), 5u);
  EXPECT_EQ(migrate.parameters().throttle_most_percent(), 80u);
  EXPECT_EQ(migrate.parameters().streams(), 4u);
  EXPECT_EQ(migrate.parameters().compression(), pb::COMPRESSION_ZSTD);
  EXPECT_EQ(send("POST", "/v1/vms/web/migrate", "{}"), 400u);
}

TEST_F(ApiTest, AForecastBeginsNothing) {
  let_web_be_migrated(16u << 20);
  EXPECT_EQ(send("POST", "/v1/vms/web/forecast-migration", R"({"to":"node-2"})"), 404u)
      << "nobody knows the link";
  EXPECT_EQ(send("POST", "/v1/vms/web/forecast-migration",
                 R"({"to":"node-2","bandwidth_bytes_per_second":8388608,
                     "on_no_convergence":"fail"})"),
            200u);
  EXPECT_EQ(answer().at("succeeds"), false);
  EXPECT_EQ(answer().at("rounds").to_number<int>(), 3);
  EXPECT_NE(answer().at("not_converging"), "");
  EXPECT_EQ(send("POST", "/v1/vms/web/forecast-migration", R"({"to":"node-1"})"), 400u);
  EXPECT_EQ(send("POST", "/v1/vms/web/forecast-migration", "{}"), 400u);
  EXPECT_TRUE(node_.asked.empty());
}

TEST_F(ApiTest, AForecastTellsPostCopyFromASwitchThatIsForced) {
  let_web_be_migrated(16u << 20);
  const auto post_copy = [this](const std::string& action) {
    EXPECT_EQ(send("POST", "/v1/vms/web/forecast-migration",
                   R"({"to":"node-2","bandwidth_bytes_per_second":8388608,
                       "on_no_convergence":")" +
                       action + "\"}"),
              200u);
    EXPECT_EQ(answer().at("converges"), false);
    return answer().at("post_copy");
  };
  EXPECT_EQ(post_copy("post-copy"), true);
  EXPECT_EQ(post_copy("switch"), false);
  EXPECT_EQ(post_copy("go-on"), false);
}

TEST_F(ApiTest, AForecastIsOfTheGuestAndTheLinkAsTheirOwnerSawThem) {
  let_web_be_migrated(0);
  pb::PeerMessage::LiveReply& live = node_.live_reply.emplace();
  live.set_link_bytes_per_second(32u << 20);
  // It hardly writes, whatever its configuration says. What comes twice counts once.
  for (const Duration elapsed : {kSecond, kSecond, 2 * kSecond}) {
    pb::PeerMessage::DirtyPoint& point = *live.add_dirty_curve();
    point.set_elapsed_ns(elapsed);
    for (std::size_t part = 0; part < kDirtyParts; ++part) point.add_bytes(1u << 16);
  }
  EXPECT_EQ(send("POST", "/v1/vms/web/forecast-migration", R"({"to":"node-2"})"), 200u);
  EXPECT_EQ(answer().at("is_watched"), true);
  EXPECT_EQ(answer().at("converges"), true);
  EXPECT_EQ(answer().at("sent_bytes_per_second").to_number<std::uint64_t>(), 32u << 20);
  EXPECT_EQ(answer().at("rounds").to_number<int>(), 1);
  EXPECT_GE(answer().at("total_ms").to_number<int>(), 2000);
  EXPECT_LE(answer().at("total_ms").to_number<int>(), 2100);
}

TEST_F(ApiTest, MetricsAreOfTheNewestMigrationOfEachVm) {
  pb::Task task;
  task.set_id(7);
  task.set_kind("migrate");
  task.mutable_job()->set_vm("web");
  task.mutable_job()->set_source(1);
  task.mutable_job()->set_target(2);
  task.mutable_job()->mutable_statistics()->set_downtime_ns(1'050 * kMillisecond);
  task.set_complete(true);
  node_.cluster.put(task);
  EXPECT_EQ(send("GET", "/metrics"), 200u);
  EXPECT_NE(body_.find("# TYPE failsim_migration_sent_bytes gauge\n"), std::string::npos);
  EXPECT_NE(body_.find("failsim_migration_downtime_seconds{vm=\"web\",from=\"node-1\","
                       "to=\"node-2\"} 1.050\n"),
            std::string::npos)
      << body_;
  EXPECT_NE(body_.find("failsim_migration_under_way{vm=\"web\",from=\"node-1\",to=\"node-2\"} 0"),
            std::string::npos);
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

TEST_F(ApiTest, AStateChangeIsAskedByNumberOrName) {
  node_.reply.set_return_value(32770);
  node_.reply.set_job_state(4);
  EXPECT_EQ(send("POST", "/v1/jobs/3/request-state-change",
                 R"({"requested_state":3,"timeout":"00000000000001.000000:000"})"),
            200u);
  EXPECT_EQ(asked().request_state_change().job(), 3u);
  EXPECT_EQ(asked().request_state_change().requested_state(), 3u);
  EXPECT_EQ(asked().request_state_change().timeout_ns(), kSecond);
  EXPECT_EQ(answer(), json::parse(R"({"return_value":{"value":32770,"name":"Not Supported"},
                                      "job_state":{"value":4,"name":"Running"}})"));
  send("POST", "/v1/jobs/3/request-state-change", R"({"requested_state":"Kill","timeout":null})");
  EXPECT_EQ(asked().request_state_change().requested_state(), 5u);
  EXPECT_EQ(asked().request_state_change().timeout_ns(), 0);
  send("POST", "/v1/jobs/3/request-state-change", R"({"requested_state":99999999999})");
  EXPECT_EQ(asked().request_state_change().requested_state(), 0xffffffffu);
  EXPECT_EQ(send("POST", "/v1/jobs/3/request-state-change", R"({"requested_state":"Sing"})"), 400u);
}

// Who gives a period is answered when the job is where it was asked to be.
TEST_F(ApiTest, AStateChangeWithAPeriodIsAnsweredWhenItIsDone) {
  pb::Task task;
  task.set_id(3);
  pb::MigrationJob& job = *task.mutable_job();
  job.set_phase(2);
  job.set_job_state(4);
  job.set_requested_state(3);
  node_.cluster.put(task);
  const std::string body = R"({"requested_state":3,"timeout":"00000000000002.000000:000"})";
  EXPECT_EQ(send("POST", "/v1/jobs/3/request-state-change", body), 0u) << "it is suspending";
  job.set_job_state(5);
  node_.cluster.put(task);
  api_.state_changed();
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answer(), json::parse(R"({"return_value":{"value":0,"name":"Completed with No Error"},
                                      "job_state":{"value":5,"name":"Suspended"}})"));
  job.set_job_state(4);
  job.set_requested_state(2);
  node_.cluster.put(task);
  EXPECT_EQ(send("POST", "/v1/jobs/3/request-state-change", body), 200u);
  EXPECT_EQ(answer().at("return_value").at("value").to_number<int>(), 32768) << "overwritten";
}

// Accepted, and nobody can order it.
TEST_F(ApiTest, ACancelWithoutALeaderSaysSoAsItsInterfaceDoes) {
  node_.reply.set_code(997);
  node_.reply.set_return_value(4096);
  node_.reply.set_job_state(4);
  node_.reply.set_message("Not yet.");
  node_.reply.set_next("Look later.");
  const json::value error = json::parse(R"({"code":997,"name":"ERROR_IO_PENDING",
                                            "message":"Not yet.","next":"Look later."})");
  EXPECT_EQ(send("POST", "/v1/vms/web/cancel-migration"), 202u);
  EXPECT_EQ(answer().at("error"), error);
  EXPECT_EQ(send("POST", "/v1/jobs/3/request-state-change", R"({"requested_state":"Kill"})"), 202u);
  EXPECT_EQ(
      answer().at("return_value"),
      json::parse(R"({"value":4096,"name":"Method Parameters Checked - Transition Started"})"));
  EXPECT_EQ(answer().at("error"), error);
  EXPECT_EQ(send("POST", "/v1/vms/web/control", R"({"code":"CANCEL_MIGRATION"})"), 200u);
  EXPECT_EQ(answer().at("return_value").at("value").to_number<int>(), 997);
  EXPECT_EQ(answer().at("message"), "Not yet.");
}

TEST_F(ApiTest, TheControlCodeOfACancelDoesNotWaitForALeader) {
  node_.leads_nowhere = true;
  EXPECT_EQ(send("POST", "/v1/vms/web/control", R"({"code":"CANCEL_MIGRATION"})"), 200u);
  EXPECT_EQ(asked().cancel_migration().vm(), "web");
  EXPECT_TRUE(asked().cancel_migration().only_begun());
  EXPECT_EQ(send("POST", "/v1/vms/web/control", R"({"code":"START_MIGRATION","to":"node-2"})"), 0u)
      << "a start does";
}

TEST_F(ApiTest, AControlCodeReturnsANumber) {
  EXPECT_EQ(send("POST", "/v1/vms/web/control", R"({"code":"START_MIGRATION","to":"node-2"})"),
            200u);
  EXPECT_EQ(asked().migrate().target(), 2u);
  EXPECT_EQ(answer(), json::parse(R"({"return_value":{"value":0,"name":"ERROR_SUCCESS"},
                                      "task":9,"message":""})"));
  node_.reply.set_job_state(2);
  send("POST", "/v1/vms/web/control", R"({"code":"0x01600004","to":"node-2"})");
  EXPECT_EQ(answer().at("return_value").at("value").to_number<int>(), 997) << "it waits";
  node_.reply.set_job_state(6);
  send("POST", "/v1/vms/web/control", R"({"code":"CANCEL_MIGRATION"})");
  EXPECT_EQ(asked().cancel_migration().vm(), "web");
  EXPECT_EQ(answer().at("return_value").at("value").to_number<int>(), 997) << "it is shutting down";
  node_.reply.set_code(5023);
  node_.reply.set_message("No.");
  EXPECT_EQ(send("POST", "/v1/vms/web/control", R"({"code":23068680})"), 200u);
  EXPECT_EQ(answer().at("return_value").at("value").to_number<int>(), 5023);
  EXPECT_EQ(answer().at("message"), "No.");
  EXPECT_EQ(send("POST", "/v1/vms/web/control", R"({"code":"EXPLODE"})"), 400u);
  EXPECT_EQ(send("POST", "/v1/vms/web/control", R"({"code":"START_MIGRATION"})"), 400u)
      << "to nowhere";
}

TEST_F(ApiTest, ACheckTellsAllThatFailsAndAsksForNothing) {
  EXPECT_EQ(send("POST", "/v1/vms/web/check-migration", R"({"to":"node-2"})"), 200u);
  EXPECT_EQ(answer().at("is_migratable"), false);
  EXPECT_EQ(answer().at("return_value").at("value").to_number<int>(), 5);
  EXPECT_GE(answer().at("failed_checks").as_array().size(), 2u);
  EXPECT_TRUE(node_.asked.empty());
  EXPECT_EQ(send("POST", "/v1/vms/none/check-migration", R"({"to":"node-2"})"), 404u);
}

TEST_F(ApiTest, AStateChangeThatNobodyDecidesTimesOut) {
  pb::Task task;
  task.set_id(3);
  task.mutable_job()->set_job_state(4);
  node_.cluster.put(task);
  node_.is_silent = true;
  send("POST", "/v1/jobs/3/request-state-change",
       R"({"requested_state":"Kill","timeout":"00000000000002.000000:000"})");
  ASSERT_EQ(node_.timers.size(), 1u);
  node_.timers[0]();
  EXPECT_EQ(answer(), json::parse(R"({"return_value":{"value":32772,"name":"Timeout"},
                                      "job_state":{"value":4,"name":"Running"}})"));
  // The decision comes after all: the call has its answer.
  node_.unanswered[0](node_.reply);
  EXPECT_EQ(answer().as_object().at("return_value").at("value"), 32772);
}

TEST_F(ApiTest, ATimeoutThatIsNoIntervalIsAnInvalidParameterOfTheJob) {
  pb::Task task;
  task.set_id(3);
  task.mutable_job()->set_job_state(4);
  node_.cluster.put(task);
  const std::string body = R"({"requested_state":4,"timeout":"soon"})";
  EXPECT_EQ(send("POST", "/v1/jobs/3/request-state-change", body), 200u);
  EXPECT_EQ(answer().at("return_value").at("value").to_number<int>(), 32773);
  EXPECT_TRUE(node_.asked.empty());
  EXPECT_EQ(send("POST", "/v1/jobs/4/request-state-change", body), 404u);
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

class FaultApiTest : public ApiTest {
 protected:
  FaultApiTest() {
    switchboard_.set_place(1, {1, 2});
    FaultDesk::Outside outside;
    outside.ask = [this](pb::Request request, std::function<void(pb::Reply)> answer) {
      node_.ask(std::move(request), std::move(answer));
    };
    outside.call_after = [](Duration, std::function<void()>) {};
    outside.changed = [this] { ++changes_; };
    node_.faults = std::make_unique<FaultDesk>(1, 1, switchboard_, std::move(outside));
  }

  Switchboard switchboard_{[] { return Time{kSecond}; }, 1};
  int changes_ = 0;
};

TEST_F(ApiTest, WithoutTheFlagNoFaultCanBeInjected) {
  for (const char* method : {"GET", "DELETE"}) EXPECT_EQ(send(method, "/v1/faults"), 409u);
  EXPECT_EQ(send("POST", "/v1/faults", R"({"order":"timer-late node-1 by=5ms"})"), 409u);
  EXPECT_EQ(error_name(), "ERROR_INVALID_STATE");
}

TEST_F(FaultApiTest, AFaultIsInjectedListedAndHealedWithItsEvents) {
  EXPECT_EQ(send("POST", "/v1/faults",
                 R"({"order":"link-cut node-1->node-2 for=5s","id":3,"by":"a test"})"),
            200u);
  EXPECT_EQ(answer().at("id").to_number<int>(), 3);
  EXPECT_EQ(answer().at("order"), "link-cut node-1->node-2 for=5s");
  EXPECT_EQ(asked().note_fault().what(), pb::Request::NoteFault::INJECTED);
  EXPECT_EQ(asked().note_fault().by(), "a test");
  EXPECT_EQ(send("GET", "/v1/faults"), 200u);
  EXPECT_EQ(answer().as_array().size(), 1u);
  EXPECT_EQ(send("DELETE", "/v1/faults/3"), 200u);
  EXPECT_EQ(asked().note_fault().what(), pb::Request::NoteFault::HEALED);
  EXPECT_EQ(send("DELETE", "/v1/faults/3"), 404u);
  EXPECT_EQ(changes_, 2);
}

TEST_F(FaultApiTest, AnInjectorRenewsItsFaultWithoutAnotherEvent) {
  const char* order = R"({"order":"timer-late node-1 by=5ms for=3s","id":8})";
  EXPECT_EQ(send("POST", "/v1/faults", order), 200u);
  EXPECT_EQ(send("POST", "/v1/faults", order), 200u);
  EXPECT_EQ(node_.asked.size(), 1u);
  EXPECT_EQ(send("DELETE", "/v1/faults"), 200u);
  EXPECT_EQ(send("POST", "/v1/faults", order), 409u) << "it was healed";
  EXPECT_EQ(error_name(), "ERROR_OPERATION_ABORTED");
}

TEST_F(FaultApiTest, WhatIsMalformedOrNotThisNodesAffairIsRefused) {
  EXPECT_EQ(send("POST", "/v1/faults", R"({"order":"link-cutt node-1->node-2"})"), 400u);
  EXPECT_NE(answer().at("error").at("next").as_string().find("link-cut"), std::string::npos);
  EXPECT_EQ(send("POST", "/v1/faults", "{}"), 400u);
  EXPECT_EQ(send("POST", "/v1/faults", R"({"order":"kill node-1"})"), 409u);
  EXPECT_EQ(send("POST", "/v1/faults", R"({"order":"link-cut node-1->node-7"})"), 404u);
  EXPECT_EQ(send("DELETE", "/v1/faults/one"), 400u);
  EXPECT_EQ(changes_, 0);
}

TEST_F(ApiTest, TheLauncherTellsOfItsFaults) {
  EXPECT_EQ(send("POST", "/v1/fault-notes",
                 R"({"what":"expired","fault":4,"order":"kill node-2","by":"a test"})"),
            200u);
  EXPECT_EQ(asked().note_fault().what(), pb::Request::NoteFault::EXPIRED);
  EXPECT_EQ(asked().note_fault().fault(), 4u);
  EXPECT_EQ(send("POST", "/v1/fault-notes", R"({"what":"imagined","order":"kill node-2"})"), 400u);
}

}  // namespace
}  // namespace failsim::node
