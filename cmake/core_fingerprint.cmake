# Writes OUTPUT, a source file that names the code of the pure core: a hash over SOURCES, which are
# relative to ROOT and in order.
set(all "")
foreach(source ${SOURCES})
  file(SHA256 ${ROOT}/${source} hash)
  string(APPEND all "${source} ${hash}\n")
endforeach()
string(SHA256 fingerprint "${all}")
string(SUBSTRING ${fingerprint} 0 16 fingerprint)
file(WRITE ${OUTPUT} "#include \"cluster/core_fingerprint.h\"\n
std::string_view failsim::core_fingerprint() {
  return \"${fingerprint}\";
}
")
