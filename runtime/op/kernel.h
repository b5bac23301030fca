// Kernels: a row of kernels/kernels.def, built for a device, and launching it.
#ifndef ENCL_OP_KERNEL_H
#define ENCL_OP_KERNEL_H

#include "runtime/device/command.h"
#include "runtime/device/program.h"
#include "runtime/op/kernel_row.h"

// A row built for one set of node options on one device. Launches from one thread at a time.
typedef struct encl_kernel {
    const encl_kernel_row *row;
    encl_program *program;
    cl_kernel kernel;
} encl_kernel;

// The whole option text of a row for a shape. Caller frees.
encl_status encl_kernel_options(const encl_kernel_row *row, const encl_shape *shape, char **options);
// Builds (or loads) and makes the kernel. The device must be acquired.
encl_status encl_kernel_open(const encl_device *device, const encl_kernel_row *row, const encl_shape *shape,
                             encl_kernel *kernel);
void encl_kernel_close(encl_kernel *kernel); // a zeroed one is allowed

// Bytes of local memory of a work-group and of private memory of a work-item, as the driver says.
encl_status encl_kernel_memory(const encl_kernel *kernel, uint64_t *local_bytes, uint64_t *private_bytes);

// Enqueues one call; buffers in the operator's order. shape->rows ≤ shape->first_row launches nothing.
// command may be NULL; else the caller releases it (it stays NULL where nothing was launched).
encl_status encl_kernel_enqueue(const encl_kernel *kernel, encl_queue queue, const encl_shape *shape,
                                const encl_buffer *buffers, encl_command *command);

#endif
