// Clients that ask the same thing again and again over connections they keep, each waiting for its
// answer before it asks anew. One thread serves them all.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace failsim::bench {

struct LoadOptions {
  std::vector<std::string> addresses;  // of client i: number i modulo their number
  std::uint16_t port = 0;
  std::uint32_t clients = 1;
  std::chrono::milliseconds duration{5000};
  // The whole HTTP request of the client's turn (0, 1, ...) at that address.
  std::function<std::string(std::uint32_t client, std::uint64_t turn, const std::string& address)>
      request;
};

struct LoadResult {
  std::vector<double> latencies_ms;  // of answers with status 200
  double seconds = 0;
  std::uint64_t refused = 0;  // answers with another status
  std::string first_refusal;
};

// A connection that breaks is a cli::Failure.
LoadResult run_load(const LoadOptions& options);

}  // namespace failsim::bench
