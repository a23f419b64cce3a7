#include "tools/failsim/process_run.h"

#include <algorithm>
#include <csignal>
#include <functional>
#include <future>
#include <memory>
#include <utility>
#include <vector>

#include "cluster/invariants.h"
#include "cluster/units.h"
#include "tools/failsim/action_requests.h"
#include "tools/failsim/launcher.h"
#include "tools/failsim/nodes.h"
#include "tools/failsim/process_checks.h"
#include "tools/failsim/process_stage.h"
#include "tools/failsim/property_writer.h"
#include "tools/failsim/tasks.h"
#include "tools/scenario/judge.h"
#include "tools/scenario/problem.h"

namespace failsim::cli {
namespace {

using scenario::Complaint;
using scenario::Condition;
using scenario::Do;
using scenario::Effect;
using scenario::Expect;
using scenario::Heal;
using scenario::Hold;
using scenario::Inject;
using scenario::Outcome;
using scenario::Pause;
using scenario::Position;
using scenario::Reaction;
using scenario::Scenario;
using scenario::Step;
using Clock = ProcessWatch::Clock;
using std::chrono::milliseconds;

constexpr milliseconds kActionLimit{30'000};  // of the command line
constexpr milliseconds kGlance{10};
// What is asked is seen a few looks later than it happens, so an expectation has that much more.
constexpr Duration kSeenLate = 1 * kSecond;
constexpr Duration kFresh = 3 * kSecond;      // until every source has been asked once more
constexpr Duration kLongest = 120 * kSecond;  // an action and its answer

Clock::duration real(Duration duration) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::nanoseconds(duration));
}

// Performs and answers; runs beside the looking.
struct Performed {
  Code code = Code::kOk;
  std::string message;
  json::value body;
};

Performed perform_node_action(const scenario::Action& action, Client& client) {
  const std::string& node = action.words[0];
  const std::uint32_t number = node_number(client.description(), node);
  if (action.verb == "node kill") end_node(client.directory(), node, SIGKILL);
  if (action.verb == "node stop") end_node(client.directory(), node, SIGTERM);
  if (action.verb == "node start" && !process_of_node(client.directory(), node)) {
    start_node(client.directory(), client.description(), number, kActionLimit);
  }
  return {};
}

Performed perform_action(const scenario::Action& action, Client& client) {
  try {
    if (action.verb.starts_with("node ")) return perform_node_action(action, client);
    const auto call = api_call_of(action, [&client](const std::string& vm) {
      const json::value newest = client.get("/v1/migrations/" + percent_encoded(vm));
      return number_in(newest.as_object(), "job_id");
    });
    if (!call) return {call.error().code, call.error().message, nullptr};
    return {Code::kOk, "",
            client.write(call.value().method, call.value().target, call.value().body)};
  } catch (const Failure& failure) {
    return {failure.error.code, failure.error.message, nullptr};
  }
}

class ProcessRun {
 public:
  ProcessRun(const Scenario& scenario, const ClusterDirectory& directory,
             const ClusterDescription& description);
  Outcome run();

 private:
  struct Watched {  // a reaction
    bool held = false;
    std::uint32_t left = 0;
  };
  struct Due {  // a reaction whose delay runs
    Clock::time_point at;
    const Reaction* reaction;
  };
  struct Under {  // a reaction under way
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

  // ---- looking ----
  scenario::Look looking(const Announced* announced);
  // Whether the condition was so, by an event after `cursor`, which follows, or is so by a look
  // that began after `began`.
  struct Window {
    std::uint64_t cursor;
    Clock::time_point began;
    Announced announced = {};
  };
  bool was(const Condition& condition, bool wanted, Window& window);
  bool wait(const std::function<bool()>& condition, Duration at_most);
  void wait_fresh();
  bool is_fault_active(const std::string& label);
  std::optional<std::string> property(const std::string& path);

  // ---- reactions ----
  void look_around();
  void notice(std::size_t reaction, bool holds);
  void begin_reaction(const Reaction& reaction);
  void end_reactions();

  bool fail(const Position& position, const Complaint& complaint);
  std::string now_text() const;
  void begin_writers();
  void end_writers();
  void note_wanted(const scenario::Action& action);

