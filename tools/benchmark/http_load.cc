#include "tools/benchmark/http_load.h"

#include <cerrno>
#include <charconv>
#include <optional>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/failsim/errors.h"

namespace failsim::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kWaitMs = 10'000;

class Connection {
 public:
  Connection(const std::string& address, std::uint16_t port)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in there = {};
    there.sin_family = AF_INET;
    there.sin_port = htons(port);
    ::inet_pton(AF_INET, address.c_str(), &there.sin_addr);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&there), sizeof there) != 0) {
      cli::fail_errno("Connecting to " + address + " failed", "");
    }
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  Connection(Connection&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), received_(std::move(other.received_)) {}
  Connection& operator=(Connection&&) = delete;
  ~Connection() {
    if (socket_ >= 0) ::close(socket_);
  }

  int socket() const { return socket_; }

  // A request fits the buffer of a socket that is otherwise empty.
  void send(const std::string& request) {
    const ssize_t sent = ::send(socket_, request.data(), request.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(request.size())) cli::fail_errno("Sending failed", "");
  }

  // Reads what is there; the whole answer once all of it is.
  std::optional<std::string> receive() {
    char buffer[16 * 1024];
    const ssize_t got = ::recv(socket_, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
    if (got <= 0) {
      cli::fail(Code::kConnectionRefused, "A node closed a connection that was in use.", "");
    }
    received_.append(buffer, static_cast<std::size_t>(got));
    const std::size_t head = received_.find("\r\n\r\n");
    if (head == std::string::npos) return std::nullopt;
    if (received_.size() < head + 4 + body_bytes(head)) return std::nullopt;
    return std::exchange(received_, {});
  }

 private:
  std::size_t body_bytes(std::size_t head) const {
    static const std::string kField = "Content-Length: ";
    const std::size_t found = received_.find(kField);
    std::size_t bytes = 0;
    if (found < head) {
      std::from_chars(received_.data() + found + kField.size(), received_.data() + head, bytes);
    }
    return bytes;
  }

  int socket_;
  std::string received_;
};

class Load {
 public:
  explicit Load(const LoadOptions& options)
      : options_(options), poll_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (std::uint32_t i = 0; i < options.clients; ++i) {
      clients_.push_back({Connection(address_of(i), options.port), 0, {}});
      epoll_event event = {};
      event.events = EPOLLIN;
      event.data.u32 = i;
      ::epoll_ctl(poll_, EPOLL_CTL_ADD, clients_.back().connection.socket(), &event);
    }
  }
  ~Load() { ::close(poll_); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  LoadResult run() {
    const auto begin = Clock::now();
    const auto end = begin + options_.duration;
    for (std::uint32_t i = 0; i < options_.clients; ++i) ask(i);
    std::uint32_t asking = options_.clients;
    while (asking > 0) {
      epoll_event ready[64];
      const int count = ::epoll_wait(poll_, ready, 64, kWaitMs);
      if (count == 0) cli::fail(Code::kTimeout, "No node answered for 10 s.", "");
      for (int i = 0; i < count; ++i) {
        const std::uint32_t client = ready[i].data.u32;
        const std::optional<std::string> answer = clients_[client].connection.receive();
        if (!answer) continue;
        note(client, *answer);
        if (Clock::now() < end) {
          ask(client);
        } else {
          --asking;
        }
      }
    }
    result_.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    return std::move(result_);
  }

 private:
  struct Client {
    Connection connection;
    std::uint64_t turn = 0;
    Clock::time_point asked;
  };

  const std::string& address_of(std::uint32_t client) const {
    return options_.addresses[client % options_.addresses.size()];
  }

  void ask(std::uint32_t number) {
    Client& client = clients_[number];
    const std::string request = options_.request(number, client.turn++, address_of(number));
    client.asked = Clock::now();
    client.connection.send(request);
  }

  void note(std::uint32_t number, const std::string& answer) {
    const auto latency = Clock::now() - clients_[number].asked;
    if (answer.starts_with("HTTP/1.1 200")) {
      result_.latencies_ms.push_back(std::chrono::duration<double, std::milli>(latency).count());
      return;
    }
    if (result_.refused++ == 0) result_.first_refusal = answer;
  }

  const LoadOptions& options_;
  int poll_;
  std::vector<Client> clients_;
  LoadResult result_;
};

}  // namespace

LoadResult run_load(const LoadOptions& options) {
  return Load(options).run();
}

}  // namespace failsim::bench
