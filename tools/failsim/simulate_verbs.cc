// simulate: the same members in virtual time, by seed.
#include <iostream>
#include <limits>

#include "tools/failsim/verb.h"
#include "tools/sim/simulate.h"

namespace failsim::cli {
namespace {

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

int simulate(Context& context, const Arguments& arguments) {
  if (listed_mistakes(arguments)) return 0;
  if (arguments.given("--seed") == arguments.given("--seeds")) {
    fail_usage("`failsim simulate` needs either --seeds N or --seed S.",
               "Write it like: failsim simulate --seeds 100");
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
  return sim::simulate_main(options, std::cout, std::cerr);
}

}  // namespace

std::vector<Verb> simulate_verbs() {
  return {{"simulate", "Run seeded chaos in virtual time and check the invariants",
           with_planting(
               {option("--seeds", "COUNT", "Run the seeds 1 to COUNT, each twice"),
                option("--seed", "SEED", "Run or replay one seed"),
                option("--nodes", "COUNT", "How many nodes the cluster has", "3"),
                optional_option("--report", "DIR",
                                "With --seed: write a report into DIR [runs], as --report=DIR; a "
                                "seed that fails gets one in any case"),
                flag("--verbose", "With --seed: print every line of its trace")}),
           "  failsim simulate --seeds 100\n  failsim simulate --seed 42 --report\n  failsim "
           "simulate --seed 42 --output json\n",
           simulate}};
}

}  // namespace failsim::cli
