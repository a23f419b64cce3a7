#include "tools/failsim/labelled_injector.h"

#include <algorithm>

#include "tools/failsim/errors.h"

namespace failsim::cli {

void LabelledInjector::inject(const std::string& label, const fault::Order& order) {
  ids_[label].push_back(injector_.inject(order).id);
}

void LabelledInjector::heal(const std::string& label) {
  if (label.empty()) {
    injector_.heal(std::nullopt);
    return;
  }
  for (const std::uint64_t id : ids_[label]) {
    try {
      injector_.heal(id);
    } catch (const Failure& failure) {
      if (failure.error.code != Code::kNotFound) throw;  // its lease is over already
    }
  }
}

bool LabelledInjector::is_active(const std::string& label) {
  const std::vector<std::uint64_t>& ids = ids_[label];
  const json::array rows = injector_.list();
  return std::any_of(rows.begin(), rows.end(), [&ids](const json::value& row) {
    return std::find(ids.begin(), ids.end(), number_in(row.as_object(), "id")) != ids.end();
  });
}

}  // namespace failsim::cli
