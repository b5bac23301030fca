// OpenCL programs: embedded sources, builds, and the cache of binaries.
//
// A program is one file of kernels/ with one set of options. It is looked up in the cache; without a good entry it is
// built from source. PoCL compiles a kernel at its first launch, so the binary is saved only when the caller has
// launched every kernel of it once with the real local size and says so with encl_program_keep.
#ifndef ENCL_DEVICE_PROGRAM_H
#define ENCL_DEVICE_PROGRAM_H

#include "runtime/base/hash.h"
#include "runtime/device/device.h"

typedef struct encl_program {
    const encl_device *device;
    cl_program program;
    char *file; // "pool.cl"
    char *options;
    char key[ENCL_HASH_TEXT]; // of the cache
    bool from_cache;
} encl_program;

// The text of a file in kernels/: from the folder ENCL_KERNEL_DIR where that is set, else from the binary.
// *text is NUL-terminated and freed by the caller.
encl_status encl_program_source(const char *file, char **text);

// What tells this file with these options on this device from all others: the cache's key of its program.
encl_status encl_program_key(const encl_device *device, const char *file, const char *options,
                             char key[ENCL_HASH_TEXT]);

// Builds or loads. The source is kernels/prelude.h (FP_CONTRACT OFF and shared helpers) followed by the file, with
// #line marks, so that messages name the file and its line. A build failure is BUILD with the log's first error:
// "pool.cl:41: use of undeclared identifier 'x' (device …)". The device must be acquired. Any thread.
encl_status encl_program_build(const encl_device *device, const char *file, const char *options,
                               encl_program **program);
void encl_program_destroy(encl_program *program);

// Saves the binary (nothing happens for one that came from the cache).
void encl_program_keep(const encl_program *program);
// Drops the cache's entry: for a binary that loads but does not work.
void encl_program_forget(const encl_program *program);

encl_status encl_program_kernel(const encl_program *program, const char *name, cl_kernel *kernel);

#endif
