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

size_t encl_kernel_choose_rows(encl_operator op, const encl_shape *shape, encl_family family, const bool *quarantined,
                               bool one_order, const encl_kernel_row **rows, size_t capacity) {
    const encl_kernel_row *found[16];
    const size_t most = sizeof found / sizeof found[0];
    size_t count = encl_kernel_candidates(op, shape, family, quarantined, found, most);
    size_t kept = 0;
    count = count < most ? count : most;
    for (size_t i = 0; i < count && kept < capacity; i++) {
        const bool fits = i == 0 || (op == ENCL_OP_LINEAR && found[i]->family == found[0]->family &&
                                     (!one_order || (found[i]->order == found[0]->order && found[0]->order != 0)));
        if (fits) {
            rows[kept++] = found[i];
        }
    }
    return kept;
}

const encl_kernel_row *encl_kernel_choose_height(const encl_kernel_row *const *rows, size_t count, int32_t m) {
    const encl_kernel_row *best = NULL;
    double best_cost = 0;
    for (size_t i = 0; i < count; i++) {
        const int32_t height = rows[i]->grid[0].axis == ENCL_AXIS_ROWS ? rows[i]->grid[0].block : 1;
        const int32_t padded = (m + height - 1) / height * height;
        const double cost = padded * (1.0 + 1.0 / height);
        if (best == NULL || cost < best_cost) {
            best = rows[i];
            best_cost = cost;
        }
    }
    return best;
}

bool encl_kernel_prefers_library(encl_gemm gemm, encl_family family, bool same_bits) {
    return gemm == ENCL_GEMM_CLBLAST || (gemm == ENCL_GEMM_AUTO && family == ENCL_FAMILY_GROUP && !same_bits);
}

bool encl_kernel_keeps_bits(encl_same_bits same_bits, encl_device_type type) {
    return same_bits == ENCL_SAME_BITS_ON || (same_bits == ENCL_SAME_BITS_AUTO && type == ENCL_DEVICE_CPU);
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

encl_launch encl_kernel_launch(const encl_kernel_row *row, const encl_shape *shape) {
    encl_launch launch;
    for (size_t i = 0; i < 2; i++) {
        const size_t block = (size_t)row->grid[i].block;
        launch.local[i] = (size_t)row->grid[i].local;
        launch.global[i] = (axis_length(row->grid[i].axis, shape) + block - 1) / block * launch.local[i];
    }
    return launch;
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
