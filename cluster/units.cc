#include "cluster/units.h"

#include <array>
#include <charconv>
#include <optional>
#include <span>

namespace failsim {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::uint64_t kKi = 1024;
constexpr std::array kSizeUnits = {
    Unit{"", 1},
    Unit{"B", 1},
    Unit{"KiB", kKi},
    Unit{"MiB", kKi* kKi},
    Unit{"GiB", kKi* kKi* kKi},
    Unit{"TiB", kKi* kKi* kKi* kKi},
    Unit{"KB", 1'000},
    Unit{"MB", 1'000'000},
    Unit{"GB", 1'000'000'000},
    Unit{"TB", 1'000'000'000'000},
};

constexpr std::array kDurationUnits = {
    Unit{"ns", kNanosecond},   Unit{"us", kMicrosecond},    Unit{"ms", kMillisecond},
    Unit{"s", kSecond},        Unit{"min", 60 * kSecond},   Unit{"m", 60 * kSecond},
    Unit{"h", 3600 * kSecond}, Unit{"d", 86'400 * kSecond},
};

Error refused(std::string_view text, const std::string& why, const std::string& next) {
  return {Code::kInvalidParameter, "\"" + shortened(text) + "\" " + why + ".", next};
}

// The digits at the front, and what follows them; nothing if there are none or they do not fit.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

const Unit* find_unit(std::span<const Unit> units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

Result<std::uint64_t> parse_scaled(std::string_view text, std::string_view digits_and_unit,
                                   std::span<const Unit> units, std::uint64_t maximum,
                                   const char* what, const char* example) {
  const std::string next = std::string("Write it like ") + example + ".";
  std::string_view rest = digits_and_unit;
  if (!rest.empty() && rest.front() == '-') {
    return refused(text, std::string("is negative, and a ") + what + " cannot be", next);
  }
  const std::optional<std::uint64_t> number = take_number(rest);
  if (!number && !rest.empty() && rest.front() >= '0' && rest.front() <= '9') {
    return refused(text, std::string("is too large for a ") + what, next);
  }
  if (!number) return refused(text, std::string("is not a ") + what, next);
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  if (*number == 0 && rest.empty()) return std::uint64_t{0};
  const Unit* unit = find_unit(units, rest);
  if (unit == nullptr && rest.size() > 1 && (rest[0] == '.' || rest[0] == ',')) {
    return refused(text, std::string("is not a ") + what + ": the number has to be a whole one",
                   std::string("Use a smaller unit, and write it like ") + example + ".");
  }
  if (unit == nullptr) {
    return refused(text, std::string("is not a ") + what + ": the number needs a unit we know",
                   next);
  }
  if (*number > maximum / unit->factor) {
    return refused(text, std::string("is too large for a ") + what, next);
  }
  return *number * unit->factor;
}

// "1.5" of 1536 / 1024: one decimal, none when it is .0.
std::string one_decimal(std::uint64_t value, std::uint64_t unit) {
  const std::uint64_t tenths = (value * 10 + unit / 2) / unit;
  std::string text = std::to_string(tenths / 10);
  if (tenths % 10 != 0) text += "." + std::to_string(tenths % 10);
  return text;
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
  return parse_scaled(text, text, kSizeUnits, kMaximumSize, "size", "256MiB or 4GiB");
}

Result<std::uint64_t> parse_rate(std::string_view text) {
  std::string_view size = text;
  if (size.ends_with("/s")) size.remove_suffix(2);
  return parse_scaled(text, size, kSizeUnits, kMaximumSize, "rate", "20MiB/s");
}

Result<Duration> parse_duration(std::string_view text) {
  Result<std::uint64_t> parsed =
      parse_scaled(text, text, kDurationUnits, static_cast<std::uint64_t>(kMaximumDuration),
                   "duration", "300ms, 2s or 5min");
  if (!parsed) return parsed.error();
  return static_cast<Duration>(parsed.value());
}

Result<std::uint64_t> parse_count(std::string_view text, std::uint64_t minimum,
                                  std::uint64_t maximum) {
  std::string_view rest = text;
  const std::optional<std::uint64_t> number = take_number(rest);
  const std::string range =
      "a whole number from " + std::to_string(minimum) + " to " + std::to_string(maximum);
  if (!number || !rest.empty() || *number < minimum || *number > maximum) {
    return refused(text, "is not " + range, "Give " + range + ".");
  }
  return *number;
}

std::string show_size(std::uint64_t bytes) {
  static constexpr std::array<std::string_view, 5> kNames = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t step = 0;
  std::uint64_t unit = 1;
  while (step + 1 < kNames.size() && bytes / unit >= kKi) {
    unit *= kKi;
    ++step;
  }
  // Beyond this a tenth would overflow; whole units are exact enough there.
  const std::string number =
      bytes > kMaximumSize ? std::to_string(bytes / unit) : one_decimal(bytes, unit);
  return number + " " + std::string(kNames[step]);
}

std::string show_rate(std::uint64_t bytes_per_second) {
  return show_size(bytes_per_second) + "/s";
}

std::string show_duration_ms(std::uint64_t milliseconds) {
  if (milliseconds < 1000) return std::to_string(milliseconds) + " ms";
  return one_decimal(milliseconds, 1000) + " s";
}

std::string shortened(std::string_view text) {
  std::string shown(text.substr(0, 40));
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  if (text.size() > 40) shown += "... (" + std::to_string(text.size()) + " bytes)";
  return shown;
}

}  // namespace failsim
