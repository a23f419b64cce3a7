#include "tools/scenario/virtual_run.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>

#include "cluster/units.h"
#include "tools/scenario/event_text.h"
#include "tools/scenario/judge.h"
#include "tools/scenario/labelled_faults.h"
#include "tools/scenario/operator.h"
#include "tools/scenario/problem.h"
#include "tools/scenario/requests.h"
#include "tools/scenario/view.h"
#include "tools/scenario/virtual_actions.h"
#include "tools/scenario/virtual_birth.h"
#include "tools/sim/recovery.h"
#include "tools/sim/workload.h"

namespace failsim::scenario {
namespace {

// The streams of a run: one for each purpose.
constexpr std::uint64_t kFaultStream = 0x6661756c7473u;
constexpr std::uint64_t kWriterStream = 0x77726974657273u;

// Changes only when the trace grows: agreed, or a node's part in the log. Guests, answers and what
// depends on the time are looked at after every step of the world.
bool is_traced(const Comparison& comparison) {
  const std::string& subject = comparison.subject;
  const std::string& field = comparison.field;
  if (subject == "migration") return field != "round";
  if (subject == "vm") return field == "state" || field == "owner" || field == "exists";
  if (subject == "node") return field == "state" || field == "role" || field == "leads";
  return subject == "fault" || (subject == "cluster" && field == "leader");
}

bool is_traced(const Condition& condition) {
  const auto comparisons = comparisons_of(condition);
  return std::all_of(comparisons.begin(), comparisons.end(),
                     [](const Comparison* comparison) { return is_traced(*comparison); });
}

class VirtualRun {
 public:
  VirtualRun(const Scenario& scenario, const VirtualRunOptions& options);
  Outcome run();

 private:
  struct Watch {  // over a reaction
    bool held = false;
    std::uint32_t left = 0;
    bool is_traced = false;
  };

  // ---- the life of a run ----
  bool begin();
  bool perform(const Step& step);
  void recover();
  Outcome conclude();

  // ---- effects; false: the run ends here ----
  bool perform(const Effect& effect, const Position& position);
  bool act(const Do& done, const Position& position);
  bool inject(const Inject& inject, const Position& position);
  bool expect(const Expect& expect, const Position& position);
  bool hold(const Hold& hold, const Position& position);
  void react(const Reaction& reaction);
  bool judge(const Do& done, const pb::Reply& reply, const Position& position);

  // ---- time ----
  bool holds_now(const Condition& condition) const;
  // Runs the world until then; the reactions watch meanwhile. False: the time is over.
  bool wait(const std::function<bool()>& condition, Duration at_most);
  void look_around();
  void notice_changes();

  // An invariant is broken, and that is enough.
  bool is_over() { return options_.stops_at_violation && !world_.checker().violations().empty(); }
  bool fail(const std::string& label, const Position& position, std::string text);
  std::string now_text() const;
  // False if there is a complaint.
  bool fail(const Position& position, const std::optional<Complaint>& complaint);
  std::optional<std::string> look(const std::string& subject, const std::string& object,
                                  const std::string& field) const;
  Look looking() const;

