#include "tools/failsim/process_view.h"

#include <algorithm>

#include "tools/failsim/errors.h"

namespace failsim::cli {
namespace {

bool asks_for_the_answer(const scenario::Condition& condition) {
  const auto all = scenario::comparisons_of(condition);
  return std::all_of(all.begin(), all.end(),
                     [](const auto* comparison) { return comparison->subject == "answer"; });
}

}  // namespace

void ProcessView::look() {
  sight_ = watch_.sight();
  sight_.answer = answer_;
  sight_.last_task = last_task_;
}

void ProcessView::note_answer(const Performed& performed) {
  const json::object body =
      performed.body.is_object() ? performed.body.get_object() : json::object{};
  answer_ = {performed.code, enum_value_in(body, "return_value"), word_in(body, "job_state")};
  const std::uint64_t task = number_in(body, "task");
  if (performed.code == Code::kOk && task != 0) last_task_ = task;
}

std::optional<std::string> ProcessView::property(const std::string& path) {
  const std::size_t last = path.rfind('/');
  if (last == std::string::npos) return std::nullopt;
  std::string object = path.substr(0, last);
  if (object != "cluster" && object.find('/') == std::string::npos) object = "vm/" + object;
  try {
    const json::value shown = client_.get("/v1/property?object=" + percent_encoded(object) +
                                          "&name=" + percent_encoded(path.substr(last + 1)));
    return plain_in(shown.as_object(), "value");
  } catch (const Failure&) {
    return std::nullopt;  // no such property, or nobody who can tell
  }
}

scenario::Look ProcessView::looking(const Announced* announced) {
  return [this, announced](const std::string& subject, const std::string& object,
                           const std::string& field) -> std::optional<std::string> {
    if (announced != nullptr) {
      if (const auto told = announced->look(subject, object, field)) return told;
    }
    if (subject == "fault") return faults_.is_active(object) ? "true" : "false";
    if (subject == "property") return property(object);
    return sight_.look(subject, object, field);
  };
}

bool ProcessView::was(const scenario::Condition& condition, bool wanted, Window& window) {
  // An answer is known since it came, however long the cluster has not been seen.
  const bool is_fresh = sight_.as_of >= window.began || asks_for_the_answer(condition);
  // What an event does not tell is taken from the last look, which must not break what has to hold.
  if (!wanted && !is_fresh) return false;
  const auto is_so = [&] { return holds(condition, looking(&window.announced)) == wanted; };
  for (const json::object& event : watch_.events_after(window.cursor)) {
    window.cursor = number_in(event, "number");
    if (window.announced.tell_before(event) && is_so()) return true;
    if (window.announced.tell(event) && is_so()) return true;
  }
  return is_fresh && holds(condition, looking(nullptr)) == wanted;
}

}  // namespace failsim::cli
