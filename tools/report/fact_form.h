// Which fields each kind of fact has in a history: declared once, for writing and for reading.
//
// A Form is asked field by field; the one that writes appends the field, the one that reads fills
// it in. `X` is the kind, const when it is written.
#pragma once

#include <concepts>
#include <string_view>
#include <type_traits>

#include "tools/report/fact.h"

namespace failsim::history {

template <typename X, typename Kind>
concept Is = std::same_as<std::remove_const_t<X>, Kind>;

template <typename X>
concept OnlyANode = Is<X, ProcessStarted> || Is<X, ProcessStopped> || Is<X, ProcessContinued> ||
    Is<X, RowsReplaced>;

template <typename Form, OnlyANode X>
void describe(Form& form, X& x) {
  form.number("node", x.node);
}

template <typename Form, typename Process>
void describe_process(Form& form, Process& process) {
  form.number("node", process.node);
  form.identity("incarnation", process.incarnation);
}

template <typename Form, typename OneEpoch>
void describe_epoch(Form& form, OneEpoch& epoch) {
  form.number("recovery", epoch.recovery);
  form.number("epoch", epoch.counter);
}

template <typename Form, Is<ProcessEnded> X>
void describe(Form& form, X& x) {
  form.number("node", x.node);
  form.identity("incarnation", x.incarnation);
}

template <typename Form, Is<LeaseLasts> X>
void describe(Form& form, X& x) {
  describe_process(form, x.process);
  form.number("until_ns", x.until);
}

template <typename Form, Is<GuestsStopped> X>
void describe(Form& form, X& x) {
  describe_process(form, x.process);
}

template <typename Form, Is<ClusterFormed> X>
void describe(Form& form, X& x) {
  form.numbers("nodes", x.nodes);
  form.numbers("memory_bytes", x.memory);
}

template <typename Form, Is<DetectionTime> X>
void describe(Form& form, X& x) {
  form.number("node", x.node);
  form.number("length_ns", x.length);
}

template <typename Form, Is<Leads> X>
void describe(Form& form, X& x) {
  form.number("node", x.node);
  form.number("term", x.term);
}

template <typename X>
concept Position = Is<X, Appended> || Is<X, Committed>;
template <typename Form, Position X>
void describe(Form& form, X& x) {
  form.number("node", x.node);
  form.position(x.position);
}

template <typename Form, Is<Stored> X>
void describe(Form& form, X& x) {
  form.number("node", x.node);
  form.number("sequence", x.sequence);
  form.row("hard_state", x.hard_state);
  form.row("last", x.last);
}

template <typename Form, Is<Synced> X>
void describe(Form& form, X& x) {
  form.number("node", x.node);
  form.number("sequence", x.sequence);
}

template <typename Form, Is<StateHash> X>
void describe(Form& form, X& x) {
  form.number("node", x.node);
  form.number("index", x.index);
  form.identity("hash", x.hash);
}

template <typename Form, Is<EventApplied> X>
void describe(Form& form, X& x) {
  form.number("node", x.node);
  form.event(x.event);
}

template <typename Form, Is<TaskRow> X>
void describe(Form& form, X& x) {
  form.number("node", x.node);
  form.row("task", x.task);
}

template <typename Form, Is<VmRow> X>
void describe(Form& form, X& x) {
  form.number("node", x.node);
  form.number("migration_state", x.migration_state);
  form.row("vm", x.vm);
  form.optional_row("job", x.job);
}

template <typename Form, Is<Executes> X>
void describe(Form& form, X& x) {
  form.number("node", x.node);
  form.text("vm", x.vm);
  form.number("until_ns", x.until);
  form.identity("incarnation", x.incarnation);
  describe_epoch(form, x.epoch);
}

template <typename Form, Is<Stops> X>
void describe(Form& form, X& x) {
  form.number("node", x.node);
  form.text("vm", x.vm);
  form.identity("incarnation", x.incarnation);
}

template <typename Form, Is<GuestBegins> X>
void describe(Form& form, X& x) {
  form.number("node", x.node);
  form.text("vm", x.vm);
  form.number("counter", x.counter);
}

template <typename Form, Is<ImageOrdered> X>
void describe(Form& form, X& x) {
  form.number("node", x.node);
  form.text("vm", x.vm);
  form.identity("incarnation", x.incarnation);
  form.number("job", x.job);
}

template <typename Form, Is<CancelAccepted> X>
void describe(Form& form, X& x) {
  form.number("job", x.job);
}

template <typename Form, Is<DiskReplaced> X>
void describe(Form& form, X& x) {
  form.number("node", x.node);
}

template <typename Form, Is<RoundEnded> X>
void describe(Form& form, X& x) {
  form.number("node", x.node);
  form.text("vm", x.vm);
  form.number("job", x.job);
  form.number("attempt", x.attempt);
  form.number("round", x.round);
  form.number("max_rounds", x.max_rounds);
  form.number("bytes_sent", x.bytes_sent);
  form.number("dirty_bytes", x.dirty_bytes);
  form.flag("is_decided", x.is_decided);
  form.choice("decision", x.decision, {"continue", "switch", "switch-forced", "fail", "post-copy"});
}

template <typename Form, Is<ImageVerified> X>
void describe(Form& form, X& x) {
  form.number("node", x.node);
  form.text("vm", x.vm);
  form.number("job", x.job);
  form.flag("match", x.match);
}

template <typename Form, Is<MemoryUsed> X>
void describe(Form& form, X& x) {
  form.number("node", x.node);
  form.number("used_bytes", x.used);
  form.number("memory_bytes", x.memory);
}

template <typename Form, Is<VolumeRecord> X>
void describe(Form& form, X& x) {
  form.text("vm", x.vm);
  describe_epoch(form, x.epoch);
  form.number("counter", x.counter);
  form.number("node", x.node);
  form.identity("writer", x.writer);
}

template <typename Form, Is<OwnershipBegan> X>
void describe(Form& form, X& x) {
  form.text("vm", x.vm);
  describe_process(form, x.owner);
  describe_epoch(form, x.epoch);
}

template <typename Form, Is<HandoverStep> X>
void describe(Form& form, X& x) {
  form.text("vm", x.vm);
  form.choice("step", x.action.step,
              {
#define HANDOVER_COMMAND(name, guard, required, effect) #name,
#define HANDOVER_FACT(name, concerns, required, effect) #name,
#include "cluster/migration/handover_steps.inc"
#undef HANDOVER_COMMAND
#undef HANDOVER_FACT
              });
  form.number("job", x.action.job);
  form.choice("phase", x.action.phase,
              {"none", "setup", "data-transfer", "move", "canceled", "failure"});
  describe_process(form, x.action.process);
  describe_epoch(form, x.action.epoch);
  form.number("decided_on_recovery", x.action.decided_on.recovery);
  form.number("decided_on_epoch", x.action.decided_on.counter);
}

template <typename Form, Is<TraceExpected> X>
void describe(Form& form, X& x) {
  form.text("vm", x.vm);
  form.flag("runs", x.runs);
}

template <typename Form, Is<Sent> X>
void describe(Form& form, X& x) {
  form.number("id", x.id);
  form.number("from", x.from);
  form.number("to", x.to);
  form.text("type", x.type);
  form.number("term", x.term);
  form.number("index", x.index);
}

template <typename X>
concept OnlyAnId = Is<X, Received> || Is<X, FaultHealed>;
template <typename Form, OnlyAnId X>
void describe(Form& form, X& x) {
  form.number("id", x.id);
}

template <typename Form, Is<FaultInjected> X>
void describe(Form& form, X& x) {
  form.number("id", x.id);
  form.text("text", x.text);
  form.numbers("nodes", x.nodes);
}

template <typename Form, Is<LinkChanged> X>
void describe(Form& form, X& x) {
  form.number("from", x.from);
  form.number("to", x.to);
  form.flag("open", x.open);
}

template <typename Form, Is<ClockRate> X>
void describe(Form& form, X& x) {
  form.number("node", x.node);
  form.number("ppm", x.ppm);
}

template <typename X>
concept OfARegister =
    Is<X, WriteBegan> || Is<X, WriteAcknowledged> || Is<X, WriteRefused> || Is<X, ReadSaw>;
template <typename Form, OfARegister X>
void describe(Form& form, X& x) {
  form.text("name", x.name);
  form.text("value", x.value);
}

template <typename Form, Is<Answered> X>
void describe(Form& form, X& x) {
  form.text("request", x.request);
  form.text("answer", x.answer);
}

template <typename Form, Is<Held> X>
void describe(Form& form, X& x) {
  form.number("node", x.holdings.node);
  form.number("memory_bytes", x.holdings.memory_bytes);
  form.objects("guests", x.holdings.guests, [](auto& inner, auto& guest) {
    inner.text("vm", guest.vm);
    inner.number("boot_id", guest.boot_id);
    inner.flag("held_by_transfer", guest.held_by_transfer);
  });
  form.objects("transfers", x.holdings.transfers, [](auto& inner, auto& transfer) {
    inner.text("vm", transfer.vm);
    inner.number("job", transfer.job);
  });
  form.objects("vms", x.vms, [](auto& inner, auto& vm) { inner.row("vm", vm); });
  form.numbers("in_flight", x.in_flight);
}

template <typename Form, Is<Expectation> X>
void describe(Form& form, X& x) {
  form.text("rule", x.rule);
  form.flag("held", x.held);
  form.text("text", x.text);
}

template <typename Form, Is<Violated> X>
void describe(Form& form, X& x) {
  form.text("rule", x.rule);
  form.text("text", x.text);
}

template <typename Form, Is<NodeRow> X>
void describe(Form& form, X& x) {
  form.number("node", x.node);
  form.row("row", x.row);
}

template <typename Form, Is<Complaint> X>
void describe(Form& form, X& x) {
  form.number("node", x.node);
  form.text("text", x.text);
}

template <typename Form, Is<Unheard> X>
void describe(Form& form, X& x) {
  form.number("node", x.node);
  form.number("of", x.of);
  form.number("since_ns", x.since);
}

template <typename Form, Is<CalledSilent> X>
void describe(Form& form, X& x) {
  form.number("leader", x.leader);
  form.number("node", x.node);
}

template <typename Form, Is<DamagedFrame> X>
void describe(Form& form, X& x) {
  form.number("from", x.from);
  form.number("to", x.to);
  form.flag("is_accepted", x.is_accepted);
}

template <typename Form, Is<FaultsEnded> X>
void describe(Form&, X&) {}

template <typename Form, Is<SlotsFormed> X>
void describe(Form& form, X& x) {
  form.number("most", x.most);
}

// The names of the kinds, in the order of the variant.
inline constexpr std::string_view kKindNames[] = {"cluster",
                                                  "detection-time",
                                                  "process-started",
                                                  "process-ended",
                                                  "process-stopped",
                                                  "process-continued",
                                                  "leads",
                                                  "appended",
                                                  "committed",
                                                  "stored",
                                                  "synced",
                                                  "state-hash",
                                                  "rows-replaced",
                                                  "event",
                                                  "task",
                                                  "vm",
                                                  "lease",
                                                  "guests-stopped",
                                                  "executes",
                                                  "stops",
                                                  "guest-begins",
                                                  "image-ordered",
                                                  "round",
                                                  "image-verified",
                                                  "memory",
                                                  "volume",
                                                  "ownership",
                                                  "step",
                                                  "trace-expected",
                                                  "sent",
                                                  "received",
                                                  "fault-injected",
                                                  "fault-healed",
                                                  "link",
                                                  "clock-rate",
                                                  "write-began",
                                                  "write-acknowledged",
                                                  "write-refused",
                                                  "read",
                                                  "answered",
                                                  "cancel-accepted",
                                                  "disk-replaced",
                                                  "held",
                                                  "expectation",
                                                  "violation",
                                                  "node",
                                                  "complaint",
                                                  "unheard",
                                                  "called-silent",
                                                  "damaged-frame",
                                                  "faults-ended",
                                                  "slots-formed"};
static_assert(std::size(kKindNames) == std::variant_size_v<Fact>);

}  // namespace failsim::history
