// What a device has beside a compiler of OpenCL C 1.2: extensions, and instructions that kernels name themselves.
#ifndef ENCL_DEVICE_FEATURES_H
#define ENCL_DEVICE_FEATURES_H

#include "runtime/device/device.h"

// words: separated by blanks. "pocl": the driver is PoCL, which takes assembly and the processor's builtin functions;
// "int_dot": cl_khr_integer_dot_product is accelerated; "dp4a": the driver takes NVIDIA's assembly, the GPU has dp4a;
// else a feature of the processor as Linux names it ("avx2", "avx512_vnni"), which the system lets programs use and the
// device is made of. Returns false and the first word that is missing, which lies in `words` and has *length
// characters.
bool encl_device_has(const encl_device *device, const char *words, const char **missing, size_t *length);

#endif
