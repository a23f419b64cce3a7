#include "node/volume/volume_client.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <deque>
#include <mutex>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cluster/error.h"
#include "node/volume/volume_frame.h"
#include "storage/posix_file.h"

namespace failsim::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kFirstBackOff{10};
constexpr milliseconds kLongestBackOff{500};
// Of what was sent; then it is sent again over a new connection. TCP itself would double its
// pauses.
constexpr unsigned kAcknowledgedWithinMs = 3000;

enum class Fate { kToSend, kSent, kRefused, kLost };

struct Unanswered {
  std::uint64_t token = 0;
  std::string frame;  // kept for sending it again
  VolumeClient::Callback callback;
  bool is_repeatable = true;
  Fate fate = Fate::kToSend;
};

sockaddr_in address_of(const std::string& address, std::uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  if (::inet_pton(AF_INET, address.c_str(), &result.sin_addr) != 1) {
    throw std::system_error(EINVAL, std::generic_category(), "the volume's address " + address);
  }
  return result;
}

FileDescriptor checked(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
  return FileDescriptor(fd);
}

pb::VolumeReply reply_of(std::uint64_t token, Code code, std::string message) {
  pb::VolumeReply reply;
  reply.set_token(token);
  reply.set_code(static_cast<std::uint32_t>(code));
  reply.set_message(std::move(message));
  return reply;
}

}  // namespace

// Everything below `submitted_` belongs to the client's thread.
class VolumeClient::Link {
 public:
  Link(const std::string& address, std::uint16_t port)
      : name_(address + ":" + std::to_string(port)),
        address_(address_of(address, port)),
        wake_(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")),
        thread_([this] { run(); }) {}
  ~Link() { stop(); }

  std::uint64_t submit(pb::VolumeRequest request, Callback callback);
  void stop();

 private:
  void run();
  bool take_submitted();  // false: to stop
  bool is_idle() const { return unanswered_.empty(); }

  bool connect();
  bool finish_connecting();
  void disconnect();
  void back_off();
  bool wait_for_wake(milliseconds longest);

  void exchange();
  bool send_some();
  bool receive_some();
  bool take_reply(std::string_view frame);
  void answer_front(const pb::VolumeReply& reply);
  void answer_settled();
  void abandon_all();
  void wake();
  void drain_wake();

  const std::string name_;
  const sockaddr_in address_;
  const FileDescriptor wake_;

  std::mutex mutex_;
  bool is_stopping_ = false;
  std::uint64_t last_token_ = 0;
  std::size_t outstanding_ = 0;
  std::vector<Unanswered> submitted_;

  std::deque<Unanswered> unanswered_;  // in the order of submission
  std::size_t next_ = 0;               // the first one that is not wholly sent
  std::size_t sent_bytes_ = 0;         // of that one
  std::optional<FileDescriptor> socket_;
  VolumeFrames frames_;
  milliseconds back_off_ = kFirstBackOff;

  std::thread thread_;  // last: starts when the rest is there
};

std::uint64_t VolumeClient::Link::submit(pb::VolumeRequest request, Callback callback) {
  Unanswered entry;
  entry.is_repeatable = !request.has_raise_recovery_epoch();
  entry.callback = std::move(callback);
  std::uint64_t token = 0;
  {
    const std::lock_guard lock(mutex_);
    if (is_stopping_) return 0;
    token = ++last_token_;
    entry.token = token;
    if (outstanding_ >= kVolumeUnansweredMax) {
      entry.fate = Fate::kRefused;
    } else {
      request.set_token(token);
      entry.frame = encode_volume_frame(request);
    }
    ++outstanding_;
    submitted_.push_back(std::move(entry));
  }
  wake();
  return token;
}

void VolumeClient::Link::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  wake();
  if (thread_.joinable()) thread_.join();
}

void VolumeClient::Link::run() {
  while (take_submitted()) {
    answer_settled();
    if (socket_) {
      exchange();
    } else if (is_idle()) {
      wait_for_wake(milliseconds(-1));
    } else if (!connect()) {
      back_off();
    }
  }
  abandon_all();
}

bool VolumeClient::Link::take_submitted() {
  const std::lock_guard lock(mutex_);
  for (Unanswered& entry : submitted_) unanswered_.push_back(std::move(entry));
  submitted_.clear();
  return !is_stopping_;
}

bool VolumeClient::Link::connect() {
  socket_.emplace(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int fd = socket_->get();
  const int on = 1;
  const bool is_begun =
      fd >= 0 && ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
      ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kAcknowledgedWithinMs,
                   sizeof kAcknowledgedWithinMs) == 0 &&
      (::connect(fd, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) == 0 ||
       errno == EINPROGRESS);
  if (is_begun && finish_connecting()) return true;
  disconnect();
  return false;
}

