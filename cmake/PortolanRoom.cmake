# The functions with which rooms, tests, fuzz targets and benchmarks declare themselves.
#
#   portolan_room(NAME cost DEPS model hardware SOURCES step.cpp roofline.cpp [LIBS fmt::fmt])
#   portolan_embed(ROOM market SYMBOL offers_snapshot FILE ${PROJECT_SOURCE_DIR}/data/offers.csv)
#   portolan_test(ROOM cost SOURCES step_test.cpp [DEPS market] [LIBS rapidcheck])
#   portolan_fuzz(NAME json SOURCES json_fuzz.cpp DEPS io)
#   portolan_bench(NAME step SOURCES step_bench.cpp DEPS cost)

# PORTOLAN_ROOMS in build order; PORTOLAN_MAY_<room> is what its line of floors.txt names.
set(PORTOLAN_ROOMS)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/cmake/floors.txt")
file(STRINGS "${PROJECT_SOURCE_DIR}/cmake/floors.txt" floor_lines REGEX "^[a-z]+:")
foreach(line IN LISTS floor_lines)
  string(REGEX MATCH "^([a-z]+):(.*)$" _ "${line}")
  set(room "${CMAKE_MATCH_1}")
  string(REGEX MATCHALL "[a-z]+" named "${CMAKE_MATCH_2}")
  list(REMOVE_ITEM named only)
  set(may ${named})
  foreach(below IN LISTS named)
    list(APPEND may ${PORTOLAN_MAY_${below}})
  endforeach()
  list(REMOVE_DUPLICATES may)
  list(APPEND PORTOLAN_ROOMS "${room}")
  set(PORTOLAN_MAY_${room} "${may}")
endforeach()

# A room: the static library portolan_<name>, whose headers are included as "<name>/….hpp".
function(portolan_room)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "DEPS;SOURCES;LIBS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "portolan_room(${arg_NAME}): unknown arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_NAME IN_LIST PORTOLAN_ROOMS)
    message(FATAL_ERROR "portolan_room: \"${arg_NAME}\" is no room of cmake/floors.txt")
  endif()
  foreach(dep IN LISTS arg_DEPS)
    if(NOT dep IN_LIST PORTOLAN_MAY_${arg_NAME})
      message(FATAL_ERROR "portolan_room(${arg_NAME}): may not depend on \"${dep}\"; "
                          "allowed: ${PORTOLAN_MAY_${arg_NAME}} (cmake/floors.txt)")
    endif()
  endforeach()
  set(target "portolan_${arg_NAME}")
  add_library(${target} STATIC ${arg_SOURCES})
  target_include_directories(${target} PUBLIC "${PROJECT_SOURCE_DIR}/src")
  list(TRANSFORM arg_DEPS PREPEND portolan_)
  target_link_libraries(${target} PUBLIC ${arg_DEPS} PRIVATE ${arg_LIBS} portolan_warnings)
  if(arg_NAME MATCHES "^(io|server)$")
    # The doors for strangers' bytes keep libstdc++'s bounds checks in every build.
    target_compile_definitions(${target} PRIVATE _GLIBCXX_ASSERTIONS)
  endif()
endfunction()

# Carries FILE inside the room's library. C++ sees it as
#   extern "C" const unsigned char SYMBOL_begin[], SYMBOL_end[];   (a zero byte follows the end)
function(portolan_embed)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "ROOM;SYMBOL;FILE" "")
  set(assembly "${CMAKE_CURRENT_BINARY_DIR}/${arg_SYMBOL}.S")
  file(CONFIGURE OUTPUT "${assembly}" @ONLY CONTENT
"        .section .rodata.@arg_SYMBOL@,\"a\",%progbits
        .global @arg_SYMBOL@_begin, @arg_SYMBOL@_end
        .balign 16
@arg_SYMBOL@_begin: .incbin \"@arg_FILE@\"
@arg_SYMBOL@_end:   .byte 0
        .section .note.GNU-stack,\"\",%progbits
")
  # Without OBJECT_DEPENDS a changed data file leaves a stale binary: .incbin is not scanned.
  set_source_files_properties("${assembly}" PROPERTIES OBJECT_DEPENDS "${arg_FILE}")
  target_sources(portolan_${arg_ROOM} PRIVATE "${assembly}")
endfunction()

# The tests of one room: one binary, each test of it an entry of ctest labelled with the room.
function(portolan_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "ROOM" "SOURCES;DEPS;LIBS")
  set(target "test_${arg_ROOM}")
  add_executable(${target} ${arg_SOURCES})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  list(TRANSFORM arg_DEPS PREPEND portolan_)
  set(room_library)
  if(TARGET portolan_${arg_ROOM})
    set(room_library portolan_${arg_ROOM})
  endif()
  target_link_libraries(${target} PRIVATE ${room_library} ${arg_DEPS} ${arg_LIBS}
                        GTest::gtest_main fmt::fmt portolan_warnings)
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}")
  target_compile_definitions(${target} PRIVATE PORTOLAN_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  # gtest's headers make the static analysis of a macro-heavy file more noise than help.
  set_target_properties(${target} PROPERTIES CXX_CLANG_TIDY "")
  if(TARGET portolan_test_pch)
    target_precompile_headers(${target} REUSE_FROM portolan_test_pch)
    target_compile_options(${target} PRIVATE ${PORTOLAN_PCH_FLAGS})
  endif()
  gtest_discover_tests(${target}
    DISCOVERY_MODE PRE_TEST
    TEST_PREFIX "${arg_ROOM}."
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
    PROPERTIES LABELS "${arg_ROOM}" TIMEOUT 120 ENVIRONMENT "RC_PARAMS=seed=20261122")
endfunction()

# A fuzz target. With PORTOLAN_FUZZ the libFuzzer binary fuzz_<name>; with PORTOLAN_TESTS the
# binary replay_<name> that feeds it every file of fuzz/corpus/<name>, as a test.
function(portolan_fuzz)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "SOURCES;DEPS;LIBS")
  list(TRANSFORM arg_DEPS PREPEND portolan_)
  if(PORTOLAN_FUZZ)
    set(target "fuzz_${arg_NAME}")
    add_executable(${target} ${arg_SOURCES})
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  else()
    set(target "replay_${arg_NAME}")
    add_executable(${target} ${arg_SOURCES} "${PROJECT_SOURCE_DIR}/fuzz/replay_main.cpp")
    add_test(NAME "fuzz.${arg_NAME}" COMMAND ${target} "${PROJECT_SOURCE_DIR}/fuzz/corpus/${arg_NAME}")
    set_tests_properties("fuzz.${arg_NAME}" PROPERTIES LABELS fuzz TIMEOUT 120)
  endif()
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/fuzz")
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/src")
  target_link_libraries(${target} PRIVATE ${arg_DEPS} ${arg_LIBS} portolan_warnings)
endfunction()

# A Google Benchmark binary bench_<name>, run by ./dev bench <name>.
function(portolan_bench)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "SOURCES;DEPS;LIBS")
  set(target "bench_${arg_NAME}")
  add_executable(${target} ${arg_SOURCES})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bench")
  list(TRANSFORM arg_DEPS PREPEND portolan_)
  target_compile_definitions(${target} PRIVATE PORTOLAN_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_link_libraries(${target} PRIVATE ${arg_DEPS} ${arg_LIBS} benchmark::benchmark_main
                        portolan_warnings)
endfunction()
