// simulate: the same members in virtual time, by seed.
#include <chrono>
#include <functional>
#include <iostream>
#include <limits>

#include "tools/failsim/side_by_side.h"
#include "tools/failsim/verb.h"
#include "tools/sim/simulate.h"

namespace failsim::cli {
namespace {

constexpr std::chrono::milliseconds kNoTimeout{std::chrono::hours(24 * 365)};

// Only in a build that can make mistakes on purpose.
#ifdef FAILSIM_PLANTED_MISTAKES

Argument plant_option() {
  return option("--plant", "MISTAKE", "Make this mistake on purpose; 'list' names them all");
}

bool listed_mistakes(const Arguments& arguments) {
  if (!arguments.given("--plant") || arguments.text("--plant") != "list") return false;
  for (const PlantedMistake& row : planted_mistakes()) {
    std::cout << row.name << "\n  " << row.what << "\n  breaks: " << row.rule
              << "\n  expected: " << row.caught_by << '\n';
  }
  return true;
}

void plant(const Arguments& arguments, sim::SimulateOptions& options) {
  if (!arguments.given("--plant")) return;
  options.planted = arguments.text("--plant");
  const std::optional<Mistakes> mistakes = mistake_named(options.planted);
  if (!mistakes) {
    fail_usage("There is no mistake called '" + options.planted + "'.",
               "See: failsim simulate --plant list");
  }
  options.mistakes = *mistakes;
}

std::vector<Argument> with_planting(std::vector<Argument> arguments) {
  arguments.push_back(plant_option());
  return arguments;
}

#else

bool listed_mistakes(const Arguments&) {
  return false;
}
void plant(const Arguments&, sim::SimulateOptions&) {}
std::vector<Argument> with_planting(std::vector<Argument> arguments) {
  return arguments;
}

#endif

std::chrono::milliseconds timeout_of(const Arguments& arguments) {
  if (!arguments.given("--timeout")) return kNoTimeout;
  return std::chrono::milliseconds(arguments.duration("--timeout") / kMillisecond);
}

// An assertion that fails, and a run that does not end, end a process of its own.
int in_child(std::chrono::milliseconds timeout, const std::function<int()>& work) {
  int exit = kExitInternal;
  const auto run = [&work](std::size_t) { return json::object{{"exit", work()}}; };
  side_by_side(1, 1, timeout, run, [&exit](std::size_t, const ChildEnd& end) {
    if (end.failure) throw *end.failure;
    if (end.result) {
      exit = static_cast<int>(number_in(*end.result, "exit"));
    } else if (end.timed_out) {
      throw Failure{{Code::kTimeout, "The simulation had not ended within its --timeout.",
                     "Give it more time, or fewer seeds."},
                    kExitTimeout};
    } else {
      throw Failure{{Code::kOperationAborted, "The process of the simulation " + end.how + ".",
                     "See what it said before; failsim explore tells which seed it was."},
                    kExitFailed};
    }
  });
  return exit;
}

int simulate(Context& context, const Arguments& arguments) {
  if (listed_mistakes(arguments)) return 0;
  if (arguments.given("--seed") == arguments.given("--seeds")) {
    fail_usage("`failsim simulate` needs either --seeds N or --seed S.",
               "Write it like: failsim simulate --seeds 100");
  }
  if (arguments.given("--seeds") && arguments.given("--report")) {
    fail_usage("--report is of one seed; of many, those that fail get a report in any case.",
               "Leave it out, or give --seed S instead of --seeds.");
  }
  sim::SimulateOptions options;
  if (arguments.given("--seed")) {
    options.seed = arguments.count("--seed", 0, std::numeric_limits<std::uint64_t>::max());
  } else {
    options.seeds = arguments.count("--seeds", 1, 1'000'000'000);
  }
  options.nodes = static_cast<std::uint32_t>(arguments.count("--nodes", 1, kMaximumNodes));
  options.json = context.json();
  options.verbose = arguments.flag("--verbose");
  options.report = arguments.given("--report");
  if (!arguments.text("--report").empty()) options.runs = arguments.text("--report");
  plant(arguments, options);
  return in_child(timeout_of(arguments),
                  [&options] { return sim::simulate_main(options, std::cout, std::cerr); });
}

}  // namespace

std::vector<Verb> simulate_verbs() {
  return {{"simulate", "Run seeded chaos in virtual time and check the invariants",
           with_planting(
               {option("--seeds", "COUNT", "Run the seeds 1 to COUNT, each twice"),
                option("--seed", "SEED", "Run or replay one seed"),
                option("--nodes", "COUNT", "How many nodes the cluster has", "3"),
                option("--timeout", "DURATION", "How long all of it may take [for ever]"),
                optional_option("--report", "DIR",
                                "With --seed: write a report into DIR [runs], as --report=DIR; a "
                                "seed that fails gets one in any case"),
                flag("--verbose",
                     "With --seed: print every line of its trace; with --seeds: what happened")}),
           "  failsim simulate --seeds 100\n  failsim simulate --seed 42 --report\n  failsim "
           "simulate --seed 42 --output json\n",
           simulate}};
}

}  // namespace failsim::cli
