# What the scripts of this folder share; nothing here depends on the current directory. It is for
# scripts that run under `set -euo pipefail`. `root` is the top of the source tree.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
logs=$root/build/log

# say TEXT...: one line for people, on stderr, so that stdout stays for data.
say() { printf '%s\n' "$*" >&2; }

# die TEXT...: ends the script with one sentence: what, where, what to do next.
die() {
  say "${0##*/}: $*"
  exit 1
}

# logged NAME COMMAND...: runs the command with its output in build/log/NAME.log; on a terminal its
# newest line is shown meanwhile. The status is that of the command.
logged() {
  local log=$logs/$1.log
  shift
  mkdir -p "$logs"
  if [[ -t 2 ]]; then
    "$@" 2>&1 </dev/null | tee "$log" | _newest_line
  else
    "$@" >"$log" 2>&1 </dev/null
  fi
}

# quietly NAME COMMAND...: the same, and a failure shows the end of the log and where it is.
quietly() {
  local log=$logs/$1.log
  if logged "$@"; then return 0; fi
  tail -n 40 "$log" >&2
  say "${0##*/}: $1 failed; the lines above are the end of ${log#"$root"/}."
  return 1
}

# Draws each line of stdin over the one before, and leaves nothing behind.
_newest_line() {
  local line
  while IFS= read -r line; do
    printf '\r\033[K%.*s' "$((${COLUMNS:-80} - 1))" "$line" >&2
  done
  printf '\r\033[K' >&2
}

# build PRESET [TARGET...]: configures and builds into build/PRESET; FAILSIM_CMAKE_ARGS (words
# separated by blanks) is handed to the configuration, for example "-DWERROR=ON". A compiler cache, where
# one is in use, knows the same sources in another clone.
build() {
  local preset=$1
  shift
  local -a arguments targets=()
  read -ra arguments <<<"${FAILSIM_CMAKE_ARGS:-}"
  if (($# > 0)); then targets=(--target "$@"); fi
  export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$root} CCACHE_NOHASHDIR=${CCACHE_NOHASHDIR:-1}
  # Presets are looked for in the current directory; the caller's stays what it is.
  quietly "configure-$preset" env -C "$root" cmake --preset "$preset" "${arguments[@]}" &&
    quietly "build-$preset" env -C "$root" cmake --build --preset "$preset" "${targets[@]}"
}

# run_tests PRESET [CTEST ARGUMENT...]: runs the tests of build/PRESET and prints, as its last line,
# "N passed, N failed". Fails if a test failed, or if no test was found.
run_tests() {
  local preset=$1 status=0
  local report=$root/build/$preset/junit.xml
  shift
  rm -f "$report"
  env -C "$root" ctest --preset "$preset" --output-junit "$report" "$@" || status=$?
  [[ -f $report ]] || die "ctest wrote no report for preset $preset; its message is above."
  _count_results "$report"
  return "$status"
}

# A test that chose to skip, or is disabled, has neither passed nor failed: it is named above the
# counts. One whose executable is missing has failed.
_count_results() {
  awk '
    function attribute(key) {
      return match($0, key "=\"[^\"]*\"") ? substr($0, RSTART + length(key) + 2, RLENGTH - length(key) - 3) : ""
    }
    /<testcase / {
      name = attribute("name"); status = attribute("status")
      if (status == "run") passed++
      if (status == "fail") { failed++; print "failed: " name }
      if (status == "disabled") print "disabled: " name
    }
    /<skipped / && status == "notrun" {
      if (attribute("message") ~ /^SKIP_/) print "skipped: " name
      else { failed++; print "failed, not run: " name }
    }
    END { printf "%d passed, %d failed\n", passed, failed }' "$1"
}

# what_failed PRESET: the end of the output of each test that failed in the last run of build/PRESET, so
# that it can be read at the end of a long log; nothing where nothing failed.
what_failed() {
  local report=$root/build/$1/junit.xml
  [[ -f $report ]] || return 0
  awk -v preset="$1" -v most=60 '
    /<testcase / && / status="fail"/ {
      failed = 1; count = 0
      match($0, /name="[^"]*"/)
      print "== failed in " preset ": " substr($0, RSTART + 6, RLENGTH - 7)
      next
    }
    /<\/testcase>/ && failed {
      for (i = count > most ? count - most : 0; i < count; i++) print lines[i]
      failed = 0
    }
    failed { sub(/^\t*<system-out>/, ""); sub(/<\/system-out>$/, ""); lines[count++] = $0 }' "$report" |
    sed 's/&quot;/"/g; s/&apos;/\x27/g; s/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g'
}
