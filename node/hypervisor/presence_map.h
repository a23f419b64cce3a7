// Which pages of a guest are here, while the others follow it (post-copy).
//
// A missing page belongs to the thread that receives: it writes the bytes, then says that the page
// came. A page that is here belongs to the guest. So nobody ever writes what another may use.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

namespace failsim::node {

class PresenceMap {
 public:
  // One bit a page in `missing`, set where the page is not here: word_count(pages) words, no bit
  // beyond the last page.
  PresenceMap(std::uint64_t pages, const std::vector<std::uint64_t>& missing);

  static std::size_t word_count(std::uint64_t pages) { return (pages + 63) / 64; }
  static bool is_well_formed(std::uint64_t pages, const std::vector<std::uint64_t>& missing);

  // ---- any thread ----
  bool has(std::uint64_t page) const;
  bool is_complete() const { return missing_.load(std::memory_order_acquire) == 0; }
  std::uint64_t missing_pages() const { return missing_.load(std::memory_order_acquire); }
  std::uint64_t followed_pages() const { return missing_at_first_ - missing_pages(); }
  std::vector<std::uint64_t> missing() const;

  // ---- the guest: one page at a time ----
  // The guest stands still until this page is here; whoever receives is told.
  void want(std::uint64_t page);
  // `arrived` runs on the receiving thread when the wanted page, or the last one, is here.
  void set_arrived(std::function<void()> arrived);

  // ---- who receives ----
  std::optional<std::uint64_t> wanted() const;
  void set_wanted(std::function<void()> told);
  // The bytes of this missing page are in the memory.
  void came(std::uint64_t page);

 private:
  static constexpr std::uint64_t kNoPage = ~std::uint64_t{0};

  std::vector<std::atomic<std::uint64_t>> words_;  // a bit is set where the page is missing
  std::uint64_t missing_at_first_ = 0;
  std::atomic<std::uint64_t> missing_ = 0;
  std::atomic<std::uint64_t> wanted_ = kNoPage;
  std::mutex mutex_;
  std::function<void()> arrived_;
  std::function<void()> told_wanted_;
};

}  // namespace failsim::node
