# Writes uplot.js and uplot.css for the hub's pages: cmake -DFROM=node_modules/uplot -DOUT=FOLDER -P
# The library becomes a module that exports it, with its licence in front, as that asks. Where npm did
# not install it the module exports null and the style sheet says nothing: pages then show tables alone.
cmake_minimum_required(VERSION 3.25)
set(script "// The charts' library was not there when this was built: packaging/setup installs it.\nexport default null;\n")
set(style "/* As uplot.js. */\n")
if(EXISTS ${FROM}/dist/uPlot.iife.min.js)
    file(READ ${FROM}/LICENSE licence)
    file(READ ${FROM}/dist/uPlot.iife.min.js code)
    file(READ ${FROM}/dist/uPlot.min.css rules)
    set(script "/*\n${licence}*/\n${code}\nexport default uPlot;\n")
    set(style "/*\n${licence}*/\n${rules}\n")
endif()
file(WRITE ${OUT}/uplot.js "${script}")
file(WRITE ${OUT}/uplot.css "${style}")
