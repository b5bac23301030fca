#include "runtime/op/check_inputs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/random.h"
#include "runtime/op/lists.h"
#include "runtime/op/quantized.h"
#include "runtime/op/reference.h"

enum {
    ROW_PADDING = 16, // rows that a kernel may read beyond its inputs
    WORD_ROWS = 50,   // rows of the word table where the case names none, split in parts
    TABLE_ROWS = 40,  // rows of the position table and of what is gathered from, likewise
};

// Inputs in the making.
typedef struct maker {
    const encl_check_case *check;
    const encl_kernel_row *row;
    uint64_t random;
    encl_check_inputs *inputs;
} maker;

static encl_status make(encl_check_operand *target, size_t words) {
    target->words = words;
    return encl_allocate(words == 0 ? 1 : words, 4, &target->host);
}

// rows × width random floats, then ROW_PADDING rows of NaN.
static encl_status make_rows(maker *m, size_t index, int64_t rows, int64_t width) {
    encl_check_operand *operand = &m->inputs->operands[index];
    const size_t used = (size_t)(rows * width);
    encl_status status = make(operand, used + (size_t)(ROW_PADDING * width));
    if (status != ENCL_OK) {
        return status;
    }
    float *values = operand->host;
    for (size_t i = 0; i < operand->words; i++) {
        values[i] = i < used ? encl_random_float(encl_random_next(&m->random)) : NAN;
    }
    return ENCL_OK;
}

static encl_status make_integers(maker *m, size_t index, int64_t count, int32_t below) {
    encl_status status = make(&m->inputs->operands[index], (size_t)count);
    if (status != ENCL_OK) {
        return status;
    }
    int32_t *values = m->inputs->operands[index].host;
    for (int64_t i = 0; i < count; i++) {
        values[i] = (int32_t)(encl_random_next(&m->random) % (uint64_t)below);
    }
    return ENCL_OK;
}

static encl_status make_offsets(maker *m) {
    encl_check_inputs *b = m->inputs;
    encl_status status = encl_allocate((size_t)m->check->sequences + 1, sizeof *b->offsets, (void **)&b->offsets);
    if (status != ENCL_OK) {
        return status;
    }
    b->sequences = m->check->sequences;
    for (int32_t i = 0; i < b->sequences; i++) {
        b->offsets[i + 1] = b->offsets[i] + m->check->lengths[i];
    }
    b->tokens = b->offsets[b->sequences];
    return ENCL_OK;
}

static int32_t or_default(int32_t value, int32_t otherwise) {
    return value > 0 ? value : otherwise;
}

static encl_status make_embed(maker *m) {
    encl_check_inputs *b = m->inputs;
    encl_shape *s = &b->shape;
    const int32_t words = or_default(m->check->table_rows, WORD_ROWS);
    const int32_t positions = or_default(m->check->positions, TABLE_ROWS);
    encl_status status = ENCL_OK;
    s->part_rows = (words + ENCL_WORD_PARTS - 1) / ENCL_WORD_PARTS;
    for (size_t i = 0; i < ENCL_WORD_PARTS; i++) {
        ENCL_TRY(make_rows(m, i, s->part_rows, s->columns));
    }
    ENCL_TRY(make_rows(m, 4, positions, s->columns));
    ENCL_TRY(make_rows(m, 5, 2, s->columns));
    ENCL_TRY(make_rows(m, 6, 1, s->columns));
    ENCL_TRY(make_rows(m, 7, 1, s->columns));
    ENCL_TRY(make_integers(m, 8, s->rows, words));
    ENCL_TRY(make_integers(m, 9, s->rows, 2));
    ENCL_TRY(make_integers(m, 10, s->rows, positions));
    b->out_words = (size_t)s->rows * (size_t)s->columns;
cleanup:
    return status;
}

// Weight rows into panels, as the pack operator lays them; the host's become what stands there.
static encl_status make_panels(const encl_shape *product, encl_check_operand *weight) {
    encl_shape s = *product;
    const int64_t panels = (s.columns + ENCL_PANEL - 1) / ENCL_PANEL;
    float *source = weight->host;
    weight->device_words = (size_t)(panels * encl_panel_words(s.precision, s.depth));
    encl_status status = encl_allocate(weight->device_words + 1, 4, &weight->device);
    for (int64_t n = 0; status == ENCL_OK && n < s.columns; n++) {
        float *row = source + n * s.depth;
        encl_pack_row(&s, row, n, weight->device);
        for (int32_t k = 0; k < s.depth; k++) {
            row[k] = encl_packed_value(&s, weight->device, n, k);
        }
    }
    return status;
}

