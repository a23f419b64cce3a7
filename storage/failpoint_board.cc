#include "storage/failpoint_board.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "storage/posix_file.h"

namespace failsim {
namespace {

constexpr std::size_t kPointsMax = 256;
constexpr std::size_t kSlots = 1024;  // used once each, so that no reader meets a writer
constexpr std::size_t kTermsMax = 16;
constexpr std::size_t kTextBytes = 1024;

using Counter = std::atomic<std::uint64_t>;
static_assert(Counter::is_always_lock_free);

struct Slot {
  Counter id;  // written last; 0: free
  std::atomic<std::uint32_t> is_armed;
  std::uint32_t point;
  std::uint64_t hits_before;
  std::int64_t lease_ns;
  std::array<char, kTextBytes> terms;
  std::array<Counter, kTermsMax> used;
};

struct Note {
  std::atomic<std::uint32_t> end;  // written last
  std::uint64_t process;
  std::int64_t duration_ns;
};

std::string file_in(const std::string& directory) {
  return directory + "/failpoints";
}

// Takes one of the times that the term has left.
bool take(Counter& used, std::uint32_t times) {
  std::uint64_t so_far = used.load();
  while (times == 0 || so_far < times) {
    if (used.compare_exchange_weak(so_far, so_far + 1)) return true;
  }
  return false;
}

}  // namespace

// As a new file has it: all zero.
struct FailpointBoard::Shared {
  std::array<Counter, kPointsMax> hits;
  std::array<Slot, kSlots> slots;
  std::array<Note, kNodesMax + 1> notes;

  Slot* find(std::uint64_t id) {
    for (Slot& slot : slots) {
      const std::uint64_t other = slot.id.load(std::memory_order_acquire);
      if (other == id) return &slot;
      if (other == 0) return nullptr;
    }
    return nullptr;
  }
};

Result<std::unique_ptr<FailpointBoard>> FailpointBoard::map(const std::string& path, int flags) {
  assert(fault::point_names().size() <= kPointsMax);
  const auto failed = [&path] {
    return Error{
        Code::kWriteFault,
        "The file of the named points, " + path + ", cannot be used: " + std::strerror(errno) + ".",
        "See that its directory can be written to, or start without --faults."};
  };
  const FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600));
  if (file.get() < 0 || ::ftruncate(file.get(), sizeof(Shared)) != 0) return failed();
  void* const mapped =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (mapped == MAP_FAILED) return failed();
  return std::unique_ptr<FailpointBoard>(new FailpointBoard(static_cast<Shared*>(mapped)));
}

Result<std::unique_ptr<FailpointBoard>> FailpointBoard::create(const std::string& directory) {
  const std::string path = file_in(directory);
  ::unlink(path.c_str());
  return map(path, O_EXCL);
}

Result<std::unique_ptr<FailpointBoard>> FailpointBoard::open(const std::string& directory) {
  return map(file_in(directory), 0);
}

FailpointBoard::~FailpointBoard() {
  ::munmap(shared_, sizeof(Shared));
}

// ---- the launcher -------------------------------------------------------------------------------

std::optional<Error> FailpointBoard::arm(std::uint64_t id, const fault::Order& order) {
  if (Slot* known = shared_->find(id)) {
    known->is_armed.store(1);
    return std::nullopt;
  }
  const std::string terms = fault::to_text(order.terms);
  const auto free = std::find_if(shared_->slots.begin(), shared_->slots.end(),
                                 [](const Slot& slot) { return slot.id.load() == 0; });
  if (free == shared_->slots.end() || terms.size() >= kTextBytes) {
    return Error{Code::kClusterBusy,
                 std::to_string(kSlots) +
                     " failpoints were armed since the cluster was started; "
                     "there is no room for another.",
                 "Take the cluster down and up again."};
  }
  const std::optional<fault::PointId> point = fault::find_point(order.on.from.names.front());
  assert(point.has_value());
  free->point = *point;
  free->hits_before = shared_->hits[*point].load();
  free->lease_ns = order.lease;
  std::copy(terms.begin(), terms.end(), free->terms.begin());
  free->is_armed.store(1);
  free->id.store(id, std::memory_order_release);
  return std::nullopt;
}

void FailpointBoard::disarm(std::uint64_t id) {
  if (Slot* slot = shared_->find(id)) slot->is_armed.store(0);
}

FailpointBoard::Counts FailpointBoard::counts(std::uint64_t id) const {
  const Slot* slot = shared_->find(id);
  if (slot == nullptr) return {};
  Counts counts;
  counts.hits = shared_->hits[slot->point].load() - slot->hits_before;
  for (const Counter& used : slot->used) counts.performed += used.load();
  return counts;
}

// ---- a node process -----------------------------------------------------------------------------

std::vector<FailpointBoard::Drawn> FailpointBoard::pass(
    fault::PointId point, const std::function<std::uint64_t(std::uint64_t)>& random_below) {
  ++shared_->hits[point];
  std::vector<Drawn> drawn;
  for (Slot& slot : shared_->slots) {
    const std::uint64_t id = slot.id.load(std::memory_order_acquire);
    if (id == 0) break;
    if (slot.point != point || slot.is_armed.load() == 0) continue;
    const Result<std::vector<fault::Term>> terms = fault::parse_terms(slot.terms.data());
    assert(terms.ok());
    for (std::size_t i = 0; i < terms.value().size(); ++i) {
      const fault::Term& term = terms.value()[i];
      if (term.times != 0 && slot.used[i].load() >= term.times) continue;
      if (term.per_mille < 1000 && random_below(1000) >= term.per_mille) continue;
      if (!take(slot.used[i], term.times)) continue;
      drawn.push_back({id, term, slot.lease_ns});
      break;
    }
  }
  return drawn;
}

// ---- between the two ----------------------------------------------------------------------------

void FailpointBoard::leave_note(NodeId node, const Victim& victim) {
  if (node > kNodesMax) return;
  Note& note = shared_->notes[node];
  note.process = victim.process;
  note.duration_ns = victim.duration;
  note.end.store(static_cast<std::uint32_t>(victim.end), std::memory_order_release);
}

FailpointBoard::Victim FailpointBoard::take_note(NodeId node, End kind) {
  if (node > kNodesMax) return {};
  Note& note = shared_->notes[node];
  const auto end = static_cast<End>(note.end.load(std::memory_order_acquire));
  if (end != kind) return {};
  const Victim victim{end, note.process, note.duration_ns};
  note.end.store(static_cast<std::uint32_t>(End::kNone));
  return victim;
}

}  // namespace failsim
