// Well-known protocol mistakes that a build of its own can make on purpose, to show that the
// virtual world finds them.
//
// The product makes none: without FAILSIM_PLANTED_MISTAKES a Mistakes is empty, has() is a constant
// false, and what stands behind it is not compiled. With it, the one mistake chosen travels in the
// configurations of members and worlds, never in a global. What each is, which rule it breaks and
// which invariants are expected to find it is declared once, in mistakes.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace failsim {

enum class Mistake : std::uint8_t {
  // The log.
  kCommitOldTerm,
  kAcknowledgeBeforeSync,
  kVoteBeforeSync,
  kCountOwnUnsynced,
  kAcknowledgeOwnEnd,
  kCommitBeyondMatch,
  kVoteWithBlankStore,
  kReadWithoutProof,
  // Leases and failover.
  kSkipLeaseWait,
  kLeaseByCommitIndex,
  kLeaseWithoutProof,
  kNewLeaderReassignsAtOnce,
  kInheritOwnership,
  kReuseEpoch,
  kRegisterAtFirstWrite,
  // Migrations.
  kCompleteBeforeHeld,
  kCompleteWithoutIncarnation,
  kResumeSourceByTimer,
  kForgetDirtyPage,
  kDropLastRound,
  kLoseCancel,
  kIgnoreTargetSlot,
  // Commands.
  kApplyUnguarded,
  kForgetReplies,
};

#ifdef FAILSIM_PLANTED_MISTAKES

inline constexpr bool kMistakesCanBePlanted = true;

// None, or the one that is made.
class Mistakes {
 public:
  constexpr Mistakes() = default;
  constexpr explicit Mistakes(Mistake planted) : planted_(planted) {}
  constexpr bool has(Mistake mistake) const { return planted_ == mistake; }

 private:
  std::optional<Mistake> planted_;
};

struct PlantedMistake {
  Mistake mistake;
  std::string_view name;       // for --plant
  std::string_view what;       // what is done wrong, one sentence
  std::string_view rule;       // of docs/design.md that it breaks
  std::string_view caught_by;  // labels of the invariants expected to find it
};

// Every one, in the order of the enumeration.
const std::vector<PlantedMistake>& planted_mistakes();
// Nothing if there is none of this name.
std::optional<Mistakes> mistake_named(std::string_view name);

#else

inline constexpr bool kMistakesCanBePlanted = false;

class Mistakes {
 public:
  static constexpr bool has(Mistake) { return false; }
};

#endif

}  // namespace failsim
