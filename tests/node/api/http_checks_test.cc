#include "node/api/http_checks.h"

#include <gtest/gtest.h>

namespace failsim::node {
namespace {

TEST(HttpChecks, OnlyTheWholeTokenIsAccepted) {
  EXPECT_TRUE(is_bearer_of("secret", "Bearer secret"));
  EXPECT_TRUE(is_bearer_of("secret", "bearer secret"));
  for (const char* wrong : {"", "secret", "Bearer", "Bearer ", "Bearer secre", "Bearer secret2",
                            "Bearer Secret", "Basic secret", "Bearer  secret"}) {
    EXPECT_FALSE(is_bearer_of("secret", wrong)) << wrong;
  }
  EXPECT_FALSE(is_bearer_of("", "Bearer "));
}

TEST(HttpChecks, AHostIsThisMachine) {
  for (const char* host :
       {"127.0.0.1", "127.77.3.254:7080", "localhost", "LocalHost:1", "[::1]", "[::1]:7080"}) {
    EXPECT_TRUE(is_loopback_host(host)) << host;
  }
  for (const char* host : {"", "example.com", "localhost.example.com", "127.0.0.1.example.com",
                           "128.0.0.1", "127.0.0", "127.0.0.256", "127.0.0.1:", "127.0.0.1:x",
                           "127.0.0.1:123456", "::1", "[::2]", "user@127.0.0.1"}) {
    EXPECT_FALSE(is_loopback_host(host)) << host;
  }
}

TEST(HttpChecks, AnOriginIsAPageOfThisMachine) {
  EXPECT_TRUE(is_loopback_origin("http://127.77.3.1:7080"));
  EXPECT_TRUE(is_loopback_origin("https://localhost"));
  for (const char* origin :
       {"", "null", "http://example.com", "127.0.0.1", "http://localhost.example.com", "file://"}) {
    EXPECT_FALSE(is_loopback_origin(origin)) << origin;
  }
}

}  // namespace
}  // namespace failsim::node
