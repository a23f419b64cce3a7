// UTF-8 and UTF-16LE: text as people give it and as the cluster API carries it.
#pragma once

#include <string>
#include <string_view>

#include "cluster/error.h"

namespace failsim {

// The bytes of the text in UTF-16LE and back, no NUL added or removed. kInvalidData for overlong
// forms, surrogates in UTF-8, unpaired surrogates in UTF-16, an odd number of bytes, and code
// points above 0x10FFFF.
Result<std::string> utf16le_of_utf8(std::string_view text);
Result<std::string> utf8_of_utf16le(std::string_view bytes);

}  // namespace failsim
