#include "runtime/op/kernel.h"

#include <stdlib.h>
#include <string.h>

#define GRID(axis, block, local) \
    { ENCL_AXIS_##axis, block, local }
#define DOMAIN(columns, head, maximum) columns, head, maximum
#define KERNEL(name, op, family, rank, file, entry, options, order, keys, queries, grid0, grid1, domain) \
    {#name,                                                                                              \
     ENCL_OP_##op,                                                                                       \
     ENCL_FAMILY_##family,                                                                               \
     rank,                                                                                               \
     file,                                                                                               \
     entry,                                                                                              \
     options,                                                                                            \
     order,                                                                                              \
     ENCL_KEYS_##keys,                                                                                   \
     queries,                                                                                            \
     {GRID grid0, GRID grid1},                                                                           \
     DOMAIN domain},
const encl_kernel_row encl_kernel_rows[] = {
#include "kernels/kernels.def"
};
#undef KERNEL
#undef DOMAIN
#undef GRID
const size_t encl_kernel_row_count = sizeof encl_kernel_rows / sizeof encl_kernel_rows[0];

static const char *const family_names[] = {"plain", "tile", "group"};

const char *encl_family_name(encl_family family) {
    return family_names[family];
}

bool encl_family_parse(const char *name, encl_family *family) {
    for (size_t i = 0; i < sizeof family_names / sizeof family_names[0]; i++) {
        if (strcmp(name, family_names[i]) == 0) {
            *family = (encl_family)i;
            return true;
        }
    }
    return false;
}

bool encl_kernel_serves(const encl_kernel_row *row, const encl_shape *shape) {
    return shape->columns % row->columns_multiple == 0 && shape->head_size % row->head_multiple == 0 &&
           (row->head_maximum == 0 || shape->head_size <= row->head_maximum);
}

size_t encl_kernel_candidates(encl_operator op, const encl_shape *shape, encl_family family, const bool *quarantined,
                              const encl_kernel_row **rows, size_t capacity) {
    size_t count = 0;
    for (size_t i = 0; i < encl_kernel_row_count; i++) {
        const encl_kernel_row *row = &encl_kernel_rows[i];
        if (row->op != op || (row->family != family && row->family != ENCL_FAMILY_PLAIN) ||
            (quarantined != NULL && quarantined[i]) || !encl_kernel_serves(row, shape)) {
            continue;
        }
        size_t at = count < capacity ? count : capacity;
        while (at > 0 && rows[at - 1]->rank < row->rank) {
            if (at < capacity) {
                rows[at] = rows[at - 1];
            }
            at--;
        }
        if (at < capacity) {
            rows[at] = row;
        }
        count++;
    }
    return count;
}

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

static size_t axis_length(encl_axis axis, const encl_shape *shape) {
    switch (axis) {
    case ENCL_AXIS_ROWS:
        return (size_t)(shape->rows - shape->first_row);
    case ENCL_AXIS_COLUMNS:
        return (size_t)shape->columns;
    case ENCL_AXIS_DEPTH:
        return (size_t)shape->depth;
    case ENCL_AXIS_HEADS:
        return (size_t)shape->heads;
    default:
        return 1;
    }
}

encl_status encl_kernel_enqueue(const encl_kernel *kernel, encl_queue queue, const encl_shape *shape,
                                const encl_buffer *buffers, encl_command *command) {
    encl_status status = ENCL_OK;
    const encl_kernel_row *row = kernel->row;
    encl_scalar scalars[ENCL_OPERATOR_SCALARS];
    const size_t buffer_count = encl_operator_buffers(row->op);
    const size_t scalar_count = encl_operator_scalars(row->op, shape, scalars);
    size_t global[2];
    size_t local[2];
    if (command != NULL) {
        *command = NULL;
    }
    for (size_t i = 0; i < 2; i++) {
        const size_t block = (size_t)row->grid[i].block;
        local[i] = (size_t)row->grid[i].local;
        global[i] = (axis_length(row->grid[i].axis, shape) + block - 1) / block * local[i];
        if (global[i] == 0) {
            return ENCL_OK;
        }
    }
    for (size_t i = 0; i < buffer_count; i++) {
        ENCL_CL_TRY(clSetKernelArg(kernel->kernel, (cl_uint)i, sizeof(cl_mem), &buffers[i]));
    }
    for (size_t i = 0; i < scalar_count; i++) {
        ENCL_CL_TRY(clSetKernelArg(kernel->kernel, (cl_uint)(buffer_count + i), sizeof(encl_scalar), &scalars[i]));
    }
    ENCL_CL_TRY(clEnqueueNDRangeKernel(queue, kernel->kernel, 2, NULL, global, local, 0, NULL, command));
cleanup:
    if (status != ENCL_OK) {
        return encl_fail_context(status, "kernel %s", row->name);
    }
    return status;
}
