#include "tools/matrix/rules.h"

#include <array>
#include <string>
#include <vector>

#include "cluster/error.h"
#include "cluster/migration/job.h"

namespace failsim::matrix {
namespace {

constexpr Ends k_ = {};  // it does not come to that
constexpr Ends kN = End::kNotStarted;
constexpr Ends kC = End::kCompleted;
constexpr Ends kX = End::kCanceled;
constexpr Ends kF = End::kFailed;
constexpr Ends kR = End::kRestarted;
constexpr Ends kCR = End::kCompletedRestarted;
constexpr Ends kXR = End::kCanceledRestarted;
constexpr Ends kFR = End::kFailedRestarted;

// By Phase, up to kFinished.
using Row = std::array<Ends, 12>;

// The protocol in one table (docs/design.md, "A migration"). Two ends in one place are a race that
// the moment does not decide: whether an entry was replicated before its leader was lost, whether
// the last parcel had left.
// clang-format off
Row row_of(Loss loss) {
  switch (loss) {
    //        requested     Setup    rounds   conv.    Move     blackout held     compl.        owned    follow resumed   finished
    case Loss::kNothing:
    case Loss::kMoment:
      return {kC,           kC,      kC,      kC,      kC,      kC,      kC,      kC,           kC, k_,      kC,       kC};
    case Loss::kLeader:  // the next one continues; what it had told nobody is lost
      return {kC | kN,      kC,      kC,      kC,      kC,      kC,      kC,      kC,           kC, k_,      kC,       kC};
    case Loss::kSource:  // until it has released the guest its progress is with it
      return {kR,           kR,      kR,      kR,      kR,      kR | kC, kC,      kC,           kC, k_,      kC,       kC};
    case Loss::kTarget:  // until Complete is in the log the VM is the source's
      return {kF,           kF,      kF,      kF,      kF,      kF,      kF,      kF | kR,      kR, k_,      kR | kCR, kCR};
    case Loss::kDataLink:
      return {kF,           kF,      kF,      kF,      kF,      kF | kC, kC,      kC,           kC, k_,      kC,       kC};
    case Loss::kDataLinkBack:  // only the greeting goes back
      return {kF,           kF,      kF | kC, kC,      kC,      kC,      kC,      kC,           kC, k_,      kC,       kC};
    case Loss::kSourceLeader:  // the source is Down as soon as it is silent or has no lease
      return {kR,           kR,      kR,      kR,      kR | kC, kC,      kC,      kC,           kC, k_,      kC,       kC};
    case Loss::kTargetLeader:  // it is given the VM only when it knows of Move, and may be cut off then
      return {kF,           kF,      kF,      kF,      kF,      kF | kR, kF | kR, kF | kR | kCR, kR | kCR, k_, kR | kCR, kCR};
    case Loss::kSourceDisk:  // it ends with the next entry that it has to write
      return {kR,           kR,      kR,      kR,      kR | kC, kC,      kC,      kC,           kC, k_,      kC,       kC};
    case Loss::kTargetDisk:  // that entry may be Complete; others have it, and the guest runs while its lease lasts
      return {kF,           kF,      kF,      kF,      kF | kR, kF | kR, kF | kR, kR | kCR,     kR | kCR, k_, kCR,      kCR};
    case Loss::kMemory:  // what is reserved stays
      return {kF,           kC,      kC,      kC,      kC,      kC,      kC,      kC,           kC, k_,      kC,       kC};
    case Loss::kVolume:  // a write under way keeps the guest from its pause, up to the limit of Move
      return {kC | kF,      kC | kF, kC | kF, kC | kF, kC | kF, kC,      kC,      kC,           kC, k_,      kC,       kC};
    case Loss::kQuorum:  // nothing is decided until it returns; the data link is cut, too
      return {kC | kN | kF, kC | kF, kF,      kF,      kF,      kF,      kF | kC, kF | kC,      kC, k_,      kC,       kC};
    case Loss::kControl:  // as above, with a data link; only ever beside a cancel
      return {kC | kN,      kC,      kC,      kC,      kC | kF, kC,      kC,      kC,           kC, k_,      kC,       kC};
    case Loss::kControlLink:
    case Loss::kSidesLink:
    case Loss::kSidesLinkBack:
    case Loss::kPasser:
    case Loss::kPasserDisk:
      break;  // see losses_of
  }
  return {};
}
// clang-format on

Loss passer_of(const Case& one) {
  const std::string& point = fault::point_names()[one.moment.point];
  const bool by_leader = point.starts_with("leader.") || point == "owner.flip";
  const bool by_target = point.starts_with("target.") || point == "prepared" ||
                         point == "blackout.held" || point == "blackout.end" ||
                         point == "arrived" || point == "verified";
  if (by_leader && one.placement == Placement::kApart) return Loss::kLeader;
  const bool is_target = by_target || (by_leader && one.placement == Placement::kTarget);
  return is_target ? Loss::kTarget : Loss::kSource;
}

Loss disk_of(Loss node) {
  if (node == Loss::kSource) return Loss::kSourceDisk;
  return node == Loss::kTarget ? Loss::kTargetDisk : node;
}

// The link of the sides is the leader's, too, where it is one of them.
Loss of_the_leader(Placement placement) {
  switch (placement) {
    case Placement::kSource:
      return Loss::kTargetLeader;
    case Placement::kTarget:
      return Loss::kSourceLeader;
    case Placement::kApart:
      break;
  }
  return Loss::kNothing;
}

// clang-format off
// From Converged on. Until its pages are there the guest needs both sides.
Row row_of_post_copy(Loss loss) {
  switch (loss) {
    //        req. Setup rounds conv.    Move     blackout      held          compl.             owned    follow   resumed   finished
    case Loss::kSource:
      return {k_, k_, k_,       kR,      kR,      kR,           kR,           kR,                kR,      kR | kC, kC,       kC};
    case Loss::kSourceDisk:
      return {k_, k_, k_,       kR,      kR,      kR | kC,      kR | kC,      kR | kC,           kR | kC, kR | kC, kC,       kC};
    case Loss::kSourceLeader:
      return {k_, k_, k_,       kR,      kR | kC, kR | kC,      kR | kC,      kR | kC,           kR | kC, kR | kC, kC,       kC};
    case Loss::kTarget:
      return {k_, k_, k_,       kF,      kF,      kF,           kF,           kF | kR,           kR,      kR | kCR, kR | kCR, kCR};
    case Loss::kTargetLeader:
      return {k_, k_, k_,       kF,      kF,      kF | kR,      kF | kR,      kF | kR | kCR,     kR | kCR, kR | kCR, kR | kCR, kCR};
    case Loss::kTargetDisk:
      return {k_, k_, k_,       kF | kR, kF | kR, kF | kR,      kF | kR,      kR | kCR,          kR | kCR,      kR | kCR, kR | kCR, kCR};
    case Loss::kDataLink:
    case Loss::kDataLinkBack:  // the guest waits for pages until the link is back
      return {k_, k_, k_,       kF | kC, kF | kC, kF | kC,      kC,           kC,                kC,      kC,      kC,       kC};
    case Loss::kQuorum:
      return {k_, k_, k_,       kF,      kF,      kF,           kF | kC,      kF | kC,           kC,      kC,      kC,       kC};
    default: {
      Row row = row_of(loss);
      row[static_cast<std::size_t>(Phase::kFollowing)] = row[static_cast<std::size_t>(Phase::kOwned)];
      return row;
    }
  }
}
// clang-format on

// What is lost with it in this case: each of them may decide.
std::vector<Loss> losses_of(const Case& one) {
  switch (one.disturbance->loss) {
    case Loss::kPasser:
      return {passer_of(one)};
    case Loss::kPasserDisk:
      return {disk_of(passer_of(one))};
    case Loss::kControlLink:
      return {of_the_leader(one.placement)};
    case Loss::kSidesLink:
      if (one.placement == Placement::kApart) return {Loss::kDataLink};
      if (one.placement == Placement::kTarget) return {Loss::kDataLink, Loss::kSource};
      return {Loss::kDataLink, Loss::kTargetLeader};
    case Loss::kSidesLinkBack:
      if (one.placement == Placement::kApart) return {Loss::kDataLinkBack};
      return {Loss::kDataLinkBack, of_the_leader(one.placement)};
    default:
      return {one.disturbance->loss};
  }
}

// What is lost with the leader: the request, if it has told nobody.
bool may_lose_the_request(const Case& one, Loss loss) {
  const bool is_source = loss == Loss::kSource || loss == Loss::kSourceDisk;
  const bool is_target = loss == Loss::kTarget || loss == Loss::kTargetDisk;
  return loss == Loss::kLeader || (is_source && one.placement == Placement::kSource) ||
         (is_target && one.placement == Placement::kTarget);
}

// A cancel is in its way into the log of its leader, or the abort of a transfer that broke.
Ends ends_of_an_end(const Case& one, Loss loss) {
  const bool cancels = one.course == Course::kIsCanceled;
  const Ends planned = cancels ? kX : kF;
  const Ends restarted = cancels ? kXR : kFR;
  const bool is_source =
      loss == Loss::kSource || loss == Loss::kSourceLeader || loss == Loss::kSourceDisk;
  const bool is_target =
      loss == Loss::kTarget || loss == Loss::kTargetLeader || loss == Loss::kTargetDisk;
  if (is_source) return restarted | kR;
  if (is_target) return planned | kF;
  // A cancel that its leader has told nobody is lost with it.
  const bool is_unled = loss == Loss::kLeader || loss == Loss::kQuorum || loss == Loss::kControl;
  if (is_unled) return planned | kC | kF;
  return planned;
}

// Nobody judges a leader until there is another one: by then it may be back.
bool is_back_in_time(const Case& one, Loss loss) {
  return one.disturbance->name.ends_with(" 1s") &&
         ((loss == Loss::kSource && one.placement == Placement::kSource) ||
          (loss == Loss::kTarget && one.placement == Placement::kTarget));
}

// A cancel while nobody can order it. The source sends nothing from when it knows that, so in a
// round the migration does not go on meanwhile; only what is in a log already can be first.
Ends ends_without_leader(const Case& one) {
  const Phase phase = phase_of(one);
  const Loss loss = one.disturbance->loss;
  const Row row = one.course == Course::kPostCopies ? row_of_post_copy(loss) : row_of(loss);
  const Ends otherwise = row[static_cast<std::size_t>(phase)];
  if (phase == Phase::kSetup || phase == Phase::kRounds) return kX;
  return phase <= Phase::kMoveOrdered ? kX | otherwise : otherwise;
}

Case undisturbed(Case one) {
  one.disturbance = find_disturbance("nothing");
  return one;
}

}  // namespace

Ends allowed_ends(const Case& one) {
  const Phase phase = phase_of(one);
  // A migration that is suspended goes on.
  const bool is_ask =
      one.disturbance->ask != Ask::kNothing && one.disturbance->ask != Ask::kSuspend;
  const bool is_over = phase == Phase::kCanceling || phase == Phase::kFailing;
  const bool is_led = one.disturbance->loss == Loss::kNothing;
  if (is_ask && !is_over && !is_led) return ends_without_leader(one);
  if (is_ask && !is_over) {
    // The first in the log wins; a cancel that came before there is a job finds none.
    // Of the last round a leader that is the source learns with the decision.
    const bool knows = one.placement == Placement::kSource && phase == Phase::kRounds;
    if (phase == Phase::kRequested || phase == Phase::kConverged || knows) return kX | kC;
    return phase < Phase::kMoveOrdered ? kX : kC;
  }
  Ends ends;
  for (const Loss loss : losses_of(one)) {
    const Row row = one.course == Course::kPostCopies ? row_of_post_copy(loss) : row_of(loss);
    ends = ends | (is_over ? ends_of_an_end(one, loss) : row[static_cast<std::size_t>(phase)]);
    if (phase == Phase::kRequested && may_lose_the_request(one, loss)) {
      ends = ends | kN;
      if (loss == Loss::kSource) ends = ends | End::kRestartedFirst;
    }
    if (is_back_in_time(one, loss)) {
      ends = ends | allowed_ends(undisturbed(one));
      if (phase == Phase::kCanceling) ends = ends | kC;  // the cancel was lost with the leadership
    }
  }
  // The loop of the source hangs; its transfer, which has a thread of its own, goes on.
  const bool sends_on = one.course == Course::kPostCopies &&
                        one.disturbance->loss == Loss::kPasser && phase >= Phase::kBlackout;
  if (sends_on && ends.contains(End::kRestarted)) ends = ends | kC;
  // The data link breaks first, and then the source is missed.
  const bool both = losses_of(one).size() > 1 && ends.contains(End::kFailed);
  if (both && ends.contains(End::kRestarted)) ends = ends | kFR;
  return ends;
}

bool is_allowed_answer(const Case& one, std::optional<std::uint32_t> answer, End end) {
  if (!answer) return false;  // a node that can answer lives in all of them
  if (*answer == static_cast<std::uint32_t>(Code::kIoPending)) {
    const Phase phase = phase_of(one);
    const bool is_agreed = phase > Phase::kMoveOrdered && phase != Phase::kCanceling;
    return one.disturbance->loss != Loss::kNothing && !is_agreed;
  }
  const bool is_job = one.disturbance->ask != Ask::kCancel;
  const bool suspends = one.disturbance->ask == Ask::kSuspend;
  if (*answer == 0) return suspends || end == End::kCanceled;
  if (is_job && *answer == static_cast<std::uint32_t>(Code::kNotFound))
    return phase_of(one) == Phase::kRequested;
  return *answer == (is_job ? static_cast<std::uint32_t>(ReturnValue::kInvalidState)
                            : static_cast<std::uint32_t>(Code::kInvalidState));
}

}  // namespace failsim::matrix
