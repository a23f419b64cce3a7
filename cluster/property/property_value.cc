// What a value of a property may be, how people write it, and how they read it.

#include <algorithm>
#include <cassert>
#include <charconv>
#include <limits>
#include <utility>
#include <vector>

#include "cluster/property/property_table.h"
#include "cluster/property/utf16.h"

namespace failsim {
namespace {

bool is_number(const PropertySpec& spec) {
  return spec.format == Format::kDword || spec.format == Format::kLong;
}

bool in_range(const PropertySpec& spec, std::int64_t number) {
  return (number >= spec.minimum && number <= spec.maximum) || number == spec.also;
}

std::string range_text(const PropertySpec& spec) {
  if (!is_number(spec)) {
    if (spec.name == "VmId") return "a GUID, or empty";
    return "at most " + std::to_string(spec.maximum) + " characters of UTF-16";
  }
  std::string range = std::to_string(spec.minimum) + ".." + std::to_string(spec.maximum);
  if (spec.also != spec.minimum) range += " or " + std::to_string(spec.also);
  return range;
}

Error invalid(const PropertySpec& spec, std::string_view what) {
  std::string message = "The value of the ";
  message += name(spec.kind);
  message += " property ";
  message += spec.name;
  message += ' ';
  message += what;
  message += ".";
  return {Code::kInvalidData, std::move(message),
          "Give a " + std::string(name(spec.format)) + ": " + range_text(spec) + "."};
}

// 8-4-4-4-12 hexadecimal digits, with or without braces.
bool is_guid(std::string_view text) {
  if (text.size() == 38 && text.front() == '{' && text.back() == '}') text = text.substr(1, 36);
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool is_digit =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (is_dash ? c != '-' : !is_digit) return false;
  }
  return true;
}

// In UTF-16 units; the text must be one that can be stored.
std::int64_t stored_length(const std::string& text) {
  return static_cast<std::int64_t>(utf16le_of_utf8(text).take().size() / 2);
}

std::optional<std::int64_t> parse_number(std::string_view text) {
  bool is_negative = false;
  if (!text.empty() && text.front() == '-') {
    is_negative = true;
    text.remove_prefix(1);
  }
  int base = 10;
  if (text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
    base = 16;
    text.remove_prefix(2);
  }
  std::uint64_t magnitude = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, magnitude, base);
  if (error != std::errc() || stop != end) return std::nullopt;
  if (magnitude > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return std::nullopt;
  }
  const auto number = static_cast<std::int64_t>(magnitude);
  return is_negative ? -number : number;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(';'), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

}  // namespace

Result<Value> parse(const PropertySpec& spec, std::string_view text) {
  Value value;
  if (is_number(spec)) {
    const std::optional<std::int64_t> number = parse_number(text);
    if (!number) return invalid(spec, "is not a number");
    if (!in_range(spec, *number)) {
      return invalid(spec, "is out of range: " + std::to_string(*number));
    }
    value = spec.format == Format::kDword ? Value::dword(static_cast<std::uint32_t>(*number))
                                          : Value::long_integer(static_cast<std::int32_t>(*number));
  } else if (spec.format == Format::kSz) {
    value = Value::sz(std::string(text));
  } else {
    assert(spec.format == Format::kMultiSz);
    value = Value::multi_sz(split(text));
  }
  if (auto error = validate(spec, value)) return *error;
  return value;
}

std::optional<Error> validate(const PropertySpec& spec, const Value& value) {
  if (value.format != spec.format) {
    return invalid(spec, "has the wrong format, " + std::string(name(value.format)));
  }
  // Text has to be UTF-8 without NUL, numbers have to fit; what passes here can be written.
  if (!encode_value(value)) return invalid(spec, "cannot be stored");
  std::int64_t measure = 0;
  switch (spec.format) {
    case Format::kDword:
      measure = static_cast<std::int64_t>(value.number());
      break;
    case Format::kLong:
      measure = value.signed_number();
      break;
    case Format::kSz:
      measure = stored_length(value.text());
      break;
    default:
      for (const std::string& text : value.texts()) measure += stored_length(text);
  }
  if (!in_range(spec, measure)) {
    if (is_number(spec)) return invalid(spec, "is out of range: " + std::to_string(measure));
    return invalid(spec, "is too long");
  }
  if (spec.name == "VmId" && !value.text().empty() && !is_guid(value.text())) {
    return invalid(spec, "is not a GUID");
  }
  return std::nullopt;
}

std::optional<Error> check_client_write(const PropertySpec& spec, const Value& value) {
  if (spec.access == Access::kReadOnly) {
    std::string message = "The ";
    message += name(spec.kind);
    message += " property ";
    message += spec.name;
    message += " is read-only: the cluster itself sets it.";
    return Error{Code::kPropertyUnchangeable, std::move(message),
                 "Write a property that is read/write."};
  }
  return validate(spec, value);
}

std::string to_text(const Value& value) {
  struct Printer {
    std::string operator()(std::uint64_t number) const { return std::to_string(number); }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(const std::string& text) const { return text; }
    std::string operator()(const std::vector<std::string>& texts) const {
      std::string joined;
      for (const std::string& text : texts) {
        if (!joined.empty()) joined += ';';
        joined += text;
      }
      return joined;
    }
  };
  if (value.format == Format::kBinary) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string hex;
    for (const char c : value.text()) {
      const auto byte = static_cast<unsigned char>(c);
      hex += kDigits[byte >> 4];
      hex += kDigits[byte & 0xF];
    }
    return hex;
  }
  return std::visit(Printer{}, value.content);
}

Value default_value(const PropertySpec& spec) {
  switch (spec.format) {
    case Format::kDword:
      return Value::dword(static_cast<std::uint32_t>(spec.default_number));
    case Format::kLong:
      return Value::long_integer(static_cast<std::int32_t>(spec.default_number));
    case Format::kMultiSz:
      return Value::multi_sz({});
    default:
      assert(spec.format == Format::kSz);
      return Value::sz("");
  }
}

}  // namespace failsim
