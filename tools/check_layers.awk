# Reads a list of file names: cmake/floors.txt, then the rooms' CMakeLists.txt, then the sources.
# Written for any POSIX awk, since a fresh Debian has mawk and nothing more.

function problem(where, text) {
  printf "%s: %s\n", where, text
  problems++
}

# Adds what `from` may reach to reach[to, ...].
function inherit(reach, to, from,    i, names, n) {
  n = split(rooms, names, " ")
  for (i = 1; i <= n; i++) if ((from, names[i]) in reach) reach[to, names[i]] = 1
}

function read_floors(file,    line, n, words, i, room, only) {
  while ((getline line < file) > 0) {
    if (line !~ /^[a-z]+:/) continue
    n = split(line, words, /[: ]+/)
    room = words[1]
    is_room[room] = 1
    only = (line ~ / only$/)
    for (i = 2; i <= n; i++) {
      if (words[i] == "" || words[i] == "only") continue
      may[room, words[i]] = 1
      reach[room, words[i]] = 1
      inherit(reach, room, words[i])
      if (!only) inherit(may, room, words[i])
    }
    may[room, room] = 1
    allowed[room] = line
    sub(/^[a-z]+: */, "", allowed[room])
    if (allowed[room] == "") allowed[room] = "nothing"
    else if (!only) allowed[room] = allowed[room] " and what they may include"
    rooms = rooms " " room
  }
  close(file)
}

# DEPS of every portolan_room(...) call, in floor order because the files are listed after it.
function read_deps(file,    line, text, n, words, i, in_deps, room) {
  text = ""
  while ((getline line < file) > 0) {
    sub(/#.*/, "", line)
    text = text " " line
  }
  close(file)
  if (!match(text, /portolan_room[ ]*\([^)]*\)/)) return
  text = substr(text, RSTART, RLENGTH)
  gsub(/[()]/, " ", text)
  n = split(text, words, /[ \t]+/)
  for (i = 1; i <= n; i++) {
    if (words[i] == "NAME") { room = words[i + 1]; declared[room] = 1 }
    if (words[i] ~ /^(NAME|SOURCES|LIBS)$/) in_deps = 0
    else if (words[i] == "DEPS") in_deps = 1
    else if (in_deps && words[i] != "") deps[room, words[i]] = 1
  }
}

# Closes deps over the floors, lowest room first.
function close_deps(    n, names, i, j) {
  n = split(rooms, names, " ")
  for (i = 1; i <= n; i++)
    for (j = 1; j < i; j++)
      if ((names[i], names[j]) in deps) inherit(deps, names[i], names[j])
}

# `open` is the file being read: opening it a second time would begin it anew.
function exists(path, open,    line) {
  if (path == open) return 1
  if (!(path in found)) {
    found[path] = (getline line < path) >= 0
    close(path)
  }
  return found[path]
}

# Heavy headers cost seconds and megabytes per file that includes them: one .cpp each.
function heavy(path) {
  if (path ~ /^CLI\//) return "CLI11"
  if (path ~ /^nlohmann\//) return "nlohmann/json"
  if (path ~ /^yaml-cpp\//) return "yaml-cpp"
  if (path ~ /^sqlite3\.h/) return "SQLite"
  if (path ~ /^curl\//) return "curl"
  if (path ~ /^boost\//) return "Boost"
  if (path ~ /^simdjson/) return "simdjson"
  if (path ~ /^Eigen\//) return "Eigen"
  return ""
}

function check_include(where, file, room, line,    path, to, library) {
  match(line, /[<"][^>"]+[>"]/)
  path = substr(line, RSTART + 1, RLENGTH - 2)
  library = heavy(path)
  if (library != "") {
    if (file ~ /\.hpp$/) problem(where, "heavy header <" path "> in a header; it belongs in one .cpp behind plain values")
    else if (!(library in heavy_file)) heavy_file[library] = file
    else if (heavy_file[library] != file) problem(where, "heavy header <" path "> is already included by " heavy_file[library] "; one .cpp only")
  }
  if (path == "regex") problem(where, "<regex> is not used here: slow to compile, exponential on chosen input")
  if (line !~ /"/) return
  to = path
  if (!sub(/\/.*/, "", to) || !(to in is_room)) {
    problem(where, "\"" path "\" does not begin with a room; write \"" room "/" path "\"")
    return
  }
  if (!exists("src/" path, file)) problem(where, "\"" path "\" does not exist")
  if (!((room, to) in may)) problem(where, room " may not include " to "; allowed: " allowed[room])
  else if (to != room && (room in declared) && !((room, to) in deps)) problem(where, room " includes " to " without naming it in DEPS of src/" room "/CMakeLists.txt")
}

function check_code(where, room, code) {
  if (room != "cli" && room != "server") {
    if (code ~ /(^|[^A-Za-z0-9_.])(exit|_exit|quick_exit|getenv|secure_getenv)[ ]*\(/) problem(where, "exit and getenv belong to the faces; return an Error, take the value as an argument")
    if (room != "base" && code ~ /(^|[^A-Za-z0-9_.])(abort|terminate)[ ]*\(/) problem(where, "abort belongs to base/check; return an Error or use PORTOLAN_CHECK")
  }
  if (room != "base" && code ~ /(_clock::now|(^|[^A-Za-z0-9_])(random_device|gettimeofday|clock_gettime|srand)([^A-Za-z0-9_]|$))/) problem(where, "clocks and random devices are arguments; their seams are in base")
}

function check_file(file,    line, code, number, room, where, in_comment, first) {
  room = file
  sub(/^src\//, "", room)
  sub(/\/.*/, "", room)
  number = 0
  in_comment = 0
  while ((getline line < file) > 0) {
    number++
    where = file ":" number
    if (number == 1 && file ~ /\.hpp$/ && line !~ /^(\/\/|#pragma once)/) problem(where, "a header opens with one sentence that says what the file is for")
    if (line ~ /(^|[^A-Za-z])(TODO|FIXME|XXX|HACK)([^A-Za-z]|$)/) problem(where, "left-over mark; finish it or return an Error")
    if (line ~ /^[ \t]*#[ \t]*include/) { check_include(where, file, room, line); continue }
    code = line
    gsub(/"([^"\\]|\\.)*"/, "\"\"", code)
    if (in_comment) {
      if (!sub(/^.*\*\//, "", code)) continue
      in_comment = 0
    }
    gsub(/\/\*[^*]*\*\//, "", code)
    sub(/\/\/.*/, "", code)
    if (sub(/\/\*.*/, "", code)) in_comment = 1
    check_code(where, room, code)
  }
  close(file)
}

$0 == "cmake/floors.txt" { read_floors($0); next }
/CMakeLists\.txt$/ { read_deps($0); next }
!deps_closed { close_deps(); deps_closed = 1 }
{ check_file($0); files++ }

END {
  if (!files) { print "no sources under " root "/src"; exit 1 }
  printf "%d files, %d problems\n", files, problems
  exit problems > 0
}
