// Whatever the bytes: decoding reads nothing outside of them, and what it accepts is written in the
// canonical form, which decodes to the same and is written the same again. Stops the process if
// not.
//
//   clang++ -std=c++20 -g -O1 -I. -fsanitize=fuzzer,address,undefined
//       tests/fuzz/clusprop_fuzz.cc cluster/property/clusprop.cc cluster/property/utf16.cc

#include <string>
#include <string_view>

#include "cluster/property/clusprop.h"
#include "cluster/property/utf16.h"
#include "tests/fuzz/target.h"

namespace {

using namespace failsim;

void check_list(std::string_view bytes) {
  const Result<PropertyList> list = decode_list(bytes);
  if (!list) {
    require(list.error().code == Code::kInvalidData);
    return;
  }
  const Result<std::string> canonical = encode_list(list.value());
  require(canonical.ok());
  const Result<PropertyList> again = decode_list(canonical.value());
  require(again.ok());
  require(again.value() == list.value());
  require(encode_list(again.value()).value() == canonical.value());
}

void check_value(std::string_view bytes) {
  const Result<Value> value = decode_value(bytes);
  if (!value) {
    require(value.error().code == Code::kInvalidData);
    return;
  }
  const Result<std::string> canonical = encode_value(value.value());
  require(canonical.ok());
  const Result<Value> again = decode_value(canonical.value());
  require(again.ok());
  require(again.value() == value.value());
  require(encode_value(again.value()).value() == canonical.value());
}

void check_text(std::string_view bytes) {
  if (const Result<std::string> text = utf8_of_utf16le(bytes)) {
    require(utf16le_of_utf8(text.value()).value() == bytes);
  }
  if (const Result<std::string> utf16 = utf16le_of_utf8(bytes)) {
    require(utf8_of_utf16le(utf16.value()).value() == bytes);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A copy of exactly this size, so that a read past the end is noticed by the sanitizer.
  const std::string bytes(data, data + size);
  check_list(bytes);
  check_value(bytes);
  check_text(bytes);
  return 0;
}
