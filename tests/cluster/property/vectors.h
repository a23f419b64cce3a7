// Byte vectors of property lists, computed outside of this project from the documented layout.
#pragma once

#include <cassert>
#include <string>
#include <string_view>

namespace failsim::vectors {

// Hexadecimal digits to bytes; blanks are for the reader.
inline std::string bytes(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'A' + 10; };
  std::string out;
  int high = -1;
  for (const char c : hex) {
    if (c == ' ') continue;
    if (high < 0) {
      high = digit(c);
      continue;
    }
    out.push_back(static_cast<char>(high * 16 + digit(c)));
    high = -1;
  }
  assert(high < 0);
  return out;
}

// MigrationState = 2 (Data Transfer): 60 bytes.
inline std::string migration_state() {
  return bytes(
      "01000000"
      "03000400 1E000000 4D006900670072006100740069006F006E0053007400610074006500 0000 0000"
      "02000100 04000000 02000000"
      "00000000");
}

// "Virtual Machine" = 4, "Virtual Machine Configuration" = 4, what asks for a live move: 144 bytes.
inline std::string live_move() {
  return bytes(
      "02000000"
      "03000400 20000000 5600690072007400750061006C0020004D0061006300680069006E006500 0000"
      "02000100 04000000 04000000"
      "00000000"
      "03000400 3C000000 5600690072007400750061006C0020004D0061006300680069006E0065002000"
      "43006F006E00660069006700750072006100740069006F006E00 0000"
      "02000100 04000000 04000000"
      "00000000");
}

// MigrationState = 2, MigrationProgress = 37, VmID = "3F2504E0-...": 228 bytes.
inline std::string three_properties() {
  return bytes(
      "03000000"
      "03000400 1E000000 4D006900670072006100740069006F006E0053007400610074006500 0000 0000"
      "02000100 04000000 02000000"
      "00000000"
      "03000400 24000000 4D006900670072006100740069006F006E00500072006F0067007200650073007300 0000"
      "02000100 04000000 25000000"
      "00000000"
      "03000400 0A000000 56006D0049004400 0000 0000"
      "03000100 4A000000 33004600320035003000340045003000 2D00 3400460038003900 2D00"
      "3400310044003300 2D00 3900410030004300 2D00 300033003000350045003800320043003300330030003100"
      "0000 0000"
      "00000000");
}

}  // namespace failsim::vectors
