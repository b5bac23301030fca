#include "runtime/measure/self_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/random.h"
#include "runtime/op/check.h"
#include "runtime/op/kernel.h"

// ---- Kernel rows ------------------------------------------------------------------------------------------

size_t encl_self_check_rows(const encl_device *device, const encl_kernel_row **rows, size_t capacity) {
    size_t count = 0;
    encl_family family = ENCL_FAMILY_PLAIN;
    encl_family_parse(encl_device_family(device), &family);
    for (size_t i = 0; i < encl_kernel_row_count; i++) {
        const encl_kernel_row *row = &encl_kernel_rows[i];
        if ((row->family == ENCL_FAMILY_PLAIN || row->family == family) && encl_kernel_is_possible(row, device)) {
            if (count < capacity) {
                rows[count] = row;
            }
            count++;
        }
    }
    return count;
}

const char *encl_self_check_row_name(const encl_kernel_row *row) {
    return row->name;
}

const char *encl_self_check_row_operator(const encl_kernel_row *row) {
    return encl_operator_name(row->op);
}

const encl_kernel_row *encl_self_check_row_instead(const encl_device *device, const encl_kernel_row *row,
                                                   const encl_kernel_row *const *failed, size_t count) {
    encl_shape shape = {.columns = 768, .depth = 768, .head_size = 64};
    const encl_kernel_row *instead = NULL;
    encl_family family = ENCL_FAMILY_PLAIN;
    bool *out = NULL;
    if (encl_allocate(encl_kernel_row_count, sizeof *out, (void **)&out) != ENCL_OK) {
        return NULL;
    }
    encl_family_parse(encl_device_family(device), &family);
    encl_kernel_take_format(row, &shape);
    out[row - encl_kernel_rows] = true;
    for (size_t i = 0; i < count; i++) {
        out[failed[i] - encl_kernel_rows] = true;
    }
    (void)encl_kernel_choose_rows(row->op, &shape, family, encl_device_get_info(device)->native_float_width, out, true,
                                  &instead, 1);
    free(out);
    return instead;
}

// A node as models have it: what a row is built for.
static encl_shape usual_node(const encl_kernel_row *row) {
    const bool product = row->op == ENCL_OP_LINEAR || row->op == ENCL_OP_EPILOGUE;
    return (encl_shape){.activation = product ? ENCL_ACTIVATION_GELU : ENCL_ACTIVATION_NONE,
                        .residual = product,
                        .head_size = 64,
                        .pooling = ENCL_POOLING_MEAN,
                        .top_k = 5};
}

// The small case at a model's sizes, but with few rows: the reference takes one element after the other.
static void enlarge(const encl_kernel_row *row, encl_check_case *check) {
    static const int32_t lengths[] = {128, 1, 77};
    encl_shape *s = &check->shape;
    s->rows = 61;
    s->columns = 768;
    s->depth = 384;
    if (row->op == ENCL_OP_TOP_K) {
        s->rows = 3;
        s->columns = 21128;
    }
    if (check->sequences > 0) {
        check->lengths = lengths;
        check->sequences = (int32_t)(sizeof lengths / sizeof lengths[0]);
    }
}

static void describe(const encl_kernel_row *row, const encl_check_case *check, encl_self_check *result) {
    const encl_shape *s = &check->shape;
    if (row->op == ENCL_OP_LINEAR || row->op == ENCL_OP_PACK) {
        snprintf(result->shape, sizeof result->shape, "%dx%dx%d", s->rows, s->columns, s->depth);
    } else if (row->op == ENCL_OP_ATTENTION || row->op == ENCL_OP_KEYS) {
        snprintf(result->shape, sizeof result->shape, "%d heads of %d", s->heads, s->head_size);
    } else {
        snprintf(result->shape, sizeof result->shape, "%dx%d", check->sequences > 0 ? check->sequences : s->rows,
                 s->columns);
    }
}

