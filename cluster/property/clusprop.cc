#include "cluster/property/clusprop.h"

#include <cassert>
#include <cstddef>
#include <limits>
#include <optional>
#include <utility>

#include "cluster/property/utf16.h"

namespace failsim {
namespace {

constexpr std::uint32_t kSyntaxEndmark = 0x00000000;
constexpr std::uint32_t kSyntaxName = 0x00040003;
constexpr std::uint32_t kTypeListValue = 0x0001;

// The shortest property: a name of one character, a value without data, the endmark.
constexpr std::size_t kMinimumPropertySize = (8 + 4) + 8 + 4;

enum class Kind { kUnsigned, kSigned, kBytes, kText, kTexts };

struct FormatRow {
  Format format;
  std::string_view name;
  Kind kind;
  std::uint32_t size;  // of the data of a number
};

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

const FormatRow* find_format(std::uint32_t number) {
  for (const FormatRow& row : kFormats) {
    if (static_cast<std::uint32_t>(row.format) == number) return &row;
  }
  return nullptr;
}

Error malformed(std::size_t offset, std::string_view why) {
  std::string message = "The CLUSPROP data is malformed at byte " + std::to_string(offset) + ": ";
  message += why;
  return {Code::kInvalidData, std::move(message),
          "Send the bytes exactly as the sender made them."};
}

Error unwritable(std::string_view why) {
  std::string message = "The value cannot be written as CLUSPROP: ";
  message += why;
  return {Code::kInvalidData, std::move(message),
          "Give a value that the format of the property can hold."};
}

// ---- Integers -----------------------------------------------------------------------------------

void put_integer(std::string& out, std::uint64_t number, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    out.push_back(static_cast<char>((number >> (8 * i)) & 0xFF));
  }
}

void put_u32(std::string& out, std::uint32_t number) {
  put_integer(out, number, 4);
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

// A two's complement number of `size` bytes.
std::int64_t as_signed(std::uint64_t number, std::size_t size) {
  if (size == 4) return static_cast<std::int32_t>(static_cast<std::uint32_t>(number));
  assert(size == 8);
  return static_cast<std::int64_t>(number);
}

// ---- Writing ------------------------------------------------------------------------------------

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
  const FormatRow* format = find_format(static_cast<std::uint32_t>(value.format));
  if (format == nullptr) return unwritable("its format is not known.");
  Result<std::string> data = data_of(*format, value);
  if (!data) return data.error();
  const std::uint32_t syntax = (kTypeListValue << 16) | static_cast<std::uint32_t>(value.format);
  return append_element(out, syntax, data.value());
}

// ---- Reading ------------------------------------------------------------------------------------

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
  if (element.syntax >> 16 != kTypeListValue) {
    return malformed(element.offset,
                     "a value of a list was expected, the syntax is of another type.");
  }
  const FormatRow* format = find_format(element.syntax & 0xFFFF);
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
  if (element.syntax != kSyntaxName) {
    return malformed(element.offset, "a property name was expected.");
  }
  Result<std::string> text = text_of(element.data, element.offset);
  if (!text) return text.error();
  if (text.value().empty()) return malformed(element.offset, "a property has no name.");
  property.name = text.take();

  while (reader.peek_u32() != kSyntaxEndmark) {
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

std::string_view name(Format format) {
  const FormatRow* row = find_format(static_cast<std::uint32_t>(format));
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

Result<std::string> encode_value(const Value& value) {
  std::string out;
  if (auto error = append_value(out, value)) return *error;
  return out;
}

Result<Value> decode_value(std::string_view bytes) {
  Reader reader(bytes);
  Result<Element> element = reader.element("a value");
  if (!element) return element.error();
  if (reader.left() != 0) return malformed(reader.offset(), "bytes follow the value.");
  return value_of(element.value());
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
    if (auto error = append_element(out, kSyntaxName, name_data)) return *error;
    for (const Value& value : property.values) {
      if (auto error = append_value(out, value)) return *error;
    }
    put_u32(out, kSyntaxEndmark);
  }
  return out;
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
