#include "tools/failsim/json.h"

#include <charconv>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace failsim::cli {
namespace {

const json::value* find(const json::object& object, std::string_view key) {
  return object.if_contains(json::string_view(key.data(), key.size()));
}

}  // namespace

std::string text_in(const json::object& object, std::string_view key) {
  const json::value* value = find(object, key);
  if (value == nullptr || !value->is_string()) return "";
  return std::string(value->get_string().data(), value->get_string().size());
}

std::uint64_t number_in(const json::object& object, std::string_view key) {
  const json::value* value = find(object, key);
  if (value == nullptr) return 0;
  if (value->is_uint64()) return value->get_uint64();
  if (value->is_int64()) return static_cast<std::uint64_t>(value->get_int64());
  if (value->is_double()) return static_cast<std::uint64_t>(value->get_double());
  std::uint64_t number = 0;
  if (value->is_string()) {
    const json::string& text = value->get_string();
    std::from_chars(text.data(), text.data() + text.size(), number);
  }
  return number;
}

bool flag_in(const json::object& object, std::string_view key) {
  const json::value* value = find(object, key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

bool is_null_in(const json::object& object, std::string_view key) {
  const json::value* value = find(object, key);
  return value == nullptr || value->is_null();
}

const json::object& object_in(const json::object& object, std::string_view key) {
  static const json::object kEmpty;
  const json::value* value = find(object, key);
  return value != nullptr && value->is_object() ? value->get_object() : kEmpty;
}

const json::array& array_in(const json::object& object, std::string_view key) {
  static const json::array kEmpty;
  const json::value* value = find(object, key);
  return value != nullptr && value->is_array() ? value->get_array() : kEmpty;
}

std::uint64_t enum_value_in(const json::object& object, std::string_view key) {
  return number_in(object_in(object, key), "value");
}

std::string enum_name_in(const json::object& object, std::string_view key) {
  return text_in(object_in(object, key), "name");
}

json::object enumeration(std::uint64_t value, std::string_view name) {
  return {{"value", value}, {"name", json::string_view(name.data(), name.size())}};
}

std::optional<json::value> parse_json(std::string_view text) {
  boost::system::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) return std::nullopt;
  return value;
}

std::optional<json::object> parse_object(std::string_view text) {
  std::optional<json::value> value = parse_json(text);
  if (!value || !value->is_object()) return std::nullopt;
  return std::move(value->get_object());
}

std::string plain(const json::value& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return std::string(value.get_string().data(), value.get_string().size());
  if (value.is_object()) {
    const json::object& object = value.get_object();
    if (object.size() == 2 && object.contains("value") && object.contains("name")) {
      return text_in(object, "name");
    }
  }
  return json::serialize(value);
}

std::string plain_in(const json::object& object, std::string_view key) {
  const json::value* value = find(object, key);
  return value == nullptr ? "-" : plain(*value);
}

}  // namespace failsim::cli
