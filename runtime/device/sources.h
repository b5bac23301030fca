// The kernels' sources inside the binary.
#ifndef ENCL_DEVICE_SOURCES_H
#define ENCL_DEVICE_SOURCES_H

#include "runtime/base/embedded.h"

extern const encl_embedded_file encl_kernel_files[];
extern const size_t encl_kernel_file_count;

#endif
