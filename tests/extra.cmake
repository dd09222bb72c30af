# SPDX-License-Identifier: GPL-2.0-or-later
# Helpers of the tests: each tests/tools/x.c is a program "x" in the build folder's tests/.
file(GLOB tools CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/tools/*.c)
foreach(file ${tools})
  get_filename_component(name ${file} NAME_WE)
  add_executable(${name} ${file})
  target_link_libraries(${name} PRIVATE vmb_engine)
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
endforeach()

# What the terminal shows is read through libvterm; without it that one test is left out.
if(TARGET test_ui_term)
  if(VTERM_FOUND)
    target_link_libraries(test_ui_term PRIVATE PkgConfig::VTERM)
  else()
    set_target_properties(test_ui_term PROPERTIES EXCLUDE_FROM_ALL TRUE)
    set_tests_properties(unit/ui_term PROPERTIES DISABLED TRUE)
  endif()
endif()
