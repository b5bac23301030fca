#include "runtime/op/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/random.h"
#include "runtime/op/lists.h"
#include "runtime/op/reference.h"

enum {
    GUARD = 64,       // words before and after the output
    ROW_PADDING = 16, // rows that a kernel may read beyond its inputs
    WORD_ROWS = 50,   // rows of the word table in a check, split in parts
    TABLE_ROWS = 40,  // rows of the position table
};
static const uint32_t untouched = 0x7fc0e9c1u; // a quiet NaN that no arithmetic makes

typedef struct operand {
    void *host;   // what the reference reads
    void *device; // what the kernel reads, where it differs (panels); else NULL
    size_t words; // of 4 bytes
    size_t device_words;
} operand;

typedef struct bench {
    const encl_check_case *check;
    encl_shape shape;
    uint64_t random;
    int32_t *offsets;
    int32_t tokens;
    operand operands[ENCL_OPERATOR_BUFFERS];
    size_t out_words;
    bool *written;    // [out_words] elements the operator writes
    double *expected; // [out_words]
} bench;

static encl_status make(operand *target, size_t words) {
    target->words = words;
    return encl_allocate(words == 0 ? 1 : words, 4, &target->host);
}

// rows × width random floats, then ROW_PADDING rows of NaN.
static encl_status make_rows(bench *b, size_t index, int64_t rows, int64_t width) {
    const size_t used = (size_t)(rows * width);
    encl_status status = make(&b->operands[index], used + (size_t)(ROW_PADDING * width));
    if (status != ENCL_OK) {
        return status;
    }
    float *values = b->operands[index].host;
    for (size_t i = 0; i < b->operands[index].words; i++) {
        values[i] = i < used ? encl_random_float(encl_random_next(&b->random)) : NAN;
    }
    return ENCL_OK;
}

static encl_status make_integers(bench *b, size_t index, int64_t count, int32_t below) {
    encl_status status = make(&b->operands[index], (size_t)count);
    if (status != ENCL_OK) {
        return status;
    }
    int32_t *values = b->operands[index].host;
    for (int64_t i = 0; i < count; i++) {
        values[i] = (int32_t)(encl_random_next(&b->random) % (uint64_t)below);
    }
    return ENCL_OK;
}

static encl_status make_offsets(bench *b) {
    encl_status status = encl_allocate((size_t)b->check->sequences + 1, sizeof *b->offsets, (void **)&b->offsets);
    if (status != ENCL_OK) {
        return status;
    }
    for (int32_t i = 0; i < b->check->sequences; i++) {
        b->offsets[i + 1] = b->offsets[i] + b->check->lengths[i];
    }
    b->tokens = b->offsets[b->check->sequences];
    return ENCL_OK;
}

static encl_status make_embed(bench *b) {
    encl_shape *s = &b->shape;
    encl_status status = ENCL_OK;
    s->part_rows = (WORD_ROWS + ENCL_WORD_PARTS - 1) / ENCL_WORD_PARTS;
    for (size_t i = 0; i < ENCL_WORD_PARTS; i++) {
        ENCL_TRY(make_rows(b, i, s->part_rows, s->columns));
    }
    ENCL_TRY(make_rows(b, 4, TABLE_ROWS, s->columns));
    ENCL_TRY(make_rows(b, 5, 2, s->columns));
    ENCL_TRY(make_rows(b, 6, 1, s->columns));
    ENCL_TRY(make_rows(b, 7, 1, s->columns));
    ENCL_TRY(make_integers(b, 8, s->rows, WORD_ROWS));
    ENCL_TRY(make_integers(b, 9, s->rows, 2));
    ENCL_TRY(make_integers(b, 10, s->rows, TABLE_ROWS));
    b->out_words = (size_t)s->rows * (size_t)s->columns;
cleanup:
    return status;
}

