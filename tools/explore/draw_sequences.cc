// Sequences that faults drawn one by one meet too seldom: each breaks one thing after the other, at
// the moment at which a rule of the protocol matters. Whom they hit and for how long is drawn;
// every part is a step or a reaction of its own, which can be taken away alone.
#include <algorithm>
#include <utility>

#include "tools/explore/plan.h"

namespace failsim::explore {
namespace {

class SequenceDrawer {
 public:
  SequenceDrawer(const Plan& plan, Dice& dice) : plan_(plan), dice_(dice) {}

  Sequences draw();

 private:
  // Each adds what begins at at_, and returns how long it takes.
  using Sequence = Duration (SequenceDrawer::*)();
  struct Share {
    Sequence sequence;
    std::uint32_t weight;
  };
  static const std::vector<Share>& sequences();

  Duration depose();
  Duration give_up_and_return();
  Duration elect_while_one_is_silent();
  Duration three_leaders();
  Duration vote_twice();
  Duration forget_what_two_know();
  Duration replace_after_commit();
  Duration rejoin_with_own_entries();

  // Names of the nodes in a drawn order; the first is the one that leads, as far as that is known.
  std::vector<std::string> draw_roles();
  void add(Duration after, const std::string& order, Duration lease, const std::string& label = "");
  void react(const std::string& when, Duration after, const std::string& order, Duration lease,
             const std::string& label = "");
  void heal_when(const std::string& when, Duration after, const std::string& label);
  void heal(Duration after, const std::string& label);
  // A label that no other fault of the run has.
  std::string label(const std::string& name) { return name + "-" + std::to_string(number_); }
  static std::string active(const std::string& label) { return "fault(" + label + ").active"; }
  static std::string role(const std::string& node, const std::string& role) {
    return "node(" + node + ").role == " + role;
  }

