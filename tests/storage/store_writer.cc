// Writes a history to the store in argv[1] and says after each batch how many there are, then waits
// to be killed.
#include <cstdio>
#include <memory>

#include <unistd.h>

#include "storage/rocks_store.h"
#include "tests/storage/history.h"

int main(int argc, char** argv) {
  if (argc != 2) return 64;
  auto opened = failsim::RocksStore::open(argv[1]);
  if (!opened) {
    std::fprintf(stderr, "%s\n", opened.error().message.c_str());
    return 1;
  }
  const failsim::History history = failsim::draw_history(21, 400, 8'000);
  int written = 0;
  for (const failsim::DurableBatch& batch : history.batches) {
    if (opened.value()->write(batch)) return 1;
    std::printf("%d\n", ++written);
    std::fflush(stdout);
  }
  ::pause();
  return 0;
}
