// Compressing the pages of a frame, and whether that pays.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "cluster/time.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace failsim::node {

// zstd at its fastest ordinary level.
class PageCompressor {
 public:
  PageCompressor();
  // Valid until the next call; empty if it would not become smaller.
  std::span<const std::byte> compress(std::span<const std::byte> raw);

 private:
  struct Free {
    void operator()(ZSTD_CCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_CCtx_s, Free> context_;
  std::vector<std::byte> out_;
};

class PageDecompressor {
 public:
  PageDecompressor();
  // Exactly `raw_bytes`, valid until the next call; nothing if that is not what was compressed.
  std::optional<std::span<const std::byte>> decompress(std::span<const std::byte> compressed,
                                                       std::size_t raw_bytes);

 private:
  struct Free {
    void operator()(ZSTD_DCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_DCtx_s, Free> context_;
  std::vector<std::byte> out_;
};

// Compares what compressing costs with what it saves on the link, as both were measured in this
// transfer: it pays while (processor time to compress) + (time to send the rest) < (time to send it
// all). If it does not, it is given up until the transfer ends.
class CompressionGauge {
 public:
  // The rate this stream may have, if it is limited; 0 = measure it first.
  explicit CompressionGauge(std::uint64_t link_bytes_per_second);

  // The next frame should be compressed.
  bool is_wanted() const { return state_ == State::kOn; }
  bool is_given_up() const { return state_ == State::kOff; }
  void sent_plain(std::uint64_t bytes, Duration took);
  void compressed(std::uint64_t raw_bytes, std::uint64_t compressed_bytes, Duration took);

 private:
  enum class State { kMeasuresLink, kOn, kOff };
  bool pays() const;

  State state_;
  std::uint64_t link_bytes_per_second_;
  // The first bytes only fill the sockets of both sides.
  std::uint64_t unmeasured_bytes_;
  std::uint64_t plain_bytes_ = 0;
  Duration plain_time_ = 0;
  // Since it was judged last.
  std::uint64_t raw_bytes_ = 0;
  std::uint64_t compressed_bytes_ = 0;
  Duration compressing_time_ = 0;
};

}  // namespace failsim::node
