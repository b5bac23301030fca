#include "runtime/op/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/op/check_buffers.h"

encl_status encl_check_kernel(const encl_device *device, const encl_kernel *kernel, const encl_check_case *check,
                              encl_check_result *result) {
    encl_status status = ENCL_OK;
    encl_check_inputs inputs = {0};
    encl_check_buffers buffers = {0};
    uint32_t *found = NULL;
    memset(result, 0, sizeof *result);
    ENCL_TRY(encl_check_inputs_make(kernel->row, check, &inputs));
    ENCL_TRY(encl_check_buffers_create(device, &inputs, false, &buffers));
    ENCL_TRY(encl_kernel_enqueue(kernel, encl_device_queue(device), &inputs.shape, buffers.at, NULL));
    ENCL_TRY(encl_check_buffers_read(device, &inputs, &buffers, &found));
    ENCL_TRY(encl_check_compare(&inputs, found, (double)INFINITY, result));
cleanup:
    encl_check_buffers_free(&buffers);
    encl_check_inputs_free(&inputs);
    free(found);
    return status;
}

void encl_check_small(const encl_kernel_row *row, const encl_shape *node, encl_check_case *result) {
    static const int32_t lengths[] = {3, 1, 35};
    const int32_t multiple = row->columns_multiple;
    *result = (encl_check_case){.seed = 1};
    encl_shape *s = &result->shape;
    // What the program is built with; sizes are small ones, and strides are the check's.
    s->activation = node->activation;
    s->residual = node->residual;
    s->pooling = node->pooling;
    s->top_k = node->top_k;
    s->head_size = node->head_size;
    s->rows = 14;
    s->columns = multiple > 1 ? 3 * multiple : 37;
    s->depth = 19;
    s->heads = 2;
    s->epsilon = 1e-12f;
    if (row->op == ENCL_OP_PACK) {
        // Whole blocks of the tile family and tails.
        s->rows = ENCL_PANEL + 14;
        s->depth = 64 + 19;
    }
    if (row->op == ENCL_OP_TOP_K) {
        s->columns = ENCL_TOP_K_SEGMENT + 19;
    }
    if (row->op == ENCL_OP_ATTENTION || row->op == ENCL_OP_KEYS || row->op == ENCL_OP_POOL) {
        result->lengths = lengths;
        result->sequences = (int32_t)(sizeof lengths / sizeof lengths[0]);
    }
}
