// Running another program: what it said, how it ended, and what it cost.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace failsim::bench {

struct CommandResult {
  int exit = 0;  // 128 + the signal if one ended it
  std::string output;
  std::string errors;
  double seconds = 0;
  double cpu_seconds = 0;  // of it and of the children it waited for
};

// Runs the program to its end; `environment` is added to ours ("NAME=VALUE"). The first word may be
// a name that PATH knows. May be called from any thread.
CommandResult run_command(const std::vector<std::string>& words,
                          const std::vector<std::string>& environment = {});

// Starts it and returns; its output goes nowhere.
pid_t start_command(const std::vector<std::string>& words);
// The exit status, when it has ended.
int wait_for_command(pid_t child);

// The path of a program that lies beside this one.
std::string beside(const std::string& program);

}  // namespace failsim::bench
