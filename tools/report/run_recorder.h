// Records a run and writes its report: a sink for its facts, and the files of its directory.
//
//   options.json   everything that made the run what it is
//   scenario.yaml  the scenario, when there was one
//   history.jsonl  every fact (history.h), for `failsim check`
//   junit.xml      the rules as test cases
//   trace.json     for ui.perfetto.dev
//   report.html    the page
//   replay.txt     the line that runs it again
#pragma once

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "cluster/error.h"
#include "tools/report/account.h"
#include "tools/report/history.h"
#include "tools/report/timeline.h"

namespace failsim::history {

class RunRecorder : public Sink {
 public:
  struct About {
    RunIdentity run;
    std::string options;   // one JSON object
    std::string scenario;  // the text of its file; may be empty
  };
  // In a new directory under `runs`. kWriteFault with a sentence.
  static Result<std::unique_ptr<RunRecorder>> create(const std::filesystem::path& runs,
                                                     std::chrono::system_clock::time_point now,
                                                     About about);

  void take(Time now, const Fact& fact) override;

  // Writes everything that can only be written at the end: the path of the page.
  Result<std::filesystem::path> finish(const std::vector<invariants::Violation>& violations,
                                       const std::map<std::string, std::uint64_t>& evaluations);

 private:
  RunRecorder(std::filesystem::path directory, About about);

  const std::filesystem::path directory_;
  Account account_;
  std::ofstream history_;
  HistoryWriter writer_;
};

}  // namespace failsim::history
