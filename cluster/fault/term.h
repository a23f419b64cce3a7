// What a failpoint does when it is passed, written as in gofail:
//
//   1*kill                 once: kill -9 of the node that passes the point
//   20%delay(2s)           with this chance
//   1*return(EIO)->kill    a chain: the first term that applies is performed
//
// A term applies while its count lasts and the dice are with it; otherwise the next one is asked.
// Terms contain no blanks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/error.h"
#include "cluster/time.h"

namespace failsim::fault {

struct Term {
  enum class Action {
    kOff,       // nothing happens; in a chain "2*off->kill" spares the first two
    kKill,      // the node that passes the point is killed, its launcher tells nobody
    kPowerOff,  // the same, with what its disk had not synced
    kFreeze,    // (duration) it is stopped, and continues after this time
    kCut,       // (duration) it is cut off from all other nodes, both ways
    kDelay,     // (duration) what passes the point is held for so long
    kReturn,    // (word) what passes the point fails in this way; see failpoint.h
    kCancel     // the migration is canceled, as an administrator would
  };
  std::uint32_t per_mille = 1000;
  std::uint32_t times = 0;  // 0: without end
  Action action = Action::kOff;
  Duration duration = 0;
  std::string word;
  bool operator==(const Term&) const = default;
};

// At most 16 terms; durations of at most an hour. kInvalidParameter with a sentence and the nearest
// valid word.
Result<std::vector<Term>> parse_terms(std::string_view text);
std::string to_text(const std::vector<Term>& terms);

}  // namespace failsim::fault
