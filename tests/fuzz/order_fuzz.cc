// Whatever the line: it is refused with a sentence, or it is an order whose text is the same order.
// Stops the process if not.

#include <string>

#include "cluster/fault/order.h"
#include "tests/fuzz/target.h"

using namespace failsim;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A copy of exactly this size, so that a read past the end is noticed by the sanitizer.
  const std::string line(data, data + size);
  const Result<fault::Order> order = fault::parse_order(line);
  if (!order) {
    require(order.error().code == Code::kInvalidParameter);
    require(!order.error().message.empty());
    return 0;
  }
  const std::string text = to_text(order.value());
  const Result<fault::Order> again = fault::parse_order(text);
  require(again.ok());
  require(again.value() == order.value());
  require(to_text(again.value()) == text);
  return 0;
}
