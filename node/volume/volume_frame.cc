#include "node/volume/volume_frame.h"

#include <cassert>
#include <cstdint>

#include "cluster/little_endian.h"
#include "storage/volume.h"

namespace failsim::node {
namespace {

constexpr std::size_t kHeaderBytes = 4;

}  // namespace

std::string encode_volume_frame(const google::protobuf::MessageLite& message) {
  const std::size_t bytes = message.ByteSizeLong();
  assert(bytes <= kVolumeFrameBytesMax);
  std::string frame;
  frame.reserve(kHeaderBytes + bytes);
  append_u32(frame, static_cast<std::uint32_t>(bytes));
  message.AppendToString(&frame);
  return frame;
}

void VolumeFrames::feed(std::string_view bytes) {
  buffer_.erase(0, consumed_);
  consumed_ = 0;
  buffer_.append(bytes);
}

std::optional<std::string_view> VolumeFrames::next() {
  const std::string_view rest = std::string_view(buffer_).substr(consumed_);
  if (is_broken_ || rest.size() < kHeaderBytes) return std::nullopt;
  const std::size_t bytes = load_u32(rest);
  if (bytes > kVolumeFrameBytesMax) {
    is_broken_ = true;
    return std::nullopt;
  }
  if (rest.size() < kHeaderBytes + bytes) return std::nullopt;
  consumed_ += kHeaderBytes + bytes;
  return rest.substr(kHeaderBytes, bytes);
}

}  // namespace failsim::node
