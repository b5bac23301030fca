// The kernels' sources inside the binary, made at build time (scripts/cmake/embed.cmake).
#ifndef ENCL_DEVICE_SOURCES_H
#define ENCL_DEVICE_SOURCES_H

#include <stddef.h>

typedef struct encl_kernel_file {
    const char *name; // "pool.cl"
    const char *text; // NUL-terminated
    size_t length;
} encl_kernel_file;

extern const encl_kernel_file encl_kernel_files[];
extern const size_t encl_kernel_file_count;

#endif
