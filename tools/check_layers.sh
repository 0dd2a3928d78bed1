#!/bin/bash
# The house rules that a compiler does not know, over src/ of a tree (default: this one): every
# include against cmake/floors.txt and the room's own DEPS, heavy headers in one .cpp each, no
# process-wide calls, clocks or randomness outside their rooms, no left-over marks.
# usage: tools/check_layers.sh [ROOT]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "${1:-$here/..}"

{
  echo cmake/floors.txt
  find src -name CMakeLists.txt | LC_ALL=C sort
  find src \( -name '*.hpp' -o -name '*.cpp' \) | LC_ALL=C sort
} | LC_ALL=C awk -f "$here/check_layers.awk" -v root="$PWD"
