#include "node/api/render.h"

#include <string>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <gtest/gtest.h>

#include "cluster/migration/progress.h"
#include "cluster/vm/vm_state.h"
#include "node/api/time_text.h"

namespace failsim::node {
namespace {

namespace json = boost::json;

// Two nodes, a VM on the first that once moved there and is now leaving.
class Render : public testing::Test {
 protected:
  Render() {
    pb::Bootstrap bootstrap;
    bootstrap.set_cluster_name("lab");
    bootstrap.set_recovery_epoch(1);
    for (NodeId id = 1; id <= 2; ++id) {
      pb::Bootstrap::Node& node = *bootstrap.add_nodes();
      node.set_id(id);
      node.set_address("127.1.1." + std::to_string(id));
      node.set_memory_bytes(1 << 30);
    }
    state_ = ClusterState::born(bootstrap);

    vm_.set_name("web");
    vm_.set_vm_id("0000");
    vm_.mutable_config()->set_memory_bytes(4096);
    vm_.mutable_config()->set_pattern(pb::PATTERN_HOT_SET);
    vm_.mutable_config()->set_fill(pb::FILL_ZERO);
    vm_.set_owner(1);
    vm_.mutable_epoch()->set_recovery(1);
    vm_.mutable_epoch()->set_counter(4);
    vm_.set_state(static_cast<std::uint32_t>(VmState::kRunning));
    vm_.set_job(7);

    task_.set_id(7);
    task_.set_kind("migrate");
    task_.set_object("vm/web");
    task_.set_progress(20);
    pb::MigrationJob& job = *task_.mutable_job();
    job.set_vm("web");
    job.set_source(1);
    job.set_target(2);
    job.set_phase(2);
    job.set_job_state(4);
    job.mutable_parameters()->set_downtime_limit_ns(300 * kMillisecond);
    put();
  }

  void put() {
    state_.put(vm_);
    state_.put(task_);
  }

  static render::Live live() {
    pb::PeerMessage::LiveReply reply;
    reply.set_has_guest(true);
    reply.set_counter(99);
    reply.set_boot_id(3);
    reply.set_executing(true);
    reply.set_has_transfer(true);
    reply.set_migration_progress(55);
    reply.set_bytes_remaining(1000);
    reply.mutable_statistics()->set_rounds(4);
    reply.mutable_statistics()->set_sent_bytes_per_second(2000);
    reply.mutable_statistics()->set_dirty_bytes_per_second(3000);
    reply.mutable_statistics()->set_not_converging("the guest is too fast");
    reply.mutable_statistics()->set_throttle_percent(30);
    reply.mutable_statistics()->set_expected_total_ns(5 * kSecond);
    reply.mutable_statistics()->set_expected_downtime_ns(250 * kMillisecond);
    reply.add_rounds()->set_sent_bytes(4096);
    return reply;
  }

