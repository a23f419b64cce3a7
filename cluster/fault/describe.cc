#include "cluster/fault/describe.h"

#include <algorithm>
#include <string_view>

#include "cluster/fault/elsewhere.h"
#include "cluster/fault/failpoint.h"
#include "cluster/fault/value.h"

namespace failsim::fault {
namespace {

std::string_view place_word(Place place) {
  switch (place) {
    case Place::kNode:
      return " NODES";
    case Place::kLink:
      return " LINKS";
    case Place::kGuest:
      return " VMS";
    case Place::kPoint:
      return " POINT";
    case Place::kVolume:
    case Place::kCluster:
      break;
  }
  return "";
}

std::string world(const Support& support) {
  return support.is_performed ? "yes" : "no: " + std::string(support.reason);
}

std::string parameter_text(const Parameter& parameter) {
  std::string text = "  - `" + std::string(parameter.name) + "`: " + std::string(parameter.help) +
                     "; " + range_text(parameter);
  if (parameter.fallback)
    text += "; " + value_text(parameter, *parameter.fallback) + " if left out";
  return text + "\n";
}

std::string kind_text(const Kind& kind) {
  std::string text = "- `" + usage(kind) + "`: " + std::string(kind.help) +
                     " Healing: " + std::string(kind.undo) + "\n";
  for (const Parameter& parameter : kind.parameters) text += parameter_text(parameter);
  return text;
}

constexpr std::string_view kHead = R"(# Faults

What failsim can break, on purpose. This page is printed by `failsim fault kinds --markdown`, from the
table of `cluster/fault/kind.cc`; a test compares them.

An order is one line, the same in scenarios, reports and on the command line: the kind, what it hits,
its parameters.

    link-delay node-1->node-2 min=20ms max=80ms for=60s
    kill minority evidence=silent survivable
    failpoint source.move.after-persist terms=1*kill

Every fault has a lease, `for`, of 60 s unless it says otherwise and a day at most: then it is healed,
if nobody has healed it before. `survivable` weakens a fault of nodes to as many as the quorum can
lose, and says so. Faults overlap; each takes back only what it has done.

## What is hit

| selector | hits |
|---|---|
| `node-2`, `node-1,node-2` | these nodes |
| `leader` | the node that leads the log |
| `owner(web)`, `source(web)`, `target(web)` | the owner of a VM; the sides of its migration |
| `one`, `minority`, `majority`, `minority-third`, `all` | so many nodes, drawn |
| `A->B`, `A<->B` | the links from every node of A to every other of B, one way or both; shares do not overlap, so `minority<->majority` is a split |
| `volume` | the shared volume, as an end of a link |
| `web` | the guest of that VM |

A selector that hits nothing is refused, and so is a named node that is down. The traffic of a link
has classes: `heartbeat`, `control` (the log, requests, reports), `data` (migrations). The traffic of
the shared volume is of no class.

## Who performs a fault of the network

Without root the node processes do, on frames: decorators at the seams of a node hold, drop or damage
what passes, at its sender. With `up --netns`, for root, each process has a network namespace of its
own, and the launcher performs these on real packets, on the bridge that all of them pass:

| fault | on packets |
|---|---|
| `link-cut`, `isolate`, `link-loss` | dropped by rules of nft, told apart by addresses and ports |
| `link-rate` | a queue of HTB |
| `link-delay`, `link-reorder`, `link-corrupt` | netem, if the kernel has it; otherwise still performed by the node processes |
| `link-hold`, `link-reset`, `link-duplicate` | never: no packet is kept or made up; performed by the node processes |

`fault inject` and `fault list` say who performs each part. Packets differ from frames:

* A cut breaks no connection. TCP sends again what was lost, so a short cut costs a stream a moment; a
  node gives up a link, and its link to the shared volume, when nothing is acknowledged for three
  seconds, and tries anew every second.
* Packets belong to the direction they go, acknowledgements included. After `link-cut node-1->node-2`
  a stream the other way delivers what fits its window and then stands still, too; heartbeats the other
  way arrive. Where only heartbeats are to be lost, say `class=heartbeat`.
* What is lost or waits in a queue is a packet as the kernel bundles it, up to 64 KiB of a stream.
* A bit that netem flips is caught by the checksum of TCP or UDP before that of a frame: the packet is
  lost. Without --netns the frame's own checksum has to catch it.
* Faults of the network go on when a node dies and is started again. Faults at named points are always
  performed by the process that passes the point.

)";

constexpr std::string_view kTermsText = R"(
## Named points

A failpoint is passed where a migration passes it; `cluster/fault/failpoint.h` says exactly when. Its
terms are those of gofail: `1*kill` (once), `20%delay(2s)` (with this chance), `a->b` (the first that
applies). A term is `kill`, `power-off`, `freeze(TIME)`, `cut(TIME)`, `delay(TIME)` (its loop hangs),
`cancel` (the migration is canceled), `off`, or `return(WORD)`: `EIO` and `ENOSPC` at before-persist,
`DROP` at on-receive and before-send, `NO_MEMORY` at the points of target.setup. A count is that of
the whole cluster. Who is killed is started again when the lease of the failpoint is over, counted
from then. Processes pass the same points and cannot `power-off`; `failsim fault list` says how often
a point was passed.

- `SIDE.TRANSITION.STAGE` with SIDE `leader`, `source`, `target`; TRANSITION `setup`, `transfer`,
  `move`, `complete`, `pages`, `cancel`, `fail`, `finish`; STAGE `on-receive`, `before-persist`,
  `after-persist`, `before-send`, `after-send`
- `round.N.begin`, `round.N.end`, N from 1 to )";

