// Small files: read whole, replaced atomically.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace failsim::cli {

namespace fs = std::filesystem;

// Nothing if the file is not there; any other reason is a Failure.
std::optional<std::string> read_file(const fs::path& path);

// Readers see the former content or the new one, never a part; `mode` is that of the new file.
void replace_file(const fs::path& path, std::string_view content, unsigned mode = 0644);

void remove_file(const fs::path& path);  // it may be gone already

// The files below a directory whose names end so, by path; an unreadable one is a Failure.
std::vector<fs::path> files_below(const fs::path& directory, std::string_view extension);

void make_directories(const fs::path& path);  // those that are missing, for the owner only

// Random bytes of the kernel as lower-case hexadecimal digits.
std::string random_hex(std::size_t bytes);

// The last line of a text file that is not empty, for messages; empty if there is none.
std::string last_line(const fs::path& path);

}  // namespace failsim::cli
