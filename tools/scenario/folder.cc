#include "tools/scenario/folder.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "cluster/units.h"
#include "tools/scenario/lint.h"
#include "tools/scenario/yaml.h"

namespace failsim::scenario {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The first line that is neither empty nor a heading.
std::string sentence_of(const std::string& readme) {
  for (const std::string& line : lines_of(readme)) {
    if (!line.empty() && line.front() != '#') return line;
  }
  return "";
}

fs::path expected_path(const std::string& file) {
  return fs::path(file).parent_path() / kEventsFile;
}

void add_tree(const fs::path& root, std::vector<std::string>& files) {
  std::error_code error;
  for (fs::recursive_directory_iterator entry(root, error), end; entry != end;
       entry.increment(error)) {
    if (error) return;
    if (entry->path().filename() == kScenarioFile) files.push_back(entry->path().string());
  }
}

}  // namespace

Result<std::vector<std::string>> find_scenarios(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    const std::size_t before = files.size();
    std::error_code error;
    if (fs::is_directory(path, error)) {
      add_tree(path, files);
    } else if (fs::is_regular_file(path, error)) {
      files.push_back(path);
    }
    if (files.size() == before) {
      return Error{Code::kNotFound, "There is no scenario at \"" + path + "\".",
                   "Name a folder that holds scenario.yaml, or a tree of such folders."};
    }
  }
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files;
}

Loaded load(const std::string& file) {
  const std::optional<std::string> text = contents(file);
  if (!text) return {std::nullopt, {file + ": The file cannot be read. Check its permissions."}};
  const fs::path readme = fs::absolute(file).parent_path() / kReadmeFile;
  return read_scenario(file, *text, contents(readme).value_or(""));
}

Loaded read_scenario(const std::string& file, const std::string& yaml, const std::string& readme) {
  Reading reading = read_yaml(yaml);
  Loaded loaded;
  for (const Problem& problem : reading.problems) loaded.problems.push_back(to_line(file, problem));
  if (!reading.scenario) return loaded;
  Scenario& scenario = *reading.scenario;
  scenario.file = file;
  scenario.name = pins_events(file) ? fs::absolute(file).parent_path().filename().string()
                                    : fs::path(file).stem().string();
  for (const Problem& problem : lint(scenario)) loaded.problems.push_back(to_line(file, problem));
  if (pins_events(file)) {
    scenario.sentence = sentence_of(readme);
    if (!scenario.sentence.ends_with(".")) {
      loaded.problems.push_back((fs::path(file).parent_path() / kReadmeFile).string() +
                                ":1:1: The README has no sentence. Say in its first line what the "
                                "scenario shows.");
    }
  }
  if (loaded.problems.empty()) loaded.scenario = std::move(scenario);
  return loaded;
}

bool pins_events(const std::string& file) {
  return fs::path(file).filename() == kScenarioFile;
}

std::optional<std::string> check_events(const std::string& file, Outcome& outcome) {
  if (!pins_events(file)) return std::nullopt;
  const fs::path path = expected_path(file);
  std::error_code error;
  if (!fs::exists(path, error)) {
    return path.string() +
           ": There are no expected events, so none were compared. Pin them with "
           "--rewrite.";
  }
  const std::optional<std::string> text = contents(path);
  if (!text) {
    outcome.add("events", path.string() + ": The file cannot be read. Check its permissions.");
    return std::nullopt;
  }
  const std::vector<std::string> expected = lines_of(*text);
  for (std::size_t i = 0; i < std::max(expected.size(), outcome.events.size()); ++i) {
    const std::string wanted = i < expected.size() ? expected[i] : "the end";
    const std::string happened = i < outcome.events.size() ? outcome.events[i] : "the end";
    if (wanted == happened) continue;
    outcome.add("events", path.string() + ":" + std::to_string(i + 1) + ":1: Expected was " +
                              wanted + ", and there came " + happened +
                              ". Look at the difference with --rewrite and git diff.");
    break;
  }
  return std::nullopt;
}

Result<bool> rewrite_events(const std::string& file, const Outcome& outcome) {
  const fs::path path = expected_path(file);
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  for (const std::string& event : outcome.events) out << event << '\n';
  out.flush();
  if (out) return true;
  return Error{Code::kWriteFault, path.string() + " could not be written.",
               "Check its permissions and the space on the disk."};
}

}  // namespace failsim::scenario
