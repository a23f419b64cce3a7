// Finds pages that have the bytes of a page their stream has sent before.
//
// It remembers where it saw which content, as hashes of some words of each page, in a table of
// fixed size; a hash only suggests a page, and the bytes decide. When few pages repeat it switches
// itself off for the rest of the transfer.
//
// A page may be referred to only if the target has it as it is now: it was sent settled, its dirty
// bit is still clear, and it is not among those that are being sent. The sender sees to that
// (round_sender.cc); this class only suggests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace failsim::node {

class RepeatedPages {
 public:
  RepeatedPages() : seen_(kEntries) {}

  bool is_on() const { return !seen_.empty(); }
  static std::uint64_t hash_of(const std::byte* page);
  // A page that may have the same bytes.
  std::optional<std::uint64_t> suggestion(std::uint64_t hash) const;
  // The page was sent as it is.
  void remember(std::uint64_t hash, std::uint64_t page);
  // So many pages were looked at, and so many of them had been sent before.
  void note(std::uint64_t looked_at, std::uint64_t repeated);

 private:
  static constexpr std::size_t kEntries = std::size_t{1} << 15;
  // 16 MiB of pages of which one in fifty repeats: less does not pay for the looking.
  static constexpr std::uint64_t kTrialPages = 4096;
  static constexpr std::uint64_t kWorthwhile = 50;
  static constexpr std::uint64_t kNoPage = ~std::uint64_t{0};

  struct Entry {
    std::uint64_t hash = 0;
    std::uint64_t page = kNoPage;
  };

  std::vector<Entry> seen_;
  std::uint64_t looked_at_ = 0;
  std::uint64_t repeated_ = 0;
};

}  // namespace failsim::node
