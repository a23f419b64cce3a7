// Migrations that wait for their turn: MaximumParallelMigrations of the cluster.
//
// A node takes part in at most so many migrations, as source or target. A migration begins when
// both its nodes have a slot, and takes both in one apply. Those that wait are looked at in the
// order in which they were asked for; one that cannot begin lets the next one pass. Once
// kSkipsBeforeReserved later ones have begun on one of its nodes, the slots of both are kept for
// it. A slot is given back when the job has ended; a suspended job keeps its own.
#pragma once

#include <cstdint>
#include <string>

#include "cluster/ids.h"
#include "cluster/state/cluster_state.h"

namespace failsim {

inline constexpr std::uint32_t kSkipsBeforeReserved = 4;

// Slots of this node that migrations in flight have taken.
std::uint32_t slots_taken(const ClusterState& state, NodeId node);

// Whether a migration between the two would have to wait if it were asked for now.
bool would_wait(const ClusterState& state, NodeId source, NodeId target);

// Why the waiting job `task` cannot begin now, for people: one sentence.
std::string why_it_waits(const ClusterState& state, const pb::Task& task);

// StatusInformation of a group, of which only this bit is ever set.
inline constexpr std::uint32_t kWaitingInQueueForMove = 0x4;

// Begins those whose turn has come. Called whenever slots may have become free.
void begin_waiting_migrations(class Change& change);

}  // namespace failsim
