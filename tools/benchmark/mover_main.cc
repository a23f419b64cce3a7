// Prints the rate of a live migration beside that of the minimal mover, measured in one run.
#include <cstdio>

#include "tools/benchmark/mover.h"

namespace failsim::bench {
namespace {

void print(const char* what, const Result<BulkFigure>& figure) {
  if (!figure.ok()) {
    std::fprintf(stderr, "%s: %s\n", what, figure.error().message.c_str());
    return;
  }
  std::printf(
      "%-20s %6.2f GiB/s   CPU s/GiB: source %.3f, target %.3f, both %.3f\n", what,
      figure.value().gib_per_second, figure.value().source_cpu_seconds_per_gib,
      figure.value().target_cpu_seconds_per_gib,
      figure.value().source_cpu_seconds_per_gib + figure.value().target_cpu_seconds_per_gib);
}

int run() {
  BulkOptions options;
  const Result<BulkFigure> mover = measure_mover(options);
  const Result<BulkFigure> migration = measure_migration(options);
  options.streams = 2;
  print("mover, 1 stream", mover);
  print("mover, 2 streams", measure_mover(options));
  print("migration, 1 stream", migration);
  if (!mover.ok() || !migration.ok()) return 1;
  std::printf("ratio                %6.2f\n",
              migration.value().gib_per_second / mover.value().gib_per_second);
  return 0;
}

}  // namespace
}  // namespace failsim::bench

int main() {
  return failsim::bench::run();
}
