// The fuzz target without a fuzzer: every truncation and every changed byte of the documented
// lists, and seeded random changes of them.
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cluster/property/clusprop.h"
#include "tests/cluster/property/vectors.h"
#include "tests/fuzz/target.h"

namespace failsim {
namespace {

void run(const std::string& input) {
  const std::vector<std::uint8_t> data(input.begin(), input.end());
  LLVMFuzzerTestOneInput(data.data(), data.size());
}

std::vector<std::string> corpus() {
  std::vector<std::string> inputs = {vectors::migration_state(), vectors::live_move(),
                                     vectors::three_properties()};
  const PropertyList every_format = {
      {"Every",
       {Value::binary("abc"), Value::dword(1), Value::sz("text"), Value::expand_sz("%t%"),
        Value::multi_sz({"a", "\xF0\x9F\x98\x80"}), Value::ularge_integer(2),
        Value::long_integer(-3), Value::large_integer(-4), Value::word(5), Value::filetime(6)}}};
  inputs.push_back(encode_list(every_format).value());
  for (const Value& value : every_format[0].values) inputs.push_back(encode_value(value).value());
  return inputs;
}

TEST(ClusPropFuzz, HoldsForEveryTruncation) {
  for (const std::string& input : corpus()) {
    for (std::size_t size = 0; size <= input.size(); ++size) run(input.substr(0, size));
  }
}

TEST(ClusPropFuzz, HoldsForTellingValuesOfEveryByte) {
  for (const std::string& input : corpus()) {
    for (std::size_t at = 0; at < input.size(); ++at) {
      for (const int value :
           {0x00, 0x01, 0x02, 0x03, 0x05, 0x0B, 0x61, 0x7F, 0x80, 0xD8, 0xDC, 0xFF}) {
        std::string changed = input;
        changed[at] = static_cast<char>(value);
        run(changed);
      }
    }
  }
}

// The generator is the same on every machine; only its raw output is used.
class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {}

  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(random_() % bound); }

  void mutate(std::string& input, const std::vector<std::string>& others) {
    const std::size_t at = below(input.size() + 1);
    switch (below(6)) {
      case 0:  // change a byte
        if (at < input.size()) input[at] = static_cast<char>(random_());
        break;
      case 1:  // flip a bit
        if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << below(8)));
        break;
      case 2:  // put an interesting number in a word
        if (input.size() >= 4) {
          constexpr std::uint32_t kNumbers[] = {0,       1,          2,          3,
                                                4,       0x00010002, 0x00040003, 0x00010005,
                                                0x10003, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFFFFFD};
          const std::uint32_t number = kNumbers[below(std::size(kNumbers))];
          const std::size_t word = below(input.size() / 4) * 4;
          for (std::size_t i = 0; i < 4; ++i) {
            input[word + i] = static_cast<char>(number >> (8 * i));
          }
        }
        break;
      case 3:  // take some bytes out
        input.erase(at, below(9));
        break;
      case 4: {  // put a piece of another input in
        const std::string& other = others[below(others.size())];
        const std::size_t from = below(other.size() / 4) * 4;
        input.insert(at - at % 4, other.substr(from, 4 * below(8)));
        break;
      }
      default:  // cut it off
        input.resize(at);
    }
  }

 private:
  std::mt19937_64 random_;
};

TEST(ClusPropFuzz, HoldsForSeededMutations) {
  const std::vector<std::string> inputs = corpus();
  Mutator mutator(20'050'307);
  for (int round = 0; round < 4'000; ++round) {
    std::string input = inputs[mutator.below(inputs.size())];
    for (std::size_t left = 1 + mutator.below(5); left > 0; --left) mutator.mutate(input, inputs);
    run(input);
  }
}

}  // namespace
}  // namespace failsim
