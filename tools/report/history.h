// The history of a run as a file: one JSON object a line, in the order of the run's clock.
//
//   {"time_ns":1200000,"kind":"executes","node":1,"vm":"web","until_ns":1950000}
//
// The first line names the version of this form and the run; what each kind has is declared once,
// in fact_form.h, for writing and reading. A 64-bit hash or identity is hexadecimal text, because
// other readers of JSON round large numbers.
#pragma once

#include <cstdint>
#include <functional>
#include <istream>
#include <map>
#include <ostream>
#include <set>
#include <string>
#include <string_view>

#include "cluster/error.h"
#include "tools/report/fact.h"

namespace failsim::history {

// Of the version, in the first line.
inline constexpr std::string_view kHistoryKey = "failsim_history";
inline constexpr std::uint32_t kHistoryVersion = 1;

// What the history is of.
struct RunIdentity {
  std::string title;   // "seed 7", or the name of a scenario
  std::string replay;  // the line that runs it again
  std::string world = "virtual";
  bool operator==(const RunIdentity&) const = default;
};

// Writes facts as they come.
class HistoryWriter : public Sink {
 public:
  struct Options {
    bool heartbeats = false;  // messages of this kind are most of all and tell least
  };
  // `out` outlives the writer; whether writing succeeded is asked of it.
  HistoryWriter(std::ostream& out, const RunIdentity& run, Options options);
  HistoryWriter(std::ostream& out, const RunIdentity& run) : HistoryWriter(out, run, Options()) {}

  void take(Time now, const Fact& fact) override;

 private:
  std::ostream& out_;
  const Options options_;
  std::map<std::uint64_t, RowPtr<pb::EventRecord>> events_;  // written in full before
  std::set<std::uint64_t> left_out_;                         // messages
  std::string line_;
};

struct HistoryEnd {
  RunIdentity run;
  std::uint64_t facts = 0;
  bool is_torn = false;  // the last line was cut off in the middle, and is left out
};

// Hands every fact to the sink. Errors, with the number of the line: kInvalidData for a line that
// is no fact, is out of order or belongs to another version; kInvalidParameter for an input that is
// no history at all.
Result<HistoryEnd> read_history(std::istream& in, Sink& sink);

// "executes": the kind of a fact, as it is written.
std::string_view kind_of(const Fact& fact);

// Text as a JSON string, with its quotes.
void append_quoted(std::string& out, std::string_view text);

}  // namespace failsim::history
