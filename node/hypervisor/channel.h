// A stream socket between two nodes that is given up at a moment's notice.
//
// No call blocks but in poll(), and each poll also waits for the signal of the transfer: an abort
// ends any call at once, however long the peer is silent or the socket is full.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sys/uio.h>

#include "cluster/error.h"
#include "cluster/time.h"
#include "node/hypervisor/data_cipher.h"
#include "node/hypervisor/fault_seam.h"

namespace failsim::node {

// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int number) : number_(number) {}
  Fd(Fd&& other) noexcept : number_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { reset(); }

  int get() const { return number_; }
  bool valid() const { return number_ >= 0; }
  int release();
  void reset();

 private:
  int number_ = -1;
};

// Wakes the one thread that waits for it. What it is woken for lies elsewhere, as a state: a
// wake-up may come for nothing and several may come as one.
class Signal {
 public:
  Signal();
  // False if the process had no descriptor left for it: nobody is woken by it.
  bool valid() const { return event_.valid(); }
  void wake();
  void abort();
  bool aborted() const { return aborted_.load(std::memory_order_acquire); }
  const std::atomic<bool>& abort_flag() const { return aborted_; }
  int fd() const { return event_.get(); }
  void drain();
  // Until woken, or this time. May return early.
  void wait(Time until);

 private:
  Fd event_;
  std::atomic<bool> aborted_ = false;
};

enum class Io { kDone, kAborted, kClosed, kTimedOut };

class Channel {
 public:
  // `signal` must outlive the channel. Without `faults`, which is usual, nothing is ever broken;
  // without `cipher`, which is usual too, bytes are sent from where they lie.
  Channel(Fd socket, Signal& signal, std::unique_ptr<DataFaults> faults = nullptr,
          std::unique_ptr<DataCipher> cipher = nullptr)
      : socket_(std::move(socket)),
        signal_(signal),
        faults_(std::move(faults)),
        cipher_(std::move(cipher)) {}

  // Sends or receives all of the pieces. The time limit is on silence: on the wait for the next
  // byte, not on the whole. The pieces are overwritten.
  Io send(iovec* pieces, std::size_t count, Duration silence_limit);
  Io receive(iovec* pieces, std::size_t count, Duration silence_limit);
  // For what is small: reads ahead if more is there, so that a header, its runs and the seals
  // before it take one call together.
  Io receive(void* data, std::size_t bytes, Duration silence_limit);

  // Waits until something can be received, which `readable` says, the time, or a wake-up.
  Io await_input(Time until, bool& readable);
  // Waits until the time or a wake-up; kClosed if the peer has gone.
  Io pause(Time until);

  // What the peer had said before it closed and nobody has read, at most so many bytes.
  std::vector<std::byte> last_words(std::size_t bytes_max);

  // Why the last call was kClosed, for people.
  const std::string& reason() const { return reason_; }

 private:
  Io wait_for(short events, Duration silence_limit);
  // Reads until `needed` bytes of the pieces are filled, and what else is there into the rest.
  Io receive_at_least(iovec* pieces, std::size_t count, std::size_t needed, Duration silence_limit,
                      std::size_t& received);
  std::size_t take_ahead(void* to, std::size_t bytes);
  // A wrapped copy of the pieces: what is sent may be a guest's memory.
  iovec wrapped(const iovec* pieces, std::size_t count);
  void unwrap(const iovec* pieces, std::size_t bytes);
  Io wait_for_passage(iovec* pieces, std::size_t count, Duration silence_limit);
  bool is_broken() const { return faults_ != nullptr && faults_->is_broken(); }
  // With faults, a wait is cut into slices, in each of which they are looked at.
  Time look_up_at(Time until) const;
  Io closed(const std::string& why);

  Fd socket_;
  Signal& signal_;
  const std::unique_ptr<DataFaults> faults_;
  const std::unique_ptr<DataCipher> cipher_;
  std::vector<std::byte> wrapped_;  // reused
  std::string reason_;
  // Received, but not asked for yet: [ahead_at_, ahead_end_).
  std::array<std::byte, 4096> ahead_;
  std::size_t ahead_at_ = 0;
  std::size_t ahead_end_ = 0;
};

// A listening socket, or why not.
Result<Fd> listen_on(const std::string& address, std::uint16_t port);
// Prepares a connected or connecting socket for bulk data.
void tune_for_bulk(int socket);
// Connects from `local` to `peer`; kClosed in `outcome` comes with a reason.
Fd connect_to(const std::string& local, const std::string& peer, std::uint16_t port, Signal& signal,
              Duration limit, Io& outcome, std::string& reason);

}  // namespace failsim::node
