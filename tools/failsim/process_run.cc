#include "tools/failsim/process_run.h"

#include <algorithm>
#include <functional>
#include <future>
#include <memory>
#include <utility>
#include <vector>

#include "cluster/units.h"
#include "tools/failsim/labelled_injector.h"
#include "tools/failsim/launcher.h"
#include "tools/failsim/process_actions.h"
#include "tools/failsim/process_reactions.h"
#include "tools/failsim/process_stage.h"
#include "tools/failsim/process_view.h"
#include "tools/failsim/property_writer.h"
#include "tools/failsim/seen_facts.h"
#include "tools/scenario/judge.h"
#include "tools/scenario/problem.h"

namespace failsim::cli {
namespace {

using scenario::Complaint;
using scenario::Do;
using scenario::Effect;
using scenario::Expect;
using scenario::Heal;
using scenario::Hold;
using scenario::Inject;
using scenario::Pause;
using scenario::Position;
using scenario::Reaction;
using scenario::Scenario;
using scenario::Step;
using Clock = ProcessWatch::Clock;
using Window = ProcessView::Window;
using std::chrono::milliseconds;

constexpr milliseconds kGlance{10};
// What is asked is seen a few looks later than it happens, so an expectation has that much more.
constexpr Duration kSeenLate = 1 * kSecond;
constexpr Duration kFresh = 3 * kSecond;      // until every source has been asked once more
constexpr Duration kLongest = 120 * kSecond;  // an action and its answer

Clock::duration real(Duration duration) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::nanoseconds(duration));
}

Duration counted(Clock::duration duration) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}

class ProcessRun {
 public:
  ProcessRun(const Scenario& scenario, const ClusterDirectory& directory,
             const ClusterDescription& description, Clock::time_point over_at, SeenFacts& facts);
  void run(ProcessStory& story);

 private:
  struct Under {  // the action of a reaction, under way
    const Reaction* reaction;
    std::future<Performed> performed;
  };

  bool perform(const Step& step);
  bool perform(const Effect& effect, const Position& position);
  bool act(const Do& done, const Position& position);
  bool judge(const Do& done, const Performed& performed, const Position& position);
  bool inject(const Inject& inject, const Position& position);
  void heal(const std::string& label);
  bool expect(const Expect& expect, const Position& position);
  bool hold(const Hold& hold, const Position& position);

  bool wait(const std::function<bool()>& condition, Duration at_most);
  void wait_fresh();
  bool is_over() const { return Clock::now() >= over_at_; }
  void begin_reaction(const Reaction& reaction);
  void end_reactions();
  bool recover();

  bool fail(const Position& position, const Complaint& complaint);
  std::string now_text() const;
  void begin_writers();
  void end_writers();
  void note_wanted(const scenario::Action& action);
  NewestJobs jobs() const;

  const Scenario& scenario_;
  const ClusterDescription description_;
  const Clock::time_point over_at_;
  SeenFacts& facts_;
  Client client_;
  Client fault_client_;
  LabelledInjector faults_;
  ProcessWatch watch_;
  ProcessView view_;
  ProcessReactions reactions_;
  ProcessStage stage_;
  std::map<std::string, bool> should_run_;
  NewestJobs begun_jobs_;  // by actions of this run
  std::vector<std::unique_ptr<PropertyWriter>> writers_;
  std::vector<Under> under_;
  std::uint64_t window_ = 0;  // events above it belong to the step
  Clock::time_point ready_at_;
  std::map<std::string, std::uint64_t> coverage_;
};

ProcessRun::ProcessRun(const Scenario& scenario, const ClusterDirectory& directory,
                       const ClusterDescription& description, Clock::time_point over_at,
                       SeenFacts& facts)
    : scenario_(scenario),
      description_(description),
      over_at_(over_at),
      facts_(facts),
      client_(directory, description, kActionLimit),
      fault_client_(directory, description, kActionLimit),
      faults_(fault_client_, scenario.name, scenario.seed),
      watch_(directory, description),
      view_(watch_, fault_client_, faults_),
      reactions_(scenario, watch_, view_,
                 [this](const Reaction& reaction) { begin_reaction(reaction); }),
      stage_(scenario, client_, watch_, facts,
             [this](const std::function<bool()>& condition, Duration at_most) {
               return wait(condition, at_most);
             }),
      ready_at_(Clock::now()) {
  for (const scenario::Vm& vm : scenario.vms) should_run_[vm.name] = vm.start;
}

bool ProcessRun::wait(const std::function<bool()>& condition, Duration at_most) {
  const Clock::time_point end =
      std::min(over_at_, Clock::now() + real(std::max<Duration>(at_most, 0)));
  while (true) {
    view_.look();
    reactions_.look();
    if (condition()) return true;
    const Clock::time_point now = Clock::now();
    if (now >= end) return false;
    watch_.wait(std::min(end, now + kGlance));
  }
}

