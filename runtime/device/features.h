// What a device has that its compiler does not ask about: instructions that kernels name themselves.
#ifndef ENCL_DEVICE_FEATURES_H
#define ENCL_DEVICE_FEATURES_H

#include "runtime/device/device.h"

// words: separated by blanks. "pocl": the driver is PoCL, which takes assembly and the processor's builtin functions;
// "int_dot": 4×8-bit dot products are accelerated; else a feature of the processor as Linux names it ("avx2",
// "avx512_vnni"), which the system lets programs use and the device is made of.
// Returns false and the first word that is missing, which lies in `words` and has *length characters.
bool encl_device_has(const encl_device *device, const char *words, const char **missing, size_t *length);

#endif
