#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <limits>
#include <optional>
#include <utility>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <google/protobuf/util/json_util.h>

#include "tools/report/fact_form.h"
#include "tools/report/history.h"

namespace failsim::history {
namespace {

namespace json = boost::json;

// False if it is no whole number or out of range.
template <typename Number>
bool read_number(const json::value& value, Number& number) {
  if (!value.is_int64() && !value.is_uint64()) return false;
  boost::system::error_code failed;
  number = value.to_number<Number>(failed);
  return !failed;
}

// The first field that is missing or wrong is remembered; the fact is of no use then.
class Reading {
 public:
  Reading(const json::object& object, std::map<std::uint64_t, RowPtr<pb::EventRecord>>& events)
      : object_(object), events_(events) {}

  const std::string& wrong() const { return wrong_; }

  template <typename Number>
  void number(std::string_view name, Number& value) {
    const json::value* found = find(name);
    if (found == nullptr) return;
    if (!read_number(*found, value)) note_wrong(name);
  }
  void identity(std::string_view name, std::uint64_t& value) {
    std::string digits;
    text(name, digits);
    const char* end = digits.data() + digits.size();
    const auto read = std::from_chars(digits.data(), end, value, 16);
    if (read.ec != std::errc() || read.ptr != end) note_wrong(name);
  }
  void flag(std::string_view name, bool& value) {
    const json::value* found = find(name);
    if (found == nullptr) return;
    if (!found->is_bool()) return note_wrong(name);
    value = found->get_bool();
  }
  void text(std::string_view name, std::string& value) {
    const json::value* found = find(name);
    if (found == nullptr) return;
    if (!found->is_string()) return note_wrong(name);
    value = std::string(std::string_view(found->get_string()));
  }
  template <typename Choice>
  void choice(std::string_view name, Choice& value, std::initializer_list<std::string_view> names) {
    std::string chosen;
    text(name, chosen);
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names.begin()[i] == chosen) {
        value = static_cast<Choice>(i);
        return;
      }
    }
    note_wrong(name);
  }
  template <typename Number>
  void numbers(std::string_view name, std::vector<Number>& values) {
    const json::value* found = find(name);
    if (found == nullptr) return;
    if (!found->is_array()) return note_wrong(name);
    for (const json::value& element : found->get_array()) {
      if (!read_number(element, values.emplace_back())) return note_wrong(name);
    }
  }
  template <typename Object, typename Describe>
  void objects(std::string_view name, std::vector<Object>& values, const Describe& describe_one) {
    const json::value* found = find(name);
    if (found == nullptr) return;
    if (!found->is_array()) return note_wrong(name);
    for (const json::value& element : found->get_array()) {
      if (!element.is_object()) return note_wrong(name);
      Reading inner(element.get_object(), events_);
      describe_one(inner, values.emplace_back());
      if (!inner.wrong().empty()) return note_wrong(name);
    }
  }
  void row(std::string_view name, google::protobuf::Message& value) {
    const json::value* found = find(name);
    if (found == nullptr) return;
    const std::string row_text = json::serialize(*found);
    if (!google::protobuf::util::JsonStringToMessage(row_text, &value).ok()) note_wrong(name);
  }
  template <typename Row>
  void row(std::string_view name, RowPtr<Row>& value) {
    auto read = std::make_shared<Row>();
    row(name, *read);
    value = std::move(read);
  }
  template <typename Row>
  void optional_row(std::string_view name, RowPtr<Row>& value) {
    if (object_.contains(name)) row(name, value);
  }
  void position(pb::LogStart& position) {
    std::uint64_t index = 0;
    std::uint64_t term = 0;
    std::uint32_t checksum = 0;
    number("index", index);
    number("term", term);
    number("checksum", checksum);
    position.set_index(index);
    position.set_term(term);
    position.set_checksum(checksum);
  }
  void event(RowPtr<pb::EventRecord>& event) {
    std::uint64_t event_number = 0;
    number("number", event_number);
    if (object_.contains("record")) {
      row("record", event);
      events_.emplace(event_number, event);
      return;
    }
    const auto known = events_.find(event_number);
    if (known == events_.end()) return note_wrong("record");
    event = known->second;
  }

 private:
  const json::value* find(std::string_view name) {
    const json::value* found = object_.if_contains(name);
    if (found == nullptr) note_wrong(name);
    return found;
  }
  void note_wrong(std::string_view name) {
    if (wrong_.empty()) wrong_ = name;
  }

