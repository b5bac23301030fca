// Matrix products by CLBlast: the provider for devices without better kernels of our own.
#ifndef ENCL_OP_LIBRARY_H
#define ENCL_OP_LIBRARY_H

#include "runtime/device/command.h"

typedef struct encl_library_product {
    size_t rows, columns, depth; // M, N, K
    encl_buffer x;               // [M, K]
    encl_buffer weight;          // [N, K]
    encl_buffer out;             // [M, out_stride], written at column first_column
    size_t out_stride, first_column;
} encl_library_product;

// Bytes of scratch memory that a product of this shape takes on this device. Asked for before the first product: from
// then on the device's last release also frees what CLBlast has built, for any device.
encl_status encl_library_scratch(const encl_device *device, const encl_library_product *product, size_t *bytes);

// Enqueues out = x · weightᵀ. scratch: a buffer of at least encl_library_scratch bytes, NULL where that is 0.
// CLBlast compiles at the first call of a shape's routine: warm it before runs. One thread at a time a process.
encl_status encl_library_enqueue(encl_queue queue, const encl_library_product *product, encl_buffer scratch);

// CLBlast chooses its kernels' parameters by the device's name, and knows few CPUs. These are other sets that are known
// to work, for benchmarks. `text` says what the set is: "Xgemm MWG=128 …".
typedef struct encl_library_tuning {
    const char *name;
    const char *text;
} encl_library_tuning;
// The sets worth trying on this device; *found is static.
size_t encl_library_tunings(const encl_device *device, const encl_library_tuning **found);
// Uses a set for this device from now on, in the whole process: CLBlast has no call in C that gives the defaults back,
// so what needs them comes first. The next product compiles, and scratch sizes change.
encl_status encl_library_tune(const encl_device *device, const encl_library_tuning *tuning);

#endif
