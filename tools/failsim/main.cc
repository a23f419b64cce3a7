#include "tools/failsim/command_line.h"

int main(int argc, char** argv) {
  return failsim::cli::run_command_line(argc, argv);
}
