// The report of a run: complete, valid, self-contained, and never written over another.

#include <filesystem>
#include <set>
#include <sstream>

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include "tests/file_content.h"
#include "tests/sim/story.h"
#include "tests/temporary_directory.h"
#include "tools/report/account.h"
#include "tools/report/judge.h"
#include "tools/report/run_directory.h"
#include "tools/report/run_recorder.h"
#include "tools/sim/injector.h"

namespace failsim::history {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

// 2026-01-02 03:04:05 UTC
const auto kNow = std::chrono::system_clock::from_time_t(1767323045);

// ---- Directories --------------------------------------------------------------------------------

TEST(RunDirectory, IsNeverWrittenOver) {
  const TemporaryDirectory runs;
  std::set<fs::path> directories;
  for (int i = 0; i < 3; ++i) {
    const auto created = create_run_directory(runs.path(), kNow);
    ASSERT_TRUE(created.ok()) << created.error().message;
    EXPECT_TRUE(directories.insert(created.value()).second);
    EXPECT_EQ(fs::canonical(fs::path(runs.path()) / "latest"), fs::canonical(created.value()));
  }
  EXPECT_TRUE(fs::exists(fs::path(runs.path()) / "20260102-030405"));
}

TEST(RunDirectory, ThatCannotBeCreatedIsTold) {
  const TemporaryDirectory runs;
  const fs::path file = fs::path(runs.path()) / "file";
  set_content(file, "in the way");
  const auto created = create_run_directory(file, kNow);
  ASSERT_FALSE(created.ok());
  EXPECT_EQ(created.error().code, Code::kWriteFault);
}

// ---- A run with a violation ---------------------------------------------------------------------

// A cluster that is killed and migrates, and a migration that loses a page.
class Reported : public sim::Story {
 protected:
  void SetUp() override {
    auto created = RunRecorder::create(
        runs_.path(), kNow,
        {RunIdentity{"a page is lost </script>", "failsim simulate --seed 1", "virtual"},
         "{\"seed\":1}", "version: 1\n# <b>& \"quotes\"\n"});
    ASSERT_TRUE(created.ok()) << created.error().message;
    recorder_ = created.take();
    sim::WorldConfig config;
    config.sink = recorder_.get();
    begin(config);
    injector_ = std::make_unique<sim::Injector>(world(), 1);
  }
  void lose_a_page() {
    run_vm("web", 1);
    run_vm("shop", 2);
    migrate("shop", 3, slow());
    const NodeId follower = node_beside({leader(), 1});
    world().kill(follower, sim::World::Evidence::kReported);
    pass(2 * kSecond);
    world().start(follower);
    pass(3 * kSecond);
    const NodeId source = owner("web");
    const auto order = fault::parse_order("forget-page " + node_name(source));
    ASSERT_TRUE(order.ok());
    ASSERT_TRUE(injector_->inject(order.value()).ok());
    const pb::Reply reply = migrate("web", node_beside({source}), slow());
    ASSERT_EQ(reply.code(), 0u) << reply.message();
    wait("the pages are checked", [this] { return !world().checker().violations().empty(); });
    pass(2 * kSecond);
    expect_violation("S10");
    const auto page = recorder_->finish(world().checker().violations(),
                                        world().checker().findings().evaluations());
    ASSERT_TRUE(page.ok()) << page.error().message;
    page_ = page.value();
  }
  std::string file(const char* name) const { return content_of(page_.parent_path() / name); }

  TemporaryDirectory runs_;
  std::unique_ptr<RunRecorder> recorder_;
  std::unique_ptr<sim::Injector> injector_;
  fs::path page_;
};

TEST_F(Reported, HasEveryFile) {
  lose_a_page();
  for (const char* name : {"options.json", "scenario.yaml", "history.jsonl", "junit.xml",
                           "trace.json", "report.html", "replay.txt"}) {
    EXPECT_FALSE(file(name).empty()) << name;
  }
  EXPECT_NE(file("junit.xml").find("<failure message=\"the memory of VM web"), std::string::npos);
  EXPECT_EQ(file("replay.txt"), "failsim simulate --seed 1\n");
}

TEST_F(Reported, ItsHistoryShowsTheViolationAgain) {
  lose_a_page();
  std::istringstream in(file("history.jsonl"));
  class Judging : public Sink {
   public:
    void take(Time now, const Fact& fact) override { judge.take(now, fact); }
    Judge judge;
  } second;
  ASSERT_TRUE(read_history(in, second).ok());
  const auto& before = world().checker().violations();
  const auto& after = second.judge.findings().violations();
  ASSERT_EQ(after.size(), before.size());
  EXPECT_EQ(after.front().label, "S10");
  EXPECT_EQ(after.front().text, before.front().text);
  EXPECT_EQ(after.front().at, before.front().at);
}

TEST_F(Reported, ItsPageNeedsNothingElse) {
  lose_a_page();
  const std::string page = file("report.html");
  for (const char* outside : {"http://", "https://", "src=\"", "@import", "url(", "fetch("}) {
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;
  }
  EXPECT_EQ(page.find("{{"), std::string::npos) << "a place that was not filled in";
}

TEST_F(Reported, NothingInItsDataEndsTheElementThatHoldsIt) {
  lose_a_page();
  const std::string page = file("report.html");
  const std::string open = "<script id=\"data\" type=\"application/json\">";
  const std::size_t begin = page.find(open) + open.size();
  const std::size_t end = page.find("</script>", begin);
  boost::system::error_code failed;
  const json::value data = json::parse(page.substr(begin, end - begin), failed);
  ASSERT_FALSE(failed) << failed.message();
  EXPECT_EQ(data.at("title").as_string(), "a page is lost </script>");
  EXPECT_EQ(data.at("violations").as_array().size(), 1u);
  for (const char* part : {"nodes", "processes", "leaders", "owners", "executions", "phases",
                           "rounds", "faults", "messages", "moments", "vms", "types"}) {
    EXPECT_FALSE(data.at(part).as_array().empty()) << part;
  }
}

TEST_F(Reported, ItsTraceIsValidAndItsFlowsArePairs) {
  lose_a_page();
  boost::system::error_code failed;
  const json::value trace = json::parse(file("trace.json"), failed);
  ASSERT_FALSE(failed) << failed.message();
  std::set<std::int64_t> begun;
  std::size_t slices = 0;
  for (const json::value& event : trace.at("traceEvents").as_array()) {
    const json::string& phase = event.at("ph").as_string();
    if (phase == "X") {
      ++slices;
      EXPECT_GE(event.at("dur").to_number<double>(), 0);
      EXPECT_GE(event.at("ts").to_number<double>(), 0);
    } else if (phase == "s") {
      EXPECT_TRUE(begun.insert(event.at("id").as_int64()).second);
    } else if (phase == "f") {
      EXPECT_EQ(begun.erase(event.at("id").as_int64()), 1u);
    } else {
      EXPECT_EQ(phase, "M");
    }
  }
  EXPECT_GT(slices, 100u);
  EXPECT_TRUE(begun.empty()) << "a flow that does not end";
}

}  // namespace
}  // namespace failsim::history