void ProcessRun::wait_fresh() {
  const Clock::time_point now = Clock::now();
  wait([&] { return view_.sight().as_of >= now; }, kFresh);
}

// ---- Reactions ----------------------------------------------------------------------------------

// Faults are injected at once: that is a matter of milliseconds. An action may take its time.
void ProcessRun::begin_reaction(const Reaction& reaction) {
  ++coverage_["reaction"];
  if (const auto* done = std::get_if<Do>(&reaction.effect)) {
    under_.push_back({&reaction, std::async(std::launch::async, [this, done, jobs = jobs()] {
                        Client client(client_.directory(), description_, kActionLimit);
                        return perform_action(done->action, jobs, client);
                      })});
  } else if (const auto* injected = std::get_if<Inject>(&reaction.effect)) {
    inject(*injected, reaction.position);
  } else {
    heal(std::get<Heal>(reaction.effect).label);
  }
}

void ProcessRun::end_reactions() {
  reactions_.stop();
  for (Under& under : under_) {
    judge(std::get<Do>(under.reaction->effect), under.performed.get(), under.reaction->position);
  }
  under_.clear();
}

// ---- Steps --------------------------------------------------------------------------------------

std::string ProcessRun::now_text() const {
  return show_duration_ms(
      static_cast<std::uint64_t>(counted(Clock::now() - ready_at_) / kMillisecond));
}

bool ProcessRun::fail(const Position& position, const Complaint& complaint) {
  const std::string file = scenario_.file.empty() ? scenario_.name : scenario_.file;
  facts_.tell(history::Expectation{complaint.label, false,
                                   scenario::to_line(file, {position, complaint.text, ""})});
  return false;
}

// What is asked of the recovery: that a VM runs which was last told to.
void ProcessRun::note_wanted(const scenario::Action& action) {
  if (action.verb == "vm create") should_run_[action.words[0]] = action.has("--start");
  if (action.verb == "vm start" || action.verb == "vm resume" || action.verb == "vm reset") {
    should_run_[action.words[0]] = true;
  }
  const bool ends = action.verb == "vm save" || action.verb == "vm pause" ||
                    action.verb == "vm turn-off" || action.verb == "vm delete";
  if (ends) should_run_[action.words[0]] = false;
}

bool ProcessRun::judge(const Do& done, const Performed& performed, const Position& position) {
  view_.note_answer(performed);
  if (performed.code == Code::kOk) {
    note_wanted(done.action);
    if (done.action.verb == "migrate") begun_jobs_[done.action.words[0]] = view_.last_task();
  }
  ++coverage_["answer " + done.action.verb + " " + code_name(performed.code)];
  const auto complaint = scenario::judge(done, performed.code, performed.message, now_text());
  return !complaint || fail(position, *complaint);
}

NewestJobs ProcessRun::jobs() const {
  NewestJobs jobs = begun_jobs_;
  for (const json::value& row : view_.sight().migrations) {
    std::uint64_t& job = jobs[text_in(row.as_object(), "vm")];
    job = std::max(job, number_in(row.as_object(), "job_id"));
  }
  return jobs;
}

bool ProcessRun::act(const Do& done, const Position& position) {
  window_ = watch_.last_event();
  std::future<Performed> performed = std::async(std::launch::async, [this, &done, jobs = jobs()] {
    return perform_action(done.action, jobs, client_);
  });
  wait([&] { return performed.wait_for(milliseconds(0)) == std::future_status::ready; }, kLongest);
  return judge(done, performed.get(), position);
}

bool ProcessRun::inject(const Inject& inject, const Position& position) {
  window_ = watch_.last_event();
  try {
    faults_.inject(inject.label, inject.order);
    ++coverage_["fault " + std::string(inject.order.kind->name)];
    return true;
  } catch (const Failure& failure) {
    return fail(position, {"inject", "The fault was not injected at " + now_text() + ": " +
                                         failure.error.message});
  }
}

void ProcessRun::heal(const std::string& label) {
  window_ = watch_.last_event();
  faults_.heal(label);
}

bool ProcessRun::expect(const Expect& expect, const Position& position) {
  Window window{window_, Clock::now()};
  const bool came =
      wait([&] { return view_.was(expect.condition, true, window); }, expect.within + kSeenLate);
  window_ = watch_.last_event();
  if (!came) return fail(position, too_late(expect, now_text(), view_.looking(nullptr)));
  facts_.tell(history::Expectation{"expect", true, to_text(expect.condition)});
  return true;
}

