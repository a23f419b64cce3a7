#include "node/hypervisor/page_receiver.h"

#include <cstring>

#include "node/hypervisor/checksum.h"
#include "node/hypervisor/page_stamp.h"
#include "node/hypervisor/transfer.h"

namespace failsim::node {

bool PageReceiver::is_page_frame(FrameType type) {
  return type == FrameType::kPages || type == FrameType::kZeroPages ||
         type == FrameType::kCopiedPages || type == FrameType::kCompressedPages ||
         type == FrameType::kModelled;
}

bool PageReceiver::take(const FrameHeader& header) {
  if (header.type == FrameType::kModelled) {
    received_bytes_ += header.bytes;
    return true;
  }
  if (!memory_.is_mapped()) return refuse("contains pages for a VM that has none");
  switch (header.type) {
    case FrameType::kPages:
      return take_pages(header);
    case FrameType::kCompressedPages:
      return take_compressed(header);
    case FrameType::kZeroPages:
      return take_zero(header);
    case FrameType::kCopiedPages:
      return take_copies(header);
    default:
      return refuse("contains a frame that is none of pages");
  }
}

bool PageReceiver::receive_runs(const FrameHeader& header, std::uint32_t runs_most,
                                std::uint64_t most) {
  if (header.runs == 0 || header.runs > runs_most)
    return refuse("contains a frame that is too large");
  bytes_.resize(header.runs * kRunBytes);
  if (!receive_body(header, bytes_)) return false;
  runs_.clear();
  const auto pages = decode_runs(bytes_, memory_.pages(), most, runs_);
  if (!pages) return refuse("contains pages outside of the VM's memory");
  for (const PageRun& run : runs_) {
    if (!is_ours(run)) return refuse("contains pages of another stream");
  }
  run_pages_ = *pages;
  return true;
}

bool PageReceiver::is_ours(const PageRun& run) const {
  if (streams_ == 1) return true;
  return stream_of(run.first, streams_) == stream_ &&
         run.first % kStripePages + run.count <= kStripePages;
}

bool PageReceiver::take_pages(const FrameHeader& header) {
  if (!receive_runs(header, kFrameRunsMax, kFrameRunsMax)) return false;
  if (header.bytes != run_pages_ * kPageBytes) return refuse("contains pages that do not add up");
  pieces_.clear();
  for (const PageRun& run : runs_) {
    pieces_.push_back({memory_.page(run.first), run.count * kPageBytes});
  }
  if (!check(channel_.receive(pieces_.data(), pieces_.size(), kStreamSilenceLimit))) return false;
  received_bytes_ += header.bytes;
  return receive_seals();
}

bool PageReceiver::take_compressed(const FrameHeader& header) {
  if (!receive_runs(header, kFrameRunsMax, kFrameRunsMax)) return false;
  const std::uint64_t raw_bytes = run_pages_ * kPageBytes;
  if (header.bytes == 0 || header.bytes >= raw_bytes) {
    return refuse("contains compressed pages that are larger than the pages");
  }
  bytes_.resize(header.bytes);
  if (!check(channel_.receive(bytes_.data(), bytes_.size(), kStreamSilenceLimit))) return false;
  received_bytes_ += header.bytes;
  if (!decompressor_) decompressor_.emplace();
  const auto raw = decompressor_->decompress(bytes_, raw_bytes);
  if (!raw) return refuse_corrupted();
  const std::byte* from = raw->data();
  for (const PageRun& run : runs_) {
    std::memcpy(memory_.page(run.first), from, run.count * kPageBytes);
    from += run.count * kPageBytes;
  }
  return receive_seals();
}

// The pages just came through the cache: reading them again costs little.
bool PageReceiver::receive_seals() {
  bytes_.resize((run_pages_ + 1) * kSealBytes);
  if (!check(channel_.receive(bytes_.data(), bytes_.size(), kStreamSilenceLimit))) return false;
  seals_.clear();
  if (!decode_seals(bytes_, seals_)) return refuse_corrupted();
  auto seal = seals_.begin();
  for (const PageRun& run : runs_) {
    for (std::uint64_t page = run.first; page < run.first + run.count; ++page, ++seal) {
      touched_.set(page);
      if (*seal == kUnsettledSeal) continue;  // it comes again
      if (*seal != fast_crc32c(0, {memory_.page(page), kPageBytes})) return refuse_corrupted();
    }
  }
  return true;
}

bool PageReceiver::take_zero(const FrameHeader& header) {
  if (!receive_runs(header, kZeroRunsMax, memory_.pages())) return false;
  for (const PageRun& run : runs_) {
    for (std::uint64_t page = run.first; page < run.first + run.count; ++page) {
      // A page that nobody has touched is zero, and is not made present by asking.
      if (!touched_.test(page) || is_zero_page(memory_.page(page))) continue;
      std::memset(memory_.page(page), 0, kPageBytes);
    }
  }
  return true;
}

bool PageReceiver::take_copies(const FrameHeader& header) {
  if (header.runs == 0 || header.runs > kCopiesMax)
    return refuse("contains a frame that is too large");
  bytes_.resize(header.runs * kCopyBytes);
  if (!receive_body(header, bytes_)) return false;
  copies_.clear();
  if (!decode_copies(bytes_, memory_.pages(), copies_)) {
    return refuse("contains pages outside of the VM's memory");
  }
  for (const PageCopy& copy : copies_) {
    if (!is_ours({copy.page, 1}) || !is_ours({copy.of, 1})) {
      return refuse("contains pages of another stream");
    }
    if (copy.page != copy.of)
      std::memcpy(memory_.page(copy.page), memory_.page(copy.of), kPageBytes);
    touched_.set(copy.page);
    if (copy.seal != fast_crc32c(0, {memory_.page(copy.page), kPageBytes})) {
      return refuse_corrupted();
    }
  }
  return true;
}

bool PageReceiver::receive_body(const FrameHeader& header, std::span<std::byte> body) {
  if (!check(channel_.receive(body.data(), body.size(), kStreamSilenceLimit))) return false;
  return fast_crc32c(0, body) == header.body_checksum || refuse_corrupted();
}

bool PageReceiver::check(Io outcome) {
  if (outcome == Io::kDone) return true;
  fault_ = {outcome, false, ""};
  return false;
}

bool PageReceiver::refuse(const std::string& what) {
  fault_ = {Io::kClosed, false, what};
  return false;
}

bool PageReceiver::refuse_corrupted() {
  fault_ = {Io::kClosed, true,
            "was corrupted on the way, as the checksum of a frame shows; see that the network "
            "between them is sound"};
  return false;
}

}  // namespace failsim::node
