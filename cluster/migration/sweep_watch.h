// Whether a guest writes its pages in order, again and again, how fast, and where it is: seen from
// which pages of a sample were written between two looks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "cluster/migration/dirty_habit.h"
#include "cluster/time.h"

namespace failsim {

// A page of the sample.
struct WatchedPage {
  std::uint64_t number = 0;
  std::uint32_t count = 0;  // of its writes
  Duration written_at = 0;  // seen to be written
};

class SweepWatch {
 public:
  // From now on the sample is another one, of `written_pages` that the guest ever wrote; the first
  // and the last of these are given.
  void sample_changed(std::uint64_t written_pages, std::uint64_t first, std::uint64_t last);

  // Pages of the sample with `written_at` of `now` were written since the look before; `counts` are
  // of all pages.
  void look(Duration now, const std::vector<WatchedPage>& sample,
            const std::vector<std::uint32_t>& counts);

  // As it was at the last look; nothing of a guest that does not write in order, or that is not
  // known for long enough.
  std::optional<DirtyHabit> habit() const;

 private:
  struct Mark {
    Duration at = 0;
    std::uint64_t pages = 0;  // written since the watch found the place
  };

  void follow(Duration now, const std::vector<WatchedPage>& sample, std::size_t written);
  bool goes_on(Duration now, const std::vector<WatchedPage>& sample, std::size_t written);
  void find(Duration now, const std::vector<WatchedPage>& sample);
  std::uint64_t place(const std::vector<WatchedPage>& sample,
                      const std::vector<std::uint32_t>& counts) const;
  void mark(Duration now, std::uint64_t place);
  void lose();

  std::uint64_t written_pages_ = 0;
  std::uint64_t first_page_ = 0;
  bool has_gaps_ = false;            // between the first and the last page some were never written
  std::optional<std::size_t> edge_;  // of the sample, the page that was written last
  std::uint64_t turns_ = 0;          // since the place was found
  std::optional<Mark> older_;        // some seconds ago
  Mark newer_;
  Mark last_;
  std::uint32_t judged_ = 0;  // looks that saw something
  std::uint32_t in_order_ = 0;
};

}  // namespace failsim
