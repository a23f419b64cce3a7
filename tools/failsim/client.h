// A client of a whole cluster: asks one node, and another when that one dies.
//
// A write carries one Request-Id through all attempts, so the cluster does it once however often it
// is asked. An election under way (75) is waited for within the time limit; when every node refuses
// the connection the cluster is not reachable (69); no quorum is said at once (106), and so is that
// a cancel was accepted which no node can have ordered yet (997, exit 75).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/failsim/directory.h"
#include "tools/failsim/errors.h"
#include "tools/failsim/http.h"
#include "tools/failsim/json.h"

namespace failsim::cli {

class Client {
 public:
  using Milliseconds = std::chrono::milliseconds;

  // `limit`: how long an answer may take, elections and dead nodes included.
  Client(const ClusterDirectory& directory, const ClusterDescription& description,
         Milliseconds limit);

  // The answer to a request that succeeded; every other outcome is a Failure.
  json::value get(const std::string& target);
  // The same for a long poll: the node may hold its answer for `wait`; `target` gets wait_ms.
  json::value poll(const std::string& target, Milliseconds wait);
  json::value write(const std::string& method, const std::string& target,
                    const json::object& body = {});

  // One attempt at one node, "node-K" of this cluster.
  HttpAnswer ask(std::uint32_t node, const std::string& target, Milliseconds timeout) {
    return ask(node, "GET", target, "", timeout);
  }
  HttpAnswer ask(std::uint32_t node, const std::string& method, const std::string& target,
                 std::string body, Milliseconds timeout);

  Milliseconds limit() const { return limit_; }
  const ClusterDescription& description() const { return description_; }
  const ClusterDirectory& directory() const { return directory_; }

 private:
  struct Round;

  json::value call(HttpRequest request, Milliseconds wait);
  std::vector<std::uint32_t> nodes_to_ask() const;
  void ask_every_node(HttpRequest& request, Round& round);

  ClusterDirectory directory_;
  ClusterDescription description_;
  std::string token_;
  Milliseconds limit_;
  std::string client_id_;
  std::uint64_t sequence_ = 0;
  std::uint32_t preferred_ = 1;  // the node that answered last
};

}  // namespace failsim::cli
