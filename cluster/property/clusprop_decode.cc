#include <cassert>
#include <cstddef>
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

// The shortest property: a name of one character, a value without data, the endmark.
constexpr std::size_t kMinimumPropertySize = (8 + 4) + 8 + 4;

Error malformed(std::size_t offset, std::string_view why) {
  std::string message = "The CLUSPROP data is malformed at byte " + std::to_string(offset) + ": ";
  message += why;
  return {Code::kInvalidData, std::move(message),
          "Send the bytes exactly as the sender made them."};
}

std::uint64_t integer_at(std::string_view bytes, std::size_t at, std::size_t size) {
  assert(at <= bytes.size());
  assert(size <= bytes.size() - at);
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < size; ++i) {
    number |= std::uint64_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  }
  return number;
}

struct Element {
  std::uint32_t syntax = 0;
  std::size_t offset = 0;  // of the syntax
  std::string_view data;   // without padding
};

// Walks over the bytes; each step checks what is left before it looks.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  std::size_t offset() const { return at_; }
  std::size_t left() const { return bytes_.size() - at_; }

  std::optional<std::uint32_t> peek_u32() const {
    if (left() < 4) return std::nullopt;
    return static_cast<std::uint32_t>(integer_at(bytes_, at_, 4));
  }

  Result<std::uint32_t> u32(std::string_view what) {
    const std::optional<std::uint32_t> number = peek_u32();
    if (!number) return malformed(at_, "it ends inside " + std::string(what) + ".");
    at_ += 4;
    return *number;
  }

  // Syntax, length, data and padding.
  Result<Element> element(std::string_view what) {
    Element element;
    element.offset = at_;
    Result<std::uint32_t> syntax = u32(what);
    if (!syntax) return syntax.error();
    Result<std::uint32_t> length = u32(what);
    if (!length) return length.error();
    const std::size_t size = length.value();
    if (size > left()) {
      return malformed(element.offset, std::string(what) + " says it is " + std::to_string(size) +
                                           " bytes long and " + std::to_string(left()) +
                                           " are left.");
    }
    element.syntax = syntax.value();
    element.data = bytes_.substr(at_, size);
    at_ += size;
    const std::size_t padding = (4 - size % 4) % 4;
    if (padding > left()) return malformed(at_, "it ends inside the padding.");
    at_ += padding;
    return element;
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

// The text of an SZ; `data` ends with the NUL, or is empty for the empty string.
Result<std::string> text_of(std::string_view data, std::size_t offset) {
  if (data.empty()) return std::string();
  if (data.size() % 2 != 0) return malformed(offset, "a string has an odd number of bytes.");
  if (integer_at(data, data.size() - 2, 2) != 0) {
    return malformed(offset, "a string does not end with a NUL.");
  }
  Result<std::string> text = utf8_of_utf16le(data.substr(0, data.size() - 2));
  if (!text) return malformed(offset, "a string is not valid UTF-16.");
  if (text.value().find('\0') != std::string::npos) {
    return malformed(offset, "a string goes on after its NUL.");
  }
  return text;
}

// The strings of a MULTI_SZ. One or two NULs, or no data, are the empty list.
Result<std::vector<std::string>> texts_of(std::string_view data, std::size_t offset) {
  std::vector<std::string> texts;
  if (data.size() % 2 != 0) return malformed(offset, "a MULTI_SZ has an odd number of bytes.");
  if (data == std::string_view("\0\0\0\0", 4) || data.empty()) return texts;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < data.size(); at += 2) {
    if (integer_at(data, at, 2) != 0) continue;
    if (at == begin) {
      if (at + 2 != data.size()) return malformed(offset, "a MULTI_SZ goes on after its end.");
      return texts;
    }
    Result<std::string> text = utf8_of_utf16le(data.substr(begin, at - begin));
    if (!text) return malformed(offset, "a string is not valid UTF-16.");
    texts.push_back(text.take());
    begin = at + 2;
  }
  return malformed(offset, "a MULTI_SZ does not end with an extra NUL.");
}

Result<Value> value_of(const Element& element) {
  if (element.syntax >> 16 != clusprop::kTypeListValue) {
    return malformed(element.offset,
                     "a value of a list was expected, the syntax is of another type.");
  }
  const FormatRow* format = clusprop::find_format(element.syntax & 0xFFFF);
  if (format == nullptr) {
    return malformed(element.offset,
                     "the format " + std::to_string(element.syntax & 0xFFFF) + " is not known.");
  }
  const bool is_number = format->kind == Kind::kUnsigned || format->kind == Kind::kSigned;
  if (is_number && element.data.size() != format->size) {
    return malformed(element.offset, "a " + std::string(format->name) + " has " +
                                         std::to_string(format->size) + " bytes, not " +
                                         std::to_string(element.data.size()) + ".");
  }
  Value value;
  value.format = format->format;
  switch (format->kind) {
    case Kind::kUnsigned:
      value.content = integer_at(element.data, 0, format->size);
      break;
    case Kind::kSigned:
      value.content = as_signed(integer_at(element.data, 0, format->size), format->size);
      break;
    case Kind::kBytes:
      value.content = std::string(element.data);
      break;
    case Kind::kText: {
      Result<std::string> text = text_of(element.data, element.offset);
      if (!text) return text.error();
      value.content = text.take();
      break;
    }
    case Kind::kTexts: {
      Result<std::vector<std::string>> texts = texts_of(element.data, element.offset);
      if (!texts) return texts.error();
      value.content = texts.take();
      break;
    }
  }
  return value;
}

Result<Property> read_property(Reader& reader) {
  Property property;
  Result<Element> name_element = reader.element("a property name");
  if (!name_element) return name_element.error();
  const Element& element = name_element.value();
  if (element.syntax != clusprop::kSyntaxName) {
    return malformed(element.offset, "a property name was expected.");
  }
  Result<std::string> text = text_of(element.data, element.offset);
  if (!text) return text.error();
  if (text.value().empty()) return malformed(element.offset, "a property has no name.");
  property.name = text.take();

  while (reader.peek_u32() != clusprop::kSyntaxEndmark) {
    Result<Element> next = reader.element("a value");
    if (!next) return next.error();
    Result<Value> value = value_of(next.value());
    if (!value) return value.error();
    property.values.push_back(value.take());
  }
  if (property.values.empty()) return malformed(reader.offset(), "a property has no value.");
  Result<std::uint32_t> endmark = reader.u32("an endmark");
  assert(endmark.ok());
  return property;
}

}  // namespace

Result<Value> decode_value(std::string_view bytes) {
  Reader reader(bytes);
  Result<Element> element = reader.element("a value");
  if (!element) return element.error();
  if (reader.left() != 0) return malformed(reader.offset(), "bytes follow the value.");
  return value_of(element.value());
}

Result<PropertyList> decode_list(std::string_view bytes) {
  Reader reader(bytes);
  Result<std::uint32_t> count = reader.u32("the number of properties");
  if (!count) return count.error();
  if (count.value() > reader.left() / kMinimumPropertySize) {
    return malformed(
        0, "it cannot hold the " + std::to_string(count.value()) + " properties it announces.");
  }
  PropertyList list;
  list.reserve(count.value());
  for (std::uint32_t i = 0; i < count.value(); ++i) {
    Result<Property> property = read_property(reader);
    if (!property) return property.error();
    list.push_back(property.take());
  }
  if (reader.left() != 0) return malformed(reader.offset(), "bytes follow the last property.");
  return list;
}

}  // namespace failsim
