// Whatever the bytes and however they are cut: the decoder reads nothing outside of them, gives the
// same frames for every way of cutting, and what it gives was encoded as it stands in the stream.
// Stops the process if not.

#include <string>
#include <string_view>
#include <vector>

#include "cluster/wire/frame.h"
#include "tests/fuzz/target.h"

namespace {

using namespace failsim;

struct Decoded {
  std::vector<std::string> payloads;
  FrameFault fault = FrameFault::kNone;
  bool operator==(const Decoded&) const = default;
};

// Fed in pieces of this size.
Decoded decode(std::string_view bytes, std::size_t piece) {
  FrameDecoder decoder;
  Decoded decoded;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    decoder.feed(bytes.substr(at, piece));
    while (const auto payload = decoder.next()) decoded.payloads.emplace_back(*payload);
  }
  decoded.fault = decoder.fault();
  return decoded;
}

void check_stream(std::string_view bytes) {
  const Decoded whole = decode(bytes, bytes.size() + 1);
  require(decode(bytes, 1) == whole);
  require(decode(bytes, 7) == whole);
  std::string again;
  for (const std::string& payload : whole.payloads) again += encode_frame(payload);
  require(bytes.substr(0, again.size()) == again);
}

void check_datagram(std::string_view bytes) {
  FrameFault fault = FrameFault::kNone;
  const auto payload = decode_datagram(bytes, fault);
  require(payload.has_value() == (fault == FrameFault::kNone));
  if (payload) require(encode_frame(*payload) == bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A copy of exactly this size, so that a read past the end is noticed by the sanitizer.
  const std::string bytes(data, data + size);
  check_stream(bytes);
  check_datagram(bytes);
  return 0;
}
