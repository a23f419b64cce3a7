#include "tools/failsim/output.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include <boost/json/serialize.hpp>
#include <unistd.h>

namespace failsim::cli {
namespace {

// Read by a signal handler: a plain buffer, and its length last.
char interrupt_note[512];
std::atomic<std::size_t> interrupt_note_size = 0;

extern "C" void on_interrupt(int) {
  const std::size_t size = interrupt_note_size.load();
  if (size > 0 && ::write(STDERR_FILENO, interrupt_note, size) < 0) ::_exit(kExitInterrupted);
  ::_exit(kExitInterrupted);
}

std::string upper_case(const std::string& key) {
  std::string text = key;
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (c == '_') c = ' ';
  }
  return text;
}

}  // namespace

void Output::data(const json::value& value) {
  std::cout << json::serialize(value) << "\n" << std::flush;
}

void Output::line(std::string_view text) {
  std::cout << text << "\n" << std::flush;
}

void Output::table(const std::vector<std::string>& headings,
                   const std::vector<std::vector<std::string>>& rows) {
  std::cout << format_table(headings, rows) << std::flush;
}

void Output::table_of(const json::array& objects, const std::vector<std::string>& keys) {
  std::vector<std::string> headings;
  for (const std::string& key : keys) headings.push_back(upper_case(key));
  std::vector<std::vector<std::string>> rows;
  for (const json::value& value : objects) {
    if (!value.is_object()) continue;
    std::vector<std::string> row;
    for (const std::string& key : keys) row.push_back(plain_in(value.get_object(), key));
    rows.push_back(std::move(row));
  }
  table(headings, rows);
}

void Output::fields(const json::object& object) {
  std::size_t width = 0;
  for (const auto& field : object) width = std::max(width, field.key().size());
  for (const auto& field : object) {
    std::string line(field.key().data(), field.key().size());
    line.resize(width + 2, ' ');
    std::cout << line << plain(field.value()) << "\n";
  }
  std::cout << std::flush;
}

void Output::message(std::string_view text) {
  if (!json_) std::cerr << text << "\n";
}

std::string format_table(const std::vector<std::string>& headings,
                         const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const std::string& heading : headings) widths.push_back(heading.size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  const auto add = [&](const std::vector<std::string>& cells) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      text += cells[i];
      if (i + 1 < cells.size()) text.append(widths[i] - cells[i].size() + 2, ' ');
    }
    text += "\n";
  };
  add(headings);
  for (const auto& row : rows) add(row);
  return text;
}

void print_error(const Error& error, bool json) {
  if (json) {
    std::cerr << json::serialize(json::object{{"error", to_json(error)}}) << "\n";
    return;
  }
  std::cerr << "failsim: " << error.message;
  if (!error.next.empty()) std::cerr << " " << error.next;
  std::cerr << " [" << code_name(error.code) << "]\n";
}

Progress::Progress(bool enabled, bool on_output)
    : enabled_(enabled), stream_(on_output ? std::cout : std::cerr), on_terminal_(false) {
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal != nullptr && std::strcmp(terminal, "dumb") == 0;
  const int descriptor = on_output ? STDOUT_FILENO : STDERR_FILENO;
  on_terminal_ = enabled && !dumb && ::isatty(descriptor) == 1;
}

void Progress::draw(const std::string& text) {
  if (!on_terminal_) return;
  stream_ << "\r\x1b[K" << text << std::flush;
  drawn_ = true;
}

void Progress::phase(const std::string& text) {
  if (!enabled_) return;
  clear();
  stream_ << text << "\n" << std::flush;
}

void Progress::clear() {
  if (drawn_) stream_ << "\r\x1b[K" << std::flush;
  drawn_ = false;
}

void set_interrupt_note(const std::string& text) {
  interrupt_note_size.store(0);
  const std::size_t size = std::min(text.size(), sizeof interrupt_note);
  std::memcpy(interrupt_note, text.data(), size);
  interrupt_note_size.store(size);
}

void catch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
}

}  // namespace failsim::cli
