// A guest owner's connection to the shared volume process.
//
// submit() queues a request and returns at once; the callback is called exactly once, from the
// client's own thread, in the order of the requests. While the volume cannot be reached the client
// connects again with back-off, for ever, and sends every unanswered request anew, in order: all
// requests of a guest are idempotent. A RaiseRecoveryEpoch that was sent and not answered is not
// repeated, because its outcome is unknown: it is answered with kConnectionRefused.
//
// A caller bounds the queue by waiting for answers; a client holds at most kVolumeUnansweredMax
// requests and refuses the next one with kClusterBusy (called back from the client's thread too).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "storage/proto/volume.pb.h"

namespace failsim::node {

inline constexpr std::size_t kVolumeUnansweredMax = 4096;

class VolumeClient {
 public:
  using Callback = std::function<void(const pb::VolumeReply&)>;

  // `address` is an IPv4 address in dotted form; another one, or a machine that is out of
  // descriptors or threads, throws std::system_error. Connects when there is something to send.
  VolumeClient(const std::string& address, std::uint16_t port);
  ~VolumeClient();  // stop()
  VolumeClient(const VolumeClient&) = delete;
  VolumeClient& operator=(const VolumeClient&) = delete;

  // From any thread, also from a callback. The request's token is overwritten; returns it. After
  // stop() nothing is queued, the callback is dropped, and 0 is returned.
  std::uint64_t submit(pb::VolumeRequest request, Callback callback);

  // Answers everything unanswered with kOperationAborted and returns when no callback can run any
  // more. Not from a callback.
  void stop();

 private:
  class Link;
  std::unique_ptr<Link> link_;
};

}  // namespace failsim::node
