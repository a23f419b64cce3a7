// One member driven by hand: the test plays its disk and the other voters, message by message.
//
// The member is node 1 of three voters unless said otherwise; the store of node n is 1000 + n.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/raft/log.h"
#include "cluster/raft/raft.h"

namespace failsim::raft {

inline Config config_of(NodeId self, std::uint32_t voters = 3) {
  Config config;
  config.self = self;
  config.store_id = 1000 + self;
  for (NodeId id = 1; id <= voters; ++id) {
    pb::Voter& voter = *config.voters.add_voters();
    voter.set_node(id);
    voter.set_store_id(1000 + id);
  }
  return config;
}

// What a store holds whose entries have these terms, from index 1 on.
inline Recovered recovered_with(std::initializer_list<Term> terms, Term term, NodeId vote = 0) {
  Recovered recovered;
  recovered.hard_state.set_term(term);
  recovered.hard_state.set_voted_for(vote);
  Log log({}, {});
  for (const Term entry_term : terms) {
    recovered.entries.push_back(log.append(entry_term, "of term " + std::to_string(entry_term)));
  }
  return recovered;
}

class OneMember {
 public:
  explicit OneMember(const Config& config = config_of(1), const Recovered& recovered = {})
      : raft(config, recovered, 0) {}

  void receive(NodeId from, Term term, pb::RaftMessage message) {
    message.set_term(term);
    if (message.store_id() == 0) message.set_store_id(1000 + from);
    raft.tick(now, 0, out);
    raft.receive(now, from, message, out);
  }
  void tick(Time time, Duration gap = 0) {
    now = time;
    raft.tick(now, gap, out);
  }
  // Everything handed out so far is synced.
  void sync() { raft.persisted(now, out.mark, out); }
  // Lets its election time come.
  void time_out() { tick(raft.next_deadline()); }
  // Makes it the leader of the next term with the votes of nodes 2 and 3.
  void lead() {
    time_out();
    const Term next = raft.term() + 1;
    receive(2, raft.term(), pre_vote_reply(next));
    sync();
    receive(2, next, vote_reply());
  }
  // The followers have stored everything it has.
  void all_follow() {
    for (const NodeId id : {2u, 3u}) {
      receive(id, raft.term(), append_reply(raft.last_index(), last_round(id)));
    }
  }

  // The messages of a kind in send_now or after.
  static std::vector<pb::RaftMessage> of_kind(const std::vector<Outgoing>& messages,
                                              pb::RaftMessage::KindCase kind, NodeId to = kNoNode) {
    std::vector<pb::RaftMessage> found;
    for (const Outgoing& outgoing : messages) {
      if (outgoing.message.kind_case() != kind) continue;
      if (to == kNoNode || outgoing.to == to) found.push_back(outgoing.message);
    }
    return found;
  }
  std::vector<pb::RaftMessage> appends_to(NodeId to) const {
    return of_kind(out.send_now, pb::RaftMessage::kAppend, to);
  }
  std::uint64_t last_round(NodeId to) const {
    const auto appends = appends_to(to);
    return appends.empty() ? 0 : appends.back().append().round();
  }
  // Of those that wait for the disk; an empty message if there is none.
  pb::RaftMessage last_answer() const {
    return out.after.empty() ? pb::RaftMessage() : out.after.back().message;
  }

  static pb::RaftMessage pre_vote(Index last_index, Term last_term, Term next_term) {
    pb::RaftMessage message;
    message.mutable_pre_vote()->set_last_index(last_index);
    message.mutable_pre_vote()->set_last_term(last_term);
    message.mutable_pre_vote()->set_next_term(next_term);
    return message;
  }
  static pb::RaftMessage pre_vote_reply(Term next_term) {
    pb::RaftMessage message;
    message.mutable_pre_vote_reply()->set_granted(true);
    message.mutable_pre_vote_reply()->set_next_term(next_term);
    return message;
  }
  static pb::RaftMessage vote(Index last_index, Term last_term) {
    pb::RaftMessage message;
    message.mutable_vote()->set_last_index(last_index);
    message.mutable_vote()->set_last_term(last_term);
    return message;
  }
  static pb::RaftMessage vote_reply() {
    pb::RaftMessage message;
    message.mutable_vote_reply()->set_granted(true);
    return message;
  }
  static pb::RaftMessage append(Index previous, Term previous_term,
                                const std::vector<EntryPtr>& entries, Index commit = 0,
                                std::uint64_t round = 1) {
    pb::RaftMessage message;
    message.mutable_append()->set_previous_index(previous);
    message.mutable_append()->set_previous_term(previous_term);
    for (const EntryPtr& entry : entries) *message.mutable_append()->add_entries() = *entry;
    message.mutable_append()->set_commit_index(commit);
    message.mutable_append()->set_round(round);
    return message;
  }
  static pb::RaftMessage append_reply(Index match, std::uint64_t round) {
    pb::RaftMessage message;
    message.mutable_append_reply()->set_success(true);
    message.mutable_append_reply()->set_match_index(match);
    message.mutable_append_reply()->set_round(round);
    return message;
  }
  static pb::RaftMessage refusal(Term conflict_term, Index conflict_index, std::uint64_t round) {
    pb::RaftMessage message;
    message.mutable_append_reply()->set_conflict_term(conflict_term);
    message.mutable_append_reply()->set_conflict_index(conflict_index);
    message.mutable_append_reply()->set_round(round);
    return message;
  }
  static pb::RaftMessage snapshot(const pb::LogStart& position, std::uint64_t chunk, bool last,
                                  const std::string& data) {
    pb::RaftMessage message;
    message.mutable_snapshot()->set_last_index(position.index());
    message.mutable_snapshot()->set_last_term(position.term());
    message.mutable_snapshot()->set_last_checksum(position.checksum());
    message.mutable_snapshot()->set_chunk(chunk);
    message.mutable_snapshot()->set_last_chunk(last);
    message.mutable_snapshot()->set_data(data);
    return message;
  }
  static pb::RaftMessage from_store(StoreId store, pb::RaftMessage message) {
    message.set_store_id(store);
    return message;
  }

  Raft raft;
  Output out;
  Time now = 0;
};

}  // namespace failsim::raft