  const Scenario& scenario_;
  const ClusterDescription description_;
  Client client_;
  Client fault_client_;
  FaultInjector injector_;
  ProcessWatch watch_;
  ProcessStage stage_;
  Sight sight_;
  Sight::Answer answer_;
  std::uint64_t last_task_ = 0;
  std::map<std::string, std::vector<std::uint64_t>> labels_;
  std::map<std::string, bool> should_run_;
  std::vector<std::unique_ptr<PropertyWriter>> writers_;
  std::vector<Watched> watched_;
  std::vector<Due> due_;
  std::vector<Under> under_;
  Announced reactions_heard_;
  std::uint64_t reactions_cursor_ = 0;
  bool is_watching_ = false;
  std::uint64_t window_ = 0;  // events above it belong to the step
  Clock::time_point ready_at_;
  Outcome outcome_;
};

ProcessRun::ProcessRun(const Scenario& scenario, const ClusterDirectory& directory,
                       const ClusterDescription& description)
    : scenario_(scenario),
      description_(description),
      client_(directory, description, kActionLimit),
      fault_client_(directory, description, kActionLimit),
      injector_(fault_client_, "scenario " + scenario.name, scenario.seed),
      watch_(directory, description),
      stage_(scenario, client_, watch_,
             [this](const std::function<bool()>& condition, Duration at_most) {
               return wait(condition, at_most);
             }),
      ready_at_(Clock::now()) {
  for (const Reaction& reaction : scenario.reactions) watched_.push_back({false, reaction.times});
  for (const scenario::Vm& vm : scenario.vms) should_run_[vm.name] = vm.start;
}

// ---- Looking ------------------------------------------------------------------------------------

std::optional<std::string> ProcessRun::property(const std::string& path) {
  const std::size_t last = path.rfind('/');
  if (last == std::string::npos) return std::nullopt;
  std::string object = path.substr(0, last);
  if (object != "cluster" && object.find('/') == std::string::npos) object = "vm/" + object;
  try {
    const json::value shown = fault_client_.get("/v1/property?object=" + percent_encoded(object) +
                                                "&name=" + percent_encoded(path.substr(last + 1)));
    return plain_in(shown.as_object(), "value");
  } catch (const Failure&) {
    return std::nullopt;  // no such property, or nobody who can tell
  }
}

bool ProcessRun::is_fault_active(const std::string& label) {
  const std::vector<std::uint64_t>& ids = labels_[label];
  const json::array rows = injector_.list();
  return std::any_of(rows.begin(), rows.end(), [&ids](const json::value& row) {
    return std::find(ids.begin(), ids.end(), number_in(row.as_object(), "id")) != ids.end();
  });
}

scenario::Look ProcessRun::looking(const Announced* announced) {
  return [this, announced](const std::string& subject, const std::string& object,
                           const std::string& field) -> std::optional<std::string> {
    if (announced != nullptr) {
      if (const auto told = announced->look(subject, object, field)) return told;
    }
    if (subject == "fault") return is_fault_active(object) ? "true" : "false";
    if (subject == "property") return property(object);
    return sight_.look(subject, object, field);
  };
}

bool ProcessRun::was(const Condition& condition, bool wanted, Window& window) {
  const bool is_fresh = sight_.as_of >= window.began;
  // What an event does not tell is taken from the last look, which must not break what has to hold.
  if (!wanted && !is_fresh) return false;
  const auto is_so = [&] { return holds(condition, looking(&window.announced)) == wanted; };
  for (const json::object& event : watch_.events_after(window.cursor)) {
    window.cursor = number_in(event, "number");
    if (window.announced.tell_before(event) && is_so()) return true;
    if (window.announced.tell(event) && is_so()) return true;
  }
  return is_fresh && holds(condition, looking(nullptr)) == wanted;
}

void ProcessRun::look_around() {
  sight_ = watch_.sight();
  sight_.answer = answer_;
  sight_.last_task = last_task_;
  if (!is_watching_) return;
  const std::vector<json::object> events = watch_.events_after(reactions_cursor_);
  for (const json::object& event : events) {
    reactions_cursor_ = number_in(event, "number");
    if (!reactions_heard_.tell(event)) continue;
    for (std::size_t i = 0; i < watched_.size(); ++i) {
      notice(i, holds(scenario_.reactions[i].when, looking(&reactions_heard_)));
    }
  }
  reactions_heard_.clear();
  // A look that is older than an event would only make what has ended begin once more.
  if (events.empty()) {
    for (std::size_t i = 0; i < watched_.size(); ++i) {
      notice(i, holds(scenario_.reactions[i].when, looking(nullptr)));
    }
  }
  const Clock::time_point now = Clock::now();
  for (std::size_t i = 0; i < due_.size();) {
    if (due_[i].at > now) {
      ++i;
      continue;
    }
    begin_reaction(*due_[i].reaction);
    due_.erase(due_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

bool ProcessRun::wait(const std::function<bool()>& condition, Duration at_most) {
  const Clock::time_point end = Clock::now() + real(std::max<Duration>(at_most, 0));
  while (true) {
    look_around();
    if (condition()) return true;
    const Clock::time_point now = Clock::now();
    if (now >= end) return false;
    watch_.wait(std::min(end, now + kGlance));
  }
}

void ProcessRun::wait_fresh() {
  const Clock::time_point now = Clock::now();
  wait([&] { return sight_.as_of >= now; }, kFresh);
}

// ---- Reactions ----------------------------------------------------------------------------------

void ProcessRun::notice(std::size_t reaction, bool holds) {
  Watched& watched = watched_[reaction];
  const bool held = std::exchange(watched.held, holds);
  if (held || !holds || watched.left == 0) return;
  --watched.left;
  const Reaction& noticed = scenario_.reactions[reaction];
  due_.push_back({Clock::now() + real(noticed.delay), &noticed});
}

// Faults are injected at once: that is a matter of milliseconds. An action may take its time.
void ProcessRun::begin_reaction(const Reaction& reaction) {
  ++outcome_.coverage["reaction"];
  if (const auto* done = std::get_if<Do>(&reaction.effect)) {
    under_.push_back({&reaction, std::async(std::launch::async, [this, done] {
                        Client client(client_.directory(), description_, kActionLimit);
                        return perform_action(done->action, client);
                      })});
  } else if (const auto* injected = std::get_if<Inject>(&reaction.effect)) {
    inject(*injected, reaction.position);
  } else {
    heal(std::get<Heal>(reaction.effect).label);
  }
}

void ProcessRun::end_reactions() {
  is_watching_ = false;
  for (Under& under : under_) {
    judge(std::get<Do>(under.reaction->effect), under.performed.get(), under.reaction->position);
  }
  under_.clear();
}

// ---- Steps --------------------------------------------------------------------------------------

std::string ProcessRun::now_text() const {
  return show_duration_ms(static_cast<std::uint64_t>(
      std::chrono::duration_cast<milliseconds>(Clock::now() - ready_at_).count()));
}

bool ProcessRun::fail(const Position& position, const Complaint& complaint) {
  const std::string file = scenario_.file.empty() ? scenario_.name : scenario_.file;
  const Duration now =
      std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - ready_at_).count();
  outcome_.add(complaint.label, scenario::to_line(file, {position, complaint.text, ""}), now);
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
  const json::object body =
      performed.body.is_object() ? performed.body.get_object() : json::object{};
  answer_ = {performed.code, enum_value_in(body, "return_value"), word_in(body, "job_state")};
  const std::uint64_t task = number_in(body, "task");
  if (performed.code == Code::kOk && task != 0) last_task_ = task;
  if (performed.code == Code::kOk) note_wanted(done.action);
  ++outcome_.coverage["answer " + done.action.verb + " " + code_name(performed.code)];
  const auto complaint = scenario::judge(done, performed.code, performed.message, now_text());
  return !complaint || fail(position, *complaint);
}

bool ProcessRun::act(const Do& done, const Position& position) {
  window_ = watch_.last_event();
  std::future<Performed> performed = std::async(
      std::launch::async, [this, &done] { return perform_action(done.action, client_); });
  wait([&] { return performed.wait_for(milliseconds(0)) == std::future_status::ready; }, kLongest);
  return judge(done, performed.get(), position);
}

bool ProcessRun::inject(const Inject& inject, const Position& position) {
  window_ = watch_.last_event();
  try {
    labels_[inject.label].push_back(injector_.inject(inject.order).id);
    ++outcome_.coverage["fault " + std::string(inject.order.kind->name)];
    return true;
  } catch (const Failure& failure) {
    return fail(position, {"inject", "The fault was not injected at " + now_text() + ": " +
                                         failure.error.message});
  }
}

void ProcessRun::heal(const std::string& label) {
  window_ = watch_.last_event();
  if (label.empty()) {
    injector_.heal(std::nullopt);
    return;
  }
  for (const std::uint64_t id : labels_[label]) {
    try {
      injector_.heal(id);
    } catch (const Failure& failure) {
      if (failure.error.code != Code::kNotFound) throw;  // its lease is over already
    }
  }
}

bool ProcessRun::expect(const Expect& expect, const Position& position) {
  Window window{window_, Clock::now()};
  const bool came =
      wait([&] { return was(expect.condition, true, window); }, expect.within + kSeenLate);
  window_ = watch_.last_event();
  return came || fail(position, too_late(expect, now_text(), looking(nullptr)));
}

bool ProcessRun::hold(const Hold& hold, const Position& position) {
  Window window{watch_.last_event(), Clock::now()};
  const auto breaks = [&] { return was(hold.condition, false, window); };
  bool broke = wait(breaks, hold.throughout);
  // Nothing was judged by a look from before the step, so there has to have been one since.
  const auto is_fresh = [&] { return sight_.as_of >= window.began; };
  if (!broke && !is_fresh()) broke = wait(is_fresh, kFresh) && breaks();
  window_ = watch_.last_event();
  return !broke || fail(position, broken(hold, now_text(), looking(&window.announced)));
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
    const auto left = ready_at_ + real(*step.at) - Clock::now();
    wait([] { return false; }, std::chrono::duration_cast<std::chrono::nanoseconds>(left).count());
  }
  if (step.when) {
    Window window{window_, Clock::now()};
    if (!wait([&] { return was(*step.when, true, window); }, step.when_within)) {
      return fail(step.position,
                  never_came(*step.when, step.when_within, now_text(), looking(nullptr)));
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
        to_cluster ? "cluster" : "node/" + node_name(i), scenario_.seed + i));
  }
}

void ProcessRun::end_writers() {
  for (const auto& writer : writers_) {
    writer->stop();
    for (const invariants::Violation& found : writer->findings().violations()) {
      fail({}, {found.label, found.text});
    }
    for (const auto& [label, times] : writer->findings().evaluations()) {
      outcome_.evaluations[label] += times;
    }
    outcome_.coverage["acknowledged write"] += writer->acknowledged();
  }
}

Outcome ProcessRun::run() {
  bool goes_on = true;
  if (const auto complaint = stage_.prepare()) goes_on = fail({}, *complaint);
  wait_fresh();
  ready_at_ = Clock::now();
  window_ = reactions_cursor_ = watch_.last_event();
  if (goes_on) begin_writers();
  is_watching_ = goes_on;
  for (const Step& step : scenario_.steps) {
    if (!goes_on) break;
    goes_on = perform(step);
  }
  end_reactions();
  if (goes_on && scenario_.recovery != 0) {
    const auto complaint = stage_.recover(injector_, should_run_);
    if (complaint) fail({}, *complaint);
  }
  end_writers();
  check_events(watch_.events_after(0), outcome_);
  outcome_.duration =
      std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - ready_at_).count();
  return std::move(outcome_);
}

}  // namespace

Outcome run_on_processes(const Scenario& scenario, const ClusterDirectory& directory) {
  Outcome outcome;
  try {
    const ClusterDescription description = launch_stage(scenario, directory);
    outcome = ProcessRun(scenario, directory, description).run();
  } catch (const Failure& failure) {
    outcome.add("L1", "The cluster could not be played on: " + failure.error.message);
  }
  try {
    take_down(directory);
  } catch (const Failure& failure) {
    outcome.add("L1", "The cluster did not go down: " + failure.error.message);
  }
  if (directory.description()) check_journals(directory, outcome);
  return outcome;
}

}  // namespace failsim::cli
