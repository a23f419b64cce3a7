// The requests of this node's clients, from the question to the answer.
//
// A write is handed to whoever leads, again and again under the same (client, sequence), until this
// node applies the entry that holds it: then it answers, so that a read here sees it. A read asks
// the leader for an index that covers everything acknowledged before, and waits until this node has
// applied it. Reads that come while a question is on its way share the next one.
//
// A cancel that nobody can order is kept beyond the answer, see cancel_to_keep.h.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/effects.h"
#include "cluster/ids.h"
#include "cluster/member/cancel_to_keep.h"
#include "cluster/proto/command.pb.h"
#include "cluster/time.h"

namespace failsim {

// A request that is not answered after this long is answered with what is in the way.
inline constexpr Duration kClientPatience = 10 * kSecond;
// A request is handed to the leader again after this long.
inline constexpr Duration kClientRetry = 500 * kMillisecond;

class ClientDesk {
 public:
  void ask(Time now, std::uint64_t token, pb::Request request);
  void read(Time now, std::uint64_t token);
  // From now on the cancel is kept for its job, whoever asked for it; returns whether that is new.
  bool keep(Time now, const CancelToKeep& cancel);
  // The jobs that cancels are kept for.
  std::set<TaskId> jobs_to_cancel() const;

  // Requests to be handed to the leader now; each is returned once per attempt. A new leader makes
  // all of them due.
  std::vector<pb::Request> due_requests(Time now);
  // A question for a read index is due: its number. 0 if none is.
  std::uint64_t due_question(Time now);
  void leader_changed();

  void answered(const std::string& client, std::uint64_t sequence, const pb::Reply& reply,
                std::vector<After>& out);
  void read_index(std::uint64_t question, Index index);
  void question_failed(std::uint64_t question);
  void applied(Index index, std::vector<After>& out);

  // Gives up on what has waited too long, and says of a cancel that it is not ordered yet.
  void expire(Time now, bool has_leader, bool has_quorum, std::vector<After>& out);
  Time next_deadline(bool has_leader) const;

 private:
  struct Asked {
    std::vector<std::uint64_t> tokens;
    pb::Request request;
    Time expires_at = 0;
    Time due_at = 0;
    TaskId canceled = 0;  // the job that this cancel is kept for; 0 = it is not kept
    pb::Reply pending;    // of a kept one
    Time kept_at = 0;     // or asked for again since then
  };
  struct Read {
    std::uint64_t token = 0;
    Time expires_at = 0;
  };

  static void keep_from(Time now, Asked& asked);
  static Time pending_at(const Asked& asked, bool has_leader);

  std::map<std::pair<std::string, std::uint64_t>, Asked> asked_;
  std::vector<Read> new_reads_;                           // no question asked for them yet
  std::map<std::uint64_t, std::vector<Read>> questions_;  // at most one on its way
  std::multimap<Index, Read> waiting_;                    // until this index is applied
  std::uint64_t last_question_ = 0;
  Time question_due_ = 0;
};

}  // namespace failsim
