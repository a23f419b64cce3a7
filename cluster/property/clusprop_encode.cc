#include <cassert>
#include <cstddef>
#include <limits>
#include <optional>
#include <utility>

#include "cluster/property/clusprop.h"
#include "cluster/property/clusprop_format.h"
#include "cluster/property/utf16.h"

namespace failsim {
namespace {

using clusprop::as_signed;
using clusprop::FormatRow;
using clusprop::Kind;

Error unwritable(std::string_view why) {
  std::string message = "The value cannot be written as CLUSPROP: ";
  message += why;
  return {Code::kInvalidData, std::move(message),
          "Give a value that the format of the property can hold."};
}

void put_integer(std::string& out, std::uint64_t number, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    out.push_back(static_cast<char>((number >> (8 * i)) & 0xFF));
  }
}

void put_u32(std::string& out, std::uint32_t number) {
  put_integer(out, number, 4);
}

// UTF-16 with its NUL, appended; an error when the text cannot be a string of the API.
std::optional<Error> append_sz(std::string& data, std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return unwritable("a text contains a NUL.");
  Result<std::string> utf16 = utf16le_of_utf8(text);
  if (!utf16) return utf16.error();
  data += utf16.value();
  put_integer(data, 0, 2);
  return std::nullopt;
}

Result<std::string> data_of(const FormatRow& format, const Value& value) {
  std::string data;
  const auto mismatch = [&] {
    return unwritable("the content is not of the kind that " + std::string(format.name) +
                      " calls for.");
  };
  switch (format.kind) {
    case Kind::kUnsigned: {
      const auto* number = std::get_if<std::uint64_t>(&value.content);
      if (number == nullptr) return mismatch();
      if (format.size < 8 && (*number >> (8 * format.size)) != 0) {
        return unwritable(std::to_string(*number) + " does not fit " + std::string(format.name) +
                          ".");
      }
      put_integer(data, *number, format.size);
      return data;
    }
    case Kind::kSigned: {
      const auto* number = std::get_if<std::int64_t>(&value.content);
      if (number == nullptr) return mismatch();
      const auto bits = static_cast<std::uint64_t>(*number);
      if (as_signed(bits, format.size) != *number) {
        return unwritable(std::to_string(*number) + " does not fit " + std::string(format.name) +
                          ".");
      }
      put_integer(data, bits, format.size);
      return data;
    }
    case Kind::kBytes: {
      const auto* bytes = std::get_if<std::string>(&value.content);
      if (bytes == nullptr) return mismatch();
      return *bytes;
    }
    case Kind::kText: {
      const auto* text = std::get_if<std::string>(&value.content);
      if (text == nullptr) return mismatch();
      if (auto error = append_sz(data, *text)) return *error;
      return data;
    }
    case Kind::kTexts: {
      const auto* texts = std::get_if<std::vector<std::string>>(&value.content);
      if (texts == nullptr) return mismatch();
      for (const std::string& text : *texts) {
        if (text.empty()) return unwritable("a MULTI_SZ cannot hold an empty string.");
        if (auto error = append_sz(data, text)) return *error;
      }
      put_integer(data, 0, 2);
      return data;
    }
  }
  assert(false);
  return mismatch();
}

std::optional<Error> append_element(std::string& out, std::uint32_t syntax, std::string_view data) {
  if (data.size() > std::numeric_limits<std::uint32_t>::max()) {
    return unwritable("it is longer than 4 GiB.");
  }
  put_u32(out, syntax);
  put_u32(out, static_cast<std::uint32_t>(data.size()));
  out += data;
  out.append((4 - data.size() % 4) % 4, '\0');
  return std::nullopt;
}

std::optional<Error> append_value(std::string& out, const Value& value) {
  const FormatRow* format = clusprop::find_format(static_cast<std::uint32_t>(value.format));
  if (format == nullptr) return unwritable("its format is not known.");
  Result<std::string> data = data_of(*format, value);
  if (!data) return data.error();
  const std::uint32_t syntax =
      (clusprop::kTypeListValue << 16) | static_cast<std::uint32_t>(value.format);
  return append_element(out, syntax, data.value());
}

}  // namespace

Result<std::string> encode_value(const Value& value) {
  std::string out;
  if (auto error = append_value(out, value)) return *error;
  return out;
}

Result<std::string> encode_list(const PropertyList& list) {
  if (list.size() > std::numeric_limits<std::uint32_t>::max()) {
    return unwritable("the list has too many properties.");
  }
  std::string out;
  put_u32(out, static_cast<std::uint32_t>(list.size()));
  for (const Property& property : list) {
    if (property.name.empty()) return unwritable("a property has no name.");
    if (property.values.empty()) return unwritable("a property has no value.");
    std::string name_data;
    if (auto error = append_sz(name_data, property.name)) return *error;
    if (auto error = append_element(out, clusprop::kSyntaxName, name_data)) return *error;
    for (const Value& value : property.values) {
      if (auto error = append_value(out, value)) return *error;
    }
    put_u32(out, clusprop::kSyntaxEndmark);
  }
  return out;
}

}  // namespace failsim
