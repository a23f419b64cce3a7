// The smallest part of a list that still does it: delta debugging.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <vector>

namespace failsim::explore {

// `keeps_failing` is asked about subsets of 0..count-1, in order; the whole has to fail. The result
// fails, and no element of it can be left out alone -- unless keeps_failing says no for want of
// time.
inline std::vector<std::size_t> smallest_part(
    std::size_t count, const std::function<bool(const std::vector<std::size_t>&)>& keeps_failing) {
  std::vector<std::size_t> kept(count);
  for (std::size_t i = 0; i < count; ++i) kept[i] = i;
  std::size_t chunk = std::max<std::size_t>(1, count / 2);
  if (count > 0 && keeps_failing({})) return {};
  while (!kept.empty()) {
    bool has_shrunk = false;
    for (std::size_t begin = 0; begin < kept.size();) {
      const std::size_t end = std::min(begin + chunk, kept.size());
      std::vector<std::size_t> rest(kept.begin(),
                                    kept.begin() + static_cast<std::ptrdiff_t>(begin));
      rest.insert(rest.end(), kept.begin() + static_cast<std::ptrdiff_t>(end), kept.end());
      if (rest.size() < kept.size() && !rest.empty() && keeps_failing(rest)) {
        kept = std::move(rest);
        has_shrunk = true;
      } else {
        begin = end;
      }
    }
    if (chunk == 1 && !has_shrunk) break;
    if (chunk > 1) chunk = (chunk + 1) / 2;
  }
  return kept;
}

}  // namespace failsim::explore
