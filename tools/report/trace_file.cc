// The trace event format: complete slices ("X"), flows ("s", "f") and names ("M"), with times in
// microseconds.
#include <algorithm>
#include <map>
#include <string>

#include "tools/report/account.h"

namespace failsim::history {
namespace {

// The places of the trace that are no node.
constexpr std::uint64_t kClusterPid = 0;
constexpr std::uint64_t kFaultsPid = 10'000;
// The threads of a node before those of the VMs.
constexpr std::uint64_t kProcessTid = 1;
constexpr std::uint64_t kLeaderTid = 2;
constexpr std::uint64_t kMessageTid = 3;
constexpr std::uint64_t kFirstVmTid = 10;

constexpr Duration kMessageSlice = 2 * kMicrosecond;  // a flow has to start and end in a slice

std::string microseconds(Time time) {
  std::string nanoseconds = std::to_string(time % kMicrosecond);
  nanoseconds.insert(0, 3 - nanoseconds.size(), '0');
  return std::to_string(time / kMicrosecond) + "." + nanoseconds;
}

class TraceFile {
 public:
  explicit TraceFile(const Timeline& timeline) : timeline_(timeline) {
    for (const std::string& vm : timeline_.vms()) tids_[vm] = kFirstVmTid + tids_.size();
  }

  std::string text() {
    name_places();
    processes();
    vms();
    faults();
    messages();
    return "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n" + events_ + "\n]}\n";
  }

 private:
  void event(char phase, std::uint64_t pid, std::uint64_t tid, std::string_view name,
             const std::string& rest) {
    events_ += events_.empty() ? "" : ",\n";
    events_ += std::string("{\"ph\":\"") + phase + "\",\"pid\":" + std::to_string(pid) +
               ",\"tid\":" + std::to_string(tid) + ",\"name\":";
    append_quoted(events_, name);
    events_ += rest + "}";
  }
  void place(const char* kind, std::uint64_t pid, std::uint64_t tid, std::string_view name) {
    std::string arguments = ",\"args\":{\"name\":";
    append_quoted(arguments, name);
    event('M', pid, tid, kind, arguments + "}");
  }
  void slice(std::uint64_t pid, std::uint64_t tid, std::string_view name, const Span& span) {
    event('X', pid, tid, name,
          ",\"ts\":" + microseconds(span.from) +
              ",\"dur\":" + microseconds(std::max<Duration>(0, span.to - span.from)));
  }

  void name_places() {
    place("process_name", kClusterPid, 0, "cluster");
    place("process_name", kFaultsPid, 0, "faults");
    for (const NodeId node : timeline_.nodes()) {
      place("process_name", node, 0, node_name(node));
      place("thread_name", node, kProcessTid, "process");
      place("thread_name", node, kLeaderTid, "leader");
      place("thread_name", node, kMessageTid, "messages");
      for (const auto& [vm, tid] : tids_) place("thread_name", node, tid, vm);
    }
    for (const auto& [vm, tid] : tids_) {
      place("thread_name", kClusterPid, tid, vm + ": owner");
      place("thread_name", kClusterPid, tid + tids_.size(), vm + ": migration");
    }
  }

  void processes() {
    for (const auto& process : timeline_.processes()) {
      slice(process.node, kProcessTid, process.is_frozen ? "frozen" : "up", process.span);
    }
    for (const auto& leader : timeline_.leaders()) {
      slice(leader.node, kLeaderTid, "term " + std::to_string(leader.term), leader.span);
    }
  }

  void vms() {
    for (const auto& owner : timeline_.owners()) {
      slice(kClusterPid, tids_.at(owner.vm),
            node_name(owner.node) + ", epoch " + to_string(owner.epoch), owner.span);
    }
    for (const auto& phase : timeline_.phases()) {
      slice(kClusterPid, tids_.at(phase.vm) + tids_.size(),
            phase_name(phase.phase) + " of job " + std::to_string(phase.job), phase.span);
    }
    for (const auto& execution : timeline_.executions()) {
      slice(execution.node, tids_.at(execution.vm), execution.vm + " executes", execution.span);
    }
  }

  // Each fault has a thread of its own: they overlap.
  void faults() {
    for (const auto& fault : timeline_.faults()) {
      place("thread_name", kFaultsPid, fault.id, fault.text);
      slice(kFaultsPid, fault.id, fault.text, fault.span);
    }
  }

  void messages() {
    for (const auto& message : timeline_.messages()) {
      const Sent& sent = message.sent;
      const Time from = message.span.from;
      slice(sent.from, kMessageTid, sent.type + " to " + node_name(sent.to),
            {from, from + kMessageSlice});
      if (message.span.to == kNever) continue;
      const Time to = message.span.to;
      slice(sent.to, kMessageTid, sent.type + " from " + node_name(sent.from),
            {to, to + kMessageSlice});
      const std::string id = ",\"cat\":\"message\",\"id\":" + std::to_string(sent.id);
      event('s', sent.from, kMessageTid, sent.type, id + ",\"ts\":" + microseconds(from));
      event('f', sent.to, kMessageTid, sent.type, id + ",\"bp\":\"e\",\"ts\":" + microseconds(to));
    }
  }

  const Timeline& timeline_;
  std::map<std::string, std::uint64_t> tids_;
  std::string events_;
};

}  // namespace

std::string trace_of(const Account& account) {
  return TraceFile(account.timeline).text();
}

}  // namespace failsim::history
