#!/bin/bash
# Runs one case (a .golden file, or a folder of examples/) against the built program and compares
# its output byte for byte; the formats are in README.md beside this file.
# With PORTOLAN_UPDATE_GOLDEN=1 the expected output is rewritten instead.
# usage: run.sh PROGRAM_FOLDER CASE
set -u
programs=$(cd "$1" && pwd)
case=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/home"

if [ -d "$case" ]; then
  expected=$case/expected
  command=$(grep -v '^#' "$case/command")
else
  expected=$case
  # The head: comments, then "$ command" and its "> continuation" lines.
  awk '/^#/ && !seen { print; next } /^\$ / && !seen { seen = 1; print; next } /^> / && seen { print; next } { exit }' \
    "$case" >"$scratch/head"
  command=$(sed -n 's/^[$>] //p' "$scratch/head")
fi
[ -n "$command" ] || { echo "$2: no command; a case has a line that begins with \"\$ \""; exit 1; }

# A clean environment, so that neither the user's settings nor the terminal show in the output.
env -i PATH="$programs:/usr/local/bin:/usr/bin:/bin" HOME="$scratch/home" TMPDIR="$scratch" \
  LC_ALL=C.UTF-8 TERM=dumb ${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} \
  bash -c "$command" </dev/null >"$scratch/stdout" 2>"$scratch/stderr"
code=$?

# Prints a file so that what follows begins a new line, and a missing last newline is seen.
whole_lines() {
  cat "$1"
  [ ! -s "$1" ] || [ -z "$(tail -c 1 "$1")" ] || printf '\n\\ no newline at the end\n'
}

if [ -d "$case" ]; then
  whole_lines "$scratch/stdout" >"$scratch/actual"
  [ "$code" -eq 0 ] || echo "[exit $code]" >>"$scratch/actual"
else
  {
    cat "$scratch/head"
    whole_lines "$scratch/stdout"
    [ ! -s "$scratch/stderr" ] || { echo "--- stderr"; whole_lines "$scratch/stderr"; }
    echo "--- exit $code"
  } >"$scratch/actual"
fi

if [ "${PORTOLAN_UPDATE_GOLDEN:-}" = 1 ]; then
  cmp -s "$scratch/actual" "$expected" || { cp "$scratch/actual" "$expected" && echo "rewrote $2"; }
  exit 0
fi
if diff -u --label expected --label actual "$expected" "$scratch/actual"; then exit 0; fi
if [ -d "$case" ]; then cat "$scratch/stderr"; fi
echo "to accept: ./dev update-golden, then review the diff"
exit 1
