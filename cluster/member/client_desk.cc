#include "cluster/member/client_desk.h"

#include <algorithm>
#include <iterator>

#include "cluster/error.h"

namespace failsim {

void ClientDesk::ask(Time now, std::uint64_t token, pb::Request request) {
  Asked& asked = asked_[{request.client(), request.sequence()}];
  asked.tokens.push_back(token);
  asked.due_at = now;
  if (asked.canceled != 0) return keep_from(now, asked);
  asked.request = std::move(request);
  asked.expires_at = now + kClientPatience;
}

bool ClientDesk::keep(Time now, const CancelToKeep& cancel) {
  const auto [found, is_new] =
      asked_.try_emplace({cancel.request.client(), cancel.request.sequence()});
  Asked& asked = found->second;
  if (asked.canceled != 0) return false;
  asked.canceled = cancel.job;
  asked.request = cancel.request;
  asked.pending = cancel.reply;
  if (is_new) asked.due_at = now;
  keep_from(now, asked);
  return true;
}

void ClientDesk::keep_from(Time now, Asked& asked) {
  asked.kept_at = now;
  asked.expires_at = now + kCancelKept;
}

std::set<TaskId> ClientDesk::jobs_to_cancel() const {
  std::set<TaskId> jobs;
  for (const auto& [id, asked] : asked_) {
    if (asked.canceled != 0) jobs.insert(asked.canceled);
  }
  return jobs;
}

void ClientDesk::read(Time now, std::uint64_t token) {
  new_reads_.push_back({token, now + kClientPatience});
}

std::vector<pb::Request> ClientDesk::due_requests(Time now) {
  std::vector<pb::Request> due;
  for (auto& [id, asked] : asked_) {
    if (now < asked.due_at) continue;
    asked.due_at = now + kClientRetry;
    due.push_back(asked.request);
  }
  return due;
}

std::uint64_t ClientDesk::due_question(Time now) {
  if (now < question_due_) return 0;
  // The question on its way was lost, or its leader: its reads join the next one.
  for (auto& [question, reads] : questions_) {
    new_reads_.insert(new_reads_.end(), reads.begin(), reads.end());
  }
  questions_.clear();
  if (new_reads_.empty()) return 0;
  questions_[++last_question_].swap(new_reads_);
  question_due_ = now + kClientRetry;
  return last_question_;
}

void ClientDesk::leader_changed() {
  for (auto& [id, asked] : asked_) asked.due_at = 0;
  question_due_ = 0;
}

void ClientDesk::answered(const std::string& client, std::uint64_t sequence, const pb::Reply& reply,
                          std::vector<After>& out) {
  const auto asked = asked_.find({client, sequence});
  if (asked == asked_.end()) return;
  for (const std::uint64_t token : asked->second.tokens) {
    out.push_back(ReplyToClient{token, reply});
  }
  asked_.erase(asked);
}

void ClientDesk::read_index(std::uint64_t question, Index index) {
  const auto reads = questions_.find(question);
  if (reads == questions_.end()) return;
  for (const Read& read : reads->second) waiting_.emplace(index, read);
  questions_.erase(reads);
  question_due_ = 0;
}

void ClientDesk::question_failed(std::uint64_t question) {
  const auto reads = questions_.find(question);
  if (reads == questions_.end()) return;
  new_reads_.insert(new_reads_.end(), reads->second.begin(), reads->second.end());
  questions_.erase(reads);
}

void ClientDesk::applied(Index index, std::vector<After>& out) {
  const auto end = waiting_.upper_bound(index);
  for (auto read = waiting_.begin(); read != end; ++read) {
    out.push_back(ReadAllowed{read->second.token, static_cast<std::uint32_t>(Code::kOk)});
  }
  waiting_.erase(waiting_.begin(), end);
}

// When the clients of a kept cancel hear that it is not ordered yet. A leader may still order it.
Time ClientDesk::pending_at(const Asked& asked, bool has_leader) {
  if (asked.canceled == 0 || asked.tokens.empty()) return kNever;
  return asked.kept_at + (has_leader ? kClientPatience : kElectionPatience);
}

void ClientDesk::expire(Time now, bool has_leader, bool has_quorum, std::vector<After>& out) {
  const Code code = has_quorum ? Code::kNotReady : Code::kNoQuorum;
  for (auto asked = asked_.begin(); asked != asked_.end();) {
    if (now >= pending_at(asked->second, has_leader)) {
      for (const std::uint64_t token : asked->second.tokens) {
        out.push_back(ReplyToClient{token, asked->second.pending});
      }
      asked->second.tokens.clear();
    }
    if (now < asked->second.expires_at) {
      ++asked;
      continue;
    }
    pb::Reply reply;
    reply.set_code(static_cast<std::uint32_t>(code));
    reply.set_message(has_quorum ? "No leader confirmed the request in time; it may still happen."
                                 : "This node is not in contact with a quorum of the cluster; "
                                   "the request may still happen when it is.");
    reply.set_next("Repeat it under the same request id: it is never performed twice.");
    for (const std::uint64_t token : asked->second.tokens) {
      out.push_back(ReplyToClient{token, reply});
    }
    asked = asked_.erase(asked);
  }
  const auto expired = [&](const Read& read) {
    if (now < read.expires_at) return false;
    out.push_back(ReadAllowed{read.token, static_cast<std::uint32_t>(code)});
    return true;
  };
  std::erase_if(new_reads_, expired);
  for (auto& [question, reads] : questions_) std::erase_if(reads, expired);
  std::erase_if(waiting_, [&](const auto& entry) { return expired(entry.second); });
}

Time ClientDesk::next_deadline(bool has_leader) const {
  Time next = kNever;
  for (const auto& [id, asked] : asked_) {
    next = std::min({next, asked.due_at, asked.expires_at, pending_at(asked, has_leader)});
  }
  if (!new_reads_.empty() || !questions_.empty()) next = std::min(next, question_due_);
  for (const Read& read : new_reads_) next = std::min(next, read.expires_at);
  for (const auto& [index, read] : waiting_) next = std::min(next, read.expires_at);
  return next;
}

}  // namespace failsim
