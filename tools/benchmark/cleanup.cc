#include "tools/benchmark/cleanup.h"

#include <csignal>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include <unistd.h>

namespace failsim::bench {
namespace {

constexpr int kExitInterrupted = 130;

// Held while undoing, so that meanwhile nothing new is begun; what undoes may itself need to.
std::recursive_mutex mutex;
std::set<const std::function<void()>*> registered;

sigset_t interrupts() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

[[noreturn]] void wait_for_interrupt() {
  const sigset_t signals = interrupts();
  int signal = 0;
  while (::sigwait(&signals, &signal) != 0) continue;
  const std::lock_guard lock(mutex);
  for (const std::function<void()>* undo : registered) (*undo)();
  ::_exit(kExitInterrupted);
}

// Not before it is needed: what is measured by forking wants a process of one thread.
void start_waiting() {
  const sigset_t signals = interrupts();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread(wait_for_interrupt).detach();
}

}  // namespace

Undo::Undo(std::function<void()> undo) : undo_(std::move(undo)) {
  static std::once_flag waiting;
  std::call_once(waiting, start_waiting);
  const std::lock_guard lock(mutex);
  registered.insert(&undo_);
}

Undo::~Undo() {
  const std::lock_guard lock(mutex);
  registered.erase(&undo_);
}

}  // namespace failsim::bench
