#include "tools/failsim/recorded_guests.h"

namespace failsim::cli {
namespace {

Epoch epoch_of(const pb::Epoch& epoch) {
  return {epoch.recovery(), epoch.counter()};
}

}  // namespace

void RecordedGuests::happened(const handover::Process& process,
                              const pb::Observation& observation) {
  Site& site = sites_[process];
  if (observation.has_guest_executes()) {
    const auto& executes = observation.guest_executes();
    if (executes.is_first()) {
      checker_.guest_begins(process.node, executes.vm(), executes.counter());
    }
    const Epoch epoch = epoch_of(executes.epoch());
    site.executing[executes.vm()] = epoch;
    site.guests[executes.vm()].is_held_by_transfer = false;
    checker_.guest_executes(process, executes.vm(), epoch, site.lease_until);
  } else if (observation.has_guest_stops()) {
    site.executing.erase(observation.guest_stops().vm());
    checker_.guest_stops(process, observation.guest_stops().vm());
  } else if (observation.has_guest_paused()) {
    site.guests[observation.guest_paused().vm()].is_held_by_transfer = true;
    checker_.source_paused(process, observation.guest_paused().vm(),
                           observation.guest_paused().job());
  } else if (observation.has_guest_held()) {
    const auto& held = observation.guest_held();
    if (held.held()) {
      site.guests[held.vm()] = {held.boot_id(), false};
    } else {
      site.guests.erase(held.vm());
    }
  } else if (observation.has_transfer_held()) {
    const auto& held = observation.transfer_held();
    const std::pair<std::string, TaskId> transfer(held.vm(), held.job());
    if (held.held()) {
      site.transfers.insert(transfer);
    } else {
      site.transfers.erase(transfer);
    }
  } else if (observation.has_round_ended()) {
    round_ended(process.node, observation.round_ended());
  }
}

void RecordedGuests::round_ended(NodeId node, const pb::Observation::RoundEnded& round) {
  history::RoundEnded ended;
  ended.node = node;
  ended.vm = round.vm();
  ended.job = round.job();
  ended.attempt = round.attempt();
  ended.round = round.round();
  ended.max_rounds = round.max_rounds();
  ended.bytes_sent = round.bytes_sent();
  ended.dirty_bytes = round.dirty_bytes();
  ended.is_decided = round.is_decided();
  ended.decision = static_cast<PrecopyDecision>(round.decision());
  checker_.round_ended(ended);
}

// A quantum that began after the lease is executed time, whatever was granted.
void RecordedGuests::ran_last(const handover::Process& process, const std::string& vm, Time at) {
  const Site& site = sites_[process];
  const auto found = site.executing.find(vm);
  if (found == site.executing.end() || at < site.lease_until) return;
  checker_.guest_executes(process, vm, found->second, at + 1);
}

void RecordedGuests::lease_lasts(const handover::Process& process, Time until) {
  checker_.lease_lasts(process, until);
  Site& site = sites_[process];
  site.lease_until = until;
  for (const auto& [vm, epoch] : site.executing) {
    checker_.guest_executes(process, vm, epoch, until);
  }
}

void RecordedGuests::ended(const handover::Process& process) {
  sites_.erase(process);
}

// ---- the volume ---------------------------------------------------------------------------------

// The volume answers a repeated request without writing again. What it wrote and could not note
// before it was ended itself is known from what it found later.
void RecordedGuests::volume_wrote(const pb::Observation::VolumeWrote& wrote) {
  const Epoch epoch = epoch_of(wrote.epoch());
  const handover::Process writer{wrote.node(), wrote.writer()};
  Journal& journal = journals_[wrote.vm()];
  if (wrote.counter() == 0) {
    while (journal.counter < wrote.last_counter()) {
      record(wrote.vm(), journal.epoch, journal.counter + 1, journal.writer);
    }
    if (epoch != journal.epoch) record(wrote.vm(), epoch, 0, writer);
  } else if (wrote.counter() != journal.counter || epoch != journal.epoch) {
    record(wrote.vm(), epoch, wrote.counter(), writer);
  }
}

void RecordedGuests::record(const std::string& vm, const Epoch& epoch, std::uint64_t counter,
                            const handover::Process& writer) {
  Journal& journal = journals_[vm];
  journal.epoch = epoch;
  if (counter != 0) journal.counter = counter;
  journal.writer = writer;
  checker_.tell(history::VolumeRecord{vm, epoch, counter, writer.node, writer.incarnation});
}

// ---- what is left -------------------------------------------------------------------------------

invariants::Holdings RecordedGuests::holdings(const handover::Process& process) const {
  invariants::Holdings holdings;
  holdings.node = process.node;
  const auto found = sites_.find(process);
  if (found == sites_.end()) return holdings;
  for (const auto& [vm, guest] : found->second.guests) {
    holdings.guests.push_back({vm, guest.boot_id, guest.is_held_by_transfer});
  }
  for (const auto& [vm, job] : found->second.transfers) holdings.transfers.push_back({vm, job});
  return holdings;
}

}  // namespace failsim::cli
