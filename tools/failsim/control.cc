#include "tools/failsim/control.h"

#include <cstring>

#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace failsim::cli {
namespace {

constexpr const char* kName = "control.sock";
constexpr std::size_t kMaximumLine = 64 * 1024;

class DirectoryHandle {
 public:
  explicit DirectoryHandle(const fs::path& path)
      : descriptor_(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
    if (descriptor_ < 0) fail_errno("Opening " + path.string() + " failed", "Check the path.");
  }
  ~DirectoryHandle() { ::close(descriptor_); }
  DirectoryHandle(const DirectoryHandle&) = delete;
  DirectoryHandle& operator=(const DirectoryHandle&) = delete;

  int get() const { return descriptor_; }
  sockaddr_un address() const {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    const std::string path = "/proc/self/fd/" + std::to_string(descriptor_) + "/" + kName;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
  }

 private:
  int descriptor_;
};

void limit_waiting(int socket, time_t seconds) {
  const timeval limit{seconds, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

bool send_line(int socket, const std::string& text) {
  const std::string line = text + "\n";
  std::size_t sent = 0;
  while (sent < line.size()) {
    const ssize_t wrote = ::send(socket, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (wrote <= 0) return false;
    sent += static_cast<std::size_t>(wrote);
  }
  return true;
}

std::string receive_line(int socket) {
  std::string line;
  char byte = 0;
  while (line.size() < kMaximumLine && ::recv(socket, &byte, 1, 0) == 1 && byte != '\n') {
    line += byte;
  }
  return line;
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

}  // namespace

int listen_for_commands(const fs::path& directory) {
  const DirectoryHandle handle(directory);
  ::unlinkat(handle.get(), kName, 0);
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const sockaddr_un address = handle.address();
  if (listener < 0 || ::bind(listener, generic(address), sizeof address) != 0 ||
      ::listen(listener, 16) != 0) {
    fail_errno("Opening the control socket in " + directory.string() + " failed",
               "Choose another directory with --dir.");
  }
  ::fchmodat(handle.get(), kName, 0600, 0);
  return listener;
}

std::optional<json::object> accept_command(int listener, int& connection) {
  connection = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (connection < 0) return std::nullopt;
  limit_waiting(connection, 1);
  return parse_object(receive_line(connection));
}

void answer_command(int connection, const json::object& answer) {
  send_line(connection, json::serialize(answer));
  ::close(connection);
}

json::object command_supervisor(const ClusterDirectory& directory, const json::object& command) {
  const DirectoryHandle handle(directory.path());
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = handle.address();
  std::optional<json::object> answer;
  if (socket >= 0 && ::connect(socket, generic(address), sizeof address) == 0) {
    limit_waiting(socket, 10);
    if (send_line(socket, json::serialize(command))) answer = parse_object(receive_line(socket));
  }
  if (socket >= 0) ::close(socket);
  if (!answer) {
    fail(Code::kConnectionRefused,
         "The supervisor of the cluster in " + directory.path().string() + " does not answer.",
         "Stop what is left with `failsim down` and start again with `failsim up`.");
  }
  if (answer->contains("error")) fail(error_from_json(object_in(*answer, "error")));
  return *answer;
}

}  // namespace failsim::cli
