#include "cluster/property/clusprop.h"

#include <cassert>
#include <utility>

#include "cluster/property/clusprop_format.h"

namespace failsim {
namespace clusprop {
namespace {

constexpr FormatRow kFormats[] = {
    {Format::kBinary, "BINARY", Kind::kBytes, 0},
    {Format::kDword, "DWORD", Kind::kUnsigned, 4},
    {Format::kSz, "SZ", Kind::kText, 0},
    {Format::kExpandSz, "EXPAND_SZ", Kind::kText, 0},
    {Format::kMultiSz, "MULTI_SZ", Kind::kTexts, 0},
    {Format::kUlargeInteger, "ULARGE_INTEGER", Kind::kUnsigned, 8},
    {Format::kLong, "LONG", Kind::kSigned, 4},
    {Format::kLargeInteger, "LARGE_INTEGER", Kind::kSigned, 8},
    {Format::kWord, "WORD", Kind::kUnsigned, 2},
    {Format::kFiletime, "FILETIME", Kind::kUnsigned, 8},
};

}  // namespace

const FormatRow* find_format(std::uint32_t number) {
  for (const FormatRow& row : kFormats) {
    if (static_cast<std::uint32_t>(row.format) == number) return &row;
  }
  return nullptr;
}

}  // namespace clusprop

std::string_view name(Format format) {
  const clusprop::FormatRow* row = clusprop::find_format(static_cast<std::uint32_t>(format));
  assert(row != nullptr);
  return row->name;
}

Value Value::binary(std::string bytes) {
  return {Format::kBinary, std::move(bytes)};
}
Value Value::dword(std::uint32_t number) {
  return {Format::kDword, std::uint64_t{number}};
}
Value Value::sz(std::string text) {
  return {Format::kSz, std::move(text)};
}
Value Value::expand_sz(std::string text) {
  return {Format::kExpandSz, std::move(text)};
}
Value Value::multi_sz(std::vector<std::string> texts) {
  return {Format::kMultiSz, std::move(texts)};
}
Value Value::ularge_integer(std::uint64_t number) {
  return {Format::kUlargeInteger, number};
}
Value Value::long_integer(std::int32_t number) {
  return {Format::kLong, std::int64_t{number}};
}
Value Value::large_integer(std::int64_t number) {
  return {Format::kLargeInteger, number};
}
Value Value::word(std::uint16_t number) {
  return {Format::kWord, std::uint64_t{number}};
}
Value Value::filetime(std::uint64_t number) {
  return {Format::kFiletime, number};
}

}  // namespace failsim