  ClusterState state_;
  pb::Vm vm_;
  pb::Task task_;
};

TEST_F(Render, StatusSaysWhoAnswersAndWhetherThereIsAQuorum) {
  const json::value expected = json::parse(R"({"cluster":"lab","quorum":false,"leader":null,
      "nodes":[{"name":"node-1","state":{"value":3,"name":"Joining"},"pid":12,
                "address":"127.1.1.1"},
               {"name":"node-2","state":{"value":3,"name":"Joining"},"pid":null,
                "address":"127.1.1.2"}]})");
  EXPECT_EQ(json::value(render::status(state_, {1, 12, kNoNode, false})), expected);
  EXPECT_EQ(render::status(state_, {1, 12, 2, true}).at("leader"), "node-2");
}

TEST_F(Render, ANodeListsItsVms) {
  const json::object node = render::node(state_, *state_.node(1));
  EXPECT_EQ(node.at("vms"), json::value({"web"}));
  EXPECT_EQ(node.at("memory_bytes").to_number<std::uint64_t>(), std::uint64_t{1} << 30);
  EXPECT_EQ(render::node(state_, *state_.node(2)).at("vms").as_array().size(), 0u);
}

TEST_F(Render, AVmShowsItsGuestAsItsOwnerSawIt) {
  const json::object vm = render::vm(state_, vm_, live());
  EXPECT_EQ(vm.at("guest"), json::parse(R"({"counter":99,"boot_id":3,"executing":true})"));
  EXPECT_EQ(vm.at("state"), json::parse(R"({"value":5,"name":"Running"})"));
  EXPECT_EQ(vm.at("owner_node"), "node-1");
  EXPECT_EQ(vm.at("epoch"), "1.4");
  EXPECT_EQ(vm.at("pattern"), "hot-set");
  EXPECT_EQ(vm.at("fill"), "zero");
  EXPECT_EQ(vm.at("job_id").to_number<int>(), 7);
  EXPECT_EQ(vm.at("migration_progress").to_number<int>(), 55);
  EXPECT_EQ(vm.at("migration_state"), json::parse(R"({"value":0,"name":"No Migration"})"));
  EXPECT_EQ(vm.at("migration_failure_reason"), json::parse(R"({"value":0,"name":"S_OK"})"));
}

TEST_F(Render, AVmWhoseOwnerIsSilentHasNoGuest) {
  const json::object vm = render::vm(state_, vm_, std::nullopt);
  EXPECT_TRUE(vm.at("guest").is_null());
  EXPECT_EQ(vm.at("migration_progress").to_number<int>(), 20);
}

TEST_F(Render, AMigrationUnderWayShowsWhatItsSourceSays) {
  const json::object shown = render::migration(state_, task_, live());
  EXPECT_EQ(shown.at("from"), "node-1");
  EXPECT_EQ(shown.at("to"), "node-2");
  EXPECT_EQ(shown.at("migration_state"), json::parse(R"({"value":2,"name":"Data Transfer"})"));
  EXPECT_EQ(shown.at("job_state"), json::parse(R"({"value":4,"name":"Running"})"));
  EXPECT_EQ(shown.at("rounds").to_number<int>(), 4);
  EXPECT_EQ(shown.at("bytes_remaining").to_number<int>(), 1000);
  EXPECT_EQ(shown.at("sent_bytes_per_second").to_number<int>(), 2000);
  EXPECT_EQ(shown.at("dirty_bytes_per_second").to_number<int>(), 3000);
  EXPECT_EQ(shown.at("not_converging"), "the guest is too fast");
  EXPECT_EQ(shown.at("throttle_percent").to_number<int>(), 30);
  EXPECT_EQ(shown.at("expected_total_ms").to_number<int>(), 5000);
  EXPECT_EQ(shown.at("expected_downtime_ms").to_number<int>(), 250);
  const json::array& rounds = shown.at("rounds_record").as_array();
  ASSERT_EQ(rounds.size(), 1u);
  EXPECT_EQ(rounds[0].at("bytes_sent").to_number<int>(), 4096);
  EXPECT_EQ(rounds[0].at("decision"), "continue");
  EXPECT_EQ(shown.at("downtime_limit_ms").to_number<int>(), 300);
  EXPECT_TRUE(shown.at("result").is_null());
  EXPECT_TRUE(shown.at("error").is_null());
  EXPECT_TRUE(shown.at("digest_match").is_null());
}

// Its source says 99 at the end of the rounds and 100 behind them, and nothing once it is no more the
// owner; then the number is what is agreed.
TEST_F(Render, ProgressNeverFallsAsTheOwnerChanges) {
  render::Live source = live();
  std::uint32_t before = 0;
  const auto expect_no_fall = [&](std::uint32_t agreed, const render::Live& said) {
    task_.set_progress(agreed);
    const std::uint32_t shown = render::migration_progress(task_, said);
    EXPECT_GE(shown, before);
    EXPECT_LT(shown, 100u);
    before = shown;
  };
  for (const std::uint32_t percent : {0u, 40u, 99u}) {
    source->set_migration_progress(percent);
    expect_no_fall(kProgressInTransfer, source);
  }
  source->set_migration_progress(100);
  expect_no_fall(kProgressInTransfer, source);
  expect_no_fall(kProgressAtMove, source);
  expect_no_fall(kProgressAtComplete, source);
  render::Live target = live();
  target->set_has_transfer(false);
  target->set_migration_progress(0);
  expect_no_fall(kProgressAtComplete, target);
  expect_no_fall(kProgressWithAllPages, target);
  task_.set_complete(true);
  task_.set_progress(100);
  EXPECT_EQ(render::migration_progress(task_, target), 100u);
}

TEST_F(Render, AnEndedMigrationShowsWhatIsAgreed) {
  task_.set_complete(true);
  task_.set_result(6);
  task_.set_progress(60);
  task_.set_error(static_cast<std::uint32_t>(Code::kTimeout));
  task_.set_error_message("Too late.");
  pb::MigrationStatistics& statistics = *task_.mutable_job()->mutable_statistics();
  statistics.set_rounds(2);
  statistics.set_downtime_ns(12 * kMillisecond + 999'999);
  statistics.set_digest(pb::MigrationStatistics::DIGEST_MISMATCH);
  put();
  const json::object shown = render::migration(state_, task_, live());
  EXPECT_EQ(shown.at("rounds").to_number<int>(), 2);
  EXPECT_EQ(shown.at("bytes_remaining").to_number<int>(), 0);
  EXPECT_EQ(shown.at("downtime_ms").to_number<int>(), 12);
  EXPECT_EQ(shown.at("digest_match"), false);
  EXPECT_EQ(shown.at("result"), json::parse(R"({"value":6,"name":"TimeOutError"})"));
  EXPECT_EQ(shown.at("error").as_object().at("name"), "ERROR_TIMEOUT");
  EXPECT_EQ(render::migration_progress(state_, "web", live()), 60u);
}

TEST_F(Render, ATaskHasAResultOnceItIsComplete) {
  EXPECT_TRUE(render::task(task_).at("result").is_null());
  task_.set_complete(true);
  EXPECT_EQ(render::task(task_).at("result"), json::parse(R"({"value":0,"name":"Success"})"));
}

TEST_F(Render, AnEventCarriesItsOwnFields) {
  pb::EventRecord event;
  event.set_number(3);
  event.set_wall_time_ns(1'700'000'000'007'000'000);
  event.set_kind("vm-state");
  event.set_object("vm/web");
  const auto add = [&event](const char* name) -> pb::EventRecord::Field& {
    pb::EventRecord::Field& field = *event.add_fields();
    field.set_name(name);
    return field;
  };
  add("vm").set_text("web");
  add("count").set_number(5);
  add("forced").set_flag(true);
  pb::EventRecord::Named& to = *add("to").mutable_named();
  to.set_value(5);
  to.set_name("Running");
  EXPECT_EQ(json::value(render::event(event)),
            json::parse(R"({"number":3,"time":"2023-11-14T22:13:20.007Z","node":null,
                "kind":"vm-state","object":"vm/web","vm":"web","count":5,"forced":true,
                "to":{"value":5,"name":"Running"}})"));
  event.set_node(2);
  EXPECT_EQ(render::event(event).at("node"), "node-2");
}

TEST_F(Render, ADwordPropertyIsANumber) {
  const PropertySpec& spec = *find(ObjectKind::kVm, "MigrationState");
  EXPECT_EQ(json::value(render::property(spec, Value::dword(2))),
            json::parse(R"({"name":"MigrationState","value":2,"type":"DWORD","minimum":0,
                "maximum":5,"default":0,"access":"read/write"})"));
}

TEST_F(Render, EveryPropertyCanBeShown) {
  for (const PropertySpec& spec : all_properties()) {
    EXPECT_EQ(render::property(spec, default_value(spec)).at("name"),
              json::string(spec.name.data(), spec.name.size()));
  }
}

TEST(TimeText, IsRfc3339InUtc) {
  EXPECT_EQ(rfc3339_utc(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(rfc3339_utc(951'868'799'999'999'999), "2000-02-29T23:59:59.999Z");
  EXPECT_EQ(rfc3339_utc(-1), "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace failsim::node
