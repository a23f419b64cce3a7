#include "tools/benchmark/journals.h"

#include "storage/volume.h"
#include "storage/volume_files.h"
#include "tools/failsim/errors.h"

namespace failsim::bench {

JournalSummary expect_sound_journal(const cli::ClusterDirectory& directory, const std::string& vm,
                                    Report& report) {
  const auto journals = VolumeFiles::read_journals(directory.volume().string());
  if (!journals.ok()) cli::fail(journals.error());
  const auto found = journals.value().find(vm);
  if (found == journals.value().end()) {
    report.expect(false, "the volume has a journal of " + vm);
    return {};
  }
  const std::optional<std::string> wrong = check_journal(found->second);
  report.expect(!wrong, "the journal of " + vm + " is sound: " + wrong.value_or(""));
  JournalSummary summary;
  for (const pb::JournalRecord& record : found->second) {
    if (record.counter() == 0) ++summary.owners;
    if (record.counter() != 0) summary.counter = record.counter();
  }
  return summary;
}

}  // namespace failsim::bench
