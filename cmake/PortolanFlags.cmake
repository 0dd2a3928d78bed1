# Language, warnings, determinism, hardening, and the optional tools that make a build faster.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# -O2, not CMake's -O3: quicker to compile, and what is hot is shown by bench/, not by a flag.
if(CMAKE_CXX_FLAGS_RELEASE STREQUAL "-O3 -DNDEBUG")
  set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
endif()

# Contraction to fused multiply-add differs between compilers and machines; figures must not.
add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off>")

add_library(portolan_warnings INTERFACE)
target_compile_options(portolan_warnings INTERFACE
  "$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wconversion;-Wshadow;-Wnon-virtual-dtor;-Wold-style-cast>")
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # libstdc++ 12 calls its own deprecated get_temporary_buffer in stable_sort; only clang says so.
  target_compile_options(portolan_warnings INTERFACE
    "$<$<COMPILE_LANGUAGE:CXX>:-Wno-deprecated-declarations>")
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # g++ 12 sees overlaps and overruns in inlined std::string concatenation that are not there
  # (GCC bugs 105329 and 105651); which lines it hits changes with the length of a path.
  target_compile_options(portolan_warnings INTERFACE
    "$<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict;-Wno-array-bounds;-Wno-stringop-overflow>")
endif()
if(PORTOLAN_WERROR)
  target_compile_options(portolan_warnings INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:-Werror>")
endif()

# -fPIE, not -fPIC: position independence for the executable without the cost of interposition.
set(hardening -fstack-protector-strong -fstack-clash-protection -fPIE -U_FORTIFY_SOURCE
              -D_FORTIFY_SOURCE=3 "-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  list(APPEND hardening -fcf-protection)
endif()
add_compile_options("$<$<AND:$<CONFIG:Release>,$<COMPILE_LANGUAGE:CXX>>:${hardening}>")
add_link_options("$<$<CONFIG:Release>:-pie;-Wl,-z,relro,-z,now>")

find_program(PORTOLAN_CCACHE ccache)
mark_as_advanced(PORTOLAN_CCACHE)
if(PORTOLAN_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # The tests share a precompiled header; without this sloppiness ccache refuses such files.
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      "${PORTOLAN_CCACHE}")
endif()

# mold for the builds one waits for; a release is linked by the system's linker everywhere.
find_program(PORTOLAN_MOLD mold)
mark_as_advanced(PORTOLAN_MOLD)
if(PORTOLAN_MOLD)
  add_link_options("$<$<NOT:$<CONFIG:Release>>:-fuse-ld=mold>")
endif()
