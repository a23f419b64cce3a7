// Requests for proof of leadership, answered together by quorum rounds.
//
// Requests that arrive while a round is under way wait for the next one: only a message sent after
// a request can prove anything about the time after it.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace failsim::raft {

class Confirmations {
 public:
  void add(std::uint64_t nonce) { waiting_.push_back(nonce); }

  bool wants_round() const { return in_round_.empty() && !waiting_.empty(); }

  // Everything waiting is proven once a quorum has echoed `round` or a later one.
  void begin(std::uint64_t round) {
    in_round_ = std::exchange(waiting_, {});
    round_ = round;
  }

  // The nonces proven when a quorum has echoed `reached`.
  std::vector<std::uint64_t> take_proven(std::uint64_t reached) {
    if (reached < round_) return {};
    return std::exchange(in_round_, {});
  }

  // Every nonce not answered yet.
  std::vector<std::uint64_t> take_all() {
    std::vector<std::uint64_t> all = std::exchange(in_round_, {});
    all.insert(all.end(), waiting_.begin(), waiting_.end());
    waiting_.clear();
    return all;
  }

 private:
  std::vector<std::uint64_t> waiting_;
  std::vector<std::uint64_t> in_round_;
  std::uint64_t round_ = 0;
};

}  // namespace failsim::raft
