#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <google/protobuf/util/json_util.h>

#include "tools/report/fact_form.h"
#include "tools/report/history.h"

namespace failsim::history {
namespace {

// Hashes and identities of 64 bits.
std::string hexadecimal(std::uint64_t number) {
  std::array<char, 16> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
  return std::string(digits.data(), end);
}

std::string row_json(const google::protobuf::Message& row) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  // Rows hold no type that could fail.
  if (!google::protobuf::util::MessageToJsonString(row, &text, options).ok()) return "{}";
  return text;
}

class Writing {
 public:
  Writing(std::string& out, std::map<std::uint64_t, RowPtr<pb::EventRecord>>& events)
      : out_(out), events_(events) {}

  template <typename Number>
  void number(std::string_view name, const Number& value) {
    key(name);
    std::array<char, 24> digits;
    out_.append(digits.data(),
                std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
  }
  void identity(std::string_view name, std::uint64_t value) { text(name, hexadecimal(value)); }
  void flag(std::string_view name, bool value) {
    key(name);
    out_ += value ? "true" : "false";
  }
  void text(std::string_view name, std::string_view value) {
    key(name);
    append_quoted(out_, value);
  }
  template <typename Choice>
  void choice(std::string_view name, Choice value, std::initializer_list<std::string_view> names) {
    text(name, names.begin()[static_cast<std::size_t>(value)]);
  }
  template <typename Numbers>
  void numbers(std::string_view name, const Numbers& values) {
    key(name);
    const char* separator = "[";
    for (const auto& value : values) {
      out_ += separator + std::to_string(value);
      separator = ",";
    }
    out_ += values.empty() ? "[]" : "]";
  }
  template <typename Objects, typename Describe>
  void objects(std::string_view name, const Objects& values, const Describe& describe_one) {
    key(name);
    out_ += '[';
    for (const auto& value : values) {
      if (&value != &values.front()) out_ += ',';
      std::string inner_text;
      Writing inner(inner_text, events_);
      describe_one(inner, value);
      out_ += '{' + inner_text.substr(std::min<std::size_t>(1, inner_text.size())) + '}';
    }
    out_ += ']';
  }
  void row(std::string_view name, const google::protobuf::Message& value) {
    key(name);
    out_ += row_json(value);
  }
  template <typename Row>
  void row(std::string_view name, const RowPtr<Row>& value) {
    row(name, *value);
  }
  template <typename Row>
  void optional_row(std::string_view name, const RowPtr<Row>& value) {
    if (value != nullptr) row(name, *value);
  }
  void position(const pb::LogStart& position) {
    number("index", position.index());
    number("term", position.term());
    number("checksum", position.checksum());
  }
  // In full when it is seen first; a replica that applied the same afterwards names its number.
  void event(const RowPtr<pb::EventRecord>& event) {
    number("number", event->number());
    const auto [known, added] = events_.emplace(event->number(), event);
    if (!added && known->second->SerializeAsString() == event->SerializeAsString()) return;
    row("record", *event);
  }

 private:
  void key(std::string_view name) {
    out_ += ",\"";
    out_ += name;
    out_ += "\":";
  }

  std::string& out_;
  std::map<std::uint64_t, RowPtr<pb::EventRecord>>& events_;
};

}  // namespace

void append_quoted(std::string& out, std::string_view text) {
  out += boost::json::serialize(boost::json::string_view(text));
}

std::string_view kind_of(const Fact& fact) {
  return kKindNames[fact.index()];
}

HistoryWriter::HistoryWriter(std::ostream& out, const RunIdentity& run, Options options)
    : out_(out), options_(options) {
  std::string line = "{\"" + std::string(kHistoryKey) + "\":" + std::to_string(kHistoryVersion);
  Writing writing(line, events_);
  writing.text("title", run.title);
  writing.text("replay", run.replay);
  writing.text("world", run.world);
  out_ << line << "}\n";
}

void HistoryWriter::take(Time now, const Fact& fact) {
  if (!options_.heartbeats) {
    const Sent* sent = std::get_if<Sent>(&fact);
    if (sent != nullptr && sent->type == "heartbeat") {
      left_out_.insert(sent->id);
      return;
    }
    const Received* received = std::get_if<Received>(&fact);
    if (received != nullptr && left_out_.contains(received->id)) return;
  }
  line_ = "{\"time_ns\":" + std::to_string(now) + ",\"kind\":\"";
  line_ += kind_of(fact);
  line_ += '"';
  Writing writing(line_, events_);
  std::visit([&writing](const auto& one) { describe(writing, one); }, fact);
  line_ += "}\n";
  out_ << line_;
}

}  // namespace failsim::history
