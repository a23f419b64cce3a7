#include "node/hypervisor/threads.h"

#include <utility>

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace failsim::node {
namespace {

constexpr int kNice = 10;

}  // namespace

void make_thread_modest() {
  const sched_param parameters{};
  sched_setscheduler(0, SCHED_BATCH, &parameters);
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNice);
}

void ThreadGroup::spawn(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [](Entry& entry) {
    if (!entry.ended.load()) return false;
    entry.thread.join();
    return true;
  });
  Entry& entry = entries_.emplace_back();
  entry.thread = std::thread([&entry, task = std::move(task)]() mutable {
    make_thread_modest();
    task();
    task = nullptr;  // what it holds goes before the thread counts as ended
    entry.ended.store(true);
  });
}

void ThreadGroup::join_all() {
  std::list<Entry> entries;
  {
    const std::lock_guard lock(mutex_);
    entries.swap(entries_);
  }
  for (Entry& entry : entries) entry.thread.join();
}

Workers::Workers(unsigned threads) {
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

void Workers::run(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopped_) {
      tasks_.push_back(std::move(task));
      changed_.notify_one();
      return;
    }
  }
  task();
}

void Workers::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Workers::work() {
  make_thread_modest();
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopped_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

}  // namespace failsim::node
