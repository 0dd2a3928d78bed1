# The target headers_alone: every header compiles when it is all a file includes. Objects rather
# than -fsyntax-only, so that Ninja and ccache remember what has been proved.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/src"
     "${PROJECT_SOURCE_DIR}/src/*.hpp")
set(sources)
foreach(header IN LISTS headers)
  set(source "${PROJECT_BINARY_DIR}/headers_alone/${header}.cpp")
  file(CONFIGURE OUTPUT "${source}" CONTENT "#include \"${header}\"\n")
  list(APPEND sources "${source}")
endforeach()
if(sources)
  add_library(headers_alone OBJECT EXCLUDE_FROM_ALL ${sources})
  target_include_directories(headers_alone PRIVATE "${PROJECT_SOURCE_DIR}/src")
  target_compile_options(headers_alone PRIVATE -O0 -g0)
  target_link_libraries(headers_alone PRIVATE portolan_warnings fmt::fmt)
endif()
