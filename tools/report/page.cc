// The page is written as plain files (page/) and embedded at build time; here its data is put in.
// Everything is a row of numbers: names are told once, times are nanoseconds.
#include <algorithm>
#include <map>
#include <string>

#include "tools/report/account.h"
#include "tools/report/judge.h"
#include "tools/report/page_files.h"

namespace failsim::history {
namespace {

// A message that never arrived.
constexpr std::int64_t kLost = -1;

class Json {
 public:
  template <typename... Values>
  void row(const Values&... values) {
    comma();
    text_ += '[';
    (value(values), ...);
    text_ += ']';
  }
  void open(std::string_view name) {
    text_ += text_.empty() ? "{" : ",";
    append_quoted(text_, name);
    text_ += ":[";
  }
  void close() { text_ += ']'; }
  void field(std::string_view name, std::string_view raw) {
    text_ += text_.empty() ? "{" : ",";
    append_quoted(text_, name);
    text_ += ':';
    text_ += raw;
  }
  std::string text() const { return text_ + "}"; }

 private:
  void comma() {
    if (text_.back() != '[') text_ += ',';
  }
  template <typename Number>
  void value(const Number& number) {
    comma();
    text_ += std::to_string(number);
  }
  void value(const std::string& text) {
    comma();
    append_quoted(text_, text);
  }
  void value(const std::vector<NodeId>& nodes) {
    comma();
    text_ += '[';
    for (const NodeId node : nodes) value(node);
    text_ += ']';
  }

  std::string text_;
};

std::string quoted(std::string_view text) {
  std::string result;
  append_quoted(result, text);
  return result;
}

// Indexes of names that are told once.
class Names {
 public:
  std::int64_t index(const std::string& name) {
    if (name.empty()) return -1;
    const auto [found, added] = indexes_.emplace(name, names_.size());
    if (added) names_.push_back(name);
    return static_cast<std::int64_t>(found->second);
  }
  void write(Json& json, std::string_view field) const {
    std::string list = "[";
    for (const std::string& name : names_) list += (list.size() > 1 ? "," : "") + quoted(name);
    json.field(field, list + "]");
  }

 private:
  std::map<std::string, std::size_t> indexes_;
  std::vector<std::string> names_;
};

class PageData {
 public:
  explicit PageData(const Account& account) : account_(account), timeline_(account.timeline) {
    for (const std::string& vm : timeline_.vms()) vms_.index(vm);
  }

  std::string text() {
    json_.field("title", quoted(account_.run.title));
    json_.field("replay", quoted(account_.run.replay));
    json_.field("world", quoted(account_.run.world));
    json_.field("options", account_.options.empty() ? "{}" : account_.options);
    json_.field("scenario", quoted(account_.scenario));
    json_.field("end", std::to_string(timeline_.end()));
    std::string nodes = "[";
    for (const NodeId node : timeline_.nodes()) {
      nodes += (nodes.size() > 1 ? "," : "") + std::to_string(node);
    }
    json_.field("nodes", nodes + "]");
    rules();
    spans();
    migrations();
    messages();
    moments();
    vms_.write(json_, "vms");
    types_.write(json_, "types");
    return json_.text();
  }

 private:
  void rules() {
    json_.open("rules");
    for (const Rule& rule : history::rules()) {
      const std::string label(rule.label);
      const auto times = account_.evaluations.find(label);
      json_.row(label, std::string(rule.text),
                times == account_.evaluations.end() ? std::uint64_t{0} : times->second);
    }
    json_.close();
    json_.open("violations");
    for (const invariants::Violation& violation : account_.violations) {
      json_.row(violation.at, violation.label, violation.text);
    }
    json_.close();
  }

  void spans() {
    json_.open("processes");
    for (const auto& process : timeline_.processes()) {
      json_.row(process.node, process.is_frozen ? 1 : 0, process.span.from, process.span.to);
    }
    json_.close();
    json_.open("leaders");
    for (const auto& leader : timeline_.leaders()) {
      json_.row(leader.node, leader.term, leader.span.from, leader.span.to);
    }
    json_.close();
    json_.open("owners");
    for (const auto& owner : timeline_.owners()) {
      json_.row(vms_.index(owner.vm), owner.node, to_string(owner.epoch), owner.span.from,
                owner.span.to);
    }
    json_.close();
    json_.open("executions");
    for (const auto& execution : timeline_.executions()) {
      json_.row(vms_.index(execution.vm), execution.node, execution.span.from, execution.span.to);
    }
    json_.close();
    json_.open("faults");
    for (const auto& fault : timeline_.faults()) {
      json_.row(fault.id, fault.text, fault.nodes, fault.span.from, fault.span.to);
    }
    json_.close();
  }

  void migrations() {
    json_.open("phases");
    for (const auto& phase : timeline_.phases()) {
      const auto ends = timeline_.migrations().find(phase.job);
      const bool known = ends != timeline_.migrations().end();
      json_.row(vms_.index(phase.vm), phase.job, known ? ends->second.source : kNoNode,
                known ? ends->second.target : kNoNode, phase.phase, phase.next, phase.span.from,
                phase.span.to);
    }
    json_.close();
    json_.open("rounds");
    for (const auto& [at, round] : timeline_.rounds()) {
      json_.row(vms_.index(round.vm), round.job, round.round, at, round.bytes_sent,
                round.dirty_bytes);
    }
    json_.close();
  }

  void messages() {
    json_.open("messages");
    for (const auto& message : timeline_.messages()) {
      const Sent& sent = message.sent;
      json_.row(types_.index(sent.type), sent.from, sent.to, message.span.from,
                message.span.to == kNever ? kLost : message.span.to, sent.term, sent.index);
    }
    json_.close();
  }

  void moments() {
    json_.open("moments");
    for (const auto& moment : timeline_.moments()) {
      json_.row(moment.at, static_cast<int>(moment.type), moment.node, vms_.index(moment.vm),
                moment.text);
    }
    json_.close();
  }

  const Account& account_;
  const Timeline& timeline_;
  Json json_;
  Names vms_;
  Names types_;
};

// Nothing in the data may end the element that holds it.
std::string embeddable(std::string json) {
  for (std::size_t at = json.find('<'); at != std::string::npos; at = json.find('<', at)) {
    json.replace(at, 1, "\\u003c");
  }
  return json;
}

void put(std::string& page, std::string_view place, std::string_view content) {
  const std::size_t at = page.find(place);
  if (at != std::string::npos) page.replace(at, place.size(), content);
}

std::string html_text(std::string_view text) {
  std::string result;
  for (const char character : text) {
    if (character == '<') {
      result += "&lt;";
    } else if (character == '&') {
      result += "&amp;";
    } else {
      result += character;
    }
  }
  return result;
}

}  // namespace

std::string page_of(const Account& account) {
  std::string page(kPageHtml);
  put(page, "{{title}}", html_text(account.run.title));
  put(page, "{{style}}", kPageStyle);
  put(page, "{{data}}", embeddable(PageData(account).text()));
  put(page, "{{script}}", kPageScript);
  return page;
}

}  // namespace failsim::history
