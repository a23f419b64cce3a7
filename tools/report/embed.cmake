# Writes the files of the page into a source file: cmake -DPAGE=<folder> -DOUT=<file> -P embed.cmake
function(literal name)
  set(pieces "")
  foreach(file ${ARGN})
    file(READ ${PAGE}/${file} text)
    string(LENGTH "${text}" length)
    set(at 0)
    while(at LESS length)
      string(SUBSTRING "${text}" ${at} 8000 piece)
      string(APPEND pieces "R\"__page__(${piece})__page__\"\n")
      math(EXPR at "${at} + 8000")
    endwhile()
  endforeach()
  set(${name} "${pieces}" PARENT_SCOPE)
endfunction()

literal(html page.html)
literal(style page.css)
literal(script model.js draw.js side.js main.js)
file(WRITE ${OUT} "// Generated from tools/report/page.
#include \"tools/report/page_files.h\"

namespace failsim::history {

const std::string_view kPageHtml =
${html};
const std::string_view kPageStyle =
${style};
const std::string_view kPageScript =
${script};

}  // namespace failsim::history
")
