#include "cluster/fault/value.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "cluster/units.h"

namespace failsim::fault {
namespace {

using Step = std::pair<std::string_view, std::int64_t>;

// In the largest unit that divides it.
std::string exact(std::int64_t value, std::span<const Step> descending) {
  for (const auto& [unit, factor] : descending) {
    if (value % factor == 0) return std::to_string(value / factor) + std::string(unit);
  }
  return std::to_string(value);
}

Result<std::int64_t> signed_value(Result<std::uint64_t> parsed) {
  if (!parsed) return parsed.error();
  return static_cast<std::int64_t>(parsed.value());
}

Result<std::int64_t> parse_signed_duration(std::string_view text) {
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  const Result<Duration> duration = parse_duration(text);
  if (!duration) return duration.error();
  return is_negative ? -duration.value() : duration.value();
}

Result<std::int64_t> parse_choice(const Parameter& parameter, std::string_view text) {
  const auto found = std::find(parameter.choices.begin(), parameter.choices.end(), text);
  if (found != parameter.choices.end()) return found - parameter.choices.begin();
  const std::string near = nearest(text, parameter.choices);
  return Error{Code::kInvalidParameter,
               std::string(parameter.name) + "=" + shortened(text) + " is not " +
                   range_text(parameter) + ".",
               near.empty() ? "Use one of them." : "Did you mean \"" + near + "\"?"};
}

Result<std::int64_t> parse_unit(const Parameter& parameter, std::string_view text) {
  constexpr std::uint64_t kLargest = std::uint64_t{1} << 62;
  switch (parameter.unit) {
    case Unit::kDuration:
      return parse_duration(text);
    case Unit::kSignedDuration:
      return parse_signed_duration(text);
    case Unit::kSize:
      return signed_value(parse_size(text));
    case Unit::kRate:
      return signed_value(parse_rate(text));
    case Unit::kPerMille:
      return parse_per_mille(text);
    case Unit::kCount:
      return signed_value(parse_count(text, 0, kLargest));
    case Unit::kChoice:
    case Unit::kTerms:
      break;
  }
  return parse_choice(parameter, text);
}

}  // namespace

std::string exact_duration(Duration duration) {
  constexpr std::array kUnits = {Step{"s", kSecond}, Step{"ms", kMillisecond},
                                 Step{"us", kMicrosecond}, Step{"ns", kNanosecond}};
  return exact(duration, kUnits);
}

std::string exact_size(std::int64_t bytes) {
  constexpr std::int64_t kKi = 1024;
  constexpr std::array kUnits = {Step{"TiB", kKi * kKi * kKi * kKi}, Step{"GiB", kKi * kKi * kKi},
                                 Step{"MiB", kKi * kKi}, Step{"KiB", kKi}, Step{"B", 1}};
  return bytes == 0 ? "0B" : exact(bytes, kUnits);
}

std::string exact_per_mille(std::int64_t per_mille) {
  std::string text = std::to_string(per_mille / 10);
  if (per_mille % 10 != 0) text += "." + std::to_string(per_mille % 10);
  return text + "%";
}

Result<std::int64_t> parse_per_mille(std::string_view text) {
  const Error refused{Code::kInvalidParameter,
                      "\"" + shortened(text) + "\" is not a share from 0% to 100%.",
                      "Write it like 20% or 2.5%."};
  if (!text.ends_with('%')) return refused;
  text.remove_suffix(1);
  const std::size_t point = text.find('.');
  const Result<std::uint64_t> whole = parse_count(text.substr(0, point), 0, 100);
  if (!whole) return refused;
  std::uint64_t tenths = 0;
  if (point != std::string_view::npos) {
    const std::string_view digit = text.substr(point + 1);
    if (digit.size() != 1 || digit[0] < '0' || digit[0] > '9') return refused;
    tenths = static_cast<std::uint64_t>(digit[0] - '0');
  }
  const std::uint64_t per_mille = whole.value() * 10 + tenths;
  if (per_mille > 1000) return refused;
  return static_cast<std::int64_t>(per_mille);
}

Result<std::int64_t> parse_value(const Parameter& parameter, std::string_view text) {
  const Result<std::int64_t> value = parse_unit(parameter, text);
  if (!value) {
    return Error{
        value.error().code,
        "The parameter " + std::string(parameter.name) + " is wrong: " + value.error().message,
        value.error().next};
  }
  if (value.value() >= parameter.minimum && value.value() <= parameter.maximum) return value;
  return Error{Code::kInvalidParameter,
               std::string(parameter.name) + "=" + shortened(text) + " is out of its range, " +
                   range_text(parameter) + ".",
               "Give a value within the range."};
}

std::string value_text(const Parameter& parameter, std::int64_t value) {
  switch (parameter.unit) {
    case Unit::kDuration:
    case Unit::kSignedDuration:
      return exact_duration(value);
    case Unit::kSize:
      return exact_size(value);
    case Unit::kRate:
      return exact_size(value) + "/s";
    case Unit::kPerMille:
      return exact_per_mille(value);
    case Unit::kChoice:
      return std::string(parameter.choices[static_cast<std::size_t>(value)]);
    case Unit::kCount:
    case Unit::kTerms:
      break;
  }
  return std::to_string(value);
}

std::string range_text(const Parameter& parameter) {
  if (parameter.unit == Unit::kTerms) return "terms such as 1*kill";
  if (parameter.unit == Unit::kChoice) {
    std::string all;
    for (const std::string_view choice : parameter.choices) {
      all += (all.empty() ? "one of " : ", ") + std::string(choice);
    }
    return all;
  }
  return value_text(parameter, parameter.minimum) + " to " +
         value_text(parameter, parameter.maximum);
}

}  // namespace failsim::fault
