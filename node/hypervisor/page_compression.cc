#include "node/hypervisor/page_compression.h"

#include <algorithm>
#include <cassert>

#include <zstd.h>

#include "cluster/migration/transfer_rate.h"

namespace failsim::node {
namespace {

constexpr int kLevel = 1;
constexpr std::uint64_t kSocketBytes = std::uint64_t{12} << 20;
constexpr std::uint64_t kLinkTrialBytes = std::uint64_t{8} << 20;
constexpr std::uint64_t kCompressionTrialBytes = std::uint64_t{2} << 20;

}  // namespace

PageCompressor::PageCompressor() : context_(ZSTD_createCCtx()) {
  assert(context_ != nullptr);
}

void PageCompressor::Free::operator()(ZSTD_CCtx_s* context) const {
  ZSTD_freeCCtx(context);
}

std::span<const std::byte> PageCompressor::compress(std::span<const std::byte> raw) {
  out_.resize(raw.size());
  const std::size_t size =
      ZSTD_compressCCtx(context_.get(), out_.data(), out_.size(), raw.data(), raw.size(), kLevel);
  if (ZSTD_isError(size) != 0 || size >= raw.size()) return {};  // too large for the buffer
  return std::span(out_).first(size);
}

PageDecompressor::PageDecompressor() : context_(ZSTD_createDCtx()) {
  assert(context_ != nullptr);
}

void PageDecompressor::Free::operator()(ZSTD_DCtx_s* context) const {
  ZSTD_freeDCtx(context);
}

std::optional<std::span<const std::byte>> PageDecompressor::decompress(
    std::span<const std::byte> compressed, std::size_t raw_bytes) {
  out_.resize(raw_bytes);
  const std::size_t size = ZSTD_decompressDCtx(context_.get(), out_.data(), out_.size(),
                                               compressed.data(), compressed.size());
  if (ZSTD_isError(size) != 0 || size != raw_bytes) return std::nullopt;
  return std::span<const std::byte>(out_);
}

CompressionGauge::CompressionGauge(std::uint64_t link_bytes_per_second)
    : state_(link_bytes_per_second == 0 ? State::kMeasuresLink : State::kOn),
      link_bytes_per_second_(link_bytes_per_second),
      unmeasured_bytes_(kSocketBytes) {}

void CompressionGauge::sent_plain(std::uint64_t bytes, Duration took) {
  if (state_ != State::kMeasuresLink) return;
  if (unmeasured_bytes_ > 0) {
    unmeasured_bytes_ -= std::min(unmeasured_bytes_, bytes);
    return;
  }
  plain_bytes_ += bytes;
  plain_time_ += took;
  if (plain_bytes_ < kLinkTrialBytes) return;
  link_bytes_per_second_ = rate_of(plain_bytes_, plain_time_);
  state_ = State::kOn;
}

void CompressionGauge::compressed(std::uint64_t raw_bytes, std::uint64_t compressed_bytes,
                                  Duration took) {
  raw_bytes_ += raw_bytes;
  compressed_bytes_ += compressed_bytes;
  compressing_time_ += took;
  if (raw_bytes_ < kCompressionTrialBytes) return;
  if (!pays()) state_ = State::kOff;
  raw_bytes_ = 0;
  compressed_bytes_ = 0;
  compressing_time_ = 0;
}

bool CompressionGauge::pays() const {
  if (compressed_bytes_ >= raw_bytes_) return false;
  return compressing_time_ < time_to_send(raw_bytes_ - compressed_bytes_, link_bytes_per_second_);
}

}  // namespace failsim::node
