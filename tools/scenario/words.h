// What the parsers of the language share: a line in words, and the word that was meant.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/error.h"

namespace failsim::scenario {

// Words are separated by spaces; "in quotes" they may hold some. kInvalidParameter for a quote that
// is not closed. `at`, if given, gets the offset of each word.
Result<std::vector<std::string>> split_words(std::string_view line,
                                             std::vector<std::size_t>* at = nullptr);
// The word as split_words reads it: in quotes if it needs them.
std::string quoted_word(const std::string& word);

// "Did you mean \"x\"?", or `otherwise` when nothing is near.
std::string did_you_mean(std::string_view typed, const std::vector<std::string_view>& known,
                         const std::string& otherwise);
// "a, b, c"
std::string list_of(const std::vector<std::string_view>& words);

}  // namespace failsim::scenario
