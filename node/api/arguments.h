// What a client sent, taken apart strictly: an unknown, missing or malformed argument is an error
// with a sentence, never ignored.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "cluster/error.h"

namespace failsim::node {

// The path of a target in its parts, and its query; percent-decoded. Nothing if it is malformed.
struct Target {
  std::vector<std::string> path;
  std::map<std::string, std::string> query;
};
std::optional<Target> parse_target(std::string_view target);

// A decimal number without sign, at most `maximum`.
std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t maximum);

// The arguments of one request, from its query or its JSON body. Every getter names an argument
// that may occur; once all are asked for, finish() gives the first thing that was wrong, among it
// any argument nobody asked for. A getter whose argument is missing or wrong gives the fallback.
class Arguments {
 public:
  static Arguments of_query(const std::map<std::string, std::string>& query);
  // A body that is empty means no arguments.
  static Arguments of_body(const std::string& body);

  bool has(std::string_view name);  // present and not null
  std::string text(std::string_view name, std::string fallback = "");
  std::string required_text(std::string_view name);
  std::uint64_t number(std::string_view name, std::uint64_t fallback, std::uint64_t maximum);
  bool flag(std::string_view name, bool fallback);
  // One of the words; the index of it.
  std::size_t choice(std::string_view name, const std::vector<std::string_view>& words,
                     std::size_t fallback);
  // A text or a number or a flag, as text.
  std::string required_scalar(std::string_view name);

  void refuse(std::string message);
  void refuse(Error error);
  std::optional<Error> finish();

 private:
  const boost::json::value* find(std::string_view name);

  boost::json::object values_;
  bool is_query_ = false;
  std::set<std::string, std::less<>> known_;
  std::optional<Error> error_;
};

// The id of a request: the header's "CLIENT:SEQUENCE", or one drawn at random if it is empty.
struct RequestId {
  std::string client;
  std::uint64_t sequence = 0;
};
std::optional<RequestId> parse_request_id(std::string_view header);

}  // namespace failsim::node
