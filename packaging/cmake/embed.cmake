# Writes a C file with the web files of one program: cmake -DOUT= -DNAME= -DOWN= -DSHARED=
# -DMADE= -P embed.cmake. OWN and the list MADE stand at "/", SHARED at "/shared/". Same files, same bytes.
cmake_minimum_required(VERSION 3.25)
set(types
    html "text/html\; charset=utf-8" css "text/css\; charset=utf-8"
    js "text/javascript\; charset=utf-8" json "application/json" svg "image/svg+xml"
    png "image/png" webmanifest "application/manifest+json")
find_program(GZIP gzip REQUIRED)

function(hex_of file ret_list)
    file(READ ${file} hex HEX)
    string(REGEX REPLACE "(..)" "0x\\1," hex "${hex}")
    set(${ret_list} "${hex}" PARENT_SCOPE)
endfunction()

set(arrays "")
set(rows "")
set(number 0)
foreach(place OWN SHARED)
    set(prefix "/")
    if("${place}" STREQUAL "SHARED")
        set(prefix "/shared/")
    endif()
    file(GLOB files ${${place}}/*)
    if("${place}" STREQUAL "OWN")
        list(APPEND files ${MADE})
    endif()
    foreach(file ${files})
        get_filename_component(name ${file} NAME)
        string(REGEX REPLACE ".*\\." "" ending ${name})
        list(FIND types ${ending} at)
        if(at LESS 0)
            message(FATAL_ERROR "${file}: found a kind of file that no type is known for, expected "
                "one of those in packaging/cmake/embed.cmake")
        endif()
        math(EXPR at "${at} + 1")
        list(GET types ${at} type)
        execute_process(COMMAND ${GZIP} -n -9 -c ${file} OUTPUT_FILE ${OUT}.gz
                        COMMAND_ERROR_IS_FATAL ANY)
        file(SHA256 ${file} hash)
        string(SUBSTRING ${hash} 0 32 hash)
        hex_of(${file} plain)
        hex_of(${OUT}.gz gzip)
        string(APPEND arrays "static const uint8_t plain_${number}[] = {${plain}};\n"
            "static const uint8_t gzip_${number}[] = {${gzip}};\n")
        string(APPEND rows "    {\"${prefix}${name}\", \"${type}\", \"\\\"${hash}\\\"\", "
            "\"\\\"${hash}-gz\\\"\", {plain_${number}, sizeof plain_${number}}, "
            "{gzip_${number}, sizeof gzip_${number}}},\n")
        math(EXPR number "${number} + 1")
    endforeach()
endforeach()
file(REMOVE ${OUT}.gz)
file(WRITE ${OUT} "/* Made by packaging/cmake/embed.cmake. */\n#include \"pages.h\"\n\n${arrays}\n"
    "static const struct pages_asset list[] = {\n${rows}};\n"
    "extern const struct pages_assets ${NAME};\n"
    "const struct pages_assets ${NAME} = {list, sizeof list / sizeof list[0]};\n")
