#!/bin/bash
# The documents keep their word: every relative link leads to a file, and every command shown in a
# code block of README.md and docs/ is run by a golden case or an example (--no-timing aside).
# Synopses, which contain … or [, are no commands. In the guides, lines of a block without a language are
# lines that the commands above them print, where … stands for anything. usage: tools/check_docs.sh [ROOT]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "${1:-$here/..}"

# Cases first: the documents are compared with them. Not every tree has every folder.
{
  find tests/golden -name '*.golden' | LC_ALL=C sort || true
  find examples -path '*/command' | LC_ALL=C sort || true
  { find . -maxdepth 1 -name '*.md'; find docs tests/golden data examples -name '*.md'; } | LC_ALL=C sort || true
} 2>/dev/null | LC_ALL=C awk '
function problem(where, text) {
  printf "%s: %s\n", where, text
  problems++
}

# By the shell, since reading here a file that is open elsewhere would begin it anew.
function exists(path) {
  if (!(path in found)) found[path] = system("test -e \"" path "\"") == 0
  return found[path]
}

# One spelling for a command, however it is shown.
function plain(command) {
  sub(/^[ \t]*(\$ )?/, "", command)
  sub(/^\.\/dev run /, "portolan ", command)
  gsub(/ --no-timing/, "", command)
  sub(/[ \t]+#.*$/, "", command)
  sub(/[ \t]+$/, "", command)
  return command
}

# The first command line of a case, and what it prints; continuation lines stay out, as documents show
# one line.
function read_case(file,    line, command) {
  while ((getline line < file) > 0) {
    if (line ~ /^#/ && command == "") continue
    if (command == "") {
      command = plain(line)
      run[command] = 1
      continue
    }
    if (line ~ /^--- (stderr|exit)/) break
    printed[command] = printed[command] line "\n"
  }
  close(file)
  if (sub(/\/command$/, "/expected", file)) {
    while ((getline line < file) > 0) printed[command] = printed[command] line "\n"
    close(file)
  }
}

# Whether the parts of a line between … occur in a text, in order; columns may be narrower.
function shows(text, line,    part, count, i, at) {
  gsub(/ +/, " ", text)
  gsub(/ +/, " ", line)
  sub(/^ /, "", line)
  count = split(line, part, "…")
  for (i = 1; i <= count; i++) {
    at = index(text, part[i])
    if (!at) return 0
    text = substr(text, at + length(part[i]))
  }
  return 1
}

function check_link(where, folder, target) {
  if (target ~ /^[a-z]+:/ || target ~ /^#/) return
  sub(/#.*/, "", target)
  links++
  if (!exists(folder target)) problem(where, "link to " target ", which does not exist")
}

function check_document(file,    line, number, fenced, folder, where, command, language, output) {
  folder = file
  if (!sub(/\/[^\/]*$/, "/", folder)) folder = ""
  number = fenced = 0
  while ((getline line < file) > 0) {
    where = file ":" ++number
    if (line ~ /^[ \t]*```/) { fenced = !fenced; language = line; gsub(/[ \t`]/, "", language); continue }
    if (!fenced) {
      while (match(line, /\]\([^) ]+\)/)) {
        check_link(where, folder, substr(line, RSTART + 2, RLENGTH - 3))
        line = substr(line, RSTART + RLENGTH)
      }
    } else if (file ~ /^(\.\/README\.md|docs\/)/ && line ~ /^[ \t]*(\$ )?(\.\/dev run|portolan) / && line !~ /(…|\[)/) {
      command = plain(line)
      commands++
      if (!(command in run)) problem(where, "\"" command "\" is run by no golden case and no example")
      output = output printed[command]
    } else if (file ~ /^docs\/guides\// && language == "" && output != "" && line != "") {
      if (!shows(output, line)) problem(where, "\"" line "\" is printed by no command above it")
    }
  }
  close(file)
}

/\.golden$/ || /\/command$/ { read_case($0); next }
{ check_document($0); documents++ }

END {
  printf "%d documents, %d links, %d commands, %d problems\n", documents, links, commands, problems
  exit problems > 0 || !documents
}'