// Rows of x as QUANTIZE writes them, each x_stride words; the host's, of depth floats, become what stands there.
static encl_status quantize_x(const encl_shape *product, encl_check_operand *x) {
    const size_t stride = (size_t)product->x_stride;
    const encl_shape s = {.precision = product->precision, .columns = product->depth, .levels = product->levels};
    x->device_words = (size_t)(product->rows + ROW_PADDING) * stride;
    encl_status status = encl_allocate(x->device_words, 4, &x->device);
    for (size_t i = 0; status == ENCL_OK && i < x->device_words; i++) {
        ((float *)x->device)[i] = NAN;
    }
    for (int64_t m = 0; status == ENCL_OK && m < product->rows; m++) {
        float *row = (float *)x->host + m * product->depth;
        uint32_t *words = (uint32_t *)x->device + (size_t)m * stride;
        encl_quantize_row(&s, row, words);
        for (int32_t k = 0; k < product->depth; k++) {
            row[k] = encl_quantized_value(&s, words, k);
        }
    }
    return status;
}

static encl_status make_linear(maker *m) {
    encl_check_inputs *b = m->inputs;
    encl_shape *s = &b->shape;
    encl_status status = ENCL_OK;
    const bool quantized = s->x != ENCL_NUMBERS_FLOATS;
    s->out_stride = or_default(s->out_stride, s->first_column + s->columns);
    s->x_stride = or_default(s->x_stride, quantized ? encl_quantized_words(s->precision, s->depth) : s->depth);
    ENCL_TRY(make_rows(m, 0, s->rows, quantized ? s->depth : s->x_stride));
    if (quantized) {
        ENCL_TRY(quantize_x(s, &b->operands[0]));
    }
    ENCL_TRY(make_rows(m, 1, s->columns, s->depth));
    b->operands[1].words -= (size_t)ROW_PADDING * (size_t)s->depth;
    ENCL_TRY(make_panels(s, &b->operands[1]));
    ENCL_TRY(make_rows(m, 2, 1, s->out_stride));
    ENCL_TRY(make_rows(m, 3, s->residual ? s->rows : 0, s->out_stride));
    b->out_words = (size_t)s->rows * (size_t)s->out_stride;
    b->reference = *s;
    b->reference.x_stride = quantized ? s->depth : s->x_stride;
cleanup:
    return status;
}

// Keys in panels, by the reference of the operator that makes them.
static encl_status make_key_panels(maker *m, int32_t width) {
    encl_check_inputs *b = m->inputs;
    encl_check_operand *packed = &b->operands[1];
    const size_t panels = encl_list_panels(b->offsets, b->sequences, NULL);
    const size_t words = panels * (size_t)width * ENCL_PANEL;
    encl_key_panel *list = NULL;
    double *values = NULL;
    encl_shape keys = b->shape;
    encl_status status = ENCL_OK;
    keys.rows = (int32_t)panels;
    packed->device_words = words;
    ENCL_TRY(encl_allocate(panels + 1, sizeof *list, (void **)&list));
    ENCL_TRY(encl_allocate(words + 1, sizeof *values, (void **)&values));
    ENCL_TRY(encl_allocate(words + 1, 4, &packed->device));
    encl_list_panels(b->offsets, b->sequences, list);
    encl_reference(ENCL_OP_KEYS, &keys, (const void *const[]){b->operands[2].host, list}, values);
    for (size_t i = 0; i < words; i++) {
        ((float *)packed->device)[i] = (float)values[i];
    }
cleanup:
    free(list);
    free(values);
    return status;
}

