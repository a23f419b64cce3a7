# Compiles the .proto files of a target; the generated code is a system include, so that our
# warnings stay ours.
find_package(Protobuf REQUIRED)

function(failsim_proto target)
  set(generated ${CMAKE_BINARY_DIR}/generated)
  foreach(proto ${ARGN})
    get_filename_component(dir ${proto} DIRECTORY)
    get_filename_component(name ${proto} NAME_WE)
    set(base ${generated}/${dir}/${name}.pb)
    add_custom_command(
      OUTPUT ${base}.cc ${base}.h
      COMMAND ${CMAKE_COMMAND} -E make_directory ${generated}/${dir}
      COMMAND protobuf::protoc --proto_path=${PROJECT_SOURCE_DIR} --cpp_out=${generated} ${proto}
      DEPENDS ${PROJECT_SOURCE_DIR}/${proto}
      WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
      VERBATIM)
    target_sources(${target} PRIVATE ${base}.cc)
    set_source_files_properties(${base}.cc PROPERTIES COMPILE_OPTIONS "-w")
    list(APPEND headers ${base}.h)
  endforeach()
  add_custom_target(${target}_proto DEPENDS ${headers})
  add_dependencies(${target} ${target}_proto)
  target_include_directories(${target} SYSTEM PUBLIC ${generated})
  target_link_libraries(${target} PUBLIC protobuf::libprotobuf)
endfunction()
