// What both sides of a transfer have in common: which it is, and whom it tells.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>

#include "cluster/effects.h"
#include "cluster/migration/precopy.h"
#include "cluster/time.h"
#include "cluster/vm/task_result.h"

namespace failsim::node {

using ReportTransfer = std::function<void(const TransferReport&)>;

// A peer that is silent this long has failed; while a transfer is set up, this long.
inline constexpr Duration kStreamSilenceLimit = 30 * kSecond;
inline constexpr Duration kSetupSilenceLimit = 5 * kSecond;
// Between frames a source may be quiet for as long as the migration may last: it pauses between
// rounds, and waits for the order to finish. The phases of the migration have deadlines.
inline constexpr Duration kNoSilenceLimit = 1'000'000 * kSecond;

// Connections of a transfer; both sides know it from their orders. A modelled VM has no pages that
// could be split.
inline std::uint32_t streams_of(const TransferOrder& order) {
  if (order.config.modelled()) return 1;
  return std::clamp<std::uint32_t>(order.parameters.streams(), 1, kStreamsMax);
}

struct Failure {
  VMTaskResult result = VMTaskResult::kUnexpectedError;
  std::string message;  // one sentence
};

// Why a side without descriptors does not begin.
inline std::string no_descriptors_message(const TransferOrder& order, const std::string& node) {
  return "The migration of VM '" + order.vm + "' cannot begin on " + node +
         ": its process has no file descriptor left. Raise its limit of open files, or migrate "
         "when "
         "fewer are in use.";
}

inline TransferReport report_of(const TransferOrder& order, pb::TransferStatus status) {
  TransferReport report;
  report.vm = order.vm;
  report.job = order.job;
  report.attempt = order.attempt;
  report.status = status;
  return report;
}

inline TransferReport failure_report(const TransferOrder& order, const Failure& failure) {
  TransferReport report = report_of(order, pb::TRANSFER_FAILED);
  report.task_result = static_cast<std::uint32_t>(failure.result);
  report.error = failure.message;
  return report;
}

}  // namespace failsim::node
