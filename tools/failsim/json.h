// Reading JSON objects without surprises: a missing or other kind of field reads as empty.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

namespace failsim::cli {

namespace json = boost::json;

std::string text_in(const json::object& object, std::string_view key);
// A number may also stand as decimal text.
std::uint64_t number_in(const json::object& object, std::string_view key);
bool flag_in(const json::object& object, std::string_view key);
bool is_null_in(const json::object& object, std::string_view key);  // null or missing
// The object or array under the key; an empty one if there is none.
const json::object& object_in(const json::object& object, std::string_view key);
const json::array& array_in(const json::object& object, std::string_view key);
// The `value` and the `name` of an enumeration shown as {value, name}.
std::uint64_t enum_value_in(const json::object& object, std::string_view key);
std::string enum_name_in(const json::object& object, std::string_view key);
json::object enumeration(std::uint64_t value, std::string_view name);

// Nothing if the text is not JSON.
std::optional<json::value> parse_json(std::string_view text);
// The same for a text that has to be an object.
std::optional<json::object> parse_object(std::string_view text);

// A value as a table shows it: text as it is, null as "-", {value, name} as the name.
std::string plain(const json::value& value);
std::string plain_in(const json::object& object, std::string_view key);

}  // namespace failsim::cli
