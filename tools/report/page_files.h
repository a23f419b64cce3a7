// The files of page/, as they were when this was built (embed.cmake).
#pragma once

#include <string_view>

namespace failsim::history {

extern const std::string_view kPageHtml;
extern const std::string_view kPageStyle;
extern const std::string_view kPageScript;

}  // namespace failsim::history
