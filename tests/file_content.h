// Whole files, as tests read and write them.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace failsim {

// Empty if there is no such file.
inline std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Replaces what the file holds.
inline void set_content(const std::filesystem::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

}  // namespace failsim
