#include "tools/scenario/new_folder.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "tools/scenario/folder.h"
#include "tools/scenario/yaml.h"

namespace failsim::scenario {
namespace {

namespace fs = std::filesystem;

// What was created so far; it goes again unless it is kept.
class Created {
 public:
  Created() = default;
  // The last first: a folder goes when it is empty, and what others put there stays.
  ~Created() {
    std::error_code ignored;
    for (auto path = paths_.rbegin(); path != paths_.rend(); ++path) fs::remove(*path, ignored);
  }
  Created(const Created&) = delete;
  Created& operator=(const Created&) = delete;

  void add(const fs::path& path) { paths_.push_back(path); }
  void keep() { paths_.clear(); }

 private:
  std::vector<fs::path> paths_;
};

Error unwritable(const fs::path& path, const std::error_code& reason) {
  return {Code::kWriteFault,
          "\"" + path.string() + "\" cannot be written: " + reason.message() + ".",
          "Choose another folder, or make room."};
}

std::optional<Error> make_folders(const fs::path& folder, Created& created) {
  fs::path so_far;
  for (const fs::path& part : folder) {
    so_far /= part;
    std::error_code problem;
    if (fs::create_directory(so_far, problem)) created.add(so_far);
    if (problem == std::errc::file_exists) problem = make_error_code(std::errc::not_a_directory);
    if (problem) return unwritable(so_far, problem);
  }
  return std::nullopt;
}

std::optional<Error> write_file(const fs::path& file, const std::string& text, Created& created) {
  created.add(file);
  std::ofstream stream(file, std::ios::binary | std::ios::trunc);
  stream << text;
  stream.close();
  if (stream) return std::nullopt;
  return unwritable(file, {errno, std::generic_category()});
}

std::string lines(const std::vector<std::string>& events) {
  std::string text;
  for (const std::string& event : events) text += event + '\n';
  return text;
}

}  // namespace

std::optional<Error> refuse_folder(const std::string& folder) {
  std::error_code problem;
  const bool is_free = !fs::exists(folder, problem) ||
                       (fs::is_directory(folder, problem) && fs::is_empty(folder, problem));
  if (is_free) return std::nullopt;
  return Error{Code::kAlreadyExists, "\"" + folder + "\" exists already.",
               "Name a new folder for the scenario."};
}

Result<Scenario> read_as_folder(const std::string& folder, const FolderContent& content) {
  const std::string file = (fs::path(folder) / kScenarioFile).string();
  Loaded read = read_scenario(file, to_yaml(content.scenario), content.readme);
  if (read.scenario) return std::move(*read.scenario);
  return Error{Code::kInvalidData,
               "Nothing was written, for what was made is no scenario: " + read.problems.front(),
               "Please report it."};
}

std::optional<Error> write_folder(const std::string& folder, const FolderContent& content) {
  if (auto refused = refuse_folder(folder)) return refused;
  Created created;
  std::vector<std::pair<const char*, std::string>> files = {
      {kReadmeFile, content.readme}, {kScenarioFile, to_yaml(content.scenario)}};
  if (content.events) files.emplace_back(kEventsFile, lines(*content.events));
  if (auto problem = make_folders(folder, created)) return problem;
  for (const auto& [name, text] : files) {
    if (auto problem = write_file(fs::path(folder) / name, text, created)) return problem;
  }
  created.keep();
  return std::nullopt;
}

}  // namespace failsim::scenario
