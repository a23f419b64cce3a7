// Every fault that failsim can inject, declared once: the command line, the node's interface, the
// scenario language, the searches and the documentation all derive from this table.
//
// The core has no hooks for faults. This is their vocabulary only; the worlds perform them: the
// virtual world in tools/sim, the process world at the seams of node/ and in the launcher. What a
// world cannot do it refuses with a sentence; nothing is silently ignored.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace failsim::fault {

// What is broken, and so what a selector of the fault has to name.
enum class Place {
  kNode,     // node processes: "node-2", "leader", "owner(web)", "minority"
  kLink,     // directed links between nodes: "node-1->node-2", "leader->all"
  kVolume,   // the cluster shared volume; the selector may be left out, or is "volume"
  kGuest,    // the guest of a VM: "web"
  kPoint,    // a named point of a migration: "source.move.after-persist"
  kCluster,  // everything at once; no selector
};

enum class Unit {
  kDuration,        // nanoseconds; typed with a unit, "250ms"
  kSignedDuration,  // the same with a sign, "-30s"
  kSize,            // bytes
  kRate,            // bytes a second
  kPerMille,        // 0..1000, typed "20%" or "2.5%"
  kCount,           // a plain number
  kChoice,          // one of `choices`; the value is its position
  kTerms,           // what a failpoint does, "1*kill"; kept in Order::terms
};

struct Parameter {
  std::string_view name;
  Unit unit;
  std::int64_t minimum;
  std::int64_t maximum;
  std::optional<std::int64_t> fallback;  // none: the parameter has to be given
  std::span<const std::string_view> choices;
  std::string_view help;
};

// Whether a world performs the fault; if it does not, why, as the rest of a sentence.
struct Support {
  bool is_performed;
  std::string_view reason;  // empty when performed
};

struct Kind {
  std::string_view name;   // "kill", "link-delay": lower case, dashes, unique
  std::string_view group;  // "process", "network", ... for lists
  Place place;
  std::span<const Parameter> parameters;
  Support in_virtual;
  Support in_processes;
  // The fault lasts for its lease and is undone then; otherwise it happens at once, and the lease
  // says only when `undo` follows (a killed process is started again).
  bool lasts;
  std::string_view undo;  // what healing does, as a sentence: "The process is started again."
  std::string_view help;  // one sentence
};

// In the order of the documentation.
std::span<const Kind> kinds();
// Null if there is none of this name.
const Kind* find_kind(std::string_view name);
const Parameter* find_parameter(const Kind& kind, std::string_view name);
// The known word nearest to what was typed, for "did you mean"; empty if none is near.
std::string nearest(std::string_view typed, std::span<const std::string_view> words);

}  // namespace failsim::fault
