#include "node/api/arguments.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <limits>
#include <random>
#include <utility>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "cluster/property/utf16.h"

namespace failsim::node {
namespace {

constexpr std::size_t kShownCharacters = 60;  // of an argument, in an error
constexpr std::size_t kClientCharacters = 64;

std::string shown(std::string_view text) {
  std::string result;
  for (const char c : text.substr(0, kShownCharacters)) {
    result += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  }
  return "'" + result + (text.size() > kShownCharacters ? "...'" : "'");
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += plus_is_space && text[i] == '+' ? ' ' : text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    result += static_cast<char>(high * 16 + low);
    i += 2;
  }
  // What is not UTF-8 must not reach a message or a row: its text fields could not be read back.
  if (!utf16le_of_utf8(result)) return std::nullopt;
  return result;
}

// The part before the separator; `text` keeps what is after it, and is empty at the end.
std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

bool parse_query(std::string_view text, std::map<std::string, std::string>& query) {
  while (!text.empty()) {
    std::string_view value = take_until(text, '&');
    const auto name = percent_decode(take_until(value, '='), true);
    const auto content = percent_decode(value, true);
    if (!name || !content || name->empty()) return false;
    if (!query.emplace(*name, *content).second) return false;
  }
  return true;
}

bool is_client_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

std::string random_client() {
  std::random_device device;
  char text[32];
  std::snprintf(text, sizeof text, "api-%08x%08x", device(), device());
  return text;
}

}  // namespace

std::optional<Target> parse_target(std::string_view target) {
  if (target.empty() || target.front() != '/') return std::nullopt;
  std::string_view path = take_until(target, '?');
  path.remove_prefix(1);
  Target result;
  while (!path.empty()) {
    auto part = percent_decode(take_until(path, '/'), false);
    if (!part || part->empty()) return std::nullopt;
    result.path.push_back(std::move(*part));
  }
  if (!parse_query(target, result.query)) return std::nullopt;
  return result;
}

std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t maximum) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  if (number > maximum) return std::nullopt;
  return number;
}

Arguments Arguments::of_query(const std::map<std::string, std::string>& query) {
  Arguments arguments;
  arguments.is_query_ = true;
  for (const auto& [name, value] : query) arguments.values_[name] = value;
  return arguments;
}

Arguments Arguments::of_body(const std::string& body) {
  Arguments arguments;
  if (body.empty()) return arguments;
  boost::json::error_code failure;
  boost::json::value value = boost::json::parse(body, failure);
  if (failure || !value.is_object()) {
    arguments.refuse("The body of the request is not a JSON object" +
                     (failure ? ": " + failure.message() : std::string()) + ".");
    return arguments;
  }
  arguments.values_ = std::move(value.get_object());
  return arguments;
}

const boost::json::value* Arguments::find(std::string_view name) {
  known_.emplace(name);
  const boost::json::value* value = values_.if_contains({name.data(), name.size()});
  return value != nullptr && !value->is_null() ? value : nullptr;
}

bool Arguments::has(std::string_view name) {
  return find(name) != nullptr;
}

std::string Arguments::text(std::string_view name, std::string fallback) {
  const boost::json::value* value = find(name);
  if (value == nullptr) return fallback;
  if (const auto* text = value->if_string()) return std::string(text->data(), text->size());
  refuse("The argument '" + std::string(name) + "' has to be a text.");
  return fallback;
}

std::string Arguments::required_text(std::string_view name) {
  if (!has(name)) refuse("The argument '" + std::string(name) + "' is missing.");
  return text(name);
}

std::uint64_t Arguments::number(std::string_view name, std::uint64_t fallback,
                                std::uint64_t maximum) {
  const boost::json::value* value = find(name);
  if (value == nullptr) return fallback;
  std::optional<std::uint64_t> number;
  if (const auto* text = value->if_string(); text != nullptr && is_query_) {
    number = parse_number({text->data(), text->size()}, maximum);
  } else if (const auto* unsigned_number = value->if_uint64()) {
    number = *unsigned_number;
  } else if (const auto* signed_number = value->if_int64(); signed_number && *signed_number >= 0) {
    number = static_cast<std::uint64_t>(*signed_number);
  }
  if (number && *number <= maximum) return *number;
  refuse("The argument '" + std::string(name) + "' has to be a whole number from 0 to " +
         std::to_string(maximum) + ", not " + shown(boost::json::serialize(*value)) + ".");
  return fallback;
}

bool Arguments::flag(std::string_view name, bool fallback) {
  const boost::json::value* value = find(name);
  if (value == nullptr) return fallback;
  if (const bool* flag = value->if_bool()) return *flag;
  refuse("The argument '" + std::string(name) + "' has to be true or false.");
  return fallback;
}

std::size_t Arguments::choice(std::string_view name, const std::vector<std::string_view>& words,
                              std::size_t fallback) {
  if (!has(name)) return fallback;
  const std::string given = text(name);
  const auto found = std::find(words.begin(), words.end(), given);
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  std::string known;
  for (const std::string_view word : words) {
    known += (known.empty() ? "" : ", ") + std::string(word);
  }
  refuse("The argument '" + std::string(name) + "' has to be one of " + known + ", not " +
         shown(given) + ".");
  return fallback;
}

std::string Arguments::required_scalar(std::string_view name) {
  const boost::json::value* value = find(name);
  if (value != nullptr && value->is_string()) return text(name);
  if (value != nullptr && (value->is_int64() || value->is_uint64())) {
    return boost::json::serialize(*value);
  }
  refuse("The argument '" + std::string(name) + "' has to be a text or a whole number.");
  return "";
}

void Arguments::refuse(std::string message) {
  refuse(Error{Code::kInvalidParameter, std::move(message),
               "Correct the request; its arguments are listed in node/api/README.md."});
}

void Arguments::refuse(Error error) {
  if (!error_) error_ = std::move(error);
}

std::optional<Error> Arguments::finish() {
  for (const auto& item : values_) {
    const std::string_view name(item.key().data(), item.key().size());
    if (known_.count(name) == 0) refuse("There is no argument " + shown(name) + " here.");
  }
  return error_;
}

std::optional<RequestId> parse_request_id(std::string_view header) {
  if (header.empty()) return RequestId{random_client(), 1};
  const std::size_t colon = header.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view client = header.substr(0, colon);
  const auto sequence =
      parse_number(header.substr(colon + 1), std::numeric_limits<std::uint64_t>::max());
  if (client.empty() || client.size() > kClientCharacters || !sequence) return std::nullopt;
  if (!std::all_of(client.begin(), client.end(), is_client_character)) return std::nullopt;
  return RequestId{std::string(client), *sequence};
}

}  // namespace failsim::node
