#include "tools/failsim/output.h"

#include <gtest/gtest.h>

#include "tools/failsim/http.h"

namespace failsim::cli {
namespace {

TEST(Output, ColumnsAreAsWideAsTheirWidestCell) {
  EXPECT_EQ(format_table({"NAME", "STATE"}, {{"web", "Running"}, {"database", "Saved"}}),
            "NAME      STATE\n"
            "web       Running\n"
            "database  Saved\n");
}

TEST(Output, EnumerationsAreShownByName) {
  EXPECT_EQ(plain(enumeration(5, "Running")), "Running");
  EXPECT_EQ(plain(nullptr), "-");
  EXPECT_EQ(plain(json::object{{"counter", 3}, {"boot_id", 1}}), R"({"counter":3,"boot_id":1})");
}

TEST(Json, MissingOrOtherFieldsReadAsEmpty) {
  const json::object object = {{"a", 7}, {"b", "x"}, {"c", nullptr}, {"d", "18446744073709551615"}};
  EXPECT_EQ(number_in(object, "a"), 7u);
  EXPECT_EQ(number_in(object, "d"), ~std::uint64_t{0});
  EXPECT_EQ(text_in(object, "a"), "");
  EXPECT_EQ(text_in(object, "b"), "x");
  EXPECT_TRUE(is_null_in(object, "c"));
  EXPECT_TRUE(is_null_in(object, "missing"));
  EXPECT_TRUE(object_in(object, "b").empty());
  EXPECT_FALSE(parse_object("[1]").has_value());
  EXPECT_FALSE(parse_object("{\"a\":").has_value());
}

TEST(Http, NamesAreEncodedForAPath) {
  EXPECT_EQ(percent_encoded("web-1.a_b~"), "web-1.a_b~");
  EXPECT_EQ(percent_encoded("vm/a b?"), "vm%2Fa%20b%3F");
}

}  // namespace
}  // namespace failsim::cli