// Weight rows into panels, as the pack operator lays them.
static encl_status make_panels(operand *weight, int64_t rows, int64_t depth) {
    const int64_t panels = (rows + ENCL_PANEL - 1) / ENCL_PANEL;
    const float *source = weight->host;
    weight->device_words = (size_t)(panels * depth * ENCL_PANEL);
    encl_status status = encl_allocate(weight->device_words + 1, 4, &weight->device);
    if (status != ENCL_OK) {
        return status;
    }
    float *packed = weight->device;
    for (int64_t n = 0; n < rows; n++) {
        for (int64_t k = 0; k < depth; k++) {
            packed[(n / ENCL_PANEL * depth + k) * ENCL_PANEL + n % ENCL_PANEL] = source[n * depth + k];
        }
    }
    return ENCL_OK;
}

static encl_status make_linear(bench *b) {
    encl_shape *s = &b->shape;
    encl_status status = ENCL_OK;
    s->out_stride = s->out_stride == 0 ? s->first_column + s->columns : s->out_stride;
    s->x_stride = s->x_stride == 0 ? s->depth : s->x_stride;
    ENCL_TRY(make_rows(b, 0, s->rows, s->x_stride));
    ENCL_TRY(make_rows(b, 1, s->columns, s->depth));
    b->operands[1].words -= (size_t)ROW_PADDING * (size_t)s->depth;
    ENCL_TRY(make_panels(&b->operands[1], s->columns, s->depth));
    ENCL_TRY(make_rows(b, 2, 1, s->out_stride));
    ENCL_TRY(make_rows(b, 3, s->rows, s->out_stride));
    b->out_words = (size_t)s->rows * (size_t)s->out_stride;
cleanup:
    return status;
}

static encl_status make_attention(bench *b, const encl_kernel_row *row) {
    encl_shape *s = &b->shape;
    const encl_check_case *check = b->check;
    const int32_t width = s->heads * s->head_size;
    const int32_t queries = check->rows == NULL ? b->tokens : check->row_count;
    encl_status status = ENCL_OK;
    int32_t *order = NULL;
    s->q_stride = width + 5;
    s->kv_stride = 2 * width + 3;
    s->key_column = 1;
    s->value_column = width + 2;
    s->out_stride = width + 4;
    s->scale = 1.0f / sqrtf((float)s->head_size);
    ENCL_TRY(encl_allocate(2 * (size_t)check->sequences + 1, sizeof *order, (void **)&order));
    ENCL_TRY(make_rows(b, 0, queries, s->q_stride));
    ENCL_TRY(make_rows(b, 2, b->tokens, s->kv_stride));
    ENCL_TRY(make(&b->operands[3], (size_t)queries * sizeof(encl_attention_block) / 4));
    encl_list_longest_first(b->offsets, check->sequences, order);
    s->rows = (int32_t)encl_list_blocks(b->offsets, check->sequences, order, check->rows, check->row_count,
                                        row->queries, order + check->sequences, b->operands[3].host);
    if (row->keys == ENCL_KEYS_PANELS) {
        const size_t panels = encl_list_panels(b->offsets, check->sequences, NULL);
        encl_key_panel *list = NULL;
        double *packed = NULL;
        const size_t words = panels * (size_t)width * ENCL_PANEL;
        encl_shape keys = *s;
        keys.rows = (int32_t)panels;
        b->operands[1].device_words = words;
        status = encl_allocate(panels + 1, sizeof *list, (void **)&list);
        status = status != ENCL_OK ? status : encl_allocate(words + 1, sizeof *packed, (void **)&packed);
        status = status != ENCL_OK ? status : encl_allocate(words + 1, 4, &b->operands[1].device);
        if (status == ENCL_OK) {
            encl_list_panels(b->offsets, check->sequences, list);
            encl_reference(ENCL_OP_KEYS, &keys, (const void *const[]){b->operands[2].host, list}, packed);
            for (size_t i = 0; i < words; i++) {
                ((float *)b->operands[1].device)[i] = (float)packed[i];
            }
        }
        free(list);
        free(packed);
        ENCL_TRY(status);
    } else {
        ENCL_TRY(make(&b->operands[1], b->operands[2].words));
        memcpy(b->operands[1].host, b->operands[2].host, b->operands[2].words * 4);
    }
    b->out_words = (size_t)queries * (size_t)s->out_stride;
cleanup:
    free(order);
    return status;
}

