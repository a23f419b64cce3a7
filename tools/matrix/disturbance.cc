#include "tools/matrix/disturbance.h"

#include <algorithm>
#include <array>
#include <utility>

namespace failsim::matrix {
namespace {

// Long enough for whoever is left to decide.
const std::string kDead = " for=3s";
const std::string kCut = " for=3s";
// Longer than the limit of Move: what waits for it is given up.
const std::string kLong = " for=12s";

struct Side {
  std::string name;
  std::string node;  // in orders
  Loss loss;
};
const std::array<Side, 3> kSides = {{{"source", "SOURCE", Loss::kSource},
                                     {"target", "TARGET", Loss::kTarget},
                                     {"leader", "LEADER", Loss::kLeader}}};

class Table {
 public:
  std::vector<Disturbance> take() { return std::move(rows_); }

  void add_requests() {
    for (const auto& [what, ask] :
         {std::pair("cancel", Ask::kCancel), std::pair("job terminate", Ask::kTerminate),
          std::pair("job kill", Ask::kKill), std::pair("job suspend, start", Ask::kSuspend)}) {
      rows_.push_back({what, Loss::kNothing, ask});
    }
    rows_.push_back(
        {"cancel, leader killed", Loss::kLeader, Ask::kCancel, {"kill LEADER" + kDead}});
    rows_.push_back({"cancel, nobody to order it",
                     Loss::kControl,
                     Ask::kCancel,
                     {"link-cut all<->all class=control" + kCut}});
  }
  void add_processes() {
    for (const Side& side : kSides) {
      add("kill " + side.name, side.loss, "kill " + side.node + kDead);
      add("kill " + side.name + " unseen", side.loss,
          "kill " + side.node + " evidence=silent" + kDead);
      add("power-off " + side.name, side.loss, "power-off " + side.node + kDead);
      // Below the detection time of 750 ms, and above it.
      add("stop " + side.name + " 500ms", Loss::kMoment, "freeze " + side.node + " for=500ms");
      for (const std::string time : {"1s", "10s", "60s"}) {
        add("stop " + side.name + " " + time, side.loss, "freeze " + side.node + " for=" + time);
      }
      add("isolate " + side.name, side.loss, "isolate " + side.node + kCut);
    }
  }
  void add_links() {
    const std::pair<std::string, std::string> ways[] = {{"to target", "SOURCE->TARGET"},
                                                        {"to source", "TARGET->SOURCE"},
                                                        {"both ways", "SOURCE<->TARGET"}};
    for (const auto& [way, links] : ways) {
      const bool is_back = way == "to source";
      add("cut data " + way, is_back ? Loss::kDataLinkBack : Loss::kDataLink,
          "link-cut " + links + " class=data" + kCut);
      add("cut all " + way, is_back ? Loss::kSidesLinkBack : Loss::kSidesLink,
          "link-cut " + links + kCut);
      add("cut control " + way, Loss::kControlLink, "link-cut " + links + " class=control" + kLong);
    }
    add_links_of("source", "SOURCE", Loss::kSourceLeader);
    add_links_of("target", "TARGET", Loss::kTargetLeader);
    rows_.push_back({"no quorum",
                     Loss::kQuorum,
                     Ask::kNothing,
                     {"isolate SOURCE" + kCut, "isolate TARGET" + kCut, "isolate THIRD" + kCut}});
  }
  void add_resources() {
    add("no memory", Loss::kMemory, "memory-pressure TARGET bytes=1TiB" + kCut);
    add("volume refuses", Loss::kVolume, "volume-fail" + kLong);
    add("volume stalls", Loss::kVolume, "volume-stall" + kLong);
    add("volume dies", Loss::kVolume, "volume-restart");
    add("volume cut from source", Loss::kVolume, "link-cut SOURCE<->volume" + kLong);
    add("volume cut from target", Loss::kVolume, "link-cut TARGET<->volume" + kLong);
    const std::string full = " error=ENOSPC" + kCut;
    add("disk full at source", Loss::kSourceDisk, "disk-fail SOURCE" + full);
    add("disk full at target", Loss::kTargetDisk, "disk-fail TARGET" + full);
    add("disk full at leader", Loss::kLeader, "disk-fail LEADER" + full);
  }
  void add_terms() {
    add_term("loop hangs here", Loss::kPasser, "1*delay(2s)");
    add_term("message lost here", Loss::kNothing, "1*return(DROP)");
    add_term("disk full here", Loss::kPasserDisk, "1*return(ENOSPC)");
    add_term("no memory here", Loss::kMemory, "1*return(NO_MEMORY)");
  }
  void add_nothing() { rows_.push_back({"nothing"}); }

 private:
  void add(std::string name, Loss loss, std::string order) {
    rows_.push_back({std::move(name), loss, Ask::kNothing, {std::move(order)}});
  }
  void add_term(std::string name, Loss loss, std::string term) {
    rows_.push_back({std::move(name), loss, Ask::kNothing, {}, std::move(term)});
  }
  void add_links_of(const std::string& side, const std::string& node, Loss loss) {
    add("cut leader to " + side, loss, "link-cut LEADER->" + node + kCut);
    add("cut " + side + " to leader", loss, "link-cut " + node + "->LEADER" + kCut);
    add("cut leader and " + side, loss, "link-cut LEADER<->" + node + kCut);
  }

  std::vector<Disturbance> rows_;
};

std::vector<Disturbance> make() {
  Table table;
  table.add_nothing();
  table.add_requests();
  table.add_processes();
  table.add_links();
  table.add_resources();
  table.add_terms();
  return table.take();
}

void replace(std::string& text, const std::string& word, const std::string& by) {
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at)) {
    text.replace(at, word.size(), by);
  }
}

}  // namespace

std::string_view name(Loss loss) {
  constexpr std::array<std::string_view, kLosses> kNames = {
      "nothing is lost",
      "a node stands still, below the detection time",
      "the source",
      "the target",
      "the leader",
      "the data link",
      "the data link, only the way back",
      "the control link of the sides",
      "the link of the sides",
      "the link of the sides, only the way back",
      "the link between leader and source",
      "the link between leader and target",
      "the source's disk",
      "the target's disk",
      "the target's memory",
      "the shared volume",
      "the quorum",
      "every control link",
      "whoever passes the point, for 2 s",
      "the disk of whoever passes the point"};
  return kNames[static_cast<std::size_t>(loss)];
}

const std::vector<Disturbance>& disturbances() {
  static const std::vector<Disturbance> all = make();
  return all;
}

const Disturbance* find_disturbance(std::string_view name) {
  const auto found = std::find_if(disturbances().begin(), disturbances().end(),
                                  [&](const Disturbance& one) { return one.name == name; });
  return found == disturbances().end() ? nullptr : &*found;
}

std::string order_for(const std::string& order, const Sides& sides) {
  std::string text = order;
  replace(text, "SOURCE", node_name(sides.source));
  replace(text, "TARGET", node_name(sides.target));
  replace(text, "LEADER", node_name(sides.leader));
  replace(text, "THIRD", node_name(sides.third));
  return text;
}

}  // namespace failsim::matrix
