#include "tests/storage/history.h"

#include <cassert>
#include <memory>

#include "cluster/raft/checksum.h"
#include "storage/memory_store.h"

namespace failsim {

EntryPtr EntryChain::append(Term term, const std::string& command) {
  auto entry = std::make_shared<pb::LogEntry>();
  entry->set_index(last().index() + 1);
  entry->set_term(term);
  entry->set_command(command);
  entry->set_checksum(raft::chain_checksum(last().checksum(), *entry));
  pb::LogStart position;
  position.set_index(entry->index());
  position.set_term(term);
  position.set_checksum(entry->checksum());
  positions_.push_back(position);
  return entry;
}

void EntryChain::truncate_from(Index index) {
  positions_.resize(index - positions_.front().index());
}

const pb::LogStart& EntryChain::position(Index index) const {
  return positions_.at(index - positions_.front().index());
}

std::string text_of(const Recovered& recovered) {
  std::string text = recovered.hard_state.ShortDebugString() + "\n" +
                     recovered.log_start.ShortDebugString() + "\n";
  for (const EntryPtr& entry : recovered.entries) text += entry->ShortDebugString() + "\n";
  for (const RowChange& row : recovered.rows) text += row.key + " = " + *row.value + "\n";
  return text + "applied " + std::to_string(recovered.applied) + "\n";
}

StoreIdentity some_identity() {
  StoreIdentity identity;
  identity.node = 3;
  identity.store_id = 0x1234567890abcdef;
  identity.bootstrap.set_format(1);
  identity.bootstrap.set_cluster_name("test");
  return identity;
}

namespace {

class Drawer {
 public:
  Drawer(std::uint64_t seed, std::size_t row_bytes) : random_(seed), row_bytes_(row_bytes) {}

  DurableBatch draw() {
    DurableBatch batch;
    ++step_;
    switch (random_.below(12)) {
      case 0:
        vote(batch);
        break;
      case 1:
        truncate(batch);
        break;
      case 2:
        compact(batch);
        break;
      case 3:
        install_snapshot(batch);
        break;
      case 4:
      case 5:
      case 6:
      case 7:
        append(batch);
        break;
      default:
        apply(batch);
        break;
    }
    batch.rows.push_back({"step", std::to_string(step_)});
    return batch;
  }

 private:
  std::string bytes() {
    std::string result(random_.below(row_bytes_ + 1), '\0');
    for (char& c : result) c = static_cast<char>('a' + random_.below(26));
    return result;
  }

  void vote(DurableBatch& batch) {
    batch.hard_state.emplace();
    batch.hard_state->set_term(++term_);
    batch.hard_state->set_voted_for(static_cast<std::uint32_t>(1 + random_.below(3)));
  }

  void append(DurableBatch& batch) {
    for (std::uint64_t n = 1 + random_.below(3); n > 0; --n) {
      batch.append.push_back(chain_.append(term_, bytes()));
    }
  }

  void truncate(DurableBatch& batch) {
    vote(batch);
    if (chain_.last().index() > applied_) {
      batch.truncate_from = applied_ + 1 + random_.below(chain_.last().index() - applied_);
      chain_.truncate_from(batch.truncate_from);
    }
    append(batch);
  }

  void compact(DurableBatch& batch) { batch.log_start = chain_.position(applied_); }

  void install_snapshot(DurableBatch& batch) {
    pb::LogStart start;
    start.set_index(chain_.last().index() + 10);
    start.set_term(term_);
    start.set_checksum(static_cast<std::uint32_t>(step_));
    chain_ = EntryChain(start);
    batch.log_start = start;
    batch.replace_rows = true;
    batch.rows.push_back({"vm/snapshot", bytes()});
    batch.applied = applied_ = start.index();
  }

  void apply(DurableBatch& batch) {
    batch.rows.push_back({"vm/" + std::to_string(random_.below(5)), bytes()});
    batch.rows.push_back({"task/" + std::to_string(random_.below(5)), std::nullopt});
    batch.applied = applied_ = applied_ + random_.below(chain_.last().index() - applied_ + 1);
  }

  Random random_;
  std::size_t row_bytes_;
  std::uint64_t step_ = 0;
  Term term_ = 1;
  Index applied_ = 0;
  EntryChain chain_;
};

}  // namespace

History draw_history(std::uint64_t seed, std::size_t batches, std::size_t row_bytes) {
  History history;
  Drawer drawer(seed, row_bytes);
  const StoreIdentity identity = some_identity();
  const auto store = MemoryStore::format(identity.node, identity.store_id, identity.bootstrap);
  store->open();
  history.texts.push_back(text_of(store->recover().take()));
  for (std::size_t i = 0; i < batches; ++i) {
    history.batches.push_back(drawer.draw());
    [[maybe_unused]] const auto error = store->write(history.batches.back());
    assert(!error);
    history.texts.push_back(text_of(store->recover().take()));
  }
  return history;
}

}  // namespace failsim
