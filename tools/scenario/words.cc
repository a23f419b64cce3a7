#include "tools/scenario/words.h"

#include "cluster/fault/kind.h"

namespace failsim::scenario {

Result<std::vector<std::string>> split_words(std::string_view line, std::vector<std::size_t>* at) {
  std::vector<std::string> words;
  std::size_t i = 0;
  while (true) {
    while (i < line.size() && line[i] == ' ') ++i;
    if (i == line.size()) return words;
    if (at != nullptr) at->push_back(i);
    std::string word;
    while (i < line.size() && line[i] != ' ') {
      if (line[i] != '"') {
        word += line[i++];
        continue;
      }
      const std::size_t close = line.find('"', i + 1);
      if (close == std::string_view::npos) {
        return Error{Code::kInvalidParameter, "A quote is not closed.", "Close it with \"."};
      }
      word += line.substr(i + 1, close - i - 1);
      i = close + 1;
    }
    words.push_back(std::move(word));
  }
}

std::string quoted_word(const std::string& word) {
  const bool is_plain = !word.empty() && word.find(' ') == std::string::npos;
  return is_plain ? word : "\"" + word + "\"";
}

std::string did_you_mean(std::string_view typed, const std::vector<std::string_view>& known,
                         const std::string& otherwise) {
  const std::string near = fault::nearest(typed, known);
  return near.empty() ? otherwise : "Did you mean \"" + near + "\"?";
}

std::string list_of(const std::vector<std::string_view>& words) {
  std::string list;
  for (const std::string_view word : words) {
    if (!list.empty()) list += ", ";
    list += word;
  }
  return list;
}

}  // namespace failsim::scenario
