#include "node/api/job_properties.h"

#include <set>
#include <string>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <gtest/gtest.h>

#include "cluster/migration/job.h"

namespace failsim::node {
namespace {

namespace json = boost::json;

constexpr std::int64_t kCreatedAt = 1'700'000'000 * kSecond;  // 2023-11-14T22:13:20Z

class Job : public testing::Test {
 protected:
  Job() {
    pb::Bootstrap bootstrap;
    bootstrap.set_cluster_name("lab");
    bootstrap.add_nodes()->set_id(1);
    bootstrap.add_nodes()->set_id(2);
    state_ = ClusterState::born(bootstrap);
    pb::Vm vm;
    vm.set_name("web");
    vm.set_vm_id("0000");
    vm.set_owner(1);
    vm.set_job(7);
    state_.put(vm);
    pb::Cluster cluster = state_.cluster();
    cluster.set_time_ns(100 * kSecond);
    state_.put(cluster);
    task_.set_id(7);
    task_.set_created_wall_ns(kCreatedAt);
    task_.set_progress(20);
    job_.set_vm("web");
    job_.set_source(1);
    job_.set_target(2);
    job_.set_phase(2);
    job_.set_job_state(4);
    job_.set_started_ns(90 * kSecond);
    job_.set_state_changed_ns(93 * kSecond);
  }
  json::object job() {
    *task_.mutable_job() = job_;
    state_.put(task_);
    return render::job(state_, task_, std::nullopt);
  }
  int number(const char* key) { return job().at(key).at("value").to_number<int>(); }

  ClusterState state_;
  pb::Task task_;
  pb::MigrationJob job_;
};

TEST_F(Job, HasEveryPropertyOfTheTableOnce) {
  std::set<std::string_view> keys;
  for (const render::JobProperty& property : render::job_properties()) {
    EXPECT_TRUE(keys.insert(property.key).second) << property.key;
    EXPECT_FALSE(property.documented.empty());
  }
  EXPECT_EQ(job().size(), keys.size());
}

TEST_F(Job, UnderWayTellsWhatItIs) {
  const json::object shown = job();
  EXPECT_EQ(shown.at("instance_id"), "failsim:lab/7");
  EXPECT_EQ(number("job_state"), 4);
  EXPECT_EQ(shown.at("job_status"), "Running in Data Transfer");
  EXPECT_EQ(shown.at("percent_complete").to_number<int>(), 20);
  EXPECT_EQ(shown.at("cancellable"), true);
  EXPECT_EQ(shown.at("virtual_system_name"), "0000");
  EXPECT_EQ(shown.at("destination_host"), "node-2");
  EXPECT_EQ(number("migration_type"), 32768);
  EXPECT_EQ(number("job_type"), 305);
  EXPECT_EQ(shown.at("start_time"), "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(shown.at("time_of_last_state_change"), "2023-11-14T22:13:23.000Z");
  EXPECT_EQ(shown.at("elapsed_time"), "00000000000010.000000:000");
  EXPECT_EQ(shown.at("time_before_removal"), "00000000000500.000000:000");
  EXPECT_EQ(shown.at("error_code").to_number<int>(), 0);
  EXPECT_EQ(number("health_state"), 5);
  EXPECT_EQ(shown.at("delete_on_completion"), false);
}

TEST_F(Job, InMoveCannotBeCancelled) {
  job_.set_phase(3);
  EXPECT_EQ(job().at("cancellable"), false);
}

TEST_F(Job, ThatWaitedStartedLaterThanItWasAskedFor) {
  pb::StateRequest& turn = *job_.add_requests();
  turn.set_requested_state(2);
  turn.set_at_ns(85 * kSecond);
  turn.set_outcome("Its turn has come.");
  const json::object shown = job();
  EXPECT_EQ(shown.at("time_submitted"), "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(shown.at("start_time"), "2023-11-14T22:13:25.000Z");
}

TEST_F(Job, ThatWaitsHasNotStartedAndSaysWhy) {
  job_.set_phase(0);
  job_.set_job_state(2);
  job_.set_started_ns(0);
  job_.set_queued_index(4);
  const json::object shown = job();
  EXPECT_TRUE(shown.at("start_time").is_null());
  EXPECT_EQ(shown.at("elapsed_time"), "00000000000000.000000:000");
  EXPECT_NE(shown.at("job_status").as_string().find("waits"), json::string::npos);
}

TEST_F(Job, ThatFailedTellsItsError) {
  job_.set_phase(5);
  job_.set_job_state(10);
  job_.set_ended_ns(95 * kSecond);
  task_.set_complete(true);
  task_.set_result(6);
  task_.set_error(1460);
  task_.set_error_message("It took too long.");
  task_.set_error_next("Try again.");
  const json::object shown = job();
  EXPECT_EQ(shown.at("job_status"), "Exception");
  EXPECT_EQ(shown.at("error_code").to_number<int>(), 1460);
  EXPECT_EQ(shown.at("error_description"), "It took too long.");
  EXPECT_FALSE(shown.at("error_summary_description").as_string().empty());
  EXPECT_EQ(shown.at("elapsed_time"), "00000000000005.000000:000");
  EXPECT_EQ(number("health_state"), 30);
  EXPECT_EQ(render::job_error(task_).at("message"), "It took too long.");
  task_.set_error(0xA0040206);
  EXPECT_EQ(job().at("error_code").to_number<int>(), 32768) << "wider than the property";
}

TEST_F(Job, WithoutAnErrorHasNone) {
  EXPECT_TRUE(render::job_error(task_).is_null());
}

TEST_F(Job, ShowsWhatBecameOfEachRequest) {
  pb::StateRequest& request = *job_.add_requests();
  request.set_requested_state(3);
  request.set_at_ns(91 * kSecond);
  request.set_deadline_ns(92 * kSecond);
  request.set_outcome("Done.");
  const json::object shown = job().at("requests").as_array().at(0).as_object();
  EXPECT_EQ(shown.at("requested_state").at("name"), "Suspend");
  EXPECT_EQ(shown.at("return_value").at("value").to_number<int>(), 0);
  EXPECT_EQ(shown.at("time"), "2023-11-14T22:13:21.000Z");
  EXPECT_EQ(shown.at("deadline"), "2023-11-14T22:13:22.000Z");
  EXPECT_EQ(shown.at("outcome"), "Done.");
}

}  // namespace
}  // namespace failsim::node
