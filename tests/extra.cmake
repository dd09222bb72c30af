# SPDX-License-Identifier: GPL-2.0-or-later
# Helpers of the tests: each tests/tools/x.c is a program "x" in the build folder's tests/.
file(GLOB tools CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/tools/*.c)
foreach(file ${tools})
  get_filename_component(name ${file} NAME_WE)
  add_executable(${name} ${file})
  target_link_libraries(${name} PRIVATE vmb_engine)
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
endforeach()
# Each tests/preload/x.c is a library "x.so" there, for LD_PRELOAD.
file(GLOB preloads CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/preload/*.c)
foreach(file ${preloads})
  get_filename_component(name ${file} NAME_WE)
  add_library(${name} MODULE ${file})
  set_target_properties(${name} PROPERTIES PREFIX "")
  target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
endforeach()

# What the terminal shows is read through libvterm; without it those tests are left out.
foreach(short ui_term ui_matrix)
  if(NOT TARGET test_${short})
    continue()
  endif()
  if(VTERM_FOUND)
    target_link_libraries(test_${short} PRIVATE PkgConfig::VTERM)
  else()
    set_target_properties(test_${short} PROPERTIES EXCLUDE_FROM_ALL TRUE)
    set_tests_properties(unit/${short} PROPERTIES DISABLED TRUE)
  endif()
endforeach()

# With -m slow they take every seed, every command.
foreach(short faults killed whims)
  add_test(NAME slow/engine_${short} COMMAND engine_${short} -m slow)
  set(labels slow)
  if(short STREQUAL faults)
    set(labels "slow;long")
  endif()
  set_tests_properties(slow/engine_${short} PROPERTIES LABELS "${labels}" TIMEOUT 600)
  add_test(NAME slow/engine-pull_${short} COMMAND engine_${short} -m slow)
  set_tests_properties(slow/engine-pull_${short} PROPERTIES LABELS "slow;long" TIMEOUT 600
    ENVIRONMENT VMABACKUP_ENGINE=pull) # engine-pull/x has every nineteenth command of it
endforeach()

# It measures how quick the console is: nothing beside it.
set_tests_properties(golden/terminal PROPERTIES RUN_SERIAL TRUE)
