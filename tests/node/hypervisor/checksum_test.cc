#include "node/hypervisor/checksum.h"

#include <string>

#include <gtest/gtest.h>

#include "cluster/raft/checksum.h"

namespace failsim::node {
namespace {

TEST(FastCrc32c, IsTheFunctionOfTheLog) {
  std::string text;
  for (int length = 0; length < 300; ++length) {
    EXPECT_EQ(fast_crc32c(0, std::as_bytes(std::span(text))), raft::crc32c(0, text)) << length;
    text.push_back(static_cast<char>(length * 7));
  }
  EXPECT_EQ(fast_crc32c(0, std::as_bytes(std::span(std::string_view("123456789")))), 0xe3069283u);
}

TEST(FastCrc32c, GoesOnWhereItStopped) {
  const std::string text(5000, 'x');
  const auto bytes = std::as_bytes(std::span(text));
  EXPECT_EQ(fast_crc32c(fast_crc32c(0, bytes.first(1234)), bytes.subspan(1234)),
            fast_crc32c(0, bytes));
}

}  // namespace
}  // namespace failsim::node
