#include "node/faults/hypervisor_faults.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "node/faults/faulty_volume.h"
#include "node/hypervisor/hypervisor.h"
#include "node/hypervisor/token_bucket.h"

namespace failsim::node {
namespace {

// What the rate of a directed link lets pass, over however many connections. Any thread.
class LinkRate {
 public:
  // The time from which the bytes may go at this rate; 0 = no limit.
  Time take(std::uint64_t rate, std::uint64_t bytes, Time now) {
    const std::lock_guard lock(mutex_);
    if (rate != rate_) bucket_ = TokenBucket(rate_ = rate);
    return bucket_.take(bytes, now);
  }

 private:
  std::mutex mutex_;
  std::uint64_t rate_ = 0;
  TokenBucket bucket_{0};
};

class Connection final : public DataFaults {
 public:
  Connection(NodeId self, NodeId peer, Switchboard& switchboard, LinkRate& link_rate)
      : self_(self),
        peer_(peer),
        switchboard_(switchboard),
        link_rate_(link_rate),
        resets_at_start_(resets()) {}

  // A stream needs both directions: without the acknowledgements of the peer it ends as well.
  bool is_broken() override {
    is_broken_ = is_broken_ || switchboard_.is_cut(self_, peer_, Traffic::kData) ||
                 switchboard_.is_cut(peer_, self_, Traffic::kData) || resets() != resets_at_start_;
    return is_broken_;
  }

  bool is_held() override { return switchboard_.is_held(self_, peer_, Traffic::kData); }

  Time admit(iovec* pieces, std::size_t count) override {
    const Passage passage = switchboard_.passage(self_, peer_, Traffic::kData);
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < count; ++i) bytes += pieces[i].iov_len;
    if (passage.is_corrupt && bytes > 0) spoil(pieces, switchboard_.random_below(bytes * 8));
    const Time now = true_boottime_now();
    const Time go_at = link_rate_.take(passage.rate, bytes, now);
    return boottime_now() + (go_at - now) + passage.delay;
  }

 private:
  std::uint64_t resets() const { return switchboard_.resets(self_, peer_, Traffic::kData); }

  // Guest memory itself must stay as it is: a copy of the piece goes in its place.
  void spoil(iovec* pieces, std::uint64_t bit) {
    std::uint64_t byte = bit / 8;
    while (byte >= pieces->iov_len) byte -= (pieces++)->iov_len;
    copy_.resize(pieces->iov_len);
    std::memcpy(copy_.data(), pieces->iov_base, pieces->iov_len);
    copy_[byte] ^= static_cast<std::byte>(1 << (bit % 8));
    pieces->iov_base = copy_.data();
  }

  const NodeId self_;
  const NodeId peer_;
  Switchboard& switchboard_;
  LinkRate& link_rate_;
  const std::uint64_t resets_at_start_;
  bool is_broken_ = false;
  std::vector<std::byte> copy_;
};

class Faults final : public HypervisorFaults {
 public:
  Faults(NodeId self, Switchboard& switchboard) : self_(self), switchboard_(switchboard) {}

  std::unique_ptr<DataFaults> connection_to(NodeId peer) override {
    const std::lock_guard lock(mutex_);
    return std::make_unique<Connection>(self_, peer, switchboard_, link_rates_[peer]);
  }
  std::shared_ptr<VolumePort> around(std::shared_ptr<VolumePort> volume) override {
    return faulty_volume(std::move(volume), self_, switchboard_);
  }

  std::optional<std::string> refusal(Step step, const std::string& vm) override {
    // As the choices of guest-fail.
    constexpr std::array<const char*, 4> kNames = {"prepare", "start", "save", "resume"};
    const std::string name = kNames[static_cast<std::size_t>(step)];
    if (!switchboard_.use_guest_failure(name)) return std::nullopt;
    return "the host of " + node_name(self_) + " refused to " + name + " VM '" + vm +
           "': injected fault";
  }
  bool refuses_memory() override { return switchboard_.use_refused_memory(); }
  bool crashes(const std::string& vm) override { return switchboard_.use_guest_crash(vm); }
  bool forgets_page() override { return switchboard_.use_forget_page(); }
  std::optional<std::uint64_t> dirty_rate(const std::string& vm) override {
    return switchboard_.dirty_rate(vm);
  }

 private:
  const NodeId self_;
  Switchboard& switchboard_;
  std::mutex mutex_;
  std::map<NodeId, LinkRate> link_rates_;  // by peer
};

}  // namespace

std::unique_ptr<HypervisorFaults> hypervisor_faults(NodeId self, Switchboard& switchboard) {
  return std::make_unique<Faults>(self, switchboard);
}

}  // namespace failsim::node