static encl_status make_keys(bench *b) {
    encl_shape *s = &b->shape;
    const int32_t width = s->heads * s->head_size;
    const size_t panels = encl_list_panels(b->offsets, b->check->sequences, NULL);
    encl_status status = ENCL_OK;
    s->kv_stride = 2 * width + 3;
    s->key_column = 2;
    s->rows = (int32_t)panels;
    ENCL_TRY(make_rows(b, 0, b->tokens, s->kv_stride));
    ENCL_TRY(make(&b->operands[1], panels * sizeof(encl_key_panel) / 4));
    encl_list_panels(b->offsets, b->check->sequences, b->operands[1].host);
    b->out_words = panels * (size_t)width * ENCL_PANEL;
cleanup:
    return status;
}

static encl_status make_pool(bench *b) {
    encl_shape *s = &b->shape;
    encl_status status = ENCL_OK;
    s->rows = b->check->sequences;
    s->first_column = 3;
    s->out_stride = s->columns + 7;
    ENCL_TRY(make_rows(b, 0, b->tokens, s->columns));
    ENCL_TRY(make(&b->operands[1], (size_t)b->check->sequences + 1));
    memcpy(b->operands[1].host, b->offsets, ((size_t)b->check->sequences + 1) * sizeof *b->offsets);
    // Every other sequence leaves out a third of its tokens.
    ENCL_TRY(make(&b->operands[2], (size_t)b->check->sequences));
    for (int32_t i = 0; i < b->check->sequences; i++) {
        ((int32_t *)b->operands[2].host)[i] = b->offsets[i] + (i % 2 == 0 ? b->check->lengths[i] / 3 : 0);
    }
    b->out_words = (size_t)s->rows * (size_t)s->out_stride;
cleanup:
    return status;
}

// Every fourth value stands in several columns.
static encl_status make_top_k(bench *b) {
    const encl_shape *s = &b->shape;
    encl_status status = make_rows(b, 0, s->rows, s->columns);
    if (status != ENCL_OK) {
        return status;
    }
    float *values = b->operands[0].host;
    for (int64_t i = 0; i < (int64_t)s->rows * s->columns; i += 4) {
        values[i] = rintf(16.0f * values[i]) / 16.0f;
    }
    b->out_words = (size_t)s->rows * (size_t)encl_top_k_width(s->columns, s->top_k);
    return ENCL_OK;
}

static encl_status make_inputs(bench *b, const encl_kernel_row *row) {
    encl_shape *s = &b->shape;
    const size_t dense = (size_t)s->rows * (size_t)s->columns;
    encl_status status = ENCL_OK;
    if (b->check->sequences > 0) {
        ENCL_TRY(make_offsets(b));
    }
    switch (row->op) {
    case ENCL_OP_EMBED:
        return make_embed(b);
    case ENCL_OP_LINEAR:
        return make_linear(b);
    case ENCL_OP_ATTENTION:
        return make_attention(b, row);
    case ENCL_OP_KEYS:
        return make_keys(b);
    case ENCL_OP_POOL:
        return make_pool(b);
    case ENCL_OP_PACK:
        ENCL_TRY(make_rows(b, 0, s->rows, s->depth));
        b->out_words =
            (size_t)((s->first_column + s->rows + ENCL_PANEL - 1) / ENCL_PANEL) * ENCL_PANEL * (size_t)s->depth;
        break;
    case ENCL_OP_GATHER:
        ENCL_TRY(make_rows(b, 0, TABLE_ROWS, s->columns));
        ENCL_TRY(make_integers(b, 1, s->rows, TABLE_ROWS));
        b->out_words = dense;
        break;
    case ENCL_OP_EPILOGUE:
        ENCL_TRY(make_rows(b, 0, s->rows, s->columns));
        ENCL_TRY(make_rows(b, 1, 1, s->columns));
        ENCL_TRY(make_rows(b, 2, s->rows, s->columns));
        b->out_words = dense;
        break;
    case ENCL_OP_LAYER_NORM:
        ENCL_TRY(make_rows(b, 0, s->rows, s->columns));
        ENCL_TRY(make_rows(b, 1, 1, s->columns));
        ENCL_TRY(make_rows(b, 2, 1, s->columns));
        b->out_words = dense;
        break;
    case ENCL_OP_TOP_K:
        return make_top_k(b);
    default:
        ENCL_TRY(make_rows(b, 0, s->rows, s->columns));
        b->out_words = dense;
        break;
    }
cleanup:
    return status;
}

