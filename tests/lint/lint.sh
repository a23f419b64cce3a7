#!/usr/bin/env bash
# A reminder, not a regime: the pure code names nothing that would tie a run to a clock, a thread, a
# hash order or a rounding mode, and each layer includes only what is below it.
#
#   lint.sh SOURCE_DIR
#
# Prints one line per finding, "file:line: why", and fails if there is one. Comments and the text of
# string literals are not looked at.
set -euo pipefail
cd "$1"

pure=(cluster tools/report tools/sim tools/explore)
# Where runs are written to; and the command around the worlds, which runs seeds side by side and
# says how long they took.
not_pure=(tools/report/history_reader.cc tools/report/history_writer.cc
  tools/report/run_directory.h tools/report/run_directory.cc
  tools/report/run_recorder.h tools/report/run_recorder.cc
  tools/sim/simulate.h tools/sim/simulate.cc tools/explore/campaign.h
  tools/explore/campaign.cc tools/explore/explore.cc tools/explore/one_seed.cc
  tools/explore/report.cc tools/explore/assertion.cc)

forbidden=(
  '\bunordered_\w+'                 # iteration order differs between libraries
  '\bstd::hash\b'
  '\b(system|steady|high_resolution)_clock\b'
  '<chrono>'
  '\b(thread|jthread|this_thread|thread_local)\b'
  '\bpthread_\w+'
  '\b(float|double)\b'              # rounding and printing differ between machines
  '\bs?rand\('
  '\brandom_device\b'
  '\bstd::(random_)?shuffle\b'      # libraries draw differently from the same engine
  '\b\w+_distribution\b'
  '\bboost/'
  '\brocksdb/'
)

# layer: what its quoted includes may begin with
layers=(
  'cluster: cluster/'
  'storage: storage/ cluster/'
  'node: node/ storage/ cluster/'
  'tools/report: tools/report/ cluster/'
  'tools/sim: tools/sim/ tools/report/ storage/ cluster/'
  'tools/scenario: tools/scenario/ tools/sim/ tools/report/ storage/ cluster/'
  'tools/explore: tools/explore/ tools/scenario/ tools/sim/ tools/report/ storage/ cluster/'
)

# The code of files, each line after "file:line:" and a tab: comments gone, literals empty, includes
# kept.
code_of() {
  awk '
    function strip(line,   out, c, two, quote) {
      if (!in_comment && line !~ /["\x27\/]/) return line
      out = ""; quote = ""
      while (line != "") {
        c = substr(line, 1, 1); two = substr(line, 1, 2)
        if (in_comment) {
          if (two == "*/") { in_comment = 0; line = substr(line, 3) } else line = substr(line, 2)
        } else if (quote != "") {
          if (c == "\\") { line = substr(line, 3); continue }
          if (c == quote) { out = out c; quote = "" }
          line = substr(line, 2)
        } else if (two == "//") {
          return out
        } else if (two == "/*") {
          in_comment = 1; line = substr(line, 3)
        } else {
          # An apostrophe after a digit separates thousands; it opens no literal.
          if (c == "\"" || (c == "\x27" && out !~ /[0-9a-fA-F]$/)) quote = c
          out = out c; line = substr(line, 2)
        }
      }
      return out
    }
    FNR == 1 { in_comment = 0 }
    /^[ \t]*\/\// && !in_comment { next }
    !in_comment && /^[ \t]*#[ \t]*include/ { sub(/\/\/.*/, ""); print FILENAME ":" FNR ":\t" $0; next }
    { print FILENAME ":" FNR ":\t" strip($0) }' "$@"
}

# Those lines of standard input that match, if any.
matching() { grep "$@" || (($? == 1)); }

folders=()
for folder in cluster storage node tools; do
  [[ -d $folder ]] && folders+=("$folder")
done
mapfile -t sources < <(
  find "${folders[@]}" -type f \( -name '*.h' -o -name '*.cc' -o -name '*.proto' \) | sort
)
code=$(code_of "${sources[@]}")

findings=$(
  pattern=$(IFS='|'; echo "${forbidden[*]}")
  pure_code=$(IFS='|'; echo "^(${pure[*]})/")
  exceptions=$(IFS='|'; echo "^(${not_pure[*]}):")
  matching -E "$pure_code" <<<"$code" | matching -vE "$exceptions" |
    matching -P "\t.*?($pattern)" | sed 's|:\t|: not in pure code: |'

  for layer in "${layers[@]}"; do
    folder=${layer%%:*}
    read -ra allowed <<<"${layer#*:}"
    pattern=$(IFS='|'; echo "${allowed[*]}")
    matching -E "^$folder/"$'[^\t]*\t[ \t]*#[ \t]*include[ \t]*"' <<<"$code" |
      matching -vE "include[ \t]*\"($pattern)" |
      sed "s|:\t|: $folder/ may not include this: |"
  done
)

if [[ -n $findings ]]; then
  printf '%s\n' "$findings"
  exit 1
fi
