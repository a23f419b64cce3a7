// replay: what a real process was told, told again to the same code.
#include <algorithm>
#include <iostream>

#include "cluster/core_fingerprint.h"
#include "tools/failsim/replay.h"
#include "tools/failsim/replay_text.h"
#include "tools/failsim/verb.h"

namespace failsim::cli {
namespace {

// The recordings below a directory, by path; the file itself if it is one.
std::vector<fs::path> recordings_of(const fs::path& given) {
  std::error_code error;
  if (!fs::exists(given, error)) {
    fail(Code::kNotFound, "There is no file or directory " + given.string() + ".",
         "Name a recording, or the directory of a cluster that was started with --record.");
  }
  if (!fs::is_directory(given)) return {given};
  std::vector<fs::path> found = files_below(given, kRecordingExtension);
  if (found.empty()) {
    fail(Code::kNotFound, "There is no recording (*.fsrec) below " + given.string() + ".",
         "A cluster is recorded with: failsim up --record");
  }
  return found;
}

// How the recording ends, in words.
std::string end_of(const Recording& recording) {
  if (!recording.end().empty()) return "was stopped: " + recording.end();
  if (recording.torn_bytes() > 0) {
    return "is torn: " + std::to_string(recording.torn_bytes()) +
           " bytes are left of a record that was being written";
  }
  const bool in_step = recording.steps() > 0 && !recording.step(recording.steps()).effects_hash;
  return in_step ? "ends in its last step" : "ends after a whole step";
}

json::object describe(const fs::path& path, const Recording& recording) {
  const MemberConfig config = recording.config();
  return {{"file", path.string()},
          {"node", node_name(config.self)},
          {"start", config.incarnation >> 32},
          {"version", recording.version()},
          {"core", recording.core()},
          {"same_core", recording.core() == core_fingerprint()},
          {"recorded_steps", recording.steps()},
          {"recording", end_of(recording)}};
}

json::object damaged(const fs::path& path, const Error& error) {
  return {{"file", path.string()}, {"verdict", "damaged"}, {"error", to_json(error)}};
}

void print_crash(const json::object& crash, bool recorded_too) {
  std::cout << "  step " << number_in(crash, "step") << ", which "
            << (recorded_too ? "is the last that was recorded" : "the recorded process survived")
            << ": the replay " << text_in(crash, "process") << "\n"
            << "    event     " << text_in(crash, "event") << "\n";
}

void print_divergence(const json::object& divergence) {
  std::cout << "  step " << number_in(divergence, "step") << " is the first that differs\n"
            << "    event     " << text_in(divergence, "event") << "\n"
            << "    recorded  effects hash " << text_in(divergence, "recorded_hash") << "\n"
            << "    replayed  effects hash " << text_in(divergence, "replayed_hash") << "\n";
  for (const json::value& line : array_in(divergence, "replayed_effects")) {
    std::cout << "      " << plain(line) << "\n";
  }
}

void print_end(const json::object& end) {
  std::cout << "  " << text_in(end, "role") << " of term " << number_in(end, "term") << ", leader "
            << plain_in(end, "leader") << ", applied " << number_in(end, "applied_index")
            << ", state hash " << text_in(end, "state_hash") << "\n";
  for (const json::value& row : array_in(end, "vms")) {
    const json::object& vm = row.as_object();
    std::cout << "  VM " << text_in(vm, "name") << ": " << text_in(vm, "state") << " on "
              << text_in(vm, "owner_node") << "\n";
  }
}

void print(const json::object& outcome) {
  const std::string verdict = text_in(outcome, "verdict");
  std::cout << text_in(outcome, "file") << ": " << verdict << "\n";
  if (verdict == "damaged") {
    const json::object& error = object_in(outcome, "error");
    std::cout << "  " << text_in(error, "message") << " " << text_in(error, "next") << "\n"
              << std::flush;
    return;
  }
  std::cout << "  " << text_in(outcome, "node") << ", start " << number_in(outcome, "start") << ": "
            << number_in(outcome, "steps") << " of " << number_in(outcome, "recorded_steps")
            << " steps, " << seconds_text(static_cast<Duration>(number_in(outcome, "span_ns")))
            << "; the recording " << text_in(outcome, "recording") << "\n";
  if (!flag_in(outcome, "same_core")) {
    std::cout << "  recorded by another build of the core (" << text_in(outcome, "core")
              << "; this is " << core_fingerprint() << "): differences may come from that\n";
  }
  if (!is_null_in(outcome, "crash")) {
    print_crash(object_in(outcome, "crash"), verdict == "crashed");
  }
  if (!is_null_in(outcome, "divergence")) print_divergence(object_in(outcome, "divergence"));
  if (!is_null_in(outcome, "end")) print_end(object_in(outcome, "end"));
  std::cout << std::flush;
}

int exit_of(const std::string& verdict) {
  if (verdict == "diverged") return kExitDiverged;
  if (verdict == "damaged") return kExitDamaged;
  return verdict == "crashed" ? kExitFailed : 0;
}

// The worst of several: a divergence casts doubt on the rest, a crash that recurs does not.
std::string worst_of(const json::array& outcomes) {
  for (const char* verdict : {"diverged", "damaged", "crashed"}) {
    for (const json::value& outcome : outcomes) {
      if (text_in(outcome.as_object(), "verdict") == verdict) return verdict;
    }
  }
  return "same";
}

json::object replay_file(const fs::path& path, const ReplayOptions& options) {
  const Result<Recording> recording = Recording::read(path.string());
  if (!recording) return damaged(path, recording.error());
  json::object outcome = describe(path, recording.value());
  for (const auto& field : replay_in_child(recording.value(), options)) {
    outcome[field.key()] = field.value();
  }
  return outcome;
}

int replay_all(Context& context, const Arguments& arguments) {
  ReplayOptions options;
  if (arguments.given("--until")) {
    options.until = arguments.count("--until", 0, std::numeric_limits<std::uint64_t>::max());
  }
  const std::vector<fs::path> paths = recordings_of(arguments.text("RECORDING"));
  if (arguments.flag("--verbose")) {
    if (context.json()) {
      fail_usage("--verbose prints lines for people, so --output json does not go with it.",
                 "Give one of them.");
    }
    if (paths.size() > 1) {
      fail_usage("--verbose is for one recording, and " + arguments.text("RECORDING") + " holds " +
                     std::to_string(paths.size()) + ".",
                 "Name one: " + paths.front().string());
    }
    options.lines = &std::cout;
  }
  json::array outcomes;
  for (const fs::path& path : paths) {
    json::object outcome = replay_file(path, options);
    if (!context.json()) print(outcome);
    outcomes.push_back(std::move(outcome));
  }
  const std::string verdict = worst_of(outcomes);
  if (context.json()) {
    context.output().data(json::object{{"verdict", verdict}, {"recordings", std::move(outcomes)}});
  }
  return exit_of(verdict);
}

}  // namespace

std::vector<Verb> replay_verbs() {
  return {{"replay",
           "Run what real nodes have recorded again, and compare",
           {positional("RECORDING", "A recording, or a directory with recordings in it"),
            option("--until", "STEP", "End after this step, and show the state then"),
            flag("--verbose", "Print every step: time, event and effects")},
           "  failsim replay ~/.local/state/failsim/failsim\n"
           "  failsim replay c1/node-1/recording-1.fsrec --until 500 --verbose\n",
           replay_all}};
}

}  // namespace failsim::cli