bool VolumeClient::Link::finish_connecting() {
  while (take_submitted()) {
    std::array<pollfd, 2> fds{pollfd{socket_->get(), POLLOUT, 0}, pollfd{wake_.get(), POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) return false;
    if (fds[1].revents != 0) drain_wake();
    if (fds[0].revents == 0) continue;
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(socket_->get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
  }
  return false;
}

// What was sent may or may not have been performed: it is sent again, or its fate is not known.
void VolumeClient::Link::disconnect() {
  socket_.reset();
  frames_ = VolumeFrames();
  for (std::size_t i = 0; i <= next_ && i < unanswered_.size(); ++i) {
    Unanswered& entry = unanswered_[i];
    const bool was_sent = entry.fate == Fate::kSent || (i == next_ && sent_bytes_ > 0);
    if (!was_sent) continue;
    entry.fate = entry.is_repeatable ? Fate::kToSend : Fate::kLost;
  }
  next_ = 0;
  sent_bytes_ = 0;
}

// The delay passes in full even when more is submitted meanwhile.
void VolumeClient::Link::back_off() {
  const auto until = steady_clock::now() + back_off_;
  back_off_ = std::min(back_off_ * 2, kLongestBackOff);
  while (take_submitted()) {
    const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now());
    if (left <= milliseconds(0) || !wait_for_wake(left)) return;
  }
}

// False when the time is over. Negative: no limit.
bool VolumeClient::Link::wait_for_wake(milliseconds longest) {
  pollfd fd{wake_.get(), POLLIN, 0};
  const int ready = ::poll(&fd, 1, static_cast<int>(longest.count()));
  drain_wake();
  return ready != 0;
}

void VolumeClient::Link::exchange() {
  std::array<pollfd, 2> fds{pollfd{socket_->get(), POLLIN, 0}, pollfd{wake_.get(), POLLIN, 0}};
  if (next_ < unanswered_.size()) fds[0].events |= POLLOUT;
  if (::poll(fds.data(), fds.size(), -1) < 0) return;  // EINTR: the caller comes again
  if (fds[1].revents != 0) drain_wake();
  const bool is_alive = ((fds[0].revents & POLLOUT) == 0 || send_some()) &&
                        ((fds[0].revents & ~POLLOUT) == 0 || receive_some());
  if (is_alive) return;
  disconnect();
  back_off();
}

// False when the connection is gone.
bool VolumeClient::Link::send_some() {
  while (next_ < unanswered_.size()) {
    Unanswered& entry = unanswered_[next_];
    if (entry.fate == Fate::kToSend) {
      const std::string_view rest = std::string_view(entry.frame).substr(sent_bytes_);
      const ssize_t n = ::send(socket_->get(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (n < 0) return errno == EAGAIN || errno == EINTR;
      sent_bytes_ += static_cast<std::size_t>(n);
      if (sent_bytes_ < entry.frame.size()) continue;
      entry.fate = Fate::kSent;
    }
    ++next_;
    sent_bytes_ = 0;
  }
  return true;
}

bool VolumeClient::Link::receive_some() {
  std::array<char, 64 * 1024> bytes;
  const ssize_t n = ::recv(socket_->get(), bytes.data(), bytes.size(), 0);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) return false;
  frames_.feed({bytes.data(), static_cast<std::size_t>(n)});
  while (const auto frame = frames_.next()) {
    if (!take_reply(*frame)) return false;
  }
  return !frames_.is_broken();
}

// Replies come in the order of the requests; a stream that says otherwise is not believed.
bool VolumeClient::Link::take_reply(std::string_view frame) {
  answer_settled();
  pb::VolumeReply reply;
  if (!reply.ParseFromArray(frame.data(), static_cast<int>(frame.size()))) return false;
  if (unanswered_.empty()) return false;
  if (unanswered_.front().fate != Fate::kSent) return false;
  if (unanswered_.front().token != reply.token()) return false;
  back_off_ = kFirstBackOff;
  answer_front(reply);
  return true;
}

void VolumeClient::Link::answer_front(const pb::VolumeReply& reply) {
  const Callback callback = std::move(unanswered_.front().callback);
  unanswered_.pop_front();
  if (next_ > 0) --next_;
  {
    const std::lock_guard lock(mutex_);
    --outstanding_;
  }
  callback(reply);
}

// Those whose answer does not come from the volume, once it is their turn.
void VolumeClient::Link::answer_settled() {
  while (!unanswered_.empty()) {
    const Unanswered& front = unanswered_.front();
    if (front.fate == Fate::kRefused) {
      answer_front(
          reply_of(front.token, Code::kClusterBusy,
                   "Too many requests to the shared volume at " + name_ + " are unanswered."));
    } else if (front.fate == Fate::kLost) {
      answer_front(reply_of(front.token, Code::kConnectionRefused,
                            "The shared volume at " + name_ +
                                " went away before it answered: whether it has raised its "
                                "recovery epoch is not known."));
    } else {
      return;
    }
  }
}

void VolumeClient::Link::abandon_all() {
  while (!unanswered_.empty()) {
    answer_front(reply_of(unanswered_.front().token, Code::kOperationAborted,
                          "The connection to the shared volume at " + name_ + " is closed."));
  }
}

void VolumeClient::Link::wake() {
  // A full counter means that a wake-up is pending already.
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(wake_.get(), &one, sizeof one);
}

void VolumeClient::Link::drain_wake() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t n = ::read(wake_.get(), &count, sizeof count);
}

VolumeClient::VolumeClient(const std::string& address, std::uint16_t port)
    : link_(std::make_unique<Link>(address, port)) {}

VolumeClient::~VolumeClient() = default;

std::uint64_t VolumeClient::submit(pb::VolumeRequest request, Callback callback) {
  return link_->submit(std::move(request), std::move(callback));
}

void VolumeClient::stop() {
  link_->stop();
}

}  // namespace failsim::node