// Expected values; what the reference leaves alone must stay untouched.
static encl_status make_expected(bench *b, encl_operator op) {
    encl_status status = ENCL_OK;
    const void *hosts[ENCL_OPERATOR_BUFFERS];
    for (size_t i = 0; i < ENCL_OPERATOR_BUFFERS; i++) {
        hosts[i] = b->operands[i].host;
    }
    ENCL_TRY(encl_allocate(b->out_words + 1, sizeof *b->expected, (void **)&b->expected));
    ENCL_TRY(encl_allocate(b->out_words + 1, sizeof *b->written, (void **)&b->written));
    for (size_t i = 0; i < b->out_words; i++) {
        b->expected[i] = NAN;
    }
    encl_reference(op, &b->shape, hosts, b->expected);
    for (size_t i = 0; i < b->out_words; i++) {
        b->written[i] = !isnan(b->expected[i]);
    }
cleanup:
    return status;
}

// 4e-6 is about 32 units in the last place of 1. A sum of K random products is about √K / 3 before its activation,
// which may hide how large it was.
static double tolerance_of(const bench *b, encl_operator op) {
    double largest = 1;
    for (size_t i = 0; i < b->out_words; i++) {
        largest = b->written[i] && op != ENCL_OP_TOP_K ? fmax(largest, fabs(b->expected[i])) : largest;
    }
    switch (op) {
    case ENCL_OP_PACK:
    case ENCL_OP_KEYS:
    case ENCL_OP_GATHER:
        return 0;
    case ENCL_OP_LINEAR:
        return 4e-6 * fmax(largest, sqrt((double)b->shape.depth) / 2.5);
    default:
        return 4e-6 * largest;
    }
}

static void compare(const bench *b, encl_operator op, const uint32_t *found, encl_check_result *result) {
    const size_t total = b->out_words + 2 * (size_t)GUARD;
    result->tolerance = tolerance_of(b, op);
    for (size_t i = 0; i < total; i++) {
        const int64_t at = (int64_t)i - GUARD;
        const bool inside = at >= 0 && (size_t)at < b->out_words;
        if (!inside || !b->written[at]) {
            if (found[i] != untouched && result->reason == NULL) {
                result->reason = "wrote outside";
                result->where = at;
            }
            continue;
        }
        float value;
        memcpy(&value, &found[i], sizeof value);
        // Columns and sums of TOP_K are larger than its values, so each is held against its own size.
        const double size = op == ENCL_OP_TOP_K ? fmax(1, fabs(b->expected[at])) : 1;
        const double error = (double)value == b->expected[at] ? 0 : fabs((double)value - b->expected[at]) / size;
        if (!isfinite(value) && error != 0) {
            result->reason = "not finite";
            result->where = at;
            result->max_error = INFINITY;
        } else if (error > result->max_error) {
            result->max_error = error;
            result->where = result->reason == NULL ? at : result->where;
        }
    }
    if (result->reason == NULL && result->max_error > result->tolerance) {
        result->reason = "error too large";
    }
    result->passed = result->reason == NULL;
}

