// explore: swarm testing in virtual time; explore merge: its shards put together.
#include <charconv>
#include <iostream>
#include <limits>

#ifdef FAILSIM_PLANTED_MISTAKES
#include "cluster/mistakes.h"
#endif
#include "tools/explore/explore.h"
#include "tools/failsim/verb.h"

namespace failsim::cli {
namespace {

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

// "2/8".
void set_shard(const std::string& text, explore::CampaignOptions& campaign) {
  const std::size_t slash = text.find('/');
  const auto number = [&](std::size_t from, std::size_t to, std::uint64_t& value) {
    const auto [end, problem] = std::from_chars(text.data() + from, text.data() + to, value);
    return problem == std::errc() && end == text.data() + to;
  };
  const bool is_understood = slash != std::string::npos && number(0, slash, campaign.shard) &&
                             number(slash + 1, text.size(), campaign.shards);
  if (is_understood && campaign.shard >= 1 && campaign.shard <= campaign.shards &&
      campaign.shards <= explore::kShardsMost) {
    return;
  }
  fail_usage("--shard \"" + text + "\" does not name a part of a campaign, which has at most " +
                 std::to_string(explore::kShardsMost) + ".",
             "Write it like: --shard 2/8");
}

#ifdef FAILSIM_PLANTED_MISTAKES
std::string plant_of(const Arguments& arguments) {
  const std::string plant = arguments.text("--plant");
  if (!plant.empty() && !mistake_named(plant)) {
    fail_usage("There is no mistake called '" + plant + "'.", "See: failsim simulate --plant list");
  }
  return plant;
}
#else
std::string plant_of(const Arguments& arguments) {
  if (arguments.text("--plant").empty()) return "";
  fail_usage("This failsim makes no mistakes on purpose.", "Build the preset planted for that.");
}
#endif

void refuse_contradictions(const Arguments& arguments) {
  const bool is_one = arguments.given("--seed");
  for (const char* of_one : {"--write", "--verbose"}) {
    if (is_one || !arguments.given(of_one)) continue;
    fail_usage(std::string(of_one) + " is of one seed.",
               std::string("Write it like: failsim explore --seed 7 ") + of_one +
                   (std::string(of_one) == "--write" ? " drawn" : ""));
  }
  for (const char* of_many : {"--seeds", "--first-seed", "--budget", "--jobs", "--corpus",
                              "--shard", "--stop", "--require-coverage"}) {
    if (!is_one || !arguments.given(of_many)) continue;
    fail_usage(std::string(of_many) + " is of a search through many seeds, and --seed replays one.",
               "Leave out one of them.");
  }
}

std::chrono::nanoseconds budget_of(const Arguments& arguments) {
  const Duration budget = arguments.duration("--budget");
  if (budget > 0) return std::chrono::nanoseconds(budget);
  fail_usage("A search for --budget " + arguments.text("--budget") + " would run nothing.",
             "Give it time, for example --budget 60s.");
}

explore::Tell teller(const Context& context) {
  return [is_json = context.json()](const Error& error) { print_error(error, is_json); };
}

int run_explore(Context& context, const Arguments& arguments) {
  refuse_contradictions(arguments);
  explore::ExploreOptions options;
  explore::CampaignOptions& campaign = options.campaign;
  if (arguments.given("--seed")) options.seed = arguments.count("--seed", 0, kMost);
  campaign.first_seed = arguments.count("--first-seed", 0, kMost / 2);
  if (arguments.given("--seeds")) campaign.seeds = arguments.count("--seeds", 1, 1'000'000'000);
  if (arguments.given("--budget") || !campaign.seeds) {
    campaign.budget = budget_of(arguments);
  }
  campaign.jobs = static_cast<std::uint32_t>(arguments.count("--jobs", 1, 256));
  campaign.minimise_budget = std::chrono::nanoseconds(arguments.duration("--smaller-for"));
  campaign.stops_at_first = arguments.flag("--stop");
  if (arguments.given("--shard")) set_shard(arguments.text("--shard"), campaign);
  options.write = arguments.text("--write");
  options.corpus = arguments.text("--corpus");
  options.keep = arguments.text("--keep");
  options.plant = plant_of(arguments);
  options.requires_coverage = arguments.flag("--require-coverage");
  options.json = context.json();
  options.verbose = arguments.flag("--verbose");
  return explore::explore_main(options, teller(context), std::cout, std::cerr);
}

int run_merge(Context& context, const Arguments& arguments) {
  return explore::merge_main(arguments.all("FILE"), arguments.flag("--require-coverage"),
                             context.json(), teller(context), std::cout, std::cerr);
}

}  // namespace

std::vector<Verb> explore_verbs() {
  const Argument require_coverage =
      flag("--require-coverage", "Fail when something never happened or was never checked");
  return {
      {"explore",
       "Search for failures: each seed draws a cluster, work and faults of its own",
       {option("--budget", "DURATION", "Search for so long, on the wall clock", "60s"),
        option("--seeds", "COUNT", "Search so many seeds (default: until the budget is spent)"),
        option("--first-seed", "SEED", "The seed to begin with", "1"),
        option("--jobs", "COUNT", "How many run side by side", "2"),
        option("--corpus", "DIR", "Scenarios, and a file of seeds, that are run first"),
        option("--keep", "DIR", "Where failures are saved, each made as small as it gets",
               "failures"),
        option("--smaller-for", "DURATION", "Make each failure smaller for so long at most",
               "120s"),
        option("--shard", "I/N", "Take only every N-th seed, the I-th of them first"),
        option("--plant", "NAME", "Make this mistake on purpose (preset planted only)"),
        option("--seed", "SEED", "Replay this seed, twice"),
        option("--write", "DIR",
               "With --seed: write the scenario that it draws into this new folder"),
        flag("--stop", "Stop at the first failure"), require_coverage,
        flag("--verbose", "With --seed: print every line of its trace")},
       "  failsim explore --budget 10m\n"
       "  failsim explore --seed 42 --write drawn\n"
       "  failsim explore --seeds 1000 --shard 1/4 --output json > 1.json\n",
       run_explore},
      {"explore merge",
       "Put the results of shards together",
       {repeated_positional("FILE", "What a shard printed with --output json"), require_coverage},
       "  failsim explore merge 1.json 2.json 3.json 4.json\n",
       run_merge}};
}

}  // namespace failsim::cli
