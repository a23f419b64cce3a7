#include "node/hypervisor/channel.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "node/hypervisor/hypervisor.h"

namespace failsim::node {
namespace {

constexpr Duration kFaultSlice = 10 * kMillisecond;
constexpr const char* kReset = "the connection was reset";

std::string message_of(int error) {
  return std::strerror(error);
}

timespec timespec_of(Duration duration) {
  const Duration wait = std::max<Duration>(0, duration);
  return {static_cast<time_t>(wait / kSecond), static_cast<long>(wait % kSecond)};
}

// Forgets the first `bytes` of the pieces.
void advance(iovec*& pieces, std::size_t& count, std::size_t bytes) {
  while (count > 0 && bytes >= pieces->iov_len) {
    bytes -= pieces->iov_len;
    ++pieces;
    --count;
  }
  if (count == 0) return;
  pieces->iov_base = static_cast<std::byte*>(pieces->iov_base) + bytes;
  pieces->iov_len -= bytes;
}

bool fill_address(const std::string& text, std::uint16_t port, sockaddr_in& address) {
  address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  return inet_pton(AF_INET, text.c_str(), &address.sin_addr) == 1;
}

const sockaddr* plain(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    number_ = other.release();
  }
  return *this;
}

int Fd::release() {
  return std::exchange(number_, -1);
}

void Fd::reset() {
  if (number_ >= 0) close(number_);
  number_ = -1;
}

Signal::Signal() : event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

void Signal::wake() {
  const std::uint64_t one = 1;
  // Fails only when the count is full, and then it is awake already.
  [[maybe_unused]] const ssize_t written = write(event_.get(), &one, sizeof one);
}

void Signal::abort() {
  aborted_.store(true, std::memory_order_release);
  wake();
}

void Signal::drain() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t bytes = read(event_.get(), &count, sizeof count);
}

void Signal::wait(Time until) {
  pollfd waited{event_.get(), POLLIN, 0};
  const timespec limit = timespec_of(until == kNever ? 0 : until - boottime_now());
  ppoll(&waited, 1, until == kNever ? nullptr : &limit, nullptr);
  drain();
}

Io Channel::closed(const std::string& why) {
  reason_ = why;
  return Io::kClosed;
}

Io Channel::wait_for(short events, Duration silence_limit) {
  const Time until = boottime_now() + silence_limit;
  for (;;) {
    if (signal_.aborted()) return Io::kAborted;
    if (is_broken()) return closed(kReset);
    pollfd waited[2] = {{socket_.get(), events, 0}, {signal_.fd(), POLLIN, 0}};
    const timespec limit = timespec_of(look_up_at(until) - boottime_now());
    const int ready = ppoll(waited, 2, &limit, nullptr);
    if (ready < 0 && errno != EINTR) return closed(message_of(errno));
    if (ready <= 0) {
      if (boottime_now() >= until) return Io::kTimedOut;
      continue;
    }
    if ((waited[1].revents & POLLIN) != 0) signal_.drain();
    if (waited[0].revents != 0) return signal_.aborted() ? Io::kAborted : Io::kDone;
  }
}

Time Channel::look_up_at(Time until) const {
  return faults_ == nullptr ? until : std::min(until, boottime_now() + kFaultSlice);
}

// Until the network lets the pieces go.
Io Channel::wait_for_passage(iovec* pieces, std::size_t count, Duration silence_limit) {
  const Time until = boottime_now() + silence_limit;
  Time go_at = faults_->admit(pieces, count);
  for (Time now = boottime_now(); faults_->is_held() || now < go_at; now = boottime_now()) {
    if (now >= until) return Io::kTimedOut;
    const Io paused = pause(std::min(until, std::max(go_at, now + kMillisecond)));
    if (paused != Io::kDone) return paused;
  }
  return is_broken() ? closed(kReset) : Io::kDone;
}

iovec Channel::wrapped(const iovec* pieces, std::size_t count) {
  wrapped_.clear();
  for (std::size_t i = 0; i < count; ++i) {
    const auto* bytes = static_cast<const std::byte*>(pieces[i].iov_base);
    wrapped_.insert(wrapped_.end(), bytes, bytes + pieces[i].iov_len);
  }
  cipher_->wrap(wrapped_);
  return {wrapped_.data(), wrapped_.size()};
}

