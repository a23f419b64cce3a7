#include "node/hypervisor/modelled_pages.h"

#include <algorithm>
#include <utility>

namespace failsim::node {
namespace {

constexpr std::uint64_t kPartBytesMost = std::uint64_t{16} << 20;

}  // namespace

ModelledPages::ModelledPages(const pb::VmConfig& config, SourceReports& reports, Look look,
                             SendPart send_part)
    : reports_(reports),
      look_(std::move(look)),
      send_part_(std::move(send_part)),
      pieces_(modelled_memory(config)) {}

std::uint64_t ModelledPages::dirty_bytes() {
  catch_up();
  return pieces_.dirty_bytes();
}

void ModelledPages::catch_up() {
  const Moment moment = look_();
  if (executed_until_ == 0) executed_until_ = moment.executed_until;
  if (moment.executed_until <= executed_until_) return;
  pieces_.set_steps_per_second(moment.dirty_bytes_per_second);
  pieces_.execute(moment.executed_until - executed_until_);
  executed_until_ = moment.executed_until;
}

bool ModelledPages::send_round() {
  for (std::size_t piece = 0; piece < pieces_.count(); ++piece) {
    reports_.set_left(dirty_bytes());
    for (std::uint64_t left = pieces_.take(piece); left > 0;) {
      const std::uint64_t part = std::min(left, kPartBytesMost);
      if (!send_part_(part)) return false;
      left -= part;
      reports_.take_off(part);
      reports_.note_sent();
    }
  }
  return true;
}

}  // namespace failsim::node
