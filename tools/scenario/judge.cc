#include "tools/scenario/judge.h"

#include "cluster/units.h"

namespace failsim::scenario {
namespace {

std::string duration_text(Duration duration) {
  return show_duration_ms(static_cast<std::uint64_t>(duration / kMillisecond));
}

// ": vm(web).state is Paused", of every field that was asked.
std::string shown(const Condition& condition, const Look& look) {
  std::string text;
  for (const Comparison* asked : comparisons_of(condition)) {
    text += text.empty() ? ": " : ", ";
    text += asked->subject + (asked->object.empty() ? "" : "(" + asked->object + ")") + "." +
            asked->field + " is " +
            look(asked->subject, asked->object, asked->field).value_or("unknown");
  }
  return text;
}

}  // namespace

std::optional<Complaint> judge(const Do& done, Code code, const std::string& message,
                               const std::string& now) {
  const std::string answer = code_name(code) + (message.empty() ? "" : " (" + message + ")");
  if (done.answer == Do::Answer::kAny) return std::nullopt;
  if (done.answer == Do::Answer::kAccepted && code != Code::kOk) {
    const bool is_late = code == Code::kNotReady || code == Code::kNoQuorum ||
                         code == Code::kTimeout || code == Code::kConnectionRefused;
    return Complaint{is_late ? "expect" : "answer",
                     "`" + to_text(done.action) + "` was to be accepted and was answered with " +
                         answer + " at " + now + "."};
  }
  const bool is_as_asked = done.answer == Do::Answer::kAccepted ||
                           (done.code.empty() ? code != Code::kOk : code_name(code) == done.code);
  if (is_as_asked) return std::nullopt;
  return Complaint{"answer", "`" + to_text(done.action) + "` was to be refused" +
                                 (done.code.empty() ? "" : " with " + done.code) +
                                 " and was answered with " + answer + " at " + now + "."};
}

Complaint too_late(const Expect& expect, const std::string& now, const Look& look) {
  const std::string time = expect.within == 0
                               ? "does not hold"
                               : "did not come true within " + duration_text(expect.within);
  return {"expect", to_text(expect.condition) + " " + time + ", at " + now +
                        shown(expect.condition, look) + "."};
}

Complaint broken(const Hold& hold, const std::string& now, const Look& look) {
  return {"hold", to_text(hold.condition) + " no longer holds at " + now +
                      shown(hold.condition, look) + "."};
}

Complaint never_came(const Condition& when, Duration within, const std::string& now,
                     const Look& look) {
  return {"trigger", "The trigger " + to_text(when) + " did not come within " +
                         duration_text(within) + ", at " + now + shown(when, look) + "."};
}

}  // namespace failsim::scenario