// Takes what is worse of the cases so far and one more.
static void merge(const encl_check_result *one, encl_self_check *result) {
    const bool first = result->tolerance == 0 && result->max_error == 0 && result->reason == NULL;
    const bool worse = one->max_error * result->tolerance > result->max_error * one->tolerance;
    if (first || worse || (!one->passed && result->passed)) {
        result->max_error = one->max_error;
        result->tolerance = one->tolerance;
        result->where = one->where;
        result->reason = one->reason;
    }
    result->passed = result->passed && one->passed;
}

static encl_status build_and_check(const encl_device *device, const encl_kernel_row *row, bool quick,
                                   encl_kernel *kernel, encl_self_check *result) {
    encl_status status = ENCL_OK;
    const encl_shape node = usual_node(row);
    encl_check_case check;
    encl_check_result one;
    *result = (encl_self_check){.passed = true};
    encl_check_small(row, &node, &check);
    describe(row, &check, result);
    ENCL_TRY(encl_kernel_open(device, row, &node, kernel));
    ENCL_TRY(encl_check_kernel(device, kernel, &check, &one));
    merge(&one, result);
    if (!quick && result->passed) {
        enlarge(row, &check);
        describe(row, &check, result);
        ENCL_TRY(encl_check_kernel(device, kernel, &check, &one));
        merge(&one, result);
    }
cleanup:
    return status;
}

encl_status encl_self_check_row(const encl_device *device, const encl_kernel_row *row, bool quick,
                                encl_self_check *result) {
    const int64_t start = encl_clock_ns();
    encl_kernel kernel = {0};
    bool rebuilt = false;
    encl_status status = build_and_check(device, row, quick, &kernel, result);
    if ((status != ENCL_OK || !result->passed) && kernel.program != NULL && kernel.program->from_cache) {
        encl_program_forget(kernel.program);
        encl_kernel_close(&kernel);
        rebuilt = true;
        status = build_and_check(device, row, quick, &kernel, result);
    }
    if (status == ENCL_OK && result->passed) {
        encl_program_keep(kernel.program);
        result->rebuilt = rebuilt;
    }
    encl_kernel_close(&kernel);
    result->passed = result->passed && status == ENCL_OK;
    result->time_ns = encl_clock_ns() - start;
    return status;
}

// ---- Memory -----------------------------------------------------------------------------------------------

encl_status encl_self_check_transfer(const encl_device *device, size_t bytes, encl_self_check *result) {
    const int64_t start = encl_clock_ns();
    encl_status status = ENCL_OK;
    const encl_queue queue = encl_device_queue(device);
    const size_t words = bytes / sizeof(uint64_t) + 1;
    uint64_t *written = NULL;
    uint64_t *found = NULL;
    uint64_t random = 1;
    encl_buffer buffer = NULL;
    encl_command command = NULL;
    *result = (encl_self_check){.passed = true};
    snprintf(result->shape, sizeof result->shape, "%zu bytes", words * sizeof *written);
    ENCL_TRY(encl_allocate(words, sizeof *written, (void **)&written));
    ENCL_TRY(encl_allocate(words, sizeof *found, (void **)&found));
    ENCL_TRY(encl_buffer_create(device, words * sizeof *written, &buffer));
    for (size_t i = 0; i < words; i++) {
        written[i] = encl_random_next(&random);
    }
    ENCL_TRY(encl_queue_write(queue, buffer, 0, words * sizeof *written, written, NULL));
    ENCL_TRY(encl_queue_read(queue, buffer, 0, words * sizeof *found, found, &command));
    ENCL_TRY(encl_queue_flush(queue));
    ENCL_TRY(encl_command_wait(command));
    for (size_t i = 0; i < words && result->passed; i++) {
        if (written[i] != found[i]) {
            result->passed = false;
            result->reason = "other bytes came back";
            result->where = (int64_t)(i * sizeof *written);
        }
    }
cleanup:
    encl_command_release(command);
    encl_queue_finish(queue); // nothing may still write to what is freed
    encl_buffer_release(buffer);
    free(written);
    free(found);
    result->passed = result->passed && status == ENCL_OK;
    result->time_ns = encl_clock_ns() - start;
    return status;
}
