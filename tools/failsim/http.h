// One request to one node, and its answer or why there is none.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace failsim::cli {

struct HttpRequest {
  std::string method;  // GET, POST, PUT or DELETE
  std::string address;
  std::uint16_t port = 0;
  std::string target;
  std::string token;
  std::string request_id;                   // empty = none
  std::string body;                         // JSON; empty = none
  std::chrono::milliseconds timeout{5000};  // of the whole exchange
};

enum class Transport {
  kAnswered,
  kRefused,  // nobody listens there: the request was not seen
  kTimeout,  // no whole answer in time: the request may have been carried out
  kBroken    // the connection ended before the answer: likewise
};

struct HttpAnswer {
  Transport transport = Transport::kBroken;
  unsigned status = 0;
  std::string body;
  std::string detail;  // what the system said, when not kAnswered
};

HttpAnswer exchange(const HttpRequest& request);

// The text as a part of a path or the value of a query parameter.
std::string percent_encoded(const std::string& text);

}  // namespace failsim::cli
