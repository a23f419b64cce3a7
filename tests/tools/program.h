// Runs a program as a person would: words in, exit status and both streams out.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <sys/types.h>

namespace failsim::test {

struct Outcome {
  int exit = -1;  // 128 + signal if one ended it
  std::string out;
  std::string err;
};

// A program that runs beside the test.
class Program {
 public:
  // `environment` is set beside what the test was started with.
  Program(const std::vector<std::string>& words,
          const std::map<std::string, std::string>& environment = {});
  ~Program();  // killed if nobody waited for it
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  pid_t pid() const { return pid_; }
  // Blocks for the next line of standard output; empty at its end.
  std::string next_line();
  // Blocks until it has ended; `out` holds what next_line() has not returned.
  Outcome wait();

 private:
  pid_t pid_ = -1;
  int out_ = -1;
  int err_ = -1;
  std::string read_ahead_;
};

Outcome run_program(const std::vector<std::string>& words,
                    const std::map<std::string, std::string>& environment = {});

// "vm create web" as its words.
std::vector<std::string> split(const std::string& words);

}  // namespace failsim::test