  const Scenario& scenario_;
  const VirtualRunOptions options_;
  sim::World world_;
  View view_;
  LabelledFaults faults_;
  Operator operator_;
  VirtualActions actions_;
  std::vector<std::unique_ptr<sim::Writer>> writers_;
  std::optional<sim::Recovery> recovery_;
  std::vector<Watch> watches_;
  bool is_watching_ = false;  // the reactions, once the steps begin
  Time ready_at_ = 0;
  NodeId last_leader_ = kNoNode;
  std::uint64_t seen_ = 0;  // the trace when it was looked at last
  Outcome outcome_;
};

VirtualRun::VirtualRun(const Scenario& scenario, const VirtualRunOptions& options)
    : scenario_(scenario),
      options_(options),
      world_(world_config(scenario, options.trace_lines, options.sink)),
      view_(world_),
      faults_(world_, scenario.seed ^ kFaultStream),
      operator_(world_),
      actions_(world_, view_, operator_) {
  Random seeds(scenario.seed ^ kWriterStream);
  for (std::uint32_t i = 0; i < scenario.writers; ++i) {
    // The first writes to the cluster, the others to a node each.
    const bool to_cluster = i == 0 || i > scenario.topology.nodes;
    writers_.push_back(std::make_unique<sim::Writer>(
        world_, seeds.next(), to_cluster ? ObjectKind::kCluster : ObjectKind::kNode,
        to_cluster ? "" : node_name(i)));
  }
  for (const Reaction& reaction : scenario.reactions) {
    watches_.push_back({false, reaction.times, is_traced(reaction.when)});
  }
}

// ---- Time ---------------------------------------------------------------------------------------

std::optional<std::string> VirtualRun::look(const std::string& subject, const std::string& object,
                                            const std::string& field) const {
  if (subject == "fault") return faults_.is_active(object) ? "true" : "false";
  return view_.look(subject, object, field);
}

Look VirtualRun::looking() const {
  return [this](const std::string& subject, const std::string& object, const std::string& field) {
    return look(subject, object, field);
  };
}

bool VirtualRun::holds_now(const Condition& condition) const {
  return holds(condition, looking());
}

void VirtualRun::look_around() {
  const std::uint64_t trace = world_.trace().hash();
  const bool has_changed = std::exchange(seen_, trace) != trace;
  if (has_changed) notice_changes();
  if (!is_watching_) return;
  for (std::size_t i = 0; i < watches_.size(); ++i) {
    Watch& watch = watches_[i];
    if (watch.left == 0 || (watch.is_traced && !has_changed)) continue;
    const Reaction& reaction = scenario_.reactions[i];
    const bool held = std::exchange(watch.held, holds_now(reaction.when));
    if (held || !watch.held) continue;
    --watch.left;
    world_.queue().after(reaction.delay, [this, &reaction] { react(reaction); });
  }
}

void VirtualRun::notice_changes() {
  view_.look_around();
  const NodeId leader = view_.leader();
  if (leader != kNoNode && leader != last_leader_) {
    if (last_leader_ != kNoNode) ++outcome_.coverage["leader change"];
    last_leader_ = leader;
  }
}

bool VirtualRun::wait(const std::function<bool()>& condition, Duration at_most) {
  return world_.run_until(
      [this, &condition] {
        look_around();
        return condition() || is_over();
      },
      std::max<Duration>(at_most, 0));
}

std::string VirtualRun::now_text() const {
  return show_duration_ms(static_cast<std::uint64_t>((world_.now() - ready_at_) / kMillisecond));
}

bool VirtualRun::fail(const std::string& label, const Position& position, std::string text) {
  const std::string file = scenario_.file.empty() ? scenario_.name : scenario_.file;
  world_.checker().expect(label, false, to_line(file, {position, std::move(text), ""}));
  return false;
}

bool VirtualRun::fail(const Position& position, const std::optional<Complaint>& complaint) {
  return !complaint || fail(complaint->label, position, complaint->text);
}

// ---- Birth --------------------------------------------------------------------------------------

bool VirtualRun::begin() {
  VirtualBirth birth(scenario_, world_, view_, operator_,
                     [this](const std::function<bool()>& condition, Duration at_most) {
                       return wait(condition, at_most);
                     });
  if (const auto failure = birth.run()) {
    return fail(failure->label, failure->position, failure->text);
  }
  ready_at_ = world_.now();
  is_watching_ = true;
  seen_ = 0;  // the reactions have seen nothing yet
  for (const auto& writer : writers_) writer->begin();
  return true;
}

// ---- Actions ------------------------------------------------------------------------------------

bool VirtualRun::judge(const Do& done, const pb::Reply& reply, const Position& position) {
  view_.answered(reply);
  const auto code = static_cast<Code>(reply.code());
  ++outcome_.coverage["answer " + done.action.verb + " " + code_name(code)];
  return fail(position, scenario::judge(done, code, reply.message(), now_text()));
}

bool VirtualRun::act(const Do& done, const Position& position) {
  if (done.answer == Do::Answer::kAny) {
    actions_.start(done.action, [this, &done, &position](const pb::Reply& reply) {
      judge(done, reply, position);
    });
    return true;
  }
  std::optional<pb::Reply> reply;
  actions_.start(done.action, [&reply](const pb::Reply& answer) { reply = answer; });
  wait([&reply] { return reply.has_value(); }, VirtualActions::kLongest);
  return reply && judge(done, *reply, position);
}

bool VirtualRun::inject(const Inject& inject, const Position& position) {
  const auto injected = faults_.inject(inject);
  if (options_.faults != nullptr) (*options_.faults)[&inject].push_back(injected.ok());
  if (injected) return true;
  ++outcome_.coverage["refused " + std::string(inject.order.kind->name)];
  if (options_.skips_refused_faults) return true;
  return fail("inject", position,
              "The fault was not injected at " + now_text() + ": " + injected.error().message);
}

void VirtualRun::react(const Reaction& reaction) {
  ++outcome_.coverage["reaction"];
  if (const auto* done = std::get_if<Do>(&reaction.effect)) {
    actions_.start(done->action, [this, done, &reaction](const pb::Reply& reply) {
      judge(*done, reply, reaction.position);
    });
    return;
  }
  perform(reaction.effect, reaction.position);
}

// ---- Expectations -------------------------------------------------------------------------------

bool VirtualRun::expect(const Expect& expect, const Position& position) {
  if (wait([&] { return holds_now(expect.condition); }, expect.within)) {
    world_.checker().expect("expect", true, to_text(expect.condition));
    return true;
  }
  return fail(position, too_late(expect, now_text(), looking()));
}

bool VirtualRun::hold(const Hold& hold, const Position& position) {
  if (!wait([&] { return !holds_now(hold.condition); }, hold.throughout)) {
    world_.checker().expect("hold", true, to_text(hold.condition));
    return true;
  }
  return fail(position, broken(hold, now_text(), looking()));
}

bool VirtualRun::perform(const Effect& effect, const Position& position) {
  if (const auto* done = std::get_if<Do>(&effect)) return act(*done, position);
  if (const auto* one = std::get_if<Inject>(&effect)) return inject(*one, position);
  if (const auto* asked = std::get_if<Expect>(&effect)) return expect(*asked, position);
  if (const auto* asked = std::get_if<Hold>(&effect)) return hold(*asked, position);
  if (const auto* heal = std::get_if<Heal>(&effect)) {
    faults_.heal(heal->label);
  } else {
    wait([] { return false; }, std::get<Pause>(effect).duration);
  }
  return true;
}

bool VirtualRun::perform(const Step& step) {
  if (step.at) wait([] { return false; }, ready_at_ + *step.at - world_.now());
  if (step.when && !wait([&] { return holds_now(*step.when); }, step.when_within)) {
    return fail(step.position, never_came(*step.when, step.when_within, now_text(), looking()));
  }
  return perform(step.effect, step.position);
}

// ---- The end ------------------------------------------------------------------------------------

void VirtualRun::recover() {
  is_watching_ = false;
  std::set<NodeId> left_broken;
  for (const std::string& node : scenario_.left_broken) left_broken.insert(node_named(node));
  if (!left_broken.empty()) ++outcome_.coverage["recovery with a damaged core"];
  faults_.heal_all_but({scenario_.left_broken.begin(), scenario_.left_broken.end()});
  for (const auto& writer : writers_) writer->stop();
  recovery_.emplace(world_, left_broken);
  recovery_->begin();
  const auto has_answers = [](const auto& writer) { return !writer->client().is_busy(); };
  wait(
      [&] {
        return recovery_->is_over() && std::all_of(writers_.begin(), writers_.end(), has_answers);
      },
      scenario_.recovery);
  if (is_over()) return;
  recovery_->check();
  for (const auto& writer : writers_) {
    const bool is_busy = writer->client().is_busy();
    world_.checker().expect(
        "L4", !is_busy,
        is_busy ? "not answered although all is healed: " + writer->client().waits_for() : "");
    if (const Member* leader = recovery_->leader()) writer->check(leader->state());
    outcome_.coverage["acknowledged write"] += writer->acknowledged();
  }
}

Outcome VirtualRun::conclude() {
  const invariants::Findings& findings = world_.checker().findings();
  for (const invariants::Violation& violation : findings.violations()) {
    outcome_.add(violation.label, violation.text, violation.at);
  }
  outcome_.evaluations = findings.evaluations();
  faults_.count(outcome_.coverage);
  for (const pb::EventRecord& event : world_.checker().events()) {
    // What the writers write is no part of the story.
    if (!writers_.empty() && event.kind() == "property") continue;
    outcome_.events.push_back(event_text(event));
  }
  for (const auto& [what, count] : world_.checker().coverage().counts()) {
    outcome_.coverage[what] += count;
  }
  outcome_.trace_hash = world_.trace().hash();
  outcome_.duration = world_.now();
  return std::move(outcome_);
}

Outcome VirtualRun::run() {
  bool goes_on = begin();
  for (const Step& step : scenario_.steps) {
    if (!goes_on || is_over()) break;
    goes_on = perform(step);
  }
  if (goes_on && !is_over() && scenario_.recovery != 0) recover();
  return conclude();
}

}  // namespace

Outcome run_virtual(const Scenario& scenario, const VirtualRunOptions& options) {
  return VirtualRun(scenario, options).run();
}

Outcome run_virtual_twice(const Scenario& scenario, const VirtualRunOptions& options) {
  Outcome first = run_virtual(scenario, options);
  const Outcome second = run_virtual(scenario);
  if (first.trace_hash != second.trace_hash) {
    first.add("replay", scenario.name + ": two runs of one seed have different traces.");
  }
  return first;
}

}  // namespace failsim::scenario
