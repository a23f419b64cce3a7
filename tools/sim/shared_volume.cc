#include "tools/sim/shared_volume.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace failsim::sim {
namespace {

constexpr Duration kSyncMin = 50 * kMicrosecond;
constexpr Duration kSyncMax = 2 * kMillisecond;

bool is_recorded(const pb::VolumeRequest& request) {
  return request.has_register_() || request.has_append();
}

}  // namespace

SharedVolume::SharedVolume(EventQueue& queue, Network& network, std::uint64_t seed,
                           Mistakes mistakes)
    : queue_(queue), network_(network), random_(seed), mistakes_(mistakes) {
  open();
}

void SharedVolume::open() {
  auto opened = Volume::open(disk_, mistakes_);
  assert(opened.ok());
  volume_ = opened.take();
  ++starts_;
  if (rules_.is_failing()) disk_.power_off_after(0);
}

StorageRules::Id SharedVolume::add(const StorageRule& rule) {
  if (rule.does == StorageRule::Does::kFail) disk_.power_off_after(0);
  return rules_.add(rule);
}

void SharedVolume::remove(StorageRules::Id rule) {
  const bool has_failed = rules_.is_failing();
  rules_.remove(rule);
  if (has_failed && !rules_.is_failing()) restart();
  if (rules_.is_stalled()) return;
  std::deque<std::function<void()>> held_up = std::exchange(held_up_, {});
  for (std::function<void()>& action : held_up) queue_.after(0, std::move(action));
}

void SharedVolume::when_not_stalled(std::function<void()> action) {
  if (rules_.is_stalled()) {
    held_up_.push_back(std::move(action));
  } else {
    action();
  }
}

void SharedVolume::restart() {
  volume_.reset();
  disk_.crash(random_.below(disk_.unsynced() + 1));
  open();
}

void SharedVolume::ask(NodeId from, Incarnation writer, pb::VolumeRequest request,
                       Answered answered) {
  // One shared copy travels; the closures on the way only hold a reference to it.
  auto question = std::make_shared<pb::VolumeRequest>(std::move(request));
  auto arrive = [this, from, writer, question, answered] {
    const Duration sync = kSyncMin + static_cast<Duration>(random_.below(kSyncMax - kSyncMin + 1)) +
                          rules_.added(random_);
    busy_until_ = std::max(queue_.now(), busy_until_) + sync;
    queue_.at(busy_until_, [this, from, writer, question, answered, starts = starts_] {
      when_not_stalled([this, from, writer, question, answered, starts] {
        if (starts != starts_) return answered(nullptr);
        perform(from, writer, *question, answered);
      });
    });
  };
  const std::uint64_t bytes = question->ByteSizeLong();
  network_.send_stream(
      from, kVolumeSite,
      Parcel{Traffic::kVolume, std::move(arrive), [answered] { answered(nullptr); }, bytes});
}

void SharedVolume::perform(NodeId from, Incarnation writer, const pb::VolumeRequest& request,
                           Answered answered) {
  const VolumeVm* before = volume_->vm(request.vm());
  const Epoch epoch = before == nullptr ? Epoch{} : before->epoch;
  const std::uint64_t counter = before == nullptr ? 0 : before->last_counter;
  auto reply = std::make_shared<pb::VolumeReply>(volume_->handle(request));
  if (reply->code() != 0 && refused_) refused_(static_cast<Code>(reply->code()));
  const VolumeVm* after = volume_->vm(request.vm());
  const bool changed =
      after != nullptr && (after->epoch != epoch || after->last_counter != counter);
  if (changed && is_recorded(request) && recorded_) recorded_(request, from, writer);
  network_.send_stream(kVolumeSite, from,
                       Parcel{Traffic::kVolume, [answered, reply] { answered(reply.get()); },
                              [answered] { answered(nullptr); }, reply->ByteSizeLong()});
}

}  // namespace failsim::sim
