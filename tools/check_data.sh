#!/bin/bash
# Every row of the tables under data/ (.csv, .jsonl) names its source and its date, and a .csv row
# has as many cells as the header. usage: tools/check_data.sh [ROOT]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "${1:-$here/..}"

[ -d data ] || { echo "no data folder"; exit 0; }
find data \( -name '*.csv' -o -name '*.jsonl' \) | LC_ALL=C sort | LC_ALL=C awk '
function problem(where, text) {
  if (++problems <= 50) printf "%s: %s\n", where, text
}

# Splits one line of RFC 4180 text into cell[1..n]; returns n.
function cells(line,    n, i, c, quoted, text) {
  if (line !~ /"/) return split(line, cell, ",")
  n = 0
  text = ""
  quoted = 0
  for (i = 1; i <= length(line); i++) {
    c = substr(line, i, 1)
    if (quoted && c == "\"" && substr(line, i + 1, 1) == "\"") { text = text c; i++ }
    else if (c == "\"") quoted = !quoted
    else if (c == "," && !quoted) { cell[++n] = text; text = "" }
    else text = text c
  }
  cell[++n] = text
  return n
}

# A day, month or year, or a range of them whose beginning may be open.
function dated(text) {
  sub(/^([0-9][0-9][0-9][0-9](-[0-9][0-9](-[0-9][0-9])?)?)?\.\./, "", text)
  return text ~ /^[0-9][0-9][0-9][0-9](-[0-9][0-9](-[0-9][0-9])?)?$/
}

/\.jsonl$/ {
  file = $0
  number = 0
  while ((getline line < file) > 0) {
    number++
    rows++
    if (line !~ /"source":[ ]*"[^"]/) problem(file ":" number, "row without a source")
    if (line !~ /"date":[ ]*"[0-9][0-9][0-9][0-9]/) problem(file ":" number, "row without a date")
  }
  close(file)
  files++
  next
}

{
  file = $0
  number = 0
  columns = 0
  while ((getline line < file) > 0) {
    number++
    sub(/\r$/, "", line)
    if (line ~ /^#/ || line == "") continue
    n = cells(line)
    if (!columns) {
      columns = n
      source = date = 0
      for (i = 1; i <= n; i++) {
        if (cell[i] == "source") source = i
        if (cell[i] ~ /^(date|observed_latest)$/) date = i
      }
      if (!source || !date) { problem(file ":" number, "needs the columns source and date"); break }
      continue
    }
    rows++
    if (n != columns) problem(file ":" number, n " cells under " columns " columns")
    else if (cell[source] == "") problem(file ":" number, "row without a source")
    else if (!dated(cell[date])) problem(file ":" number, "date \"" cell[date] "\" is not YYYY-MM-DD, YYYY-MM, YYYY or a range FROM..TO")
  }
  close(file)
  files++
}
END {
  printf "%d files, %d rows, %d problems\n", files, rows, problems
  exit problems > 0
}'
