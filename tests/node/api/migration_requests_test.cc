// Migrations, their forecasts and metrics, and what is asked of their jobs.
#include "cluster/migration/dirty_curve.h"
#include "tests/node/api/asked_api.h"

namespace failsim::node {
namespace {

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

}  // namespace
}  // namespace failsim::node
