#include "tools/benchmark/statistics.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace failsim::bench {

double percentile(std::vector<double> values, double percent) {
  assert(!values.empty());
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(percent / 100 * static_cast<double>(values.size()));
  const auto place = static_cast<std::size_t>(std::max(rank, 1.0));
  return values[std::min(place, values.size()) - 1];
}

double maximum(const std::vector<double>& values) {
  assert(!values.empty());
  return *std::max_element(values.begin(), values.end());
}

}  // namespace failsim::bench
