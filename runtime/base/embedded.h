// Files inside the binary, made into C at build time (scripts/cmake/embed.cmake).
#ifndef ENCL_BASE_EMBEDDED_H
#define ENCL_BASE_EMBEDDED_H

#include <stddef.h>

typedef struct encl_embedded_file {
    const char *name; // "pool.cl"
    const char *text; // NUL-terminated
    size_t length;
} encl_embedded_file;

#endif
