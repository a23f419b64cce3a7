#include "tools/explore/archive.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "tools/explore/assertion.h"
#include "tools/report/wording.h"
#include "tools/scenario/folder.h"
#include "tools/scenario/new_folder.h"
#include "tools/scenario/virtual_run.h"
#include "tools/scenario/yaml.h"

namespace failsim::explore {
namespace {

namespace fs = std::filesystem;

constexpr char kSeedsFile[] = "seeds";

Result<std::string> read_file(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  if (!stream) {
    return Error{Code::kNotFound, "The file " + file.string() + " cannot be read.",
                 "Check the path."};
  }
  return text.str();
}

// FNV-1a: a short name for a text, the same on every machine.
std::string short_hash(std::string_view text) {
  std::uint32_t hash = 2166136261u;
  for (const char letter : text) {
    hash = (hash ^ static_cast<unsigned char>(letter)) * 16777619u;
  }
  char name[16];
  std::snprintf(name, sizeof name, "%08x", hash);
  return name;
}

Result<std::vector<std::uint64_t>> read_seeds(const fs::path& file) {
  const Result<std::string> text = read_file(file);
  if (!text) return text.error();
  std::vector<std::uint64_t> seeds;
  std::istringstream lines(text.value());
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    line = line.substr(0, line.find('#'));
    line.erase(std::remove(line.begin(), line.end(), ' '), line.end());
    if (line.empty()) continue;
    std::uint64_t seed = 0;
    const auto [end, problem] = std::from_chars(line.data(), line.data() + line.size(), seed);
    if (problem != std::errc() || end != line.data() + line.size()) {
      return Error{
          Code::kInvalidData,
          file.string() + ":" + std::to_string(number) + ": \"" + line + "\" is not a seed.",
          "Write one number on a line; # begins a comment."};
    }
    seeds.push_back(seed);
  }
  return seeds;
}

std::string readme_of(const Minimised& smallest, const Failure& failure) {
  std::string text = smallest.scenario.sentence + "\n\nFound by " +
                     (failure.replay.empty() ? failure.name : "`" + failure.replay + "`") +
                     " and made smaller in " + history::counted(smallest.runs, "run");
  text += smallest.is_minimal ? "; nothing of it can be left out.\n" : "; the time ran out.\n";
  if (smallest.scenario.virtual_only) {
    text += "\nVirtual only: what fails here depends on delays that the seed of the world draws.\n";
  }
  return text;
}

}  // namespace

Result<Corpus> load_corpus(const std::string& folder) {
  std::error_code problem;
  if (!fs::is_directory(folder, problem)) {
    return Error{Code::kNotFound, "There is no folder " + folder + ".",
                 "Give a folder with scenarios in folders of their own, or a file named seeds."};
  }
  Corpus corpus;
  // A folder with nothing but seeds is a corpus, too.
  const Result<std::vector<std::string>> files = scenario::find_scenarios({folder});
  if (!files && files.error().code != Code::kNotFound) return files.error();
  for (const std::string& file : files ? files.value() : std::vector<std::string>()) {
    scenario::Loaded loaded = scenario::load(file);
    if (!loaded.scenario) {
      return Error{Code::kInvalidData, loaded.problems.front(),
                   "Correct it, or take it out of the corpus."};
    }
    corpus.scenarios.push_back(std::move(*loaded.scenario));
  }
  const fs::path seeds_file = fs::path(folder) / kSeedsFile;
  if (!fs::exists(seeds_file)) return corpus;
  Result<std::vector<std::uint64_t>> seeds = read_seeds(seeds_file);
  if (!seeds) return seeds.error();
  corpus.seeds = seeds.take();
  return corpus;
}

Result<scenario::Outcome> write_tried(const std::string& folder, const scenario::Scenario& scenario,
                                      const std::string& readme) {
  scenario::FolderContent content{readme, scenario, std::nullopt};
  const Result<scenario::Scenario> read = scenario::read_as_folder(folder, content);
  if (!read) return read.error();
  Worlds worlds;
  worlds.run = [](const scenario::Scenario& run, std::ostream*) {
    return scenario::run_virtual(run);
  };
  scenario::Outcome outcome = run_in_child(read.value(), worlds);
  if (find_violation(outcome, kAssertion) == nullptr) {
    outcome = scenario::run_virtual_twice(read.value());
  }
  if (outcome.verdict == scenario::Verdict::kPass) content.events = outcome.events;
  if (const auto problem = scenario::write_folder(folder, content)) return *problem;
  return outcome;
}

Result<std::string> save_failure(const std::string& parent, const Minimised& smallest,
                                 const Failure& failure) {
  const std::string yaml = scenario::to_yaml(smallest.scenario);
  const fs::path folder = fs::path(parent) / (failure.label + "-" + short_hash(yaml));
  Minimised named = smallest;
  named.scenario.sentence = failure.label + " is broken: " + failure.text + ".";
  const auto problem = scenario::write_folder(
      folder.string(), {readme_of(named, failure), named.scenario, std::nullopt});
  if (problem && problem->code != Code::kAlreadyExists) return *problem;
  return folder.string();
}

}  // namespace failsim::explore
