// What is said about many measured values.
#pragma once

#include <vector>

namespace failsim::bench {

// The smallest value that at least `percent` of the values do not exceed; the values must not be
// empty.
double percentile(std::vector<double> values, double percent);
inline double median(const std::vector<double>& values) {
  return percentile(values, 50);
}
double maximum(const std::vector<double>& values);

}  // namespace failsim::bench
