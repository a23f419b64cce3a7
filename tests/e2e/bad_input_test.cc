// What makes no sense is told so in one sentence, and loses nothing.
#include "tests/e2e/running_cluster.h"

namespace failsim::test {
namespace {

class BadInput : public RunningCluster {
 protected:
  void SetUp() override {
    RunningCluster::SetUp();
    object("vm create web --memory 16MiB --owner node-1 --start");
    before_ = last_event();
  }
  void TearDown() override {
    EXPECT_EQ(enum_name_in(vm("web"), "state"), "Running");
    EXPECT_EQ(array("vm list").size(), 1u);
    EXPECT_EQ(states_after(before_, "web"), std::vector<std::string>{});
    RunningCluster::TearDown();
  }

 private:
  std::uint64_t before_ = 0;
};

TEST_F(BadInput, UnknownObjects) {
  expect_refused("vm show nope", 105, Code::kGroupNotFound);
  expect_refused("vm start nope", 105, Code::kGroupNotFound);
  expect_refused("vm delete nope", 105, Code::kGroupNotFound);
  expect_refused("node show node-9", 105, Code::kNodeNotFound);
  expect_refused("node kill node-9", 105, Code::kNodeNotFound);
  expect_refused("node start node-0", 105, Code::kNodeNotFound);
  expect_refused("node stop web", 105, Code::kNodeNotFound);
  expect_refused("vm create db --owner node-9", 105, Code::kNodeNotFound);
  expect_refused("migrate show nope", 105, Code::kGroupNotFound);
}

TEST_F(BadInput, NamesThatCannotBe) {
  expect_refused("vm create web", 108, Code::kAlreadyExists);
  for (const std::string& name : {std::string("a/b"), std::string("list"), std::string("a%2fb"),
                                  std::string("../x"), std::string(10'000, 'x')}) {
    const Outcome outcome = run({"vm", "create", name});
    EXPECT_EQ(outcome.exit, 64) << name.substr(0, 20);
    EXPECT_LT(outcome.err.size(), 500u) << "the name is not repeated in full";
    EXPECT_NE(run({"vm", "show", name}).exit, 0);
  }
}

// The interface refuses by itself what the command line would never send.
TEST_F(BadInput, TheInterfaceDoesNotTrustItsClients) {
  for (const char* body :
       {R"({"name":"a/b","memory_bytes":16777216})", R"({"name":"","memory_bytes":16777216})",
        R"({"name":"db","memory_bytes":0})", R"({"name":"db","memory_bytes":-4096})",
        R"({"name":"db","memory_bytes":1e300})", R"({"name":7})", R"([])", R"({)",
        R"({"name":"db","memory_bytes":16777216,"working_set_bytes":33554432})"}) {
    cli::HttpRequest request;
    request.method = "POST";
    request.address = description().node_address(1);
    request.port = cli::kApiPort;
    request.target = "/v1/vms";
    request.token = cluster().token();
    request.body = body;
    const cli::HttpAnswer answer = cli::exchange(request);
    EXPECT_EQ(answer.status / 100, 4u) << body << " -> " << answer.status << " " << answer.body;
    const json::object error = cli::parse_object(answer.body).value_or(json::object{});
    EXPECT_FALSE(text_in(object_in(error, "error"), "message").empty()) << body;
  }
  cli::HttpRequest stranger;
  stranger.method = "GET";
  stranger.address = description().node_address(1);
  stranger.port = cli::kApiPort;
  stranger.target = "/v1/status";
  stranger.token = "guess";
  EXPECT_EQ(cli::exchange(stranger).status, 401u);
}

TEST_F(BadInput, SizesBeyondAnyNode) {
  expect_refused("vm create db --memory 8GiB", 113, Code::kNoPossibleOwner);
  expect_refused("vm create db --memory 8GiB --owner node-2", 1, Code::kNoSystemResources);
  expect_refused("vm create db --memory 1000TiB", 64, Code::kInvalidParameter);
  expect_refused("vm create db --memory 2000TiB", 64, Code::kInvalidParameter);
  expect_refused("vm create db --memory -1", 64, Code::kInvalidParameter);
}

}  // namespace
}  // namespace failsim::test