// The first `bytes` of the pieces.
void Channel::unwrap(const iovec* pieces, std::size_t bytes) {
  for (; bytes > 0; ++pieces) {
    const std::size_t here = std::min(bytes, pieces->iov_len);
    cipher_->unwrap({static_cast<std::byte*>(pieces->iov_base), here});
    bytes -= here;
  }
}

Io Channel::send(iovec* pieces, std::size_t count, Duration silence_limit) {
  iovec whole{};
  if (cipher_ != nullptr) {
    whole = wrapped(pieces, count);
    pieces = &whole;
    count = 1;
  }
  if (faults_ != nullptr) {
    const Io waited = wait_for_passage(pieces, count, silence_limit);
    if (waited != Io::kDone) return waited;
  }
  while (count > 0) {
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = std::min<std::size_t>(count, IOV_MAX);
    const ssize_t sent = sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    if (sent >= 0) {
      advance(pieces, count, static_cast<std::size_t>(sent));
      if (signal_.aborted()) return Io::kAborted;
    } else if (errno == EAGAIN) {
      const Io waited = wait_for(POLLOUT, silence_limit);
      if (waited != Io::kDone) return waited;
    } else if (errno != EINTR) {
      return closed(message_of(errno));
    }
  }
  return Io::kDone;
}

Io Channel::receive(iovec* pieces, std::size_t count, Duration silence_limit) {
  std::size_t needed = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t had = take_ahead(pieces[i].iov_base, pieces[i].iov_len);
    pieces[i].iov_base = static_cast<std::byte*>(pieces[i].iov_base) + had;
    pieces[i].iov_len -= had;
    needed += pieces[i].iov_len;
  }
  std::size_t received = 0;
  return receive_at_least(pieces, count, needed, silence_limit, received);
}

Io Channel::receive(void* data, std::size_t bytes, Duration silence_limit) {
  const std::size_t had = take_ahead(data, bytes);
  if (had == bytes) return Io::kDone;
  const std::size_t needed = bytes - had;  // so nothing is ahead
  iovec pieces[2] = {{static_cast<std::byte*>(data) + had, needed}, {ahead_.data(), ahead_.size()}};
  std::size_t received = 0;
  const Io outcome = receive_at_least(pieces, 2, needed, silence_limit, received);
  ahead_at_ = 0;
  ahead_end_ = received > needed ? received - needed : 0;
  return outcome;
}

Io Channel::receive_at_least(iovec* pieces, std::size_t count, std::size_t needed,
                             Duration silence_limit, std::size_t& received) {
  while (received < needed) {
    if (is_broken()) return closed(kReset);
    const ssize_t now =
        readv(socket_.get(), pieces, static_cast<int>(std::min<std::size_t>(count, IOV_MAX)));
    if (now > 0) {
      received += static_cast<std::size_t>(now);
      if (cipher_ != nullptr) unwrap(pieces, static_cast<std::size_t>(now));
      advance(pieces, count, static_cast<std::size_t>(now));
      if (signal_.aborted()) return Io::kAborted;
    } else if (now == 0) {
      return closed("the other side closed the connection");
    } else if (errno == EAGAIN) {
      const Io waited = wait_for(POLLIN, silence_limit);
      if (waited != Io::kDone) return waited;
    } else if (errno != EINTR) {
      return closed(message_of(errno));
    }
  }
  return Io::kDone;
}

std::size_t Channel::take_ahead(void* to, std::size_t bytes) {
  const std::size_t taken = std::min(bytes, ahead_end_ - ahead_at_);
  if (taken > 0) std::memcpy(to, ahead_.data() + ahead_at_, taken);
  ahead_at_ += taken;
  return taken;
}

std::vector<std::byte> Channel::last_words(std::size_t bytes_max) {
  std::vector<std::byte> words(bytes_max);
  std::size_t size = take_ahead(words.data(), words.size());
  const auto read_on = [&] {
    return recv(socket_.get(), words.data() + size, words.size() - size, MSG_DONTWAIT);
  };
  ssize_t received = read_on();
  if (received < 0) received = read_on();  // a reset is told once, and what came before it is there
  const auto fresh = static_cast<std::size_t>(std::max<ssize_t>(received, 0));
  if (cipher_ != nullptr) cipher_->unwrap({words.data() + size, fresh});
  size += fresh;
  words.resize(size);
  return words;
}

