#include "tools/scenario/operator.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace failsim::scenario {
namespace {

constexpr Duration kAttemptLimit = 12 * kSecond;  // a node answers within 10 s, or says it cannot
constexpr Duration kSecondOpinion = kSecond;      // the others, once it is accepted and not ordered
constexpr Duration kPause = 50 * kMillisecond;    // between two rounds
constexpr Duration kGlance = 50 * kMillisecond;   // a connection whose process died is noticed then

}  // namespace

struct Operator::Question {
  pb::Request request;
  Done done;  // empty: it has ended
  Time deadline = 0;
  std::uint64_t attempt = 0;  // older ones no longer count
  std::vector<NodeId> order;  // of this round
  std::size_t tried = 0;      // of them
  bool is_silent = false;     // of this round
  bool has_election = false;
  bool has_no_quorum = false;
  bool had_election = false;  // of any round
  std::optional<pb::Reply> pending;
  NodeId node = kNoNode;  // asked now
  Incarnation incarnation = 0;
};

void Operator::ask(pb::Request request, Done done) {
  auto question = std::make_shared<Question>();
  question->request = std::move(request);
  question->request.set_client("operator-" + std::to_string(++asked_));
  question->request.set_sequence(1);
  question->done = std::move(done);
  question->deadline = world_.now() + kTimeLimit;
  next_round(question);
}

void Operator::next_round(const std::shared_ptr<Question>& question) {
  // A stopped node would let it wait for long: it comes last.
  std::vector<NodeId>& order = question->order;
  order = world_.nodes();
  const auto first = std::find(order.begin(), order.end(), preferred_);
  if (first != order.end()) std::rotate(order.begin(), first, order.end());
  std::stable_partition(order.begin(), order.end(),
                        [this](NodeId node) { return !world_.is_stopped(node); });
  question->tried = 0;
  question->is_silent = question->has_election = question->has_no_quorum = false;
  try_node(question);
}

void Operator::try_node(const std::shared_ptr<Question>& question) {
  while (question->tried < question->order.size()) {
    question->node = question->order[question->tried];
    const std::uint64_t attempt = ++question->attempt;
    if (!world_.is_running(question->node)) {
      ++question->tried;
      continue;
    }
    question->incarnation = world_.process(question->node)->incarnation();
    const Duration most = question->pending ? kSecondOpinion : kAttemptLimit;
    watch(question, attempt, std::min(world_.now() + most, question->deadline));
    world_.ask(
        question->node, question->request,
        [this, question, attempt](const pb::Reply& reply) { answered(question, attempt, reply); });
    return;
  }
  if (question->pending) return end(question, *question->pending);
  question->had_election = question->had_election || question->has_election;
  const bool is_refused =
      !question->is_silent && !question->has_election && !question->has_no_quorum;
  if (is_refused) return end(question, Code::kConnectionRefused);
  if (question->has_no_quorum && !question->has_election) return end(question, Code::kNoQuorum);
  if (world_.now() + kPause >= question->deadline) {
    return end(question, question->had_election ? Code::kNotReady : Code::kTimeout);
  }
  world_.queue().after(kPause, [this, question] { next_round(question); });
}

// The attempt ends without an answer when its time is over or its process is gone.
void Operator::watch(const std::shared_ptr<Question>& question, std::uint64_t attempt,
                     Time give_up_at) {
  world_.queue().after(kGlance, [this, question, attempt, give_up_at] {
    if (!question->done || question->attempt != attempt) return;
    const sim::Process* process = world_.process(question->node);
    const bool is_gone = process == nullptr || process->incarnation() != question->incarnation;
    if (!is_gone && world_.now() < give_up_at) return watch(question, attempt, give_up_at);
    question->is_silent = true;
    next_node(question);
  });
}

void Operator::next_node(const std::shared_ptr<Question>& question) {
  ++question->tried;
  try_node(question);
}

void Operator::answered(const std::shared_ptr<Question>& question, std::uint64_t attempt,
                        const pb::Reply& reply) {
  if (!question->done || question->attempt != attempt) return;
  const auto code = static_cast<Code>(reply.code());
  // "Try again" is no outcome, unless an entry of the log says it.
  if (reply.index() == 0 && (code == Code::kNotReady || code == Code::kNoQuorum)) {
    question->has_election = question->has_election || code == Code::kNotReady;
    question->has_no_quorum = question->has_no_quorum || code == Code::kNoQuorum;
    return next_node(question);
  }
  if (code == Code::kIoPending) {
    question->pending = reply;
    return next_node(question);
  }
  preferred_ = question->node;
  end(question, reply);
}

void Operator::end(const std::shared_ptr<Question>& question, const pb::Reply& reply) {
  std::exchange(question->done, {})(reply);
}

void Operator::end(const std::shared_ptr<Question>& question, Code code) {
  pb::Reply reply;
  reply.set_code(static_cast<std::uint32_t>(code));
  end(question, reply);
}

}  // namespace failsim::scenario