std::string orders_text(std::string_view orders) {
  std::string text;
  while (!orders.empty()) {
    const std::size_t end = std::min(orders.find('\n'), orders.size());
    text += (text.empty() ? "`" : ", `") + std::string(orders.substr(0, end)) + "`";
    orders.remove_prefix(std::min(end + 1, orders.size()));
  }
  return text;
}

std::string elsewhere_text() {
  std::string text =
      "\n## What others call it\n\nFor those who come with the vocabulary of another fault "
      "injector.\n";
  std::string_view group;
  for (const Elsewhere& row : called_elsewhere()) {
    if (row.group != group) {
      text += "\n| " + std::string(row.group) + " | here |\n|---|---|\n";
      group = row.group;
    }
    const std::string orders = orders_text(row.here);
    const std::string remark(row.remark);
    text += "| " + std::string(row.called) + " | " + (orders.empty() ? "nothing" : orders) +
            (remark.empty() ? "" : (orders.empty() ? ": " : "; ") + remark) + " |\n";
  }
  return text;
}

}  // namespace

bool is_over_at_once(const Kind& kind) {
  return !kind.lasts && kind.undo == kNothingToUndo;
}

std::string usage(const Kind& kind) {
  std::string text = std::string(kind.name) + std::string(place_word(kind.place));
  for (const Parameter& parameter : kind.parameters) {
    const std::string one = std::string(parameter.name) + "=...";
    text += parameter.fallback ? " [" + one + "]" : " " + one;
  }
  return text;
}

std::string markdown() {
  std::string text(kHead);
  text += "## Kinds and worlds\n\n| fault | virtual world | processes |\n|---|---|---|\n";
  for (const Kind& kind : kinds()) {
    text += "| `" + std::string(kind.name) + "` | " + world(kind.in_virtual) + " | " +
            world(kind.in_processes) + " |\n";
  }
  std::string_view group;
  for (const Kind& kind : kinds()) {
    if (kind.group != group) text += "\n### " + std::string(kind.group) + "\n\n";
    group = kind.group;
    text += kind_text(kind);
  }
  text += std::string(kTermsText) + std::to_string(kNamedRounds) +
          "\n- `prepared`, `converged`, `blackout.begin`, `blackout.released`, `blackout.held`,\n"
          "  `blackout.end`, `owner.flip`, `arrived`, `verified`\n";
  text += elsewhere_text();
  return text;
}

}  // namespace failsim::fault