Io Channel::await_input(Time until, bool& readable) {
  readable = ahead_end_ > ahead_at_;
  if (signal_.aborted()) return Io::kAborted;
  if (is_broken()) return closed(kReset);
  if (readable) return Io::kDone;
  until = look_up_at(until);
  pollfd waited[2] = {{socket_.get(), POLLIN, 0}, {signal_.fd(), POLLIN, 0}};
  const timespec limit = timespec_of(until == kNever ? 0 : until - boottime_now());
  if (ppoll(waited, 2, until == kNever ? nullptr : &limit, nullptr) > 0) {
    if ((waited[1].revents & POLLIN) != 0) signal_.drain();
    readable = waited[0].revents != 0;  // the end of the connection, too: receive() tells
  }
  return signal_.aborted() ? Io::kAborted : Io::kDone;
}

Io Channel::pause(Time until) {
  if (signal_.aborted()) return Io::kAborted;
  if (is_broken()) return closed(kReset);
  until = look_up_at(until);
  pollfd waited[2] = {{socket_.get(), POLLRDHUP, 0}, {signal_.fd(), POLLIN, 0}};
  const timespec limit = timespec_of(until == kNever ? 0 : until - boottime_now());
  if (ppoll(waited, 2, until == kNever ? nullptr : &limit, nullptr) > 0) {
    if ((waited[1].revents & POLLIN) != 0) signal_.drain();
    if (!signal_.aborted() && waited[0].revents != 0) {
      return closed("the other side closed the connection");
    }
  }
  return signal_.aborted() ? Io::kAborted : Io::kDone;
}

Result<Fd> listen_on(const std::string& address, std::uint16_t port) {
  const std::string where = address + ":" + std::to_string(port);
  const auto refused = [&](const std::string& why) {
    return Error{Code::kInvalidParameter,
                 "the data port " + where + " for live migration cannot be opened: " + why,
                 "free the port or choose another address"};
  };
  sockaddr_in local{};
  if (!fill_address(address, port, local)) return refused("it is not an IPv4 address");
  Fd socket_fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket_fd.valid()) return refused(message_of(errno));
  const int on = 1;
  setsockopt(socket_fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  tune_for_bulk(socket_fd.get());  // accepted sockets inherit it
  if (bind(socket_fd.get(), plain(local), sizeof local) != 0 ||
      ::listen(socket_fd.get(), SOMAXCONN) != 0) {
    return refused(message_of(errno));
  }
  return Result<Fd>(std::move(socket_fd));
}

void tune_for_bulk(int socket_number) {
  const int on = 1;
  setsockopt(socket_number, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // BBR, the default of many systems, paces even on loopback and costs about 40 %.
  for (const std::string_view control : {"reno", "cubic"}) {
    if (setsockopt(socket_number, IPPROTO_TCP, TCP_CONGESTION, control.data(),
                   static_cast<socklen_t>(control.size())) == 0) {
      break;
    }
  }
}

Fd connect_to(const std::string& local, const std::string& peer, std::uint16_t port, Signal& signal,
              Duration limit, Io& outcome, std::string& reason) {
  outcome = Io::kClosed;
  sockaddr_in from{};
  sockaddr_in to{};
  if (!fill_address(local, 0, from) || !fill_address(peer, port, to)) {
    reason = "'" + peer + "' is not an IPv4 address";
    return Fd();
  }
  Fd socket_fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket_fd.valid() || bind(socket_fd.get(), plain(from), sizeof from) != 0) {
    reason = message_of(errno);
    return Fd();
  }
  tune_for_bulk(socket_fd.get());
  if (connect(socket_fd.get(), plain(to), sizeof to) == 0) {
    outcome = Io::kDone;
    return socket_fd;
  }
  const Time until = boottime_now() + limit;
  while (errno == EINPROGRESS || errno == EINTR) {
    pollfd waited[2] = {{socket_fd.get(), POLLOUT, 0}, {signal.fd(), POLLIN, 0}};
    const timespec left = timespec_of(until - boottime_now());
    const int ready = ppoll(waited, 2, &left, nullptr);
    if ((waited[1].revents & POLLIN) != 0) signal.drain();
    if (signal.aborted()) {
      outcome = Io::kAborted;
      return Fd();
    }
    if (ready == 0) {
      outcome = Io::kTimedOut;
      return Fd();
    }
    if (waited[0].revents == 0) {
      errno = EINTR;
      continue;
    }
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(socket_fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0) {
      outcome = Io::kDone;
      return socket_fd;
    }
    errno = error;
  }
  reason = message_of(errno);
  return Fd();
}

}  // namespace failsim::node
