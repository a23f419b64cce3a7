// The table of the mistakes; not part of the product.
#include "cluster/mistakes.h"

#include <algorithm>

namespace failsim {

const std::vector<PlantedMistake>& planted_mistakes() {
  static const std::vector<PlantedMistake> kTable = {
      {Mistake::kCommitOldTerm, "commit-old-term",
       "A leader commits an entry of an earlier term because a majority stores it.",
       "The log: only entries of its own term are counted", "raft"},
      {Mistake::kAcknowledgeBeforeSync, "acknowledge-before-sync",
       "A follower acknowledges entries before they are synced.",
       "One core, two worlds: persist before you answer", "raft S7 S9 S22"},
      {Mistake::kVoteBeforeSync, "vote-before-sync",
       "A voter gives its vote before it is synced, and may give another after a crash.",
       "One core, two worlds: persist before you answer", "raft"},
      {Mistake::kCountOwnUnsynced, "count-own-unsynced",
       "A leader counts its own copy of an entry before it is synced.",
       "One core, two worlds: persist before you answer", "raft S7 S9 S22"},
      {Mistake::kAcknowledgeOwnEnd, "acknowledge-own-end",
       "A follower acknowledges up to the end of its own log.",
       "The log: a follower acknowledges exactly what the message it answers covers", "raft"},
      {Mistake::kCommitBeyondMatch, "commit-beyond-match",
       "A follower takes over the leader's commit index for entries it has not compared.",
       "The log: a follower acknowledges exactly what the message it answers covers", "raft"},
      {Mistake::kVoteWithBlankStore, "vote-with-blank-store",
       "A node whose store was formatted anew votes as if it were the old one.",
       "The log: a voter is (node, store id)", "raft S7 S9 S22"},
      {Mistake::kReadWithoutProof, "read-without-proof",
       "A leader answers a read without proof that it still leads.",
       "What is agreed and what is only said: a read covers everything acknowledged so far", "S7"},
      {Mistake::kSkipLeaseWait, "skip-lease-wait",
       "The VMs of a silent node are reassigned before its lease is over.",
       "No VM runs twice, lease: an unplanned change waits for the end of the lease",
       "S1 handover"},
      {Mistake::kLeaseByCommitIndex, "lease-by-commit-index",
       "A grant names the commit index instead of the last entry of the leader's log.",
       "No VM runs twice, lease: the grant names the last log index", "S1 handover"},
      {Mistake::kLeaseWithoutProof, "lease-without-proof",
       "A leader grants leases without proof that it still leads.",
       "No VM runs twice, lease: the answer comes after a quorum round begun later", "S1 handover"},
      {Mistake::kNewLeaderReassignsAtOnce, "new-leader-reassigns-at-once",
       "A new leader does not wait for the leases its predecessor granted.",
       "No VM runs twice, lease: a new leader treats everybody as holding one", "S1 handover"},
      {Mistake::kInheritOwnership, "inherit-ownership",
       "A restarted process takes itself for the owner of what its predecessor owned.",
       "No VM runs twice, incarnation: a restarted process inherits nothing",
       "S10 handover S1 S12"},
      {Mistake::kReuseEpoch, "reuse-epoch", "A failover leaves the epoch of the VM as it is.",
       "No VM runs twice, epoch: it rises with every change of owner", "S3 handover S12"},
      {Mistake::kRegisterAtFirstWrite, "register-at-first-write",
       "The volume takes note of a new owner's epoch with its first write only.",
       "No VM runs twice, volume: registered before the guest's first instruction", "S11 handover"},
      {Mistake::kCompleteBeforeHeld, "complete-before-held",
       "The owner changes on the source's word that it has sent everything.",
       "A migration: the owner changes when the target says it holds all", "S10 handover"},
      {Mistake::kCompleteWithoutIncarnation, "complete-without-incarnation",
       "A migration is completed to a node, whichever process of it may live.",
       "A migration: Complete names the target's incarnation", "S10 handover"},
      {Mistake::kResumeSourceByTimer, "resume-source-by-timer",
       "A source that paused runs again after a second, without an abort in the log.",
       "A migration: a source that paused runs again only after it has applied an abort",
       "S1 S11 handover"},
      {Mistake::kForgetDirtyPage, "forget-dirty-page",
       "A piece of a round clears the bits of pages it does not send.",
       "A migration: rounds of dirty pages", "S10"},
      {Mistake::kDropLastRound, "drop-last-round",
       "The pages that were dirty at the pause are not sent.",
       "A migration: the last pages go over after the pause", "S10"},
      {Mistake::kLoseCancel, "lose-cancel",
       "A cancel during Data Transfer is acknowledged and not performed.",
       "A migration: a cancel before the Move entry wins", "S13"},
      {Mistake::kIgnoreTargetSlot, "ignore-target-slot",
       "A migration begins when its source has a slot, however many its target takes part in.",
       "A migration, the job: a node takes part in MaximumParallelMigrations at a time", "slots"},
      {Mistake::kApplyUnguarded, "apply-unguarded",
       "Commands are applied without comparing what they were decided on.",
       "What is agreed and what is only said: a command that came too late is a no-op",
       "an assertion of apply, S4 S20"},
      {Mistake::kForgetReplies, "forget-replies", "A repeated request is performed again.",
       "What is agreed and what is only said: a repeated request is never performed twice",
       "S20 S7"},
  };
  return kTable;
}

std::optional<Mistakes> mistake_named(std::string_view name) {
  const std::vector<PlantedMistake>& table = planted_mistakes();
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const PlantedMistake& row) { return row.name == name; });
  if (found == table.end()) return std::nullopt;
  return Mistakes(found->mistake);
}

}  // namespace failsim
