# How every target of the project is compiled, and the dependencies by their pkg-config names.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(CONFUSE REQUIRED IMPORTED_TARGET libconfuse)
pkg_check_modules(ICAL REQUIRED IMPORTED_TARGET libical)
pkg_check_modules(LWS REQUIRED IMPORTED_TARGET libwebsockets)
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET libssl libcrypto)
pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
find_library(CSV_LIBRARY csv REQUIRED)

add_library(plek_flags INTERFACE)
target_compile_definitions(plek_flags INTERFACE _GNU_SOURCE PLEK_VERSION="${PROJECT_VERSION}")
target_compile_options(plek_flags INTERFACE
    -Wall -Wextra -Wconversion -Wshadow -Wvla -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes
    -fno-common -fstack-protector-strong)
if(PLEK_WERROR)
    target_compile_options(plek_flags INTERFACE -Werror)
endif()
if(PLEK_FAILPOINTS)
    target_compile_definitions(plek_flags INTERFACE PLEK_FAILPOINTS)
endif()
if(PLEK_SANITIZE)
    target_compile_definitions(plek_flags INTERFACE PLEK_SANITIZED) # gcc and clang tell it each their way
endif()
if(PLEK_SANITIZE STREQUAL "address")
    target_compile_options(plek_flags INTERFACE -fsanitize=address,undefined
        -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(plek_flags INTERFACE -fsanitize=address,undefined)
elseif(PLEK_SANITIZE STREQUAL "thread")
    target_compile_options(plek_flags INTERFACE -fsanitize=thread -fno-omit-frame-pointer)
    target_link_options(plek_flags INTERFACE -fsanitize=thread)
elseif(PLEK_SANITIZE STREQUAL "fuzz")
    target_compile_options(plek_flags INTERFACE -fsanitize=fuzzer-no-link,address,undefined
        -fno-sanitize-recover=undefined)
    target_link_options(plek_flags INTERFACE -fsanitize=address,undefined)
endif()

# plek_layer(NAME SOURCES... LINKS targets...): a static library that links only what it names.
function(plek_layer name)
    cmake_parse_arguments(LAYER "" "" "SOURCES;LINKS" ${ARGN})
    add_library(${name} STATIC ${LAYER_SOURCES})
    target_include_directories(${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(${name} PUBLIC ${LAYER_LINKS} PRIVATE plek_flags)
    if(PLEK_SANITIZE)
        target_link_libraries(${name} PUBLIC plek_flags)
    endif()
endfunction()

# plek_pages(TARGET NAME [MADE files...]): embeds web/* of this folder, of shared/, and what was made
# for them, as `struct pages_assets NAME`.
function(plek_pages target name)
    cmake_parse_arguments(PAGES "" "" "MADE" ${ARGN})
    set(out ${CMAKE_CURRENT_BINARY_DIR}/${name}.c)
    file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/web/* ${CMAKE_SOURCE_DIR}/shared/web/*)
    add_custom_command(
        OUTPUT ${out}
        COMMAND ${CMAKE_COMMAND} -DOUT=${out} -DNAME=${name} -DOWN=${CMAKE_CURRENT_SOURCE_DIR}/web
                -DSHARED=${CMAKE_SOURCE_DIR}/shared/web "-DMADE=${PAGES_MADE}"
                -P ${CMAKE_SOURCE_DIR}/packaging/cmake/embed.cmake
        DEPENDS ${files} ${PAGES_MADE} ${CMAKE_SOURCE_DIR}/packaging/cmake/embed.cmake
        VERBATIM)
    target_sources(${target} PRIVATE ${out})
endfunction()

# plek_uplot(RET): the files of the charts' library, from packaging/web's lock file; stand-ins without.
function(plek_uplot ret)
    set(from ${CMAKE_SOURCE_DIR}/packaging/web/node_modules/uplot)
    set(out ${CMAKE_CURRENT_BINARY_DIR}/uplot)
    set(script ${CMAKE_SOURCE_DIR}/packaging/cmake/uplot.cmake)
    file(GLOB files CONFIGURE_DEPENDS ${from}/LICENSE ${from}/dist/uPlot.iife.min.js ${from}/dist/uPlot.min.css)
    if(NOT files)
        message(STATUS "uPlot is not here: the hub's pages show tables without charts; packaging/setup installs it")
    endif()
    add_custom_command(
        OUTPUT ${out}/uplot.js ${out}/uplot.css
        COMMAND ${CMAKE_COMMAND} -DFROM=${from} -DOUT=${out} -P ${script}
        DEPENDS ${files} ${script})
    set(${ret} ${out}/uplot.js ${out}/uplot.css PARENT_SCOPE)
endfunction()
