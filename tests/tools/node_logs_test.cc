// A log that shows a process died of itself is told apart from one of a process that was killed.

#include "tools/failsim/node_logs.h"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/temporary_directory.h"

namespace failsim::cli {
namespace {

TEST(NodeLogs, WhatASoundProcessNeverWritesIsAComplaint) {
  EXPECT_TRUE(is_complaint("failsim-node: cluster/raft/raft.cc:30: ...: Assertion `x' failed."));
  EXPECT_TRUE(is_complaint("terminate called after throwing an instance of 'std::bad_alloc'"));
  EXPECT_TRUE(is_complaint("==42==ERROR: AddressSanitizer: heap-use-after-free on address"));
  EXPECT_TRUE(is_complaint("frame.cc:12:3: runtime error: shift exponent 64 is too large"));
  EXPECT_TRUE(is_complaint("12:00:01 node-2 (process 77) was killed by signal 6"));
  EXPECT_TRUE(is_complaint("12:00:01 node-2 (process 77) was killed by signal 11"));
}

TEST(NodeLogs, EndsThatFaultsBringAreNone) {
  EXPECT_FALSE(is_complaint("12:00:01 node-2 (process 77) was killed by signal 9"));
  EXPECT_FALSE(is_complaint("12:00:01 node-2 (process 77) exited with status 0"));
  EXPECT_FALSE(is_complaint("12:00:02 the store cannot be written: Input/output error"));
  EXPECT_FALSE(is_complaint(""));
}

TEST(NodeLogs, EveryLogOfTheClusterIsLookedThrough) {
  const TemporaryDirectory temporary;
  const ClusterDirectory directory(temporary.path());
  ClusterDescription description;
  description.nodes = 3;
  const auto write = [](const fs::path& log, const std::string& text) {
    fs::create_directories(log.parent_path());
    std::ofstream(log) << text;
  };
  write(directory.node_log(2), "ready\nx.cc:1: f: Assertion `a' failed.\n");
  write(directory.node_log(3), "ready\nleaving\n");
  write(directory.supervisor_log(), "node-2 (process 9) was killed by signal 6\n");
  const auto found = complaints_in_logs(directory, description);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].node, 2u);
  EXPECT_EQ(found[0].text, "node.log says \"x.cc:1: f: Assertion `a' failed.\"");
  EXPECT_EQ(found[1].node, kNoNode);
}

}  // namespace
}  // namespace failsim::cli