bool ProcessRun::hold(const Hold& hold, const Position& position) {
  Window window{watch_.last_event(), Clock::now()};
  const auto breaks = [&] { return view_.was(hold.condition, false, window); };
  bool broke = wait(breaks, hold.throughout);
  // Nothing was judged by a look from before the step, so there has to have been one since.
  const auto is_fresh = [&] { return view_.sight().as_of >= window.began; };
  if (!broke && !is_fresh()) broke = wait(is_fresh, kFresh) && breaks();
  window_ = watch_.last_event();
  if (broke) return fail(position, broken(hold, now_text(), view_.looking(&window.announced)));
  facts_.tell(history::Expectation{"hold", true, to_text(hold.condition)});
  return true;
}

bool ProcessRun::perform(const Effect& effect, const Position& position) {
  if (const auto* done = std::get_if<Do>(&effect)) return act(*done, position);
  if (const auto* one = std::get_if<Inject>(&effect)) return inject(*one, position);
  if (const auto* asked = std::get_if<Expect>(&effect)) return expect(*asked, position);
  if (const auto* asked = std::get_if<Hold>(&effect)) return hold(*asked, position);
  if (const auto* healed = std::get_if<Heal>(&effect)) {
    heal(healed->label);
  } else {
    wait([] { return false; }, std::get<Pause>(effect).duration);
    window_ = watch_.last_event();
  }
  return true;
}

bool ProcessRun::perform(const Step& step) {
  if (step.at) {
    wait([] { return false; }, counted(ready_at_ + real(*step.at) - Clock::now()));
  }
  if (step.when) {
    Window window{window_, Clock::now()};
    if (!wait([&] { return view_.was(*step.when, true, window); }, step.when_within)) {
      return fail(step.position,
                  never_came(*step.when, step.when_within, now_text(), view_.looking(nullptr)));
    }
  }
  return perform(step.effect, step.position);
}

// ---- The whole ----------------------------------------------------------------------------------

void ProcessRun::begin_writers() {
  for (std::uint32_t i = 0; i < scenario_.writers; ++i) {
    // The first writes to the cluster, the others to a node each.
    const bool to_cluster = i == 0 || i > scenario_.topology.nodes;
    writers_.push_back(std::make_unique<PropertyWriter>(
        Client(client_.directory(), description_, kActionLimit),
        to_cluster ? "cluster" : "node/" + node_name(i), scenario_.seed + i, facts_));
  }
}

void ProcessRun::end_writers() {
  for (const auto& writer : writers_) {
    writer->stop();
    coverage_["acknowledged write"] += writer->acknowledged();
  }
}

// True if the cluster was seen whole.
bool ProcessRun::recover() {
  if (const auto complaint = stage_.recover(faults_.injector(), should_run_)) {
    return fail({}, *complaint);
  }
  for (const char* rule : {"L1", "L2", "L3", "L4", "L8"}) {
    facts_.tell(history::Expectation{rule, true, ""});
  }
  return true;
}

void ProcessRun::run(ProcessStory& story) {
  bool goes_on = true;
  if (const auto complaint = stage_.prepare()) goes_on = fail({}, *complaint);
  wait_fresh();
  ready_at_ = Clock::now();
  window_ = watch_.last_event();
  if (goes_on) begin_writers();
  if (goes_on) reactions_.start();
  for (const Step& step : scenario_.steps) {
    if (!goes_on || is_over()) break;
    goes_on = perform(step);
  }
  end_reactions();
  if (goes_on && !is_over() && scenario_.recovery != 0) {
    story.is_whole = recover() && scenario_.left_broken.empty();
  }
  end_writers();
  if (is_over()) fail({}, {"timeout", "The run had not ended at " + now_text() + "."});
  story.duration = counted(Clock::now() - ready_at_);
  story.coverage = std::move(coverage_);
}

}  // namespace

ProcessStory run_on_processes(const Scenario& scenario, const ClusterDirectory& directory,
                              milliseconds timeout, bool netns) {
  ProcessStory story;
  SeenFacts facts;
  const Clock::time_point over_at = Clock::now() + timeout;
  try {
    const ClusterDescription description = launch_stage(scenario, directory, netns);
    ProcessRun(scenario, directory, description, over_at, facts).run(story);
  } catch (const Failure& failure) {
    facts.tell(history::Expectation{
        "L1", false, "The cluster could not be played on: " + failure.error.message});
  }
  story.ended_at = observation_clock();
  try {
    take_down(directory);
  } catch (const Failure& failure) {
    facts.tell(
        history::Expectation{"L1", false, "The cluster did not go down: " + failure.error.message});
    story.ended_at = observation_clock();
  }
  story.facts = facts.all();
  return story;
}

}  // namespace failsim::cli
