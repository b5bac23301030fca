#include "runtime/op/kernel.h"

#include <stdlib.h>
#include <string.h>

encl_status encl_kernel_options(const encl_kernel_row *row, const encl_shape *shape, char **options) {
    encl_string text = {0};
    *options = NULL;
    encl_status status = encl_string_append(&text, row->options, strlen(row->options));
    if (status == ENCL_OK) {
        status = encl_operator_options(row->op, shape, &text);
    }
    if (status != ENCL_OK) {
        encl_string_free(&text);
        return status;
    }
    *options = text.text;
    return ENCL_OK;
}

encl_status encl_kernel_open(const encl_device *device, const encl_kernel_row *row, const encl_shape *shape,
                             encl_kernel *kernel) {
    encl_status status = ENCL_OK;
    encl_kernel opened = {.row = row};
    char *options = NULL;
    memset(kernel, 0, sizeof *kernel);
    ENCL_TRY(encl_kernel_options(row, shape, &options));
    ENCL_TRY(encl_program_build(device, row->file, options, &opened.program));
    status = encl_program_kernel(opened.program, row->entry, &opened.kernel);
    if (status != ENCL_OK && opened.program->from_cache) {
        // A binary that builds but holds no such kernel: from source, then.
        encl_program_forget(opened.program);
        encl_program_destroy(opened.program);
        opened.program = NULL;
        ENCL_TRY(encl_program_build(device, row->file, options, &opened.program));
        status = encl_program_kernel(opened.program, row->entry, &opened.kernel);
    }
    ENCL_TRY(status);
    *kernel = opened;
cleanup:
    if (status != ENCL_OK) {
        encl_kernel_close(&opened);
    }
    free(options);
    return status;
}

void encl_kernel_close(encl_kernel *kernel) {
    if (kernel->kernel != NULL) {
        clReleaseKernel(kernel->kernel);
    }
    encl_program_destroy(kernel->program);
    memset(kernel, 0, sizeof *kernel);
}

encl_status encl_kernel_memory(const encl_kernel *kernel, uint64_t *local_bytes, uint64_t *private_bytes) {
    encl_status status = ENCL_OK;
    const cl_device_id device = kernel->program->device->id;
    cl_ulong local = 0;
    cl_ulong private = 0;
    *local_bytes = 0;
    *private_bytes = 0;
    ENCL_CL_TRY(clGetKernelWorkGroupInfo(kernel->kernel, device, CL_KERNEL_LOCAL_MEM_SIZE, sizeof local, &local, NULL));
    ENCL_CL_TRY(
        clGetKernelWorkGroupInfo(kernel->kernel, device, CL_KERNEL_PRIVATE_MEM_SIZE, sizeof private, &private, NULL));
    *local_bytes = local;
    *private_bytes = private;
cleanup:
    return status;
}

encl_status encl_kernel_enqueue(const encl_kernel *kernel, encl_queue queue, const encl_shape *shape,
                                const encl_buffer *buffers, encl_command *command) {
    encl_status status = ENCL_OK;
    const encl_kernel_row *row = kernel->row;
    encl_scalar scalars[ENCL_OPERATOR_SCALARS];
    const size_t buffer_count = encl_operator_buffers(row->op);
    const size_t scalar_count = encl_operator_scalars(row->op, shape, scalars);
    const encl_launch launch = encl_kernel_launch(row, shape);
    if (command != NULL) {
        *command = NULL;
    }
    if (launch.global[0] == 0 || launch.global[1] == 0) {
        return ENCL_OK;
    }
    for (size_t i = 0; i < buffer_count; i++) {
        ENCL_CL_TRY(clSetKernelArg(kernel->kernel, (cl_uint)i, sizeof(cl_mem), &buffers[i]));
    }
    for (size_t i = 0; i < scalar_count; i++) {
        ENCL_CL_TRY(clSetKernelArg(kernel->kernel, (cl_uint)(buffer_count + i), sizeof(encl_scalar), &scalars[i]));
    }
    ENCL_CL_TRY(clEnqueueNDRangeKernel(queue, kernel->kernel, 2, NULL, launch.global, launch.local, 0, NULL, command));
cleanup:
    if (status != ENCL_OK) {
        return encl_fail_context(status, "kernel %s", row->name);
    }
    return status;
}
