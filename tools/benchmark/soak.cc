// A random sample of the matrix of disturbed migrations, on real processes, for so many minutes.
//
// Clusters of three nodes, recorded, with faults and busy guests, take turns; a case is a
// migration, something that happens to it, and what it comes to. After each case everything is
// healed, every VM has to run, nothing may be left behind, the journals have to be sound, and the
// judge looks at all that was recorded.
#include <algorithm>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <thread>
#include <utility>

#include <boost/json/serialize.hpp>

#include "cluster/fault/failpoint.h"
#include "cluster/random.h"
#include "tools/benchmark/bench.h"
#include "tools/benchmark/journals.h"
#include "tools/benchmark/leftovers.h"
#include "tools/benchmark/test_cluster.h"
#include "tools/failsim/errors.h"
#include "tools/failsim/tasks.h"
#include "tools/matrix/disturbance.h"

namespace failsim::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::uint32_t kMinutes = 10;
constexpr std::uint32_t kCasesACluster = 8;
constexpr std::uint64_t kVmRunning = 5;  // VMVMState
constexpr milliseconds kRestLimit{60'000};
constexpr milliseconds kGoneLimit{15'000};
constexpr milliseconds kLongestDelay{2500};  // about a migration, and a little more
constexpr int kNothingPutToTheTest = 3;      // of `failsim check`: some rule was not evaluated
constexpr char kVm[] = "web";

const std::vector<std::string> kVms = {kVm, "db", "mail"};

// What `failsim migrate` says of its outcome, by its exit status.
const std::map<int, std::string> kOutcomes = {{0, "completed"},
                                              {1, "refused"},
                                              {64, "refused"},  // it is there already
                                              {20, "canceled"},
                                              {21, "failed, on the source"},
                                              {22, "failed, cold restart"}};

struct Plan {
  std::string source;
  std::string target;
  std::string leader;
  std::string text;                 // what happens, for people
  std::vector<std::string> before;  // orders of faults, given before the migration
  std::vector<std::string> during;  // orders, or the words of verbs, after the delay
  bool is_verb = false;
  milliseconds delay{0};
};

std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t end = std::min(line.find(' ', at), line.size());
    if (end > at) words.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

class Soak {
 public:
  Soak(const Options& options, Report& report)
      : random_(options.seed),
        report_(report),
        end_(steady_clock::now() + std::chrono::minutes(options.count.value_or(kMinutes))) {}

  void run() {
    while (steady_clock::now() < end_) run_cluster();
    for (const auto& [outcome, times] : outcomes_) {
      report_.add("cases", outcome, times, "cases", Peer{"all", static_cast<double>(cases_)});
    }
    report_.add("cases", "failures", failures_, "cases", Peer{"all", static_cast<double>(cases_)});
    report_.expect(cases_ > 0, "there was time for a case");
  }

 private:
  void run_cluster();
  Plan draw(const TestCluster& cluster);
  void draw_point(Plan& plan);
  void draw_disturbance(Plan& plan);
  void draw_request(Plan& plan);
  std::string carry_out(const TestCluster& cluster, const Plan& plan);
  void order(const TestCluster& cluster, const std::string& line) const;
  std::string come_to_rest(const TestCluster& cluster) const;
  std::string what_does_not_rest(const TestCluster& cluster) const;
  std::string look_for_leftovers(const TestCluster& cluster) const;
  std::string judge(const TestCluster& cluster) const;

  template <typename Item>
  const Item& one_of(const std::vector<Item>& items) {
    return items[random_.below(items.size())];
  }

  Random random_;
  Report& report_;
  const steady_clock::time_point end_;
  std::uint32_t cases_ = 0;
  std::uint32_t failures_ = 0;
  std::map<std::string, std::uint32_t> outcomes_;
  std::map<std::string, Footprint> before_;  // by node
};

void Soak::run_cluster() {
  // Leases long enough for a machine that is busy with all this.
  TestCluster cluster(3, {"--faults", "--record", "--set", "SameSubnetThreshold=8"});
  for (std::size_t i = 0; i < kVms.size(); ++i) {
    cluster.verb({"vm", "create", kVms[i], "--memory", "64MiB", "--owner", cluster.nodes()[i],
                  "--dirty-rate", "8MiB/s", "--working-set", "16MiB", "--start"});
  }
  if (const std::string wrong = come_to_rest(cluster); !wrong.empty()) {
    cli::fail(Code::kNotReady, "A new cluster does not come to rest: " + wrong, "");
  }
  cli::Client client = cluster.new_client();
  for (const std::string& node : cluster.nodes()) {
    before_[node] = footprint_of(cluster.directory(), client, node);
  }
  for (std::uint32_t i = 0; i < kCasesACluster && steady_clock::now() < end_; ++i) {
    const Plan plan = draw(cluster);
    const std::string which = "case " + std::to_string(++cases_) + ", " + plan.source + " to " +
                              plan.target + " (" + plan.leader + " leads): " + plan.text;
    const std::string outcome = carry_out(cluster, plan);
    ++outcomes_[outcome];
    std::string wrong = come_to_rest(cluster);
    if (wrong.empty()) wrong = look_for_leftovers(cluster);
    for (const std::string& vm : kVms) expect_sound_journal(cluster.directory(), vm, report_);
    if (wrong.empty()) wrong = judge(cluster);
    report_.say(which + ": " + outcome + (wrong.empty() ? "" : "; " + wrong));
    if (wrong.empty()) continue;
    ++failures_;
    report_.expect(false, which + ": " + wrong);
    // It is kept, with its recordings; the next case has a cluster of its own.
    throw cli::Failure{{Code::kInvalidState, wrong, "See its directory."}, 1};
  }
}

// ---- What happens -------------------------------------------------------------------------------

Plan Soak::draw(const TestCluster& cluster) {
  Plan plan;
  plan.source = cli::text_in(cluster.vm(kVm), "owner_node");
  plan.leader = cluster.leader();
  std::vector<std::string> others;
  for (const std::string& node : cluster.nodes()) {
    if (node != plan.source) others.push_back(node);
  }
  plan.target = one_of(others);
  plan.delay = milliseconds(random_.below(static_cast<std::uint64_t>(kLongestDelay.count())));
  const std::uint64_t dice = random_.below(10);
  if (dice < 5) {
    draw_point(plan);
  } else if (dice < 8) {
    draw_disturbance(plan);
  } else {
    draw_request(plan);
  }
  return plan;
}

// At a named point, by whoever passes it.
void Soak::draw_point(Plan& plan) {
  std::vector<std::string> points;
  for (const std::string& point : fault::point_names()) {
    const bool is_late = point.starts_with("round.") && !point.starts_with("round.1.") &&
                         !point.starts_with("round.2.");
    if (!is_late) points.push_back(point);
  }
  const std::string& point = one_of(points);
  std::vector<std::string> terms = {"kill",        "kill",    "freeze(500ms)", "freeze(4s)",
                                    "freeze(10s)", "cut(4s)", "delay(1s)",     "cancel"};
  for (const char* word : {"DROP", "ENOSPC", "NO_MEMORY"}) {
    const std::string term = "return(" + std::string(word) + ")";
    const auto parsed = fault::parse_terms(term);
    if (parsed.ok() && !fault::terms_refused(*fault::find_point(point), parsed.value())) {
      terms.push_back(term);
    }
  }
  plan.text = one_of(terms) + " at " + point;
  plan.before = {"failpoint " + point + " terms=1*" + plan.text.substr(0, plan.text.find(' ')) +
                 " for=8s"};
}

// Some time after the migration has begun.
void Soak::draw_disturbance(Plan& plan) {
  std::vector<const matrix::Disturbance*> those;
  for (const matrix::Disturbance& one : matrix::disturbances()) {
    const bool is_long = one.name.ends_with(" 60s") && random_.below(4) != 0;
    if (!one.orders.empty() && !is_long && !one.name.starts_with("power-off"))
      those.push_back(&one);
  }
  const matrix::Disturbance& one = *one_of(those);
  const auto number = [](const std::string& node) {
    return static_cast<NodeId>(std::stoul(node.substr(node.find('-') + 1)));
  };
  matrix::Sides sides{number(plan.source), number(plan.target), number(plan.leader), 0};
  for (NodeId node = 1; node <= 3; ++node) {
    if (node != sides.source && node != sides.target) sides.third = node;
  }
  // Links of a leader to itself are none.
  if (one.name.find("leader ") != std::string::npos &&
      plan.leader != "node-" + std::to_string(sides.third)) {
    return draw_request(plan);
  }
  plan.text = one.name + " after " + std::to_string(plan.delay.count()) + " ms";
  for (const std::string& order : one.orders)
    plan.during.push_back(matrix::order_for(order, sides));
}

void Soak::draw_request(Plan& plan) {
  plan.is_verb = true;
  plan.during = {
      one_of<std::string>({"migrate cancel web", "job request-state-change JOB Terminate",
                           "job request-state-change JOB Kill"})};
  plan.text = plan.during.front() + " after " + std::to_string(plan.delay.count()) + " ms";
}

// ---- A case -------------------------------------------------------------------------------------

void Soak::order(const TestCluster& cluster, const std::string& line) const {
  std::vector<std::string> words = words_of(line);
  words.insert(words.begin(), {"fault", "inject"});
  std::string lease;
  std::erase_if(words, [&lease](const std::string& word) {
    if (!word.starts_with("for=")) return false;
    lease = word.substr(4);
    return true;
  });
  words.insert(words.end(), {"--for", lease});
  const VerbResult result = cluster.try_verb(words);
  // A node may be down by now: that is the case, too.
  if (result.exit != 0) report_.say("  " + line + ": " + result.message);
}

std::string Soak::carry_out(const TestCluster& cluster, const Plan& plan) {
  for (const std::string& line : plan.before) order(cluster, line);
  auto migration = std::async(std::launch::async, [&] {
    return cluster.try_verb({"migrate", kVm, "--to", plan.target, "--bandwidth", "64MiB/s",
                             "--downtime-limit", "100ms", "--max-rounds", "8"});
  });
  std::this_thread::sleep_for(plan.delay);
  for (const std::string& line : plan.during) {
    if (!plan.is_verb) {
      order(cluster, line);
      continue;
    }
    std::vector<std::string> words = words_of(line);
    for (std::string& word : words) {
      if (word == "JOB") {
        word = std::to_string(cli::number_in(cluster.get("/v1/migrations/web"), "job_id"));
      }
    }
    cluster.try_verb(words);
  }
  const VerbResult result = migration.get();
  const auto known = kOutcomes.find(result.exit);
  return known != kOutcomes.end() ? known->second : "status " + std::to_string(result.exit);
}

// ---- What has to be true again ------------------------------------------------------------------

std::string Soak::come_to_rest(const TestCluster& cluster) const {
  // What was killed is started again when its lease is over.
  wait_until(
      [&] {
        return cluster.verb({"fault", "list"}).as_array().empty();
      },
      milliseconds(70'000));
  cluster.try_verb({"fault", "heal", "--all"});
  for (const std::string& node : cluster.nodes()) cluster.try_verb({"node", "start", node});
  std::string wrong;
  wait_until([&] { return (wrong = what_does_not_rest(cluster)).empty(); }, kRestLimit);
  return wrong;
}

std::string Soak::what_does_not_rest(const TestCluster& cluster) const {
  cli::Client client = cluster.new_client();
  const auto rows = [&client](const char* path) {
    return cli::patient_poll(client, path, milliseconds(0)).as_array();
  };
  for (const json::value& node : rows("/v1/nodes")) {
    if (cli::enum_value_in(node.as_object(), "state") != 0) {
      return cli::text_in(node.as_object(), "name") + " is not Up";
    }
  }
  for (const json::value& task : rows("/v1/tasks")) {
    if (!cli::flag_in(task.as_object(), "is_complete")) {
      return "a task has not ended: " + json::serialize(task);
    }
  }
  for (const std::string& name : kVms) {
    const json::object vm = cluster.vm(name);
    if (cli::enum_value_in(vm, "state") != kVmRunning ||
        !cli::flag_in(cli::object_in(vm, "guest"), "executing")) {
      return "VM " + name + " does not run: " + json::serialize(vm);
    }
  }
  return "";
}

std::string Soak::look_for_leftovers(const TestCluster& cluster) const {
  std::string left;
  cli::Client client = cluster.new_client();
  wait_until(
      [&] {
        left.clear();
        for (const std::string& node : cluster.nodes()) {
          if (!left.empty()) break;
          left =
              left_behind(node, before_.at(node), footprint_of(cluster.directory(), client, node));
        }
        return left.empty();
      },
      kGoneLimit);
  return left;
}

std::string Soak::judge(const TestCluster& cluster) const {
  const VerbResult result = cluster.try_verb({"check", cluster.directory().path().string()});
  if (result.exit == 0 || result.exit == kNothingPutToTheTest) return "";
  return "failsim check ends with status " + std::to_string(result.exit) + ": " + result.message +
         " " + json::serialize(result.answer).substr(0, 2000);
}

}  // namespace

void bench_soak(const Options& options, Report& report) {
  Soak(options, report).run();
}

}  // namespace failsim::bench
