#include "tools/report/answer.h"

#include <cstdint>

#include "cluster/error.h"
#include "cluster/migration/job.h"

namespace failsim::history {
namespace {

bool is_cancel(const pb::Request& request) {
  if (request.has_cancel_migration() || request.has_cancel_task()) return true;
  if (!request.has_request_state_change()) return false;
  const std::uint32_t asked = request.request_state_change().requested_state();
  return asked == static_cast<std::uint32_t>(RequestedState::kTerminate) ||
         asked == static_cast<std::uint32_t>(RequestedState::kKill);
}

}  // namespace

bool is_outcome(const pb::Reply& reply) {
  const auto code = static_cast<Code>(reply.code());
  if (reply.index() != 0) return true;
  return code != Code::kNotReady && code != Code::kNoQuorum && code != Code::kClusterBusy &&
         code != Code::kTimeout && code != Code::kIoPending;
}

std::string outcome_text(const pb::Reply& reply) {
  std::string text = "code " + std::to_string(reply.code());
  text += ", task " + std::to_string(reply.task());
  text += ", returns " + std::to_string(reply.return_value());
  text += ", job state " + std::to_string(reply.job_state());
  text += ", entry " + std::to_string(reply.index());
  if (!reply.message().empty()) text += ": " + reply.message() + " " + reply.next();
  return text;
}

bool is_accepted_cancel(const pb::Request& request, const pb::Reply& reply) {
  return is_cancel(request) && reply.code() == 0 && reply.return_value() == 0;
}

}  // namespace failsim::history