static encl_status make_attention(maker *m) {
    encl_check_inputs *b = m->inputs;
    encl_shape *s = &b->shape;
    const encl_check_case *check = m->check;
    const int32_t width = s->heads * s->head_size;
    const int32_t queries = check->rows == NULL ? b->tokens : check->row_count;
    encl_status status = ENCL_OK;
    int32_t *order = NULL;
    if (s->kv_stride == 0) {
        s->q_stride = width + 5;
        s->kv_stride = 2 * width + 3;
        s->key_column = 1;
        s->value_column = width + 2;
        s->out_stride = width + 4;
    }
    s->scale = 1.0f / sqrtf((float)s->head_size);
    ENCL_TRY(encl_allocate(2 * (size_t)b->sequences + 1, sizeof *order, (void **)&order));
    ENCL_TRY(make_rows(m, 0, queries, s->q_stride));
    ENCL_TRY(make_rows(m, 2, b->tokens, s->kv_stride));
    ENCL_TRY(make(&b->operands[3], (size_t)queries * sizeof(encl_attention_block) / 4));
    encl_list_longest_first(b->offsets, b->sequences, order);
    s->rows = (int32_t)encl_list_blocks(b->offsets, b->sequences, order, check->rows, check->row_count,
                                        encl_kernel_block_rows(m->row), order + b->sequences, b->operands[3].host);
    if (m->row->keys == ENCL_KEYS_PANELS) {
        ENCL_TRY(make_key_panels(m, width));
    } else {
        ENCL_TRY(make(&b->operands[1], b->operands[2].words));
        memcpy(b->operands[1].host, b->operands[2].host, b->operands[2].words * 4);
    }
    b->out_words = (size_t)queries * (size_t)s->out_stride;
cleanup:
    free(order);
    return status;
}

static encl_status make_keys(maker *m) {
    encl_check_inputs *b = m->inputs;
    encl_shape *s = &b->shape;
    const int32_t width = s->heads * s->head_size;
    const size_t panels = encl_list_panels(b->offsets, b->sequences, NULL);
    encl_status status = ENCL_OK;
    if (s->kv_stride == 0) {
        s->kv_stride = 2 * width + 3;
        s->key_column = 2;
    }
    s->rows = (int32_t)panels;
    ENCL_TRY(make_rows(m, 0, b->tokens, s->kv_stride));
    ENCL_TRY(make(&b->operands[1], panels * sizeof(encl_key_panel) / 4));
    encl_list_panels(b->offsets, b->sequences, b->operands[1].host);
    b->out_words = panels * (size_t)width * ENCL_PANEL;
cleanup:
    return status;
}

static encl_status make_pool(maker *m) {
    encl_check_inputs *b = m->inputs;
    encl_shape *s = &b->shape;
    encl_status status = ENCL_OK;
    s->rows = b->sequences;
    if (s->out_stride == 0) {
        s->first_column = 3;
        s->out_stride = s->columns + 7;
    }
    ENCL_TRY(make_rows(m, 0, b->tokens, s->columns));
    ENCL_TRY(make(&b->operands[1], (size_t)b->sequences + 1));
    memcpy(b->operands[1].host, b->offsets, ((size_t)b->sequences + 1) * sizeof *b->offsets);
    ENCL_TRY(make(&b->operands[2], (size_t)b->sequences));
    for (int32_t i = 0; i < b->sequences; i++) {
        const bool skips = i % 2 == 0 && !m->check->whole;
        ((int32_t *)b->operands[2].host)[i] = b->offsets[i] + (skips ? m->check->lengths[i] / 3 : 0);
    }
    b->out_words = (size_t)s->rows * (size_t)s->out_stride;
cleanup:
    return status;
}

