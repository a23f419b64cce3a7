#include "tools/failsim/property_writer.h"

#include "cluster/random.h"

namespace failsim::cli {
namespace {

constexpr Client::Milliseconds kAgain{100};

// Nobody can answer now; otherwise the answer is wrong.
bool is_absent(const Failure& failure) {
  const Code code = failure.error.code;
  return code == Code::kNoQuorum || code == Code::kNotReady || code == Code::kTimeout ||
         code == Code::kConnectionRefused || code == Code::kClusterBusy;
}

}  // namespace

PropertyWriter::PropertyWriter(Client client, std::string object, std::uint64_t seed,
                               SeenFacts& facts)
    : client_(std::move(client)),
      object_(std::move(object)),
      register_("Description of " + object_),
      facts_(facts) {
  thread_ = std::jthread([this, seed](const std::stop_token& stop) { run(stop, seed); });
}

void PropertyWriter::stop() {
  thread_.request_stop();
  thread_.join();
  read();
}

std::string PropertyWriter::target() const {
  return "/v1/property?object=" + percent_encoded(object_) + "&name=Description";
}

void PropertyWriter::write(const std::stop_token& stop) {
  const std::string value = "value " + std::to_string(++written_);
  facts_.tell(history::WriteBegan{register_, value});
  // An attempt that was not answered may have been carried out: the same value again does no harm.
  while (true) {
    try {
      client_.write("PUT", target(), {{"value", value}});
      facts_.tell(history::WriteAcknowledged{register_, value});
      ++acknowledged_;
      return;
    } catch (const Failure& failure) {
      if (!is_absent(failure)) complain(failure);
    }
    if (!pause(stop, kAgain)) return;
  }
}

void PropertyWriter::read() {
  try {
    const json::value property = client_.get(target());
    facts_.tell(history::ReadSaw{register_, text_in(property.as_object(), "value")});
  } catch (const Failure& failure) {
    if (!is_absent(failure)) complain(failure);
  }
}

void PropertyWriter::complain(const Failure& failure) {
  facts_.tell(history::Expectation{"answer", false, object_ + ": " + failure.error.message});
}

// False: it is to stop.
bool PropertyWriter::pause(const std::stop_token& stop, Client::Milliseconds time) {
  std::unique_lock lock(mutex_);
  stopped_.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

void PropertyWriter::run(const std::stop_token& stop, std::uint64_t seed) {
  Random random(seed);
  do {
    if (random.below(4) == 0) {
      read();
    } else {
      write(stop);
    }
  } while (pause(stop, Client::Milliseconds(20 + random.below(580))));
}

}  // namespace failsim::cli
