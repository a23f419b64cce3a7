#include "cluster/fault/elsewhere.h"

#include <array>

namespace failsim::fault {
namespace {

constexpr std::array kElsewhere = {
    // nodes
    Elsewhere{"Nodes", "power off, power cycle", "power-off node-1 for=10s", ""},
    Elsewhere{"Nodes", "drain, shut down", "terminate node-1", "or `failsim node stop`"},
    Elsewhere{"Nodes", "freeze and thaw, pause", "freeze node-1 for=5s", ""},
    Elsewhere{"Nodes", "reboot with an empty store, replaced disk", "disk-replace node-1", ""},
    Elsewhere{"Nodes", "restored backup, snapshot rolled back", "disk-restore node-1 age=2", ""},
    Elsewhere{"Nodes", "cloned identity, two nodes of one name", "disk-swap node-1,node-2",
              "a node refuses a store that is not its own; two processes of one node cannot have "
              "its address"},
    Elsewhere{"Nodes", "slow node", "timer-late node-1 by=200ms\ndisk-slow node-1 min=50ms", ""},
    Elsewhere{"Nodes", "memory pressure", "memory-pressure node-1 bytes=1GiB", ""},
    Elsewhere{"Nodes", "flapping node, crash loop", "crash-loop node-1 every=4s", ""},
    Elsewhere{"Nodes", "several at once, correlated failures",
              "kill node-1,node-2\nkill minority\nisolate minority-third",
              "or several orders at the same moment"},
    Elsewhere{"Nodes", "cold start, blackout", "power-off all for=5s", ""},
    Elsewhere{"Nodes", "another version of the protocol", "version-skew node-1", ""},
    Elsewhere{"Nodes", "evict, rejoin; a witness that is lost", "",
              "the nodes of a cluster are those it was created with, and it has no witness"},
    // processes
    Elsewhere{"Processes", "kill -9 at any time", "kill one", ""},
    Elsewhere{"Processes", "kill before or after a write, a message, an acknowledgement",
              "failpoint source.move.after-persist terms=1*kill", ""},
    Elsewhere{"Processes", "SIGSTOP, SIGTERM", "freeze node-1\nterminate node-1", ""},
    Elsewhere{"Processes", "hung thread, grey failure", "grey node-1\ndisk-stall node-1", ""},
    Elsewhere{"Processes", "no descriptors left", "no-descriptors node-1", ""},
    Elsewhere{"Processes", "slow close, shutdown that takes long",
              "slow-stop node-1 by=20s\nterminate node-1", ""},
    // network
    Elsewhere{"Network", "partition: one, half, in a ring, with a bridge",
              "isolate one\nlink-cut minority<->majority\nlink-cut node-1<->node-2", ""},
    Elsewhere{"Network", "partition in one direction", "link-cut node-1->node-2", ""},
    Elsewhere{"Network", "partial partition, of one class",
              "link-cut node-1<->node-2 class=data\nlink-cut leader->all class=heartbeat", ""},
    Elsewhere{"Network", "delay, jitter, latency", "link-delay node-1->all min=5ms max=50ms", ""},
    Elsewhere{"Network", "loss, duplicates, reordering, replay of old messages",
              "link-loss all->all share=5%\nlink-duplicate all->all share=5%\n"
              "link-reorder all->all share=20% window=3s",
              "of heartbeats; a stream is late instead"},
    Elsewhere{"Network", "corruption, truncation", "link-corrupt node-1->node-2 share=1%", ""},
    Elsewhere{"Network", "bandwidth, rate", "link-rate node-1->node-2 rate=1MiB/s", ""},
    Elsewhere{"Network", "clog, hold, half-open connection", "link-hold node-1->node-2 for=5s", ""},
    Elsewhere{"Network", "connection reset", "link-reset node-1->node-2", ""},
    Elsewhere{"Network", "flapping interface", "link-flap node-1<->all every=2s", ""},
    Elsewhere{"Network", "slow or unreachable interface of a node", "api-cut node-1", ""},
    Elsewhere{"Network", "black hole of large frames (MTU)", "link-cut node-1->node-2 class=data",
              "large frames are those of migrations; frames have no size in the virtual world"},
    Elsewhere{"Network", "wrong names", "", "nodes know each other by address"},
    // clocks
    Elsewhere{"Clocks", "jump, bump, skew", "clock-jump node-1 by=-300s", ""},
    Elsewhere{"Clocks", "strobe", "clock-strobe node-1 by=30s every=500ms", ""},
    Elsewhere{"Clocks", "drift", "clock-drift node-1 ppm=500 direction=slow", ""},
    Elsewhere{"Clocks", "starved timers", "timer-late node-1 by=2s", ""},
    // disks
    Elsewhere{"Disks", "EIO, ENOSPC, EROFS; a disk that is full at so many bytes",
              "disk-fail node-1 error=ENOSPC after=1MiB", ""},
    Elsewhere{"Disks", "latency, stall", "disk-slow node-1 min=10ms max=80ms\ndisk-stall node-1",
              ""},
    Elsewhere{"Disks", "unsynced data lost", "power-off node-1", ""},
    Elsewhere{"Disks", "torn write, truncated tail", "disk-tear node-1", ""},
    Elsewhere{"Disks", "bit flip, misdirected write, lost file",
              "disk-flip node-1 part=log\ndisk-flip node-1 part=table",
              "whatever is damaged, the node refuses its store"},
    Elsewhere{"Disks", "sync that lies", "disk-lie node-1\npower-off node-1",
              "of a minority; that a sync of the others holds is taken on trust"},
    Elsewhere{"Disks", "disks swapped between nodes", "disk-swap node-1,node-2", ""},
    Elsewhere{
        "Disks", "shared disk slow, offline, unreachable from one node",
        "volume-slow min=50ms\nvolume-stall for=5s\nvolume-fail for=5s\nlink-cut node-1<->volume",
        ""},
    Elsewhere{"Disks", "lost reservation, two writers", "",
              "the volume takes the writer with the newest epoch only; `volume-restart` and "
              "`isolate` put it to the test"},
    // guests
    Elsewhere{"Guests", "writes faster than the link", "guest-dirty web rate=10GiB/s", ""},
    Elsewhere{"Guests", "crash, stop error", "guest-crash web", ""},
    Elsewhere{"Guests", "page lost on the way", "forget-page node-1", ""},
    Elsewhere{"Guests", "no memory at the target, no room for the placeholder",
              "guest-fail node-2 step=prepare\nmemory-pressure node-2 bytes=4GiB", ""},
    Elsewhere{"Guests", "saved state cannot be written", "guest-fail node-1 step=save", ""},
    Elsewhere{"Guests", "image cannot be resumed", "guest-fail node-2 step=resume", ""},
    Elsewhere{"Guests", "hung guest", "", "guests have no heartbeat of their own"},
    // operators
    Elsewhere{"Operators", "cancel at any point, twice, too late", "failsim migrate cancel web",
              "at a point: `failpoint` with the term `cancel`"},
    Elsewhere{"Operators", "wrong node stopped, rolling reboot", "failsim node stop node-2", ""},
    Elsewhere{"Operators", "settings changed in flight",
              "failsim property set cluster SameSubnetDelay 2000", ""},
    Elsewhere{"Operators", "two migrations of one VM, target is the source, unknown or down",
              "failsim migrate web --to node-2", "refused before there is a job"},
    Elsewhere{"Operators", "request repeated, or to a node that does not lead", "",
              "every client does both; `failsim simulate` and `writers` of a scenario"},
};

}  // namespace

std::span<const Elsewhere> called_elsewhere() {
  return kElsewhere;
}

}  // namespace failsim::fault
