// Every property the cluster keeps, declared once: type, range, default, unit, meaning, source.
//
// Whoever stores, checks, prints or documents a property asks this table. A property that is not
// listed does not exist. Not listed on purpose: properties whose type no document gives
// (CheckApplicationHealth), those of the resource type rather than of one VM (MoveTypeThreshold,
// MigrationNetworkOrder), and what has calls of its own (preferred and possible owners, renaming).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cluster/error.h"
#include "cluster/property/clusprop.h"

namespace failsim {

enum class ObjectKind : std::uint8_t { kVm, kGroup, kNode, kCluster };
enum class Access : std::uint8_t { kReadOnly, kReadWrite };
enum class Status : std::uint8_t { kRequired, kOptional };

// Whether a value does anything today.
enum class Effect : std::uint8_t {
  kStored,  // validated, replicated and shown; nothing in the cluster acts on it
  kInForce  // the cluster acts on the stored value
};

struct PropertySpec {
  std::string_view name;  // as documented; looked up without regard to letter case
  ObjectKind kind;
  Format format;  // kDword, kLong, kSz or kMultiSz
  Access access;
  Status status;
  Effect effect;
  // Of a number: the range, both ends included. Of text: the length in UTF-16 units, of all
  // strings together.
  std::int64_t minimum;
  std::int64_t maximum;
  // A number that is legal too although it lies outside the range, for example 0xFFFFFFFF of a
  // failback hour; equal to `minimum` when there is none.
  std::int64_t also;
  std::int64_t default_number;  // of a number; the default of text is always empty
  std::string_view unit;        // "ms", "s", "%", "hours", "text" ...; never empty
  std::string_view description;
  std::string_view source;  // the document the row is taken from, and where we depart from it
};

// The kinds as the command line and messages say them: vm, group, node, cluster.
std::string_view name(ObjectKind kind);

std::span<const PropertySpec> all_properties();

// The properties of one kind, in alphabetical order.
std::span<const PropertySpec> properties_of(ObjectKind kind);

// The property of this name, or null. ASCII letter case does not matter.
const PropertySpec* find(ObjectKind kind, std::string_view name);

// As find, but kNotFound with a sentence when there is none.
Result<const PropertySpec*> lookup(ObjectKind kind, std::string_view name);

// What a person typed as a value of this property: a decimal or 0x number, a text, or texts
// separated by ';'. kInvalidData when it is not such a value or out of range. Does not look at the
// access.
Result<Value> parse(const PropertySpec& spec, std::string_view text);

// Nothing when the value has the format and range of the property, otherwise kInvalidData. For the
// cluster's own writes, which also set read-only properties.
std::optional<Error> validate(const PropertySpec& spec, const Value& value);

// Nothing when a client may write this value, otherwise kPropertyUnchangeable for a read-only
// property, or the error of validate.
std::optional<Error> check_client_write(const PropertySpec& spec, const Value& value);

// The value as a person reads it. Of a valid value of a property parse makes the same value again,
// unless one of several texts contains a ';'.
std::string to_text(const Value& value);

// The default. It is valid for its property.
Value default_value(const PropertySpec& spec);

}  // namespace failsim
