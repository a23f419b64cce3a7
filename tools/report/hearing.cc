#include "tools/report/hearing.h"

#include <algorithm>

namespace failsim::history {

Hearing::Ear& Hearing::ear(NodeId node) {
  if (ears_.size() <= node) ears_.resize(node + 1);
  return ears_[node];
}

void Hearing::started(NodeId node, Time now) {
  Ear& starting = ear(node);
  starting.listens = true;
  starting.newest.assign(starting.newest.size(), now);
  for (Ear& other : ears_) other.newest.resize(ears_.size(), now);
}

bool Hearing::is_waiting(NodeId node, NodeId of, Duration longest, Time now) const {
  if (node == of || node >= ears_.size() || !ears_[node].listens) return false;
  return of < ears_[node].newest.size() && now - ears_[node].newest[of] > longest;
}

std::vector<history::Unheard> Hearing::ended(NodeId node, Duration longest, Time now) {
  std::vector<history::Unheard> found;
  for (NodeId of = 1; of < ears_.size(); ++of) {
    if (is_waiting(node, of, longest, now)) found.push_back({node, of, ears_[node].newest[of]});
  }
  ear(node).listens = false;
  return found;
}

bool Hearing::heard(NodeId node, NodeId of, Time sent, Duration longest, Time now, Time& since) {
  is_known_ = true;
  Time& newest = ear(node).newest.at(of);
  since = std::min(newest, sent);
  const bool is_late = now - since > longest;
  newest = std::max(newest, sent);
  return is_late;
}

std::vector<history::Unheard> Hearing::waiting(NodeId leader, NodeId of, Duration longest,
                                               Time now) const {
  std::vector<history::Unheard> found;
  for (NodeId node = 1; node < ears_.size(); ++node) {
    if (is_waiting(node, of, longest, now)) found.push_back({node, of, ears_[node].newest[of]});
    if (node == of || !is_waiting(leader, node, longest, now)) continue;
    found.push_back({leader, node, ears_[leader].newest[node]});
  }
  return found;
}

}  // namespace failsim::history