// Every fourth value stands in several columns.
static encl_status make_top_k(maker *m) {
    encl_check_inputs *b = m->inputs;
    const encl_shape *s = &b->shape;
    encl_status status = make_rows(m, 0, s->rows, s->columns);
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

// Rows of all kinds: of both signs, of one only, of zeros, and flat ones.
static encl_status make_quantize(maker *m) {
    encl_check_inputs *b = m->inputs;
    encl_shape *s = &b->shape;
    s->x_stride = or_default(s->x_stride, s->columns);
    s->out_stride = or_default(s->out_stride, encl_quantized_words(s->precision, s->columns));
    const encl_status status = make_rows(m, 0, s->rows, s->x_stride);
    for (int64_t i = 0; status == ENCL_OK && i < (int64_t)s->rows * s->x_stride; i++) {
        float *value = (float *)b->operands[0].host + i;
        switch (i / s->x_stride % 8) {
        case 3:
            *value = fabsf(*value);
            break;
        case 4:
            *value = -1 - fabsf(*value);
            break;
        case 5:
            *value = 0;
            break;
        case 6:
            *value = 0.25f;
            break;
        case 7:
            *value *= 1e4f;
            break;
        default:
            break;
        }
    }
    b->out_words = (size_t)s->rows * (size_t)s->out_stride;
    return status;
}

static encl_status make_operands(maker *m) {
    encl_check_inputs *b = m->inputs;
    const encl_shape *s = &b->shape;
    const int32_t table = or_default(m->check->table_rows, TABLE_ROWS);
    encl_status status = ENCL_OK;
    b->out_words = (size_t)s->rows * (size_t)s->columns;
    switch (b->op) {
    case ENCL_OP_EMBED:
        return make_embed(m);
    case ENCL_OP_LINEAR:
        return make_linear(m);
    case ENCL_OP_ATTENTION:
        return make_attention(m);
    case ENCL_OP_KEYS:
        return make_keys(m);
    case ENCL_OP_POOL:
        return make_pool(m);
    case ENCL_OP_TOP_K:
        return make_top_k(m);
    case ENCL_OP_PACK:
        ENCL_TRY(make_rows(m, 0, s->rows, s->depth));
        b->out_words = (size_t)((s->first_column + s->rows + ENCL_PANEL - 1) / ENCL_PANEL) *
                       (size_t)encl_panel_words(s->precision, s->depth);
        break;
    case ENCL_OP_QUANTIZE:
        return make_quantize(m);
    case ENCL_OP_GATHER:
        ENCL_TRY(make_rows(m, 0, table, s->columns));
        ENCL_TRY(make_integers(m, 1, s->rows, table));
        break;
    case ENCL_OP_EPILOGUE:
        ENCL_TRY(make_rows(m, 0, s->rows, s->columns));
        ENCL_TRY(make_rows(m, 1, 1, s->columns));
        ENCL_TRY(make_rows(m, 2, s->residual ? s->rows : 0, s->columns));
        break;
    case ENCL_OP_LAYER_NORM:
        ENCL_TRY(make_rows(m, 0, s->rows, s->columns));
        ENCL_TRY(make_rows(m, 1, 1, s->columns));
        ENCL_TRY(make_rows(m, 2, 1, s->columns));
        break;
    default:
        ENCL_TRY(make_rows(m, 0, s->rows, s->columns));
        break;
    }
cleanup:
    return status;
}

static void add_up_cost(encl_check_inputs *b) {
    encl_operator_work work = {.tokens = b->tokens};
    if (b->op == ENCL_OP_ATTENTION) {
        const encl_attention_block *blocks = b->operands[3].host;
        work.queries = (int32_t)(b->out_words / (size_t)b->shape.out_stride);
        for (int32_t i = 0; i < b->shape.rows; i++) {
            work.pairs += (double)blocks[i].queries * blocks[i].keys;
        }
    }
    encl_operator_cost(b->op, &b->shape, &work, &b->flops, &b->bytes);
}

// PACK and QUANTIZE to int8 serve products of all formats: one that asks for most where the case names none.
static void take_format(const encl_kernel_row *row, encl_shape *shape) {
    encl_kernel_take_format(row, shape);
    if (shape->precision == ENCL_PRECISION_INT8 && shape->levels == 0) {
        shape->levels = 255;
        shape->limit = 127;
        shape->short_words = 2;
    }
}

encl_status encl_check_inputs_make(const encl_kernel_row *row, const encl_check_case *check,
                                   encl_check_inputs *inputs) {
    maker m = {.check = check, .row = row, .random = check->seed, .inputs = inputs};
    encl_status status = ENCL_OK;
    *inputs = (encl_check_inputs){.op = row->op, .shape = check->shape};
    if (check->sequences > 0) {
        ENCL_TRY(make_offsets(&m));
    }
    take_format(row, &inputs->shape);
    ENCL_TRY(make_operands(&m));
    if (inputs->op != ENCL_OP_LINEAR) {
        inputs->reference = inputs->shape;
    }
    add_up_cost(inputs);
cleanup:
    if (status != ENCL_OK) {
        encl_check_inputs_free(inputs);
    }
    return status;
}

void encl_check_inputs_free(encl_check_inputs *inputs) {
    for (size_t i = 0; i < ENCL_OPERATOR_BUFFERS; i++) {
        free(inputs->operands[i].host);
        free(inputs->operands[i].device);
    }
    free(inputs->offsets);
    *inputs = (encl_check_inputs){0};
}
