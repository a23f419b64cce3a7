// Which names a VM may have.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cluster/error.h"

namespace failsim {

inline constexpr std::size_t kVmNameMax = 64;

// Nothing if a VM may be called so: 1..64 of letters, digits, '-', '_' and '.', beginning with a
// letter or digit, not a word of the command line. Otherwise kInvalidParameter.
std::optional<Error> vm_name_refused(std::string_view name);

// Of a request that names a VM.
Error no_such_vm(const std::string& name);

}  // namespace failsim
