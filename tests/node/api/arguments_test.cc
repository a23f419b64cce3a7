#include "node/api/arguments.h"

#include <gtest/gtest.h>

namespace failsim::node {
namespace {

std::string refusal(Arguments arguments) {
  const auto error = arguments.finish();
  return error ? error->message : "";
}

TEST(Target, PathAndQueryAreDecoded) {
  const auto target = parse_target("/v1/vms/a%2Fb?x=1&y=a+b%26");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, (std::vector<std::string>{"v1", "vms", "a/b"}));
  EXPECT_EQ(target->query.at("x"), "1");
  EXPECT_EQ(target->query.at("y"), "a b&");
}

TEST(Target, WhatIsMalformedIsRefused) {
  for (const char* target : {"", "v1", "/v1//vms", "/%", "/%4", "/%zz", "/a?%", "/a?x=1&x=2",
                             "/a?=1", "/%ff", "/a?x=%c0%80", "*", "http://host/a"}) {
    EXPECT_FALSE(parse_target(target)) << target;
  }
}

TEST(Arguments, TextNumberFlagAndChoiceAreRead) {
  Arguments body =
      Arguments::of_body(R"({"name":"web","size":18446744073709551615,"start":true,"fill":"b"})");
  EXPECT_EQ(body.required_text("name"), "web");
  EXPECT_EQ(body.number("size", 0, ~std::uint64_t{0}), ~std::uint64_t{0});
  EXPECT_TRUE(body.flag("start", false));
  EXPECT_EQ(body.choice("fill", {"a", "b"}, 0), 1u);
  EXPECT_FALSE(body.finish());
}

TEST(Arguments, MissingAndNullTakeTheDefault) {
  Arguments body = Arguments::of_body(R"({"size":null})");
  EXPECT_EQ(body.number("size", 7, 10), 7u);
  EXPECT_EQ(body.text("name", "none"), "none");
  EXPECT_FALSE(body.finish());
  EXPECT_EQ(refusal(Arguments::of_body("")), "");
}

TEST(Arguments, AnUnknownArgumentIsNamed) {
  EXPECT_NE(refusal(Arguments::of_body(R"({"nmae":1})")).find("'nmae'"), std::string::npos);
}

TEST(Arguments, AWrongTypeIsRefused) {
  for (const char* wrong :
       {R"({"size":-1})", R"({"size":1.5})", R"({"size":1e3})", R"({"size":"5"})", R"({"size":11})",
        R"({"size":true})", R"({"size":1e400})", R"({"size":18446744073709551616})"}) {
    Arguments body = Arguments::of_body(wrong);
    EXPECT_EQ(body.number("size", 3, 10), 3u) << wrong;
    EXPECT_TRUE(body.finish()) << wrong;
  }
  Arguments body = Arguments::of_body(R"({"start":1})");
  body.flag("start", false);
  EXPECT_TRUE(body.finish());
}

TEST(Arguments, ABodyHasToBeOneJsonObject) {
  for (const char* wrong : {"[]", "1", "{", "{} {}", "\"x\"", "{\"a\":\"\xff\"}", "nonsense"}) {
    EXPECT_NE(refusal(Arguments::of_body(wrong)), "") << wrong;
  }
  std::string deep;
  for (int i = 0; i < 10'000; ++i) deep += "{\"a\":";
  EXPECT_NE(refusal(Arguments::of_body(deep)), "");
}

TEST(Arguments, NumbersOfAQueryAreText) {
  Arguments query = Arguments::of_query({{"since", "12"}, {"limit", "x"}});
  EXPECT_EQ(query.number("since", 0, 100), 12u);
  EXPECT_EQ(query.number("limit", 5, 100), 5u);
  EXPECT_NE(query.finish()->message.find("'limit'"), std::string::npos);
}

TEST(RequestId, IsAClientAndANumber) {
  const auto id = parse_request_id("cli-1:a:42");
  EXPECT_FALSE(id);
  const auto good = parse_request_id("cli-1.a_b:42");
  ASSERT_TRUE(good);
  EXPECT_EQ(good->client, "cli-1.a_b");
  EXPECT_EQ(good->sequence, 42u);
  for (const char* wrong : {"x", ":1", "x:", "x:-1", "x:1 ", "x y:1", "x/y:1"}) {
    EXPECT_FALSE(parse_request_id(wrong)) << wrong;
  }
  EXPECT_FALSE(parse_request_id(std::string(65, 'x') + ":1"));
}

TEST(RequestId, ARequestWithoutOneGetsItsOwn) {
  const auto first = parse_request_id("");
  const auto second = parse_request_id("");
  ASSERT_TRUE(first);
  ASSERT_TRUE(second);
  EXPECT_NE(first->client, second->client);
}

}  // namespace
}  // namespace failsim::node