static encl_status run(const bench *b, const encl_device *device, const encl_kernel *kernel, uint32_t *found) {
    encl_status status = ENCL_OK;
    const cl_context context = encl_device_context(device);
    const cl_command_queue queue = encl_device_queue(device);
    const encl_operator op = kernel->row->op;
    const size_t output = encl_operator_output(op);
    const size_t guard_bytes = (size_t)GUARD * 4;
    // The guard before the output must keep sub-buffers aligned, so the output is its own buffer with both guards and
    // the kernel gets a sub-buffer where the device's alignment allows; else the guards stand only behind.
    const bool front = encl_device_get_info(device)->base_alignment <= guard_bytes;
    const size_t before = front ? guard_bytes : 0;
    const size_t total = b->out_words * 4 + 2 * guard_bytes;
    cl_mem buffers[ENCL_OPERATOR_BUFFERS] = {NULL};
    cl_mem whole = NULL;
    for (size_t i = 0; i < b->out_words + 2 * (size_t)GUARD; i++) {
        found[i] = untouched;
    }
    cl_int error = CL_SUCCESS;
    for (size_t i = 0; i < encl_operator_buffers(op); i++) {
        const operand *o = &b->operands[i];
        const bool own = o->device != NULL;
        const size_t words = own ? o->device_words : o->words;
        if (i == output) {
            continue;
        }
        buffers[i] = clCreateBuffer(context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, words == 0 ? 4 : words * 4,
                                    own ? o->device : o->host, &error);
        ENCL_CL_TRY(error);
    }
    whole = clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, total, found, &error);
    ENCL_CL_TRY(error);
    buffers[output] =
        clCreateSubBuffer(whole, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION,
                          &(cl_buffer_region){before, total - before - (front ? guard_bytes : 0)}, &error);
    ENCL_CL_TRY(error);
    ENCL_TRY(encl_kernel_enqueue(kernel, queue, &b->shape, buffers, NULL));
    ENCL_CL_TRY(clEnqueueReadBuffer(queue, whole, CL_TRUE, 0, total - (front ? 0 : guard_bytes),
                                    front ? found : found + GUARD, 0, NULL, NULL));
cleanup:
    for (size_t i = 0; i < ENCL_OPERATOR_BUFFERS; i++) {
        if (buffers[i] != NULL) {
            clReleaseMemObject(buffers[i]);
        }
    }
    if (whole != NULL) {
        clReleaseMemObject(whole);
    }
    return status;
}

encl_status encl_check_kernel(const encl_device *device, const encl_kernel *kernel, const encl_check_case *check,
                              encl_check_result *result) {
    encl_status status = ENCL_OK;
    bench b = {.check = check, .shape = check->shape, .random = check->seed};
    uint32_t *found = NULL;
    memset(result, 0, sizeof *result);
    ENCL_TRY(make_inputs(&b, kernel->row));
    ENCL_TRY(make_expected(&b, kernel->row->op));
    ENCL_TRY(encl_allocate(b.out_words + 2 * (size_t)GUARD, sizeof *found, (void **)&found));
    ENCL_TRY(run(&b, device, kernel, found));
    compare(&b, kernel->row->op, found, result);
cleanup:
    for (size_t i = 0; i < ENCL_OPERATOR_BUFFERS; i++) {
        free(b.operands[i].host);
        free(b.operands[i].device);
    }
    free(b.offsets);
    free(b.expected);
    free(b.written);
    free(found);
    return status;
}

void encl_check_small(const encl_kernel_row *row, const encl_shape *node, encl_check_case *result) {
    static const int32_t lengths[] = {3, 1, 35};
    const int32_t multiple = row->columns_multiple;
    *result = (encl_check_case){.shape = *node, .seed = 1};
    encl_shape *s = &result->shape;
    s->rows = 14;
    s->first_row = 0;
    s->first_column = 0;
    s->x_stride = 0;
    s->out_stride = 0;
    s->columns = multiple > 1 ? 3 * multiple : 37;
    s->depth = 19;
    s->heads = 2;
    s->epsilon = 1e-12f;
    if (row->op == ENCL_OP_TOP_K) {
        s->columns = ENCL_TOP_K_SEGMENT + 19;
    }
    if (row->op == ENCL_OP_ATTENTION || row->op == ENCL_OP_KEYS || row->op == ENCL_OP_POOL) {
        result->lengths = lengths;
        result->sequences = (int32_t)(sizeof lengths / sizeof lengths[0]);
    }
}
