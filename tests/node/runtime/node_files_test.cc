#include "node/runtime/node_files.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/file_content.h"
#include "tests/temporary_directory.h"

namespace failsim::node {
namespace {

class NodeFiles : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return directory_ / name; }
  void write(const std::string& name, const std::string& text) const {
    set_content(path(name), text);
  }
  std::string content(const std::string& name) const { return content_of(path(name)); }

  const TemporaryDirectory directory_;
};

TEST_F(NodeFiles, ATokenIsTheTextWithoutTheSpaceAroundIt) {
  write("token", " abc def\n\n");
  EXPECT_EQ(read_token(path("token")).value(), "abc def");
}

TEST_F(NodeFiles, AMissingOrEmptyTokenIsRefusedByName) {
  EXPECT_NE(read_token(path("none")).error().message.find(path("none")), std::string::npos);
  write("token", "\n");
  EXPECT_NE(read_token(path("token")).error().message.find("empty"), std::string::npos);
}

TEST_F(NodeFiles, ABootstrapIsReadFromJson) {
  write("bootstrap.json", R"({"clusterName":"c","clusterId":"9","nodes":[{"id":1}]})");
  const auto bootstrap = read_bootstrap(path("bootstrap.json"));
  ASSERT_TRUE(bootstrap.ok());
  EXPECT_EQ(bootstrap.value().cluster_id(), 9u);
  write("bootstrap.json", "{");
  EXPECT_FALSE(read_bootstrap(path("bootstrap.json")).ok());
}

TEST_F(NodeFiles, TheRunFileIsReplacedAsAWhole) {
  write("run.json",
        "something older and longer than what comes now, without an end to it ........");
  ASSERT_FALSE(write_run_file(directory_.path(), 12, (Incarnation{3} << 32) | 7));
  EXPECT_EQ(content("run.json"), "{\"pid\":12,\"instance\":7,\"incarnation\":12884901895}\n");
  EXPECT_FALSE(std::filesystem::exists(path("run.json.new")));
}

TEST_F(NodeFiles, ARunFileThatCannotBeWrittenIsAnError) {
  EXPECT_EQ(write_run_file(directory_ / "none", 1, 1)->code, Code::kWriteFault);
}

}  // namespace
}  // namespace failsim::node
