// Frames between guests' owners and the shared volume: the length of a message as four bytes
// (little-endian), then the message. A message is at most kVolumeFrameBytesMax long.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <google/protobuf/message_lite.h>

namespace failsim::node {

std::string encode_volume_frame(const google::protobuf::MessageLite& message);

// Takes a stream apart, however it is cut into pieces.
class VolumeFrames {
 public:
  void feed(std::string_view bytes);
  // The next whole message's bytes, valid until the next call; none when more bytes are needed or a
  // frame is too long.
  std::optional<std::string_view> next();
  // A frame is longer than allowed: the stream cannot be followed any further.
  bool is_broken() const { return is_broken_; }

 private:
  std::string buffer_;
  std::size_t consumed_ = 0;
  bool is_broken_ = false;
};

}  // namespace failsim::node
