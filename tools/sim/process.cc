#include "tools/sim/process.h"

#include <algorithm>
#include <utility>

namespace failsim::sim {
namespace {

constexpr Duration kFarewell = 200 * kMillisecond;

constexpr std::uint64_t kTicksAtOnceMax = 1'000;

template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <typename... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

std::uint64_t number(Time time) {
  return static_cast<std::uint64_t>(time);
}

}  // namespace

std::shared_ptr<Process> Process::start(const ProcessWorld& world, MemberConfig config, Disk& disk,
                                        std::uint64_t memory_bytes, std::uint32_t instance) {
  std::shared_ptr<Process> process(new Process(world));
  const std::weak_ptr<Process> weak = process;
  // Weak throughout: what waits for a process must not keep it alive.
  const auto in_process = [weak](auto action) {
    const std::shared_ptr<Process> running = weak.lock();
    if (running == nullptr) return;
    running->post([weak, action] {
      if (const std::shared_ptr<Process> alive = weak.lock()) action(*alive);
    });
  };
  process->disk_ = &disk;
  const Recovered recovered = disk.open(
      instance,
      Disk::User{[in_process](std::uint64_t sequence) {
                   in_process([sequence](Process& self) { self.written(sequence); });
                 },
                 [in_process](const std::string& reason) {
                   in_process([reason](Process& self) { self.deliver(StorageFailed{reason}); });
                 }});
  world.checker.store_opened(config.self, recovered);
  config.incarnation = (disk.starts() << 32) | instance;
  process->member_ = std::make_unique<Member>(config, recovered, process->local_now());
  process->host_ = std::make_shared<Host>(
      world.host_world, world.machine, config.self, config.incarnation, memory_bytes,
      config.random_seed ^ instance, [weak, &queue = world.queue](Event event) {
        // A report is posted to the loop, as hypervisor threads do.
        queue.after(0, [weak, event = std::move(event)] {
          if (const std::shared_ptr<Process> alive = weak.lock()) alive->deliver(event);
        });
      });
  return process;
}

// ---- Inputs -------------------------------------------------------------------------------------

void Process::post(std::function<void()> action) {
  if (is_held()) {
    postponed_.push_back(std::move(action));
  } else {
    action();
  }
}

void Process::deliver(Event event) {
  if (!is_held()) return receive(std::move(event));
  postponed_.push_back([weak = weak_from_this(), event = std::move(event)] {
    if (const std::shared_ptr<Process> alive = weak.lock()) alive->deliver(event);
  });
}

void Process::ask(const pb::Request& request, Replied replied) {
  const std::uint64_t token = next_token_++;
  replied_[token] = std::move(replied);
  deliver(ClientAsks{token, request});
}

void Process::read(ReadAnswered answered) {
  const std::uint64_t token = next_token_++;
  read_answered_[token] = std::move(answered);
  deliver(ClientReads{token});
}

void Process::stop() {
  if (is_stopped_) return;
  is_stopped_ = true;
  host_->suspend();
}

void Process::cont() {
  if (!is_stopped_) return;
  is_stopped_ = false;
  host_->resume();
  go_on();
}

// The loop stands still; guests and transfers, which have threads of their own, do not.
void Process::hang(Duration duration) {
  is_hung_ = true;
  world_.queue.after(duration, [weak = weak_from_this()] {
    const std::shared_ptr<Process> alive = weak.lock();
    if (alive == nullptr) return;
    alive->is_hung_ = false;
    alive->go_on();
  });
}

void Process::go_on() {
  if (is_held()) return;
  const std::shared_ptr<Process> alive = shared_from_this();
  std::deque<std::function<void()>> postponed = std::move(postponed_);
  postponed_.clear();
  for (const std::function<void()>& action : postponed) {
    if (is_gone_) return;
    post(action);
  }
  if (!is_gone_) wake_at(world_.queue.now());
}

void Process::tell_lease() {
  world_.checker.lease_lasts({member_->self(), incarnation()}, host_->lease_until());
}

void Process::clock_changed() {
  tell_lease();
  host_->settle();
  wake_at_ = kNever;
  wake_at(due(member_->next_deadline()));
}

void Process::leave() {
  const std::shared_ptr<Process> self = shared_from_this();
  host_->stop_guests();
  world_.checker.guests_stopped(member_->self(), member_->incarnation());
  deliver(Leaving{});
  if (is_ending_ || is_gone_) return;
  is_ending_ = true;
  // Long enough for its farewell to leave, also behind a write.
  world_.queue.after(kFarewell + world_.machine.stop_delay, [weak = weak_from_this()] {
    if (const std::shared_ptr<Process> alive = weak.lock()) {
      alive->world_.ended(alive->member_->self());
    }
  });
}

// ---- A step -------------------------------------------------------------------------------------

// Goes on with `next` behind these points: at once, when the process no longer hangs there, or
// never if it died there.
template <typename Next>
void Process::at_points(const std::vector<fault::Passage>& passed, Next next) {
  if (passed.empty()) return next(Passing());
  const std::shared_ptr<Process> alive = shared_from_this();
  const Passing passing = world_.failpoints.pass(member_->self(), passed);
  if (is_gone_) return;
  if (passing.hang > 0 && !is_hung_) hang(passing.hang);
  if (!is_held()) return next(passing);
  postponed_.push_front([weak = weak_from_this(), passing, next] {
    if (weak.lock() != nullptr) next(passing);
  });
}

void Process::receive(Event event) {
  std::vector<fault::Passage> passed =
      fault::passages(fault::carried(*member_, event), fault::Stage::kOnReceive);
  for (fault::Passage& one : fault::passages(*member_, event, rounds_))
    passed.push_back(std::move(one));
  if (passed.empty()) return step(event);
  at_points(passed, [this, event = std::move(event)](const Passing& passing) {
    if (!passing.is_dropped) return step(event);
    const auto* received = std::get_if<MessageReceived>(&event);
    if (received != nullptr) world_.reset(received->message.from(), member_->self());
  });
}

void Process::step(const Event& event) {
  note(event);
  const auto work = std::make_shared<Work>();
  member_->step(local_now(), event, work->effects);
  note(work->effects);
  world_.checker.after_step(*member_, work->effects);
  for (fault::Carried& one : fault::carried(*member_, work->effects.durable.append)) {
    (one.leads ? work->leading : work->following).push_back(std::move(one));
  }
  wake_at(due(member_->next_deadline()));
  if (member_->is_failed() && !is_ending_) {
    is_ending_ = true;
    const Time end = world_.machine.clock.when(member_->lease_until());
    world_.queue.at(std::max(world_.queue.now(), end), [weak = weak_from_this()] {
      if (const std::shared_ptr<Process> alive = weak.lock()) {
        alive->world_.ended(alive->member_->self());
      }
    });
  }
  at_points(fault::passages(*member_, work->effects), [this, work](const Passing&) {
    at_points(fault::passages(work->leading, fault::Stage::kBeforeSend),
              [this, work](const Passing& passing) { send(work, passing.is_dropped); });
  });
}

void Process::send(const std::shared_ptr<Work>& work, bool is_dropped) {
  for (pb::PeerMessage& message : work->effects.send_now) {
    if (is_dropped && message.has_raft()) {
      world_.reset(member_->self(), message.to());
    } else {
      world_.send(std::move(message));
    }
  }
  at_points(fault::passages(work->leading, fault::Stage::kAfterSend), [this, work](const Passing&) {
    hand_over(work->effects);
    write(work);
  });
}

void Process::hand_over(Effects& effects) {
  if (effects.lease_until) {
    host_->set_lease(*effects.lease_until);
    tell_lease();
  }
  for (const TransferOrder& order : effects.transfers) host_->order(order);
  for (const GuestOrder& order : effects.guests) host_->order(order);
  if (effects.lease_until || !effects.transfers.empty() || !effects.guests.empty()) {
    host_->settle();
  }
}

void Process::write(const std::shared_ptr<Work>& work) {
  if (work->effects.durable.empty()) {
    if (waiting_.empty()) return perform_after(work->effects.after);
    if (!work->effects.after.empty()) {
      waiting_.push_back(Waiting{0, std::move(work->effects.after), {}, {}});
    }
    return;
  }
  std::vector<fault::Passage> passed = fault::passages(work->leading, fault::Stage::kBeforePersist);
  for (fault::Passage& one : fault::passages(work->following, fault::Stage::kBeforePersist)) {
    passed.push_back(std::move(one));
  }
  at_points(passed, [this, work](const Passing& passing) {
    if (passing.error) disk_->fail_writes(*passing.error);
    Effects& effects = work->effects;
    waiting_.push_back(Waiting{effects.sequence, std::move(effects.after), std::move(work->leading),
                               std::move(work->following)});
    disk_->submit(std::move(effects.durable), effects.sequence);
  });
}

void Process::perform_after(std::vector<After>& after) {
  for (After& item : after) {
    std::visit(Overloaded{
                   [this](pb::PeerMessage& message) { world_.send(std::move(message)); },
                   [this](ReplyToClient& reply) {
                     const auto found = replied_.extract(reply.token);
                     if (found.empty()) return;
                     // The client is somewhere else: it does not act inside this step.
                     world_.queue.after(0, [replied = std::move(found.mapped()),
                                            answer = reply.reply] { replied(answer); });
                   },
                   [this](ReadAllowed& allowed) {
                     const auto found = read_answered_.extract(allowed.token);
                     if (!found.empty()) found.mapped()(static_cast<Code>(allowed.code));
                   },
               },
               item);
  }
}

void Process::written(std::uint64_t sequence) {
  world_.checker.batches_written(member_->self(), sequence);
  std::vector<fault::Passage> passed;
  for (const Waiting& waiting : waiting_) {
    if (waiting.sequence > sequence) break;
    for (const auto* carried : {&waiting.leading, &waiting.following}) {
      for (fault::Passage& one : fault::passages(*carried, fault::Stage::kAfterPersist)) {
        passed.push_back(std::move(one));
      }
    }
  }
  at_points(passed, [this, sequence](const Passing&) {
    step(Persisted{sequence});
    post([weak = weak_from_this(), sequence] {
      const std::shared_ptr<Process> alive = weak.lock();
      if (alive != nullptr && !alive->is_gone_) alive->perform_waiting(sequence);
    });
  });
}

void Process::perform_waiting(std::uint64_t sequence) {
  while (!waiting_.empty() && waiting_.front().sequence <= sequence) {
    auto done = std::make_shared<Waiting>(std::move(waiting_.front()));
    waiting_.pop_front();
    if (done->following.empty()) {
      perform_after(done->after);
      continue;
    }
    return at_points(fault::passages(done->following, fault::Stage::kBeforeSend),
                     [this, sequence, done](const Passing& passing) {
                       if (!passing.is_dropped) perform_after(done->after);
                       at_points(fault::passages(done->following, fault::Stage::kAfterSend),
                                 [this, sequence](const Passing&) { perform_waiting(sequence); });
                     });
  }
}

// ---- Time ---------------------------------------------------------------------------------------

Time Process::due(Time deadline) const {
  if (deadline == kNever) return kNever;
  const Machine& machine = world_.machine;
  return machine.clock.when(deadline) + machine.clock.timers_late_by();
}

// One wake-up is enough: when it comes too early it asks for the next.
void Process::wake_at(Time time) {
  if (time == kNever || time >= wake_at_) return;
  const Time due = std::max(time, world_.queue.now());
  wake_at_ = due;
  world_.queue.at(due, [weak = weak_from_this(), due] {
    const std::shared_ptr<Process> alive = weak.lock();
    if (alive == nullptr || alive->wake_at_ != due) return;
    alive->wake_at_ = kNever;
    if (alive->is_held()) return;  // go_on() asks again
    if (alive->member_->next_deadline() > alive->local_now()) {
      alive->wake_at(alive->due(alive->member_->next_deadline()));
    } else if (alive->may_tick(due)) {
      alive->step(Tick{});
    }
  });
}

// A member whose deadline never moves would keep the world at one instant for ever.
bool Process::may_tick(Time now) {
  ticks_ = now == ticked_at_ ? ticks_ + 1 : 0;
  ticked_at_ = now;
  if (ticks_ < kTicksAtOnceMax) return true;
  if (ticks_ == kTicksAtOnceMax) {
    world_.checker.expect("L7", false,
                          "the deadline of " + node_name(member_->self()) + " does not move");
  }
  return false;
}

// ---- The trace ----------------------------------------------------------------------------------

void Process::note(const Event& event) {
  const auto kind = static_cast<std::uint64_t>(event.index());
  std::uint64_t detail = 0;
  if (const auto* received = std::get_if<MessageReceived>(&event)) {
    detail =
        received->message.from() * 256 + static_cast<std::uint64_t>(received->message.body_case());
  } else if (const auto* persisted = std::get_if<Persisted>(&event)) {
    detail = persisted->sequence;
  } else if (const auto* guest = std::get_if<GuestReport>(&event)) {
    world_.trace.note(world_.queue.now(), member_->self(), "guest",
                      {guest->boot_id, static_cast<std::uint64_t>(guest->condition)}, guest->vm);
  } else if (const auto* transfer = std::get_if<TransferReport>(&event)) {
    world_.trace.note(world_.queue.now(), member_->self(), "transfer",
                      {transfer->job, static_cast<std::uint64_t>(transfer->status)}, transfer->vm);
  }
  world_.trace.note(world_.queue.now(), member_->self(), "step", {kind, detail});
}

void Process::note(const Effects& effects) {
  const Time now = world_.queue.now();
  const NodeId self = member_->self();
  world_.trace.note(now, self, "effects",
                    {effects.send_now.size(), effects.sequence, effects.durable.append.size(),
                     effects.durable.rows.size(), effects.after.size(), effects.guests.size(),
                     effects.transfers.size(), number(effects.lease_until.value_or(0))});
  for (const GuestOrder& order : effects.guests) {
    world_.trace.note(now, self, "order-guest",
                      {order.epoch.counter, order.boot_id, static_cast<std::uint64_t>(order.want)},
                      order.vm);
  }
  for (const TransferOrder& order : effects.transfers) {
    world_.trace.note(now, self, "order-transfer",
                      {order.job, order.attempt, static_cast<std::uint64_t>(order.role),
                       static_cast<std::uint64_t>(order.stage)},
                      order.vm);
  }
  for (const Fact& fact : effects.trace) world_.trace.note(now, self, fact.kind, {}, fact.text);
  for (const std::uint64_t event : effects.new_events) {
    const auto found = member_->state().events().find(event);
    if (found != member_->state().events().end()) {
      world_.trace.note(now, self, "event", {event}, found->second->kind());
    }
  }
}

}  // namespace failsim::sim
