#include "tools/report/run_recorder.h"

#include <array>
#include <utility>

#include "tools/report/run_directory.h"

namespace failsim::history {

namespace fs = std::filesystem;

RunRecorder::RunRecorder(fs::path directory, About about)
    : directory_(std::move(directory)),
      history_(directory_ / "history.jsonl", std::ios::binary),
      writer_(history_, about.run) {
  account_.run = std::move(about.run);
  account_.options = std::move(about.options);
  account_.scenario = std::move(about.scenario);
}

Result<std::unique_ptr<RunRecorder>> RunRecorder::create(const fs::path& runs,
                                                         std::chrono::system_clock::time_point now,
                                                         About about) {
  Result<fs::path> directory = create_run_directory(runs, now);
  if (!directory) return directory.error();
  return std::unique_ptr<RunRecorder>(new RunRecorder(directory.take(), std::move(about)));
}

void RunRecorder::take(Time now, const Fact& fact) {
  writer_.take(now, fact);
  account_.timeline.take(now, fact);
}

Result<fs::path> RunRecorder::finish(const std::vector<invariants::Violation>& violations,
                                     const std::map<std::string, std::uint64_t>& evaluations) {
  account_.violations = violations;
  account_.evaluations = evaluations;
  account_.timeline.close();
  history_.close();
  if (!history_) {
    return Error{
        Code::kWriteFault,
        "The history '" + (directory_ / "history.jsonl").string() + "' could not be written whole.",
        "Make room or choose another directory."};
  }
  const std::array<std::pair<const char*, std::string>, 5> files = {
      {{"options.json", account_.options + "\n"},
       {"junit.xml", junit_of(account_)},
       {"trace.json", trace_of(account_)},
       {"replay.txt", account_.run.replay + "\n"},
       {"report.html", page_of(account_)}}};
  for (const auto& [name, content] : files) {
    const Result<fs::path> written = write_run_file(directory_ / name, content);
    if (!written) return written.error();
  }
  if (!account_.scenario.empty()) {
    const Result<fs::path> written =
        write_run_file(directory_ / "scenario.yaml", account_.scenario);
    if (!written) return written.error();
  }
  return directory_ / "report.html";
}

}  // namespace failsim::history
