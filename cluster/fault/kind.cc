#include "cluster/fault/kind.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

#include "cluster/fault/describe.h"
#include "cluster/migration/bandwidth.h"
#include "cluster/time.h"

namespace failsim::fault {
namespace {

constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kMi = std::int64_t{1} << 20;
constexpr std::int64_t kTi = std::int64_t{1} << 40;

constexpr Support kYes{true, {}};
constexpr Support no(std::string_view reason) {
  return Support{false, reason};
}

// ---- Parameters that several kinds share --------------------------------------------------------

constexpr std::array<std::string_view, 4> kClasses = {"all", "heartbeat", "control", "data"};
constexpr Parameter kTraffic{"class",
                             Unit::kChoice,
                             0,
                             3,
                             0,
                             kClasses,
                             "the traffic that is hit; data is that of migrations"};
constexpr std::array<std::string_view, 2> kEvidences = {"reported", "silent"};
constexpr Parameter kEvidence{"evidence",
                              Unit::kChoice,
                              0,
                              1,
                              0,
                              kEvidences,
                              "whether the launcher tells the cluster that it reaped the process"};

constexpr Parameter required(std::string_view name, Unit unit, std::int64_t minimum,
                             std::int64_t maximum, std::string_view help) {
  return Parameter{name, unit, minimum, maximum, std::nullopt, {}, help};
}
constexpr Parameter optional(std::string_view name, Unit unit, std::int64_t minimum,
                             std::int64_t maximum, std::int64_t fallback, std::string_view help) {
  return Parameter{name, unit, minimum, maximum, fallback, {}, help};
}

constexpr std::array kEnd = {kEvidence};
constexpr std::array kCut = {kTraffic};
constexpr std::array kDelay = {
    required("min", Unit::kDuration, 0, kMinute, "the shortest delay"),
    optional("max", Unit::kDuration, 0, kMinute, 0, "the longest delay; the shortest if smaller"),
    kTraffic};
constexpr std::array kShare = {
    required("share", Unit::kPerMille, 1, 1000, "how many of the messages"), kTraffic};
constexpr std::array kReorder = {
    required("share", Unit::kPerMille, 1, 1000, "how many of the heartbeats"),
    optional("window", Unit::kDuration, kMillisecond, kMinute, 500 * kMillisecond,
             "how much later they arrive at most")};
constexpr std::array kRate = {
    required("rate", Unit::kRate, std::int64_t{kLeastBandwidth}, kTi, "what passes in a second"),
    Parameter{"class", Unit::kChoice, 0, 3, 3, kClasses, "the traffic that is slowed"}};
constexpr std::array kReset = {kTraffic};
constexpr std::array kFlap = {optional("every", Unit::kDuration, 2 * kMillisecond, kMinute, kSecond,
                                       "how often it is cut, each time for half of it"),
                              kTraffic};
constexpr std::array kCrashes = {
    optional("every", Unit::kDuration, 20 * kMillisecond, 10 * kMinute, 2 * kSecond,
             "how often it is killed; it is started half of it later"),
    kEvidence};
constexpr std::array kSlowStop = {
    required("by", Unit::kDuration, kMillisecond, 10 * kMinute, "how much longer its end takes")};
constexpr std::array kJump = {required("by", Unit::kSignedDuration, -300 * kSecond, 300 * kSecond,
                                       "how far the wall clock jumps")};
constexpr std::array<std::string_view, 2> kDirections = {"fast", "slow"};
constexpr std::array kStrobe = {required("by", Unit::kSignedDuration, -300 * kSecond, 300 * kSecond,
                                         "how far the wall clock jumps, and back again"),
                                optional("every", Unit::kDuration, 2 * kMillisecond, kMinute,
                                         kSecond, "how often it jumps there and back")};
constexpr std::array kDrift = {
    required("ppm", Unit::kCount, 1, 100'000, "how much faster, in millionths"),
    Parameter{"direction", Unit::kChoice, 0, 1, 0, kDirections,
              "whether the clock runs fast or slow"}};
constexpr std::array kLate = {
    required("by", Unit::kDuration, kMillisecond, kMinute, "how late timers fire")};
constexpr std::array kStall = {optional("stall", Unit::kDuration, kMillisecond, 10 * kMinute, 0,
                                        "how long nothing is written; the whole lease if 0")};
constexpr std::array kLatency = {
    required("min", Unit::kDuration, 0, kMinute, "the shortest time a sync takes"),
    optional("max", Unit::kDuration, 0, kMinute, 0, "the longest; the shortest if smaller")};
constexpr std::array kSilence = {optional("stall", Unit::kDuration, kMillisecond, 10 * kMinute, 0,
                                          "how long nothing is answered; the whole lease if 0")};
constexpr std::array kSlowAnswers = {
    required("min", Unit::kDuration, 0, kMinute, "how much longer a request takes at least"),
    optional("max", Unit::kDuration, 0, kMinute, 0, "and at most; the least if smaller")};
constexpr std::array<std::string_view, 3> kDiskErrors = {"EIO", "ENOSPC", "EROFS"};
constexpr std::array kDiskError = {
    Parameter{"error", Unit::kChoice, 0, 2, 0, kDiskErrors, "what the writes fail with"},
    optional("after", Unit::kSize, 0, kTi, 0, "the bytes that still succeed")};
constexpr std::array<std::string_view, 2> kParts = {"log", "table"};
constexpr std::array kFlip = {
    Parameter{"part", Unit::kChoice, 0, 1, 0, kParts,
              "where: in what was written last, or in what has been settled into tables"},
    kEvidence};
constexpr std::array kRestore = {
    optional("age", Unit::kCount, 1, 8, 1,
             "which copy: the one made before so many starts of the node"),
    kEvidence};
constexpr std::array<std::string_view, 4> kSteps = {"prepare", "start", "save", "resume"};
constexpr std::array kRefusal = {
    Parameter{"step", Unit::kChoice, 0, 3, std::nullopt, kSteps, "the step that fails, once"}};
constexpr std::array kDirty = {
    required("rate", Unit::kRate, 0, kTi, "the new rate of distinct page writes")};
constexpr std::array kPressure = {
    required("bytes", Unit::kSize, kMi, kTi, "memory of the node that is taken away")};
constexpr std::array kTerms = {Parameter{
    "terms", Unit::kTerms, 0, 0, std::nullopt, {}, "what happens there, for example 1*kill"}};

// ---- The table ----------------------------------------------------------------------------------

constexpr std::string_view kStarted = "The process is started again.";
constexpr std::string_view kLinkWhole = "The link is whole again.";

constexpr std::array kKinds = {
    // process
    Kind{"kill", "process", Place::kNode, kEnd, kYes, kYes, false, kStarted,
         "kill -9 of the node process; what it had not handed to the disk is lost."},
    Kind{"power-off", "process", Place::kNode, kEnd, kYes,
         no("a process cannot lose what the kernel has already taken"), false, kStarted,
         "The machine loses its power: the process dies and what was not synced is lost."},
    Kind{"crash-loop", "process", Place::kNode, kCrashes, kYes, kYes, true, kStarted,
         "The node process is killed and started, again and again."},
    Kind{"terminate",
         "process",
         Place::kNode,
         {},
         kYes,
         kYes,
         false,
         kStarted,
         "SIGTERM: the node stops its guests and says farewell."},
    Kind{"freeze",
         "process",
         Place::kNode,
         {},
         kYes,
         kYes,
         true,
         "The process continues.",
         "SIGSTOP: the node does nothing at all, its connections stay open."},
    Kind{"grey",
         "process",
         Place::kNode,
         {},
         kYes,
         no("the heartbeats of a process leave from the loop that hangs"),
         true,
         "The loop goes on.",
         "Grey failure: heartbeats go on while the node's other messages wait, its disk stands "
         "still "
         "and its clients get no answer."},
    Kind{"slow-stop", "process", Place::kNode, kSlowStop, kYes, kYes, true,
         "It ends in time again.",
         "A node that is asked to stop takes its time: its guests are stopped and its farewell is "
         "said, and its process is still there."},
    Kind{"no-descriptors",
         "process",
         Place::kNode,
         {},
         kYes,
         kYes,
         true,
         "It opens files and connections again; it is started if it has ended.",
         "The node has no file descriptor left: no client and no migration can connect to it or "
         "from it. Of processes what is open stays open; in the virtual world the connections of "
         "migrations break."},
    Kind{
        "version-skew",
        "process",
        Place::kNode,
        {},
        kYes,
        kYes,
        true,
        "It speaks as the others do.",
        "The node speaks another version of the protocol than the others, as after an upgrade that "
        "was only half done: both sides refuse what they hear, and say so."},
    // network
    Kind{"link-cut", "network", Place::kLink, kCut, kYes, kYes, true, kLinkWhole,
         "Nothing passes this direction of the link; connections over it break."},
    Kind{"link-flap", "network", Place::kLink, kFlap, kYes,
         no("a node process cuts a link from one time to another, and knows no timetable"), true,
         kLinkWhole, "The link is cut and whole again, in turn, as with a loose plug."},
    Kind{"isolate", "network", Place::kNode, kCut, kYes, kYes, true, kLinkWhole,
         "The nodes are cut off from all others, both ways; among themselves they talk."},
    Kind{"link-hold", "network", Place::kLink, kCut, kYes, kYes, true,
         "What was held is delivered in order.",
         "What is sent waits on the way, and no connection breaks."},
    Kind{"link-delay", "network", Place::kLink, kDelay, kYes, kYes, true, kLinkWhole,
         "Every message takes longer, by a time drawn uniformly."},
    Kind{"link-loss", "network", Place::kLink, kShare, kYes, kYes, true, kLinkWhole,
         "Heartbeats are lost; a stream loses nothing, but is late by a retransmission."},
    Kind{"link-duplicate", "network", Place::kLink, kShare, kYes, kYes, true, kLinkWhole,
         "Heartbeats arrive twice; streams are not affected."},
    Kind{"link-reorder", "network", Place::kLink, kReorder, kYes, kYes, true, kLinkWhole,
         "Heartbeats are overtaken by later ones."},
    Kind{"link-corrupt", "network", Place::kLink, kShare, kYes, kYes, true, kLinkWhole,
         "A bit of the message is flipped; the checksum has to catch it."},
    Kind{"link-rate", "network", Place::kLink, kRate, kYes, kYes, true, kLinkWhole,
         "No more than so many bytes a second of a class pass, over all connections together."},
    Kind{"link-reset", "network", Place::kLink, kReset, kYes, kYes, false, kNothingToUndo,
         "Connections over this link are reset, once."},
    Kind{"api-cut",
         "network",
         Place::kNode,
         {},
         kYes,
         no("the interface that is cut is the one through which the fault would be healed"),
         true,
         "Clients reach the node again.",
         "No client reaches the interface of the node; what it has taken it goes on with."},
    // clock
    Kind{"clock-jump", "clock", Place::kNode, kJump, kYes,
         no("a node process reads the wall clock only when it starts, so it cannot notice"), true,
         "The wall clock jumps back to the true time.",
         "The wall clock of the node jumps; a process reads it once, at its start, to date what it "
         "does, and leases must not notice."},
    Kind{"clock-strobe", "clock", Place::kNode, kStrobe, kYes,
         no("a node process reads the wall clock only when it starts, so it cannot notice"), true,
         "The wall clock shows the true time again.",
         "The wall clock of the node jumps there and back, again and again."},
    Kind{"clock-drift", "clock", Place::kNode, kDrift, kYes, kYes, true,
         "The clock runs at its true rate again; what it gained stays.",
         "The monotone clock of the node runs too fast or too slow; where two nodes are further "
         "apart than leases allow, 1000 ppm, an assumption is broken, and reported as such."},
    Kind{"timer-late", "clock", Place::kNode, kLate, kYes, kYes, true, "Timers fire in time again.",
         "Timers of the node fire late, as on a host that is starved."},
    // disk
    Kind{"disk-stall", "disk", Place::kNode, kStall, kYes, kYes, true, "Writes go on.",
         "The disk of the node writes nothing for a while."},
    Kind{"disk-slow", "disk", Place::kNode, kLatency, kYes, kYes, true,
         "Syncs take their usual time again.", "Every sync of the node's disk takes longer."},
    Kind{"disk-fail", "disk", Place::kNode, kDiskError, kYes, kYes, true,
         "The disk accepts writes again, and the process is started again if it ended.",
         "Writes to the node's disk fail: its part ends, and the process after its lease."},
    Kind{
        "disk-lie",
        "disk",
        Place::kNode,
        {},
        kYes,
        no("what a process has written the kernel keeps, synced or not, when the process dies"),
        true,
        "Syncs are true again; of a node that was found out the store with all it had acknowledged "
        "comes back, and it is started.",
        "The disk says that it has synced what it has not: when the machine loses its power, some "
        "of what was acknowledged last is gone. Who has heard more of the node than its store "
        "holds must not listen to it, and it stops."},
    Kind{"disk-replace", "disk", Place::kNode, kEnd, kYes,
         no("the launcher formats the store of a node once, when the cluster is created"), true,
         "The old disk comes back; the process is started again.",
         "The machine loses its power and the node's disk is replaced by an empty one, formatted "
         "with "
         "another store id: what starts on it has no vote."},
    Kind{"disk-tear", "disk", Place::kNode, kEnd, kYes, kYes, false, kStarted,
         "The process dies in the middle of a write: behind the last whole record the disk holds a "
         "part of the next one. It is cut off when the store is opened, and nothing else is lost."},
    Kind{"disk-flip", "disk", Place::kNode, kFlip, kYes, kYes, true,
         "The bit is flipped back, and the process is started if it does not run.",
         "The process dies and a bit flips in its store: it is started, and must refuse the store "
         "with a sentence; it neither votes nor serves."},
    Kind{"disk-restore", "disk", Place::kNode, kRestore, kYes,
         no("nobody keeps copies of a node's directory"), true,
         "The newest store comes back; the process is started again.",
         "The machine loses its power, and its store is an older copy of itself: what starts on it "
         "does not know what it has promised. The others must not listen to it, and it stops."},
    Kind{"disk-swap", "disk", Place::kNode, kEnd, kYes, kYes, true,
         "Each node has its own store again; the processes are started.",
         "The processes die and each finds the store of the next one in its place: they must "
         "refuse to start, lest a node speaks under the name of another."},
    // the shared volume
    Kind{"volume-stall", "volume", Place::kVolume, kSilence, kYes, kYes, true,
         "The volume answers again.", "The shared volume answers nothing for a while."},
    Kind{"volume-slow", "volume", Place::kVolume, kSlowAnswers, kYes, kYes, true,
         "The volume takes its usual time again.",
         "Every request to the shared volume takes longer."},
    Kind{"volume-restart",
         "volume",
         Place::kVolume,
         {},
         kYes,
         kYes,
         false,
         kNothingToUndo,
         "The process of the shared volume is killed and started again."},
    Kind{"volume-fail",
         "volume",
         Place::kVolume,
         {},
         kYes,
         kYes,
         true,
         "The volume accepts writes again.",
         "The shared volume refuses every write."},
    // guests
    Kind{"guest-fail", "guest", Place::kNode, kRefusal, kYes, kYes, true,
         "The step succeeds again.",
         "The next such step of a guest on the node fails, with a reason of the host."},
    Kind{"guest-crash",
         "guest",
         Place::kGuest,
         {},
         kYes,
         kYes,
         false,
         kNothingToUndo,
         "The guest stops by itself, as after a stop error."},
    Kind{"guest-dirty", "guest", Place::kGuest, kDirty, kYes, kYes, true,
         "The guest writes at its configured rate again.",
         "The guest dirties its memory at another rate."},
    Kind{"forget-page",
         "guest",
         Place::kNode,
         {},
         kYes,
         kYes,
         true,
         "The next migration loses nothing.",
         "The sender of the next migration from the node loses one dirty page: the check of the "
         "pages has to notice."},
    Kind{"memory-pressure", "guest", Place::kNode, kPressure, kYes, kYes, true,
         "The memory is free again.", "Memory of the node is taken by somebody else."},
    // named points
    Kind{"failpoint", "point", Place::kPoint, kTerms, kYes, kYes, true, "The point is disarmed.",
         "What the terms say happens when a migration passes the named point."},
};

std::size_t distance(std::string_view one, std::string_view other) {
  std::vector<std::size_t> row(other.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= one.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= other.size(); ++j) {
      const std::size_t changed = diagonal + (one[i - 1] == other[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::span<const Kind> kinds() {
  return kKinds;
}

const Kind* find_kind(std::string_view name) {
  const auto found = std::find_if(kKinds.begin(), kKinds.end(),
                                  [name](const Kind& kind) { return kind.name == name; });
  return found == kKinds.end() ? nullptr : &*found;
}

const Parameter* find_parameter(const Kind& kind, std::string_view name) {
  const auto found =
      std::find_if(kind.parameters.begin(), kind.parameters.end(),
                   [name](const Parameter& parameter) { return parameter.name == name; });
  return found == kind.parameters.end() ? nullptr : &*found;
}

std::string nearest(std::string_view typed, std::span<const std::string_view> words) {
  constexpr std::size_t kLongest = 64;  // longer input is no slip of the finger
  if (typed.size() > kLongest) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(2, typed.size() / 3) + 1;
  for (const std::string_view word : words) {
    const std::size_t here = distance(typed, word);
    if (here < best_distance) {
      best = word;
      best_distance = here;
    }
  }
  return std::string(best);
}

}  // namespace failsim::fault
