#!/bin/bash
# The table requirement -> test, from tools/requirements.txt and the names of the tests.
# usage: tools/requirements.sh [--check]   prints docs/requirements.md; --check compares it and fails
# when a requirement that is met now has no test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

table() {
  # First the tests, "r06_name file"; then the requirements.
  { grep -rhoE '^(TEST|TEST_F|RC_GTEST_PROP)\([A-Za-z]+, *r[0-9]{2}_[a-z0-9_]+' tests --include='*_test.cpp' | LC_ALL=C sort
    cat tools/requirements.txt; } | LC_ALL=C awk '
  /^(TEST|TEST_F|RC_GTEST_PROP)\(/ {
    match($0, /r[0-9][0-9]_[a-z0-9_]+/)
    name = substr($0, RSTART, RLENGTH)
    number = substr(name, 2, 2) + 0
    tests[number] = tests[number] (tests[number] == "" ? "" : ", ") "`" name "`"
    next
  }
  /^#/ || !NF { next }
  !head {
    head = 1
    print "# Requirements and their tests\n"
    print "What the reference article (a16z, *Navigating the High Cost of AI Compute*, 2023-04-27) asks of a tool that makes its"
    print "numbers work, and the test that holds each. Made by `tools/requirements.sh`; a requirement that is met now and has no"
    print "test fails the build.\n"
    print "| | what | test, or what it comes with |"
    print "| --- | --- | --- |"
  }
  {
    split($0, part, / \| /)
    number = substr(part[1], 2) + 0
    if (part[2] == "now") {
      if (tests[number] == "") { print part[1] " has no test" > "/dev/stderr"; missing++ }
      print "| " part[1] " | " part[3] " | " (tests[number] == "" ? "**missing**" : tests[number]) " |"
    } else {
      print "| " part[1] " | " part[3] " | later: " part[2] (tests[number] == "" ? "" : "; already " tests[number]) " |"
    }
    rows++
  }
  END { if (rows != 81) { print rows " requirements, 81 expected" > "/dev/stderr"; missing++ }
        exit missing > 0 }'
}

if [ "${1:-}" != --check ]; then
  table
  exit
fi
table | diff -u --label docs/requirements.md --label "tools/requirements.sh" docs/requirements.md - ||
  { echo "to accept: tools/requirements.sh >docs/requirements.md"; exit 1; }
