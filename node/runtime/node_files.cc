#include "node/runtime/node_files.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include <fcntl.h>
#include <google/protobuf/util/json_util.h>
#include <unistd.h>

namespace failsim::node {
namespace {

Error unusable(const std::string& what, const std::string& path, const std::string& why,
               std::string next) {
  return {Code::kInvalidParameter, "The " + what + " " + path + " cannot be used: " + why + ".",
          std::move(next)};
}

Result<std::string> read_file(const std::string& what, const std::string& path,
                              const std::string& next) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return unusable(what, path, std::strerror(errno), next);
  std::string content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad()) return unusable(what, path, "it cannot be read", next);
  return content;
}

// The whole text to a new file, on disk before it returns; the errno of a failure, else 0.
int write_whole(const std::string& path, const std::string& content) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return errno;
  std::size_t done = 0;
  int failure = 0;
  while (failure == 0 && done < content.size()) {
    const auto written = ::write(file, content.data() + done, content.size() - done);
    if (written >= 0) {
      done += static_cast<std::size_t>(written);
    } else if (errno != EINTR) {
      failure = errno;
    }
  }
  if (failure == 0 && ::fsync(file) != 0) failure = errno;
  if (::close(file) != 0 && failure == 0) failure = errno;
  return failure;
}

}  // namespace

Result<std::string> read_token(const std::string& path) {
  const std::string next = "Give the file that 'failsim up' wrote, with --token-file.";
  auto content = read_file("token file", path, next);
  if (!content) return content.error();
  const std::string text = content.take();
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return unusable("token file", path, "it is empty", next);
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

Result<pb::Bootstrap> read_bootstrap(const std::string& path) {
  const std::string next = "Give the bootstrap.json that 'failsim up' wrote.";
  auto content = read_file("bootstrap file", path, next);
  if (!content) return content.error();
  pb::Bootstrap bootstrap;
  const auto status = google::protobuf::util::JsonStringToMessage(content.take(), &bootstrap);
  if (!status.ok()) return unusable("bootstrap file", path, status.ToString(), next);
  return bootstrap;
}

std::optional<Error> write_file_atomically(const std::string& path, const std::string& content) {
  const std::string draft = path + ".new";
  int failure = write_whole(draft, content);
  if (failure == 0 && ::rename(draft.c_str(), path.c_str()) != 0) failure = errno;
  if (failure == 0) return std::nullopt;
  return Error{Code::kWriteFault,
               "The file " + path + " cannot be written: " + std::strerror(failure) + ".",
               "Check the space and the permissions of its directory."};
}

std::optional<Error> write_run_file(const std::string& directory, std::uint64_t pid,
                                    Incarnation incarnation) {
  const std::uint64_t instance = incarnation & 0xffffffffu;
  return write_file_atomically(directory + "/run.json",
                               "{\"pid\":" + std::to_string(pid) +
                                   ",\"instance\":" + std::to_string(instance) +
                                   ",\"incarnation\":" + std::to_string(incarnation) + "}\n");
}

}  // namespace failsim::node
