// A kernel that may be trusted: built, checked against the reference, and kept.
#ifndef ENCL_OP_KERNEL_MAKE_H
#define ENCL_OP_KERNEL_MAKE_H

#include "runtime/op/kernel.h"

// True for what speaks against a row, and not against the whole process: BUILD (which a self-check that fails is too),
// and DEVICE and DEVICE_MEMORY as long as the device works at all.
bool encl_kernel_is_to_blame(encl_status status);

// Builds (or loads) a kernel, runs its small self-check, and saves its program. One that fails is given a second
// chance: what came from the cache is built from source, and a device may have been short of something. What the
// compiler or the check said of a fresh build will not change. The device must be acquired; on failure *kernel is
// closed.
encl_status encl_kernel_make(const encl_device *device, const encl_kernel_row *row, const encl_shape *shape,
                             encl_kernel *kernel);

#endif