  const json::object& object_;
  std::map<std::uint64_t, RowPtr<pb::EventRecord>>& events_;
  std::string wrong_;
};

// The kind of this number with its fields filled in.
template <std::size_t kind = 0>
Fact read_fact(std::size_t wanted, Reading& reading) {
  if constexpr (kind + 1 < std::variant_size_v<Fact>) {
    if (kind != wanted) return read_fact<kind + 1>(wanted, reading);
  }
  std::variant_alternative_t<kind, Fact> fact;
  describe(reading, fact);
  return fact;
}

// ---- A file, line by line -----------------------------------------------------------------------

class Reader {
 public:
  Reader(std::istream& in, Sink& sink) : in_(in), sink_(sink) {}

  Result<HistoryEnd> read() {
    std::string line;
    while (std::getline(in_, line)) {
      ++line_number_;
      const bool is_whole = !in_.eof();  // a line without its end was cut off
      const std::optional<Error> error = take_line(line, is_whole);
      if (error) return *error;
    }
    if (line_number_ == 0 || !has_header_) {
      return Error{Code::kInvalidParameter, "The history is empty.",
                   "Give the history.jsonl of a run, or the directory of the run."};
    }
    return std::move(end_);
  }

 private:
  std::optional<Error> take_line(const std::string& line, bool is_whole) {
    boost::system::error_code failed;
    const json::value value = json::parse(line, failed);
    if (failed || !value.is_object()) {
      if (!is_whole && has_header_) {
        end_.is_torn = true;
        return std::nullopt;
      }
      return wrong("is not a JSON object");
    }
    if (has_header_) return take_fact(value.get_object());
    return take_header(value.get_object());
  }

  std::optional<Error> take_header(const json::object& object) {
    const json::value* version = object.if_contains(kHistoryKey);
    if (version == nullptr || !version->is_number()) {
      return Error{
          Code::kInvalidParameter,
          "This is no history: its first line does not say '" + std::string(kHistoryKey) + "'.",
          "Give the history.jsonl of a run, or the directory of the run."};
    }
    if (version->to_number<std::uint64_t>(failed_) != kHistoryVersion || failed_) {
      return Error{Code::kInvalidData,
                   "This history has version " + json::serialize(*version) +
                       ", and this failsim reads version " + std::to_string(kHistoryVersion) + ".",
                   "Check it with the failsim that wrote it."};
    }
    Reading reading(object, events_);
    reading.text("title", end_.run.title);
    reading.text("replay", end_.run.replay);
    reading.text("world", end_.run.world);
    if (!reading.wrong().empty()) return wrong("has no '" + reading.wrong() + "'");
    has_header_ = true;
    return std::nullopt;
  }

  std::optional<Error> take_fact(const json::object& object) {
    Reading reading(object, events_);
    Time time = 0;
    std::string kind;
    reading.number("time_ns", time);
    reading.text("kind", kind);
    if (!reading.wrong().empty()) return wrong("has no '" + reading.wrong() + "'");
    if (time < last_time_) return wrong("is earlier than the line before it");
    last_time_ = time;
    const auto* name = std::find(std::begin(kKindNames), std::end(kKindNames), kind);
    if (name == std::end(kKindNames)) return wrong("has the unknown kind '" + kind + "'");
    const Fact fact = read_fact(static_cast<std::size_t>(name - std::begin(kKindNames)), reading);
    if (!reading.wrong().empty()) {
      return wrong("is a '" + kind + "' without a valid '" + reading.wrong() + "'");
    }
    ++end_.facts;
    sink_.take(time, fact);
    return std::nullopt;
  }

  Error wrong(const std::string& what) const {
    return Error{Code::kInvalidData,
                 "Line " + std::to_string(line_number_) + " of the history " + what + ".",
                 "The file was damaged or edited: take it from the run again."};
  }

  std::istream& in_;
  Sink& sink_;
  std::uint64_t line_number_ = 0;
  bool has_header_ = false;
  Time last_time_ = std::numeric_limits<Time>::min();
  boost::system::error_code failed_;
  std::map<std::uint64_t, RowPtr<pb::EventRecord>> events_;
  HistoryEnd end_;
};

}  // namespace

Result<HistoryEnd> read_history(std::istream& in, Sink& sink) {
  return Reader(in, sink).read();
}

}  // namespace failsim::history