  const Plan& plan_;
  Dice& dice_;
  Time at_ = 0;
  std::uint32_t number_ = 0;  // of the sequence
  Sequences drawn_;
};

const std::vector<SequenceDrawer::Share>& SequenceDrawer::sequences() {
  static const std::vector<Share> shares = {
      {&SequenceDrawer::depose, 4},
      {&SequenceDrawer::give_up_and_return, 6},
      {&SequenceDrawer::elect_while_one_is_silent, 4},
      {&SequenceDrawer::three_leaders, 3},
      {&SequenceDrawer::vote_twice, 4},
      {&SequenceDrawer::forget_what_two_know, 3},
      {&SequenceDrawer::replace_after_commit, 2},
      {&SequenceDrawer::rejoin_with_own_entries, 2},
  };
  return shares;
}

// One kind in each run, now and then two: it is repeated until the time is over.
Sequences SequenceDrawer::draw() {
  std::vector<std::uint32_t> weights;
  for (const Share& share : sequences()) weights.push_back(share.weight);
  std::vector<std::size_t> kinds = {dice_.weighted(weights)};
  if (dice_.chance(25)) kinds.push_back(dice_.weighted(weights));
  for (at_ = dice_.time(100 * kMillisecond, 1200 * kMillisecond); at_ < plan_.safety;) {
    ++number_;
    at_ += (this->*sequences()[dice_.pick(kinds)].sequence)();
    at_ += dice_.time(500 * kMillisecond, 1500 * kMillisecond);
  }
  return std::move(drawn_);
}

// ---- Parts --------------------------------------------------------------------------------------

std::vector<std::string> SequenceDrawer::draw_roles() {
  std::vector<std::string> nodes;
  for (std::uint32_t number = 1; number <= plan_.nodes; ++number) nodes.push_back(node_of(number));
  for (std::size_t left = nodes.size(); left > 1; --left) {
    std::swap(nodes[left - 1], nodes[dice_.between(0, left - 1)]);
  }
  if (number_ > 1 || plan_.leader.empty()) return nodes;
  std::iter_swap(nodes.begin(), std::find(nodes.begin(), nodes.end(), plan_.leader));
  return nodes;
}

void SequenceDrawer::add(Duration after, const std::string& order, Duration lease,
                         const std::string& label) {
  drawn_.steps.push_back({at_ + after, fault(plan_, order + " for=" + in_text(lease), label)});
}

void SequenceDrawer::react(const std::string& when, Duration after, const std::string& order,
                           Duration lease, const std::string& label) {
  scenario::Reaction reaction;
  reaction.when = condition(when);
  reaction.delay = after;
  reaction.effect = fault(plan_, order + " for=" + in_text(lease), label);
  drawn_.reactions.push_back(std::move(reaction));
}

void SequenceDrawer::heal_when(const std::string& when, Duration after, const std::string& label) {
  scenario::Reaction reaction;
  reaction.when = condition(when);
  reaction.delay = after;
  reaction.effect = scenario::Heal{label};
  drawn_.reactions.push_back(std::move(reaction));
}

void SequenceDrawer::heal(Duration after, const std::string& label) {
  drawn_.steps.push_back({at_ + after, scenario::Heal{label}});
}

// ---- Leaders ------------------------------------------------------------------------------------

// Answers reach the leader later and later, but never so much at once that it misses the quorum;
// then it reaches nobody. It believes for a while that it leads, and others elect another.
Duration SequenceDrawer::depose() {
  const std::uint64_t stairs = dice_.between(3, 5);
  Duration after = 0;
  Duration late = 200 * kMillisecond;
  for (std::uint64_t stair = 1; stair <= stairs; ++stair) {
    const Duration length = stair < stairs ? late + 300 * kMillisecond : 5 * kSecond;
    add(after,
        "link-delay all->leader min=" + in_text(late) + " max=" + in_text(late + 50 * kMillisecond),
        length);
    if (stair == stairs) break;
    after += length;
    late += 250 * kMillisecond;
  }
  const Duration cut = after + dice_.time(late, late + kSecond);
  const Duration length = dice_.time(2 * kSecond, 4 * kSecond);
  add(cut, "link-cut leader->all", length);
  return cut + length;
}

// A node is silent until it is given up, and is heard again about when its lease ends; what is
// decided meanwhile is stored or told late.
Duration SequenceDrawer::give_up_and_return() {
  const std::vector<std::string> roles = draw_roles();
  const std::string& node = roles[1];
  const std::string silent = label("silent");
  add(0, "link-cut " + node + "->all class=heartbeat", 5 * kSecond, silent);
  const std::string given_up = active(silent) + " and node(" + node + ").state == Down";
  const Duration lease = plan_.detection_time();
  // Until all others have said that they hear it again, one or two heartbeats pass.
  const Duration early =
      dice_.time(150 * kMillisecond, std::min(lease, 500 * kMillisecond + lease / 4));
  const Duration length = dice_.time(500 * kMillisecond, 1500 * kMillisecond);
  heal_when(given_up, lease - early, silent);
  // Slow on both sides, but not with the rest of the quorum.
  const Duration longest = dice_.time(50 * kMillisecond, 400 * kMillisecond);
  const std::string slowly = " min=" + in_text(longest / 2) + " max=" + in_text(longest);
  if (dice_.chance(85)) add(0, "disk-slow leader" + slowly, 5 * kSecond);
  if (dice_.chance(70)) {
    add(0, "disk-slow " + node + slowly, 5 * kSecond);
  } else {
    react(given_up, lease - early, "link-delay leader->" + node + " min=0s max=400ms", length);
  }
  return 2 * lease + length;
}

// The leader is lost while the others are about to give a node up: its successor does not know
// until when that node's lease lasts.
Duration SequenceDrawer::elect_while_one_is_silent() {
  const std::vector<std::string> roles = draw_roles();
  const Duration length = dice_.time(2 * kSecond, 4 * kSecond);
  add(0, "link-cut " + roles[1] + "->all class=heartbeat", length);
  const std::string order = dice_.pick<std::string>(
      {"link-cut leader->all class=control", "link-cut leader->all class=control",
       "link-cut leader->all", "disk-stall leader", "kill leader evidence=silent"});
  add(dice_.time(plan_.detection_time() / 4, plan_.detection_time()), order, length);
  return length;
}

// Three leaders in turn, each cut off with entries of its own; the last one's disk stalls before it
// dies.
Duration SequenceDrawer::three_leaders() {
  const std::vector<std::string> roles = draw_roles();
  const std::string& first = roles[0];
  const std::string& second = roles[1];
  const std::string& third = roles[2];
  const std::string cut = label("first-cut");
  const std::string cut_second = label("second-cut");
  const std::string stall = label("stall");
  const std::string second_leads = active(cut) + " and " + role(second, "Leader");
  const std::string first_leads = active(stall) + " and " + role(first, "Leader");
  const Duration written = dice_.time(5 * kMillisecond, 300 * kMillisecond);
  add(0, "isolate " + first, 4 * kSecond, cut);
  react(second_leads, 0, "isolate " + second, 5 * kSecond, cut_second);
  heal_when(second_leads, 0, cut);
  react(active(cut_second) + " and " + role(first, "Candidate"), dice_.time(0, 20 * kMillisecond),
        "disk-stall " + first, 700 * kMillisecond, stall);
  react(first_leads, written, "power-off " + first + " evidence=silent", 20 * kMillisecond);
  react(first_leads, written, "isolate " + third, 4 * kSecond);
  heal_when(first_leads, written, stall);
  heal_when(first_leads, written, cut_second);
  return 6 * kSecond;
}

// ---- Stores -------------------------------------------------------------------------------------

// Two that do not hear each other stand for election; the disk of the third, which has voted for
// one, is slow, and it loses its power.
Duration SequenceDrawer::vote_twice() {
  const std::vector<std::string> roles = draw_roles();
  const std::string& voter = roles[0];
  const std::string apart = label("apart");
  const Duration length = dice_.time(3 * kSecond, 5 * kSecond);
  add(0, "link-cut " + roles[1] + "<->" + roles[2], length, apart);
  add(0, "disk-slow " + voter + " min=100ms max=300ms", length);
  add(dice_.time(50 * kMillisecond, 300 * kMillisecond), "power-off " + voter + " evidence=silent",
      dice_.time(50 * kMillisecond, 700 * kMillisecond));
  for (const std::string& one : {roles[1], roles[2]}) {
    react(active(apart) + " and " + role(one, "Candidate"),
          dice_.time(5 * kMillisecond, 120 * kMillisecond),
          "power-off " + voter + " evidence=silent",
          dice_.time(10 * kMillisecond, 100 * kMillisecond));
    react(active(apart) + " and " + role(one, "Leader"), 0, "isolate " + one,
          dice_.time(kSecond, 3 * kSecond));
  }
  return length;
}

// One node is cut off and the two others go on; then one of those loses what it has not written
// and the other is cut off instead.
Duration SequenceDrawer::forget_what_two_know() {
  const std::vector<std::string> roles = draw_roles();
  const bool leader_loses = dice_.chance(50);
  const std::string& loses = roles[leader_loses ? 0 : 1];
  const std::string& keeps = roles[leader_loses ? 1 : 0];
  const Duration stalls = dice_.time(100 * kMillisecond, 900 * kMillisecond);
  const Duration dies = stalls + dice_.time(50 * kMillisecond, 700 * kMillisecond);
  const Duration length = dice_.time(2 * kSecond, 4 * kSecond);
  add(0, "isolate " + roles[2], dies);
  add(stalls, "disk-stall " + loses, dies - stalls);
  add(dies - kMillisecond, "power-off " + loses + " evidence=silent",
      dice_.time(10 * kMillisecond, 300 * kMillisecond));
  add(dies - kMillisecond, "isolate " + keeps, length);
  return dies + length;
}

// The same, with a disk that is replaced.
Duration SequenceDrawer::replace_after_commit() {
  const std::vector<std::string> roles = draw_roles();
  const std::size_t replaced = dice_.between(0, 1);
  const Duration dies = dice_.time(300 * kMillisecond, 1500 * kMillisecond);
  const Duration length = dice_.time(2 * kSecond, 5 * kSecond);
  add(0, "isolate " + roles[2], dies);
  add(dies, "disk-replace " + roles[replaced] + " evidence=silent", length);
  add(dies, "isolate " + roles[1 - replaced], length);
  return dies + length;
}

// A leader that is cut off appends entries nobody else has, and comes back to another one while
// entries are under way.
Duration SequenceDrawer::rejoin_with_own_entries() {
  const std::vector<std::string> roles = draw_roles();
  const std::string cut = label("alone");
  const Duration length = dice_.time(700 * kMillisecond, 3 * kSecond);
  const std::string to_it = dice_.pick<std::string>({"", "", " class=control"});
  add(0, "isolate leader" + to_it, 5 * kSecond, cut);
  heal(length, cut);
  if (dice_.chance(50)) {
    add(length, "link-delay all->" + roles[0] + " min=0s max=300ms", kSecond);
  }
  return length + kSecond;
}

}  // namespace

Sequences draw_sequences(const Plan& plan, Dice& dice) {
  if (!plan.has_sequences) return {};
  return SequenceDrawer(plan, dice).draw();
}

}  // namespace failsim::explore
