// What a verb says: data on standard output, messages on standard error, progress on a terminal.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "tools/failsim/errors.h"
#include "tools/failsim/json.h"
#include "tools/report/wording.h"

namespace failsim::cli {

class Output {
 public:
  explicit Output(bool json) : json_(json) {}

  bool json() const { return json_; }

  // One line of JSON on standard output.
  void data(const json::value& value);
  // One line of text on standard output.
  void line(std::string_view text);
  // Columns under their headings, on standard output.
  void table(const std::vector<std::string>& headings,
             const std::vector<std::vector<std::string>>& rows);
  // The fields of each object as a table; a heading is the key in capitals.
  void table_of(const json::array& objects, const std::vector<std::string>& keys);
  // One field a line: "owner_node   node-1".
  void fields(const json::object& object);
  // Standard error; nothing under --output json, where only errors stand there.
  void message(std::string_view text);

 private:
  bool json_;
};

// The rows of a table as text lines.
std::string format_table(const std::vector<std::string>& headings,
                         const std::vector<std::vector<std::string>>& rows);

using history::counted;  // "1 round", "2 rounds"

// One sentence on standard error, or {error: {...}}.
void print_error(const Error& error, bool json);

// One line on a terminal that is drawn over and over; on anything else a line for each new phase.
class Progress {
 public:
  // On standard error, or on standard output where the progress is what was asked for.
  explicit Progress(bool enabled, bool on_output = false);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  bool enabled() const { return enabled_; }
  bool on_terminal() const { return on_terminal_; }
  void draw(const std::string& text);   // on a terminal only
  void phase(const std::string& text);  // a line, everywhere
  void clear();

 private:
  bool enabled_;
  std::ostream& stream_;
  bool on_terminal_;
  bool drawn_ = false;
};

// Control-C ends the process with exit status 130 after this text on standard error.
void set_interrupt_note(const std::string& text);
void catch_interrupts();

}  // namespace failsim::cli
