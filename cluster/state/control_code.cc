#include "cluster/state/control_code.h"

#include <charconv>

#include "cluster/migration/job.h"
#include "cluster/units.h"

namespace failsim {
namespace {

constexpr ControlCode kCodes[] = {ControlCode::kStartMigration, ControlCode::kCancelMigration};

std::optional<std::uint32_t> number_of(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  }
  std::uint32_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, base);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

}  // namespace

std::string_view name(ControlCode code) {
  return code == ControlCode::kStartMigration ? "START_MIGRATION" : "CANCEL_MIGRATION";
}

std::optional<ControlCode> control_code_of(std::string_view text) {
  const auto number = number_of(text);
  for (const ControlCode code : kCodes) {
    if (text == name(code) || number == static_cast<std::uint32_t>(code)) return code;
  }
  return std::nullopt;
}

std::optional<Error> control_refused(std::string_view code, std::string_view target_name) {
  const auto known = control_code_of(code);
  if (!known) {
    return Error{Code::kInvalidParameter,
                 "There is no control code '" + shortened(code) + "' of migration.",
                 "Give START_MIGRATION (0x01600004) or CANCEL_MIGRATION (0x01600008)."};
  }
  if (known != ControlCode::kStartMigration || !target_name.empty()) return std::nullopt;
  return Error{Code::kInvalidParameter,
               "START_MIGRATION does not say which node it moves the VM to.",
               "Name the node: --to NODE, or the argument 'to'."};
}

pb::Request control_request(ControlCode code, const std::string& vm, NodeId target,
                            const std::string& target_name) {
  pb::Request request;
  if (code == ControlCode::kCancelMigration) {
    request.mutable_cancel_migration()->set_vm(vm);
    request.mutable_cancel_migration()->set_only_begun(true);
    return request;
  }
  request.mutable_migrate()->set_vm(vm);
  request.mutable_migrate()->set_target(target);
  request.mutable_migrate()->set_target_name(target_name);
  return request;
}

std::uint32_t control_return(ControlCode code, const pb::Reply& reply) {
  if (reply.code() != 0) return reply.code();
  const JobState pending =
      code == ControlCode::kStartMigration ? JobState::kNew : JobState::kShuttingDown;
  const bool is_pending = reply.job_state() == static_cast<std::uint32_t>(pending);
  return static_cast<std::uint32_t>(is_pending ? Code::kIoPending : Code::kOk);
}

}  // namespace failsim
