#include "cluster/property/property_table.h"

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace failsim {
namespace {

constexpr ObjectKind kKinds[] = {ObjectKind::kVm, ObjectKind::kGroup, ObjectKind::kNode,
                                 ObjectKind::kCluster};

const PropertySpec& spec(ObjectKind kind, std::string_view name) {
  const PropertySpec* found = find(kind, name);
  EXPECT_NE(found, nullptr) << name;
  return *found;
}

bool is_number(const PropertySpec& spec) {
  return spec.format == Format::kDword;
}

TEST(PropertyTable, EveryRowIsComplete) {
  for (const PropertySpec& row : all_properties()) {
    SCOPED_TRACE(row.name);
    EXPECT_FALSE(row.name.empty());
    EXPECT_FALSE(row.unit.empty());
    EXPECT_FALSE(row.source.empty());
    ASSERT_FALSE(row.description.empty());
    EXPECT_EQ(row.description.back(), '.');
    EXPECT_LE(row.minimum, row.maximum);
    EXPECT_TRUE(is_number(row) || row.format == Format::kSz || row.format == Format::kMultiSz);
    if (is_number(row)) {
      EXPECT_GE(row.minimum, 0);
      EXPECT_LE(row.maximum, 0xFFFFFFFFLL);
    }
  }
}

TEST(PropertyTable, EveryDefaultIsValidAndGoesThroughTextAndBytes) {
  for (const PropertySpec& row : all_properties()) {
    SCOPED_TRACE(row.name);
    const Value value = default_value(row);
    EXPECT_FALSE(validate(row, value).has_value());
    EXPECT_EQ(parse(row, to_text(value)).value(), value);
    EXPECT_EQ(decode_value(encode_value(value).value()).value(), value);
  }
}

TEST(PropertyTable, EveryRangeIncludesItsEndsAndNothingBeyond) {
  for (const PropertySpec& row : all_properties()) {
    if (!is_number(row)) continue;
    SCOPED_TRACE(row.name);
    EXPECT_EQ(parse(row, std::to_string(row.minimum)).value().number(),
              static_cast<std::uint64_t>(row.minimum));
    EXPECT_EQ(parse(row, std::to_string(row.maximum)).value().number(),
              static_cast<std::uint64_t>(row.maximum));
    EXPECT_TRUE(parse(row, std::to_string(row.also)).ok());
    for (const std::int64_t outside : {row.minimum - 1, row.maximum + 1}) {
      const Result<Value> result = parse(row, std::to_string(outside));
      ASSERT_FALSE(result.ok());
      EXPECT_EQ(result.error().code, Code::kInvalidData);
      EXPECT_NE(result.error().message.find(row.name), std::string::npos);
      EXPECT_FALSE(result.error().next.empty());
    }
  }
}

TEST(PropertyTable, NamesAreFoundInAnyCaseAndOnlyInTheirKind) {
  for (const PropertySpec& row : all_properties()) {
    std::string upper(row.name);
    std::string lower(row.name);
    for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    EXPECT_EQ(find(row.kind, row.name), &row);
    EXPECT_EQ(find(row.kind, upper), &row);
    EXPECT_EQ(find(row.kind, lower), &row);
  }
  EXPECT_EQ(find(ObjectKind::kVm, "VmID"), find(ObjectKind::kVm, "VmId"));
  EXPECT_EQ(find(ObjectKind::kCluster, "MigrationState"), nullptr);
  EXPECT_EQ(find(ObjectKind::kVm, "Migration"), nullptr);
  EXPECT_EQ(find(ObjectKind::kVm, "MigrationState2"), nullptr);
  EXPECT_EQ(find(ObjectKind::kVm, ""), nullptr);
}

TEST(PropertyTable, AnUnknownNameIsAnErrorThatNamesIt) {
  EXPECT_EQ(lookup(ObjectKind::kVm, "migrationstate").value()->name, "MigrationState");
  const Error error = lookup(ObjectKind::kGroup, "Colour").error();
  EXPECT_EQ(error.code, Code::kNotFound);
  EXPECT_EQ(error.message, "There is no group property 'Colour'.");
  EXPECT_FALSE(error.next.empty());
}

TEST(PropertyTable, TheKindsListEveryRowOnceInOrder) {
  std::size_t count = 0;
  for (const ObjectKind kind : kKinds) {
    std::set<std::string_view> names;
    for (const PropertySpec& row : properties_of(kind)) {
      EXPECT_EQ(row.kind, kind);
      EXPECT_TRUE(names.insert(row.name).second) << row.name;
      ++count;
    }
    EXPECT_FALSE(names.empty()) << name(kind);
  }
  EXPECT_EQ(count, all_properties().size());
}

TEST(PropertyTable, TheKindsHaveNames) {
  EXPECT_EQ(name(ObjectKind::kVm), "vm");
  EXPECT_EQ(name(ObjectKind::kGroup), "group");
  EXPECT_EQ(name(ObjectKind::kNode), "node");
  EXPECT_EQ(name(ObjectKind::kCluster), "cluster");
}

TEST(PropertyTable, MigrationStateIsAsItsDocumentSays) {
  const PropertySpec& row = spec(ObjectKind::kVm, "MigrationState");
  EXPECT_EQ(row.format, Format::kDword);
  EXPECT_EQ(row.access, Access::kReadWrite);
  EXPECT_EQ(row.status, Status::kRequired);
  EXPECT_EQ(row.minimum, 0);
  EXPECT_EQ(row.maximum, 5);
  EXPECT_EQ(row.default_number, 0);
  EXPECT_EQ(row.effect, Effect::kInForce);
}

TEST(PropertyTable, DocumentedLimitsAndDefaultsAreKept) {
  struct Limits {
    ObjectKind kind;
    std::string_view name;
    std::int64_t minimum;
    std::int64_t maximum;
    std::int64_t default_number;
  };
  const Limits documented[] = {
      {ObjectKind::kVm, "CheckHeartbeat", 0, 1, 0},
      {ObjectKind::kVm, "MigrationFailureReason", 0, 0xFFFFFFFF, 0},
      {ObjectKind::kVm, "MigrationProgress", 0, 100, 0},
      {ObjectKind::kVm, "OfflineAction", 0, 3, 1},
      {ObjectKind::kVm, "ShutdownAction", 0, 1, 0},
      {ObjectKind::kVm, "StartMemory", 0, 0xFFFFFFFF, 1},
      {ObjectKind::kVm, "VirtualNumaCount", 1, 64, 1},
      {ObjectKind::kVm, "VmState", 0, 65536, 0},
      {ObjectKind::kGroup, "AutoFailbackType", 0, 1, 0},
      {ObjectKind::kGroup, "FailoverPeriod", 0, 1193, 6},
      {ObjectKind::kGroup, "FailoverThreshold", 0, 0xFFFFFFFF, 0xFFFFFFFF},
      {ObjectKind::kGroup, "PersistentState", 0, 1, 0},
      {ObjectKind::kGroup, "Priority", 0, 3000, 2000},
      {ObjectKind::kNode, "NodeWeight", 0, 1, 1},
      {ObjectKind::kNode, "DynamicWeight", 0, 1, 0},
      {ObjectKind::kCluster, "SameSubnetDelay", 250, 2000, 1000},
      {ObjectKind::kCluster, "SameSubnetThreshold", 3, 120, 10},
      {ObjectKind::kCluster, "ResiliencyLevel", 1, 2, 2},
      {ObjectKind::kCluster, "ResiliencyDefaultPeriod", 0, 0xFFFFFFFF, 240},
      {ObjectKind::kCluster, "QuarantineThreshold", 0, 0xFFFFFFFF, 3},
      {ObjectKind::kCluster, "QuarantineDuration", 0, 0xFFFFFFFF, 7200},
      {ObjectKind::kCluster, "ClusterLogLevel", 0, 5, 3},
      {ObjectKind::kCluster, "LogElectionTimeout", 100, 60000, 500},
  };
  for (const Limits& limits : documented) {
    SCOPED_TRACE(limits.name);
    const PropertySpec& row = spec(limits.kind, limits.name);
    EXPECT_EQ(row.minimum, limits.minimum);
    EXPECT_EQ(row.maximum, limits.maximum);
    EXPECT_EQ(row.default_number, limits.default_number);
  }
}

TEST(PropertyTable, SomePropertiesAreInForceAndTheOthersSayTheyAreNot) {
  std::set<std::string_view> in_force;
  for (const PropertySpec& row : all_properties()) {
    if (row.effect == Effect::kInForce) in_force.insert(row.name);
  }
  EXPECT_EQ(in_force,
            (std::set<std::string_view>{
                "ConfigurationVersion", "ConfigurationVersionMaximum",
                "ConfigurationVersionMinimum", "EnableVirtualSystemMigration", "LogElectionTimeout",
                "MaximumParallelMigrations", "MigrationBandwidthLimit", "MigrationState",
                "ProcessorProfile", "SameSubnetDelay", "SameSubnetThreshold", "StatusInformation",
                "StoragePaths", "VirtualSwitch", "VirtualSwitches", "VmStoreRootPath"}));
}

TEST(PropertyTable, AFailbackHourMayBeNone) {
  const PropertySpec& row = spec(ObjectKind::kGroup, "FailbackWindowStart");
  EXPECT_TRUE(parse(row, "23").ok());
  EXPECT_FALSE(parse(row, "24").ok());
  EXPECT_TRUE(parse(row, "0xFFFFFFFF").ok());
  EXPECT_FALSE(parse(row, "0xFFFFFFFE").ok());
}

TEST(PropertyTable, NumbersAreDecimalOrHexadecimalAndNothingElse) {
  const PropertySpec& row = spec(ObjectKind::kCluster, "SameSubnetDelay");
  EXPECT_EQ(parse(row, "1500").value(), Value::dword(1500));
  EXPECT_EQ(parse(row, "0x5DC").value(), Value::dword(1500));
  EXPECT_EQ(parse(row, "0X5dc").value(), Value::dword(1500));
  EXPECT_EQ(parse(row, "01500").value(), Value::dword(1500));
  for (const char* text :
       {"", " ", " 1500", "1500 ", "+1500", "-", "--1500", "-1500", "1e3", "1500.0", "0x", "x5DC",
        "0x-5DC", "fast", "1500ms", "18446744073709551616", "18446744073709553116", "4294968796",
        "-9223372036854775808"}) {
    const Result<Value> result = parse(row, text);
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_EQ(result.error().code, Code::kInvalidData);
  }
}

TEST(PropertyTable, ARefusalSaysWhatWouldDo) {
  const Error error = parse(spec(ObjectKind::kVm, "OfflineAction"), "4").error();
  EXPECT_EQ(error.message, "The value of the vm property OfflineAction is out of range: 4.");
  EXPECT_EQ(error.next, "Give a DWORD: 0..3.");
}

TEST(PropertyTable, TextsAreSeparatedBySemicolons) {
  const PropertySpec& row = spec(ObjectKind::kGroup, "AntiAffinityClassNames");
  EXPECT_EQ(parse(row, "").value(), Value::multi_sz({}));
  EXPECT_EQ(parse(row, "web").value(), Value::multi_sz({"web"}));
  EXPECT_EQ(parse(row, "web;db").value(), Value::multi_sz({"web", "db"}));
  EXPECT_EQ(parse(row, ";web;;db;").value(), Value::multi_sz({"web", "db"}));
  EXPECT_EQ(to_text(Value::multi_sz({"web", "db"})), "web;db");
  EXPECT_EQ(to_text(Value::multi_sz({})), "");
}

TEST(PropertyTable, TextIsLimitedInUtf16Units) {
  const PropertySpec& row = spec(ObjectKind::kGroup, "Description");
  const auto length = static_cast<std::size_t>(row.maximum);
  EXPECT_TRUE(parse(row, std::string(length, 'x')).ok());
  EXPECT_FALSE(parse(row, std::string(length + 1, 'x')).ok());
  std::string pairs;
  for (std::size_t i = 0; i < length / 2; ++i) pairs += "\xF0\x9F\x98\x80";
  EXPECT_TRUE(parse(row, pairs).ok());
  EXPECT_FALSE(parse(row, pairs + "x").ok());

  const PropertySpec& names = spec(ObjectKind::kGroup, "AntiAffinityClassNames");
  const std::string half(static_cast<std::size_t>(names.maximum) / 2, 'x');
  EXPECT_TRUE(parse(names, half + ";" + half).ok());
  EXPECT_FALSE(parse(names, half + ";" + half + "x").ok());
}

TEST(PropertyTable, TextThatCannotBeStoredIsRefused) {
  const PropertySpec& row = spec(ObjectKind::kCluster, "Description");
  EXPECT_FALSE(parse(row, "\xFF").ok());
  EXPECT_FALSE(parse(row, std::string("a\0b", 3)).ok());
  EXPECT_TRUE(parse(row,
                    "Gr\xC3\xBC\xC3\x9F"
                    "e")
                  .ok());
}

TEST(PropertyTable, VmIdIsAGuidOrEmpty) {
  const PropertySpec& row = spec(ObjectKind::kVm, "VmId");
  for (const char* text :
       {"", "3F2504E0-4F89-41D3-9A0C-0305E82C3301", "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "{3F2504E0-4F89-41D3-9A0C-0305E82C3301}"}) {
    EXPECT_TRUE(parse(row, text).ok()) << text;
  }
  for (const char* text :
       {"web", "3F2504E04F8941D39A0C0305E82C3301", "3F2504E0-4F89-41D3-9A0C-0305E82C330",
        "3F2504E0-4F89-41D3-9A0C-0305E82C330G", "{3F2504E0-4F89-41D3-9A0C-0305E82C3301",
        "(3F2504E0-4F89-41D3-9A0C-0305E82C3301)", "3F2504E0_4F89-41D3-9A0C-0305E82C3301"}) {
    EXPECT_FALSE(parse(row, text).ok()) << text;
  }
}

TEST(PropertyTable, AValueOfAnotherFormatIsRefused) {
  const PropertySpec& row = spec(ObjectKind::kVm, "MigrationState");
  EXPECT_FALSE(validate(row, Value::dword(5)).has_value());
  for (const Value& value :
       {Value::dword(6), Value::long_integer(1), Value::word(1), Value::sz("1"),
        Value::ularge_integer(1), Value{Format::kDword, std::string("1")},
        Value{Format::kDword, std::uint64_t{0x100000001}}}) {
    const std::optional<Error> error = validate(row, value);
    ASSERT_TRUE(error.has_value());
    EXPECT_EQ(error->code, Code::kInvalidData);
  }
}

TEST(PropertyTable, AClientCannotWriteWhatIsReadOnly) {
  const std::set<std::string_view> read_only = {
      "MigrationFailureReason", "MigrationProgress", "StatusInformation", "VmState", "Name",
      "DynamicWeight",          "NodeName"};
  for (const PropertySpec& row : all_properties()) {
    SCOPED_TRACE(row.name);
    const std::optional<Error> error = check_client_write(row, default_value(row));
    ASSERT_EQ(error.has_value(), read_only.contains(row.name));
    EXPECT_EQ(error.has_value(), row.access == Access::kReadOnly);
    if (!error) continue;
    EXPECT_EQ(error->code, Code::kPropertyUnchangeable);
    EXPECT_NE(error->message.find(row.name), std::string::npos);
    // The cluster itself may.
    EXPECT_FALSE(validate(row, default_value(row)).has_value());
  }
}

TEST(PropertyTable, AClientsValueIsChecked) {
  const PropertySpec& row = spec(ObjectKind::kVm, "MigrationState");
  EXPECT_FALSE(check_client_write(row, Value::dword(0)).has_value());
  EXPECT_EQ(check_client_write(row, Value::dword(6))->code, Code::kInvalidData);
}

TEST(PropertyTable, ValuesOfEveryFormatCanBePrinted) {
  EXPECT_EQ(to_text(Value::dword(0xFFFFFFFF)), "4294967295");
  EXPECT_EQ(to_text(Value::long_integer(-1)), "-1");
  EXPECT_EQ(to_text(Value::sz("text")), "text");
  EXPECT_EQ(to_text(Value::binary(std::string("\x00\x7F\xFF", 3))), "007FFF");
}

}  // namespace
}  // namespace failsim
