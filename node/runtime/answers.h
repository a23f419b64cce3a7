// Questions that wait for their answer, by token.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

namespace failsim::node {

template <typename Answer>
class Answers {
 public:
  using Call = std::function<void(Answer)>;

  void await(std::uint64_t token, Call call) { waiting_[token] = std::move(call); }
  bool awaits(std::uint64_t token) const { return waiting_.count(token) != 0; }

  // A second answer, or one that came too late, finds nobody and is dropped.
  void give(std::uint64_t token, Answer answer) {
    const auto found = waiting_.find(token);
    if (found == waiting_.end()) return;
    const Call call = std::move(found->second);
    waiting_.erase(found);
    call(std::move(answer));
  }

 private:
  std::map<std::uint64_t, Call> waiting_;
};

}  // namespace failsim::node
