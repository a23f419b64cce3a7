// Threads that end by themselves, and work that is not for the guest thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace failsim::node {

// Lowers the priority of the calling thread: what it does is bulk work, and the event loop's
// heartbeats come first. Refusal by the system is no harm.
void make_thread_modest();

// One thread a task; each is joined soon after its task has ended.
class ThreadGroup {
 public:
  ~ThreadGroup() { join_all(); }
  void spawn(std::function<void()> task);
  void join_all();

 private:
  struct Entry {
    std::thread thread;
    std::atomic<bool> ended = false;
  };
  std::mutex mutex_;
  std::list<Entry> entries_;
};

// A few threads that take tasks in order: booting guests, giving memory back.
class Workers {
 public:
  explicit Workers(unsigned threads);
  ~Workers() { stop(); }
  void run(std::function<void()> task);
  // Performs what is queued and ends. Tasks that come later are performed by the caller.
  void stop();

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace failsim::node
