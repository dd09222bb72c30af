# SPDX-License-Identifier: GPL-2.0-or-later
# Helpers of the tests: each tests/tools/x.c is a program "x" in the build folder's tests/.
file(GLOB tools CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/tools/*.c)
foreach(file ${tools})
  get_filename_component(name ${file} NAME_WE)
  add_executable(${name} ${file})
  target_link_libraries(${name} PRIVATE vmb_engine)
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
endforeach()
