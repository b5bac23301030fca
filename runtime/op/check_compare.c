#include "runtime/op/check_compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/float_bits.h"
#include "runtime/op/check_quantized.h"
#include "runtime/op/reference.h"

bool encl_check_writes(const encl_check_inputs *inputs, size_t element) {
    const encl_shape *s = &inputs->shape;
    const int64_t at = (int64_t)element;
    switch (inputs->op) {
    case ENCL_OP_LINEAR: {
        const int64_t column = at % s->out_stride - s->first_column;
        return at / s->out_stride >= s->first_row && column >= 0 && column < s->columns;
    }
    case ENCL_OP_ATTENTION:
        return at % s->out_stride < (int64_t)s->heads * s->head_size;
    case ENCL_OP_POOL: {
        const int64_t column = at % s->out_stride - s->first_column;
        return column >= 0 && column < s->columns;
    }
    case ENCL_OP_PACK: {
        const int64_t panel = at / encl_panel_words(s->precision, s->depth);
        const int64_t row = panel * ENCL_PANEL + at % ENCL_PANEL - s->first_column;
        return row >= 0 && row < s->rows;
    }
    case ENCL_OP_QUANTIZE:
        return at % s->out_stride < encl_quantized_words(s->precision, s->columns);
    default:
        return true;
    }
}

// ---- The reference, a piece at a time ---------------------------------------------------------------------

// A call of the operator that computes one piece of the output: a row; for ATTENTION a block of rows, for KEYS a panel.
typedef struct piece {
    encl_shape shape;
    const void *hosts[ENCL_OPERATOR_BUFFERS];
    size_t first; // element of the output that the piece's own first element is
    size_t words;
    int32_t rows;
} piece;

static size_t piece_count(const encl_check_inputs *b) {
    return (size_t)(b->shape.rows - (b->op == ENCL_OP_LINEAR ? b->shape.first_row : 0));
}

static const void *moved(const void *words, int64_t by) {
    return (const float *)words + by;
}

static void cut_row_of_linear(const encl_check_inputs *b, int64_t row, piece *p) {
    const encl_shape *s = &b->reference;
    p->shape.first_row = 0;
    p->words = (size_t)s->out_stride;
    p->first = (size_t)row * p->words;
    p->hosts[0] = moved(p->hosts[0], row * s->x_stride);
    p->hosts[3] = s->residual ? moved(p->hosts[3], row * s->out_stride) : p->hosts[3];
}

static void cut_block_of_attention(const encl_check_inputs *b, int64_t index, encl_attention_block *block, piece *p) {
    const encl_shape *s = &b->shape;
    *block = ((const encl_attention_block *)b->operands[3].host)[index];
    p->rows = block->queries;
    p->words = (size_t)block->queries * (size_t)s->out_stride;
    p->first = (size_t)block->first_query * (size_t)s->out_stride;
    p->hosts[0] = moved(p->hosts[0], (int64_t)block->first_query * s->q_stride);
    p->hosts[3] = block;
    block->first_query = 0;
}

static void cut_row_of_pack(const encl_check_inputs *b, int64_t row, piece *p) {
    const encl_shape *s = &b->shape;
    const int64_t column = s->first_column + row;
    p->words = (size_t)ENCL_PANEL * (size_t)s->depth;
    p->first = (size_t)(column / ENCL_PANEL) * p->words;
    p->shape.first_column = (int32_t)(column % ENCL_PANEL);
    p->hosts[0] = moved(p->hosts[0], row * s->depth);
}

static void cut(const encl_check_inputs *b, int64_t index, encl_attention_block *block, piece *p) {
    const encl_shape *s = &b->reference;
    *p = (piece){.shape = *s, .rows = 1};
    p->shape.rows = 1;
    for (size_t i = 0; i < ENCL_OPERATOR_BUFFERS; i++) {
        p->hosts[i] = b->operands[i].host;
    }
    p->words = b->out_words / (size_t)s->rows;
    p->first = (size_t)index * p->words;
    switch (b->op) {
    case ENCL_OP_LINEAR:
        cut_row_of_linear(b, s->first_row + index, p);
        break;
    case ENCL_OP_ATTENTION:
        cut_block_of_attention(b, index, block, p);
        break;
    case ENCL_OP_PACK:
        cut_row_of_pack(b, index, p);
        break;
    case ENCL_OP_KEYS:
        p->hosts[1] = (const encl_key_panel *)b->operands[1].host + index;
        break;
    case ENCL_OP_EMBED:
        for (size_t i = 8; i <= 10; i++) {
            p->hosts[i] = moved(p->hosts[i], index);
        }
        break;
    case ENCL_OP_GATHER:
        p->hosts[1] = moved(p->hosts[1], index);
        break;
    case ENCL_OP_POOL:
        p->hosts[1] = moved(p->hosts[1], index);
        p->hosts[2] = moved(p->hosts[2], index);
        break;
    case ENCL_OP_EPILOGUE:
        p->hosts[0] = moved(p->hosts[0], index * s->columns);
        p->hosts[2] = s->residual ? moved(p->hosts[2], index * s->columns) : p->hosts[2];
        break;
    default: // LAYER_NORM, NORMALIZE, TOP_K
        p->hosts[0] = moved(p->hosts[0], index * s->columns);
        break;
    }
}

// ---- Comparing --------------------------------------------------------------------------------------------

// 4e-6 is about 32 units in the last place of 1. A sum of K random products is about √K / 3 before its activation,
// which may hide how large it was.
static double tolerance_of(const encl_check_inputs *b, double largest) {
    switch (b->op) {
    case ENCL_OP_PACK:
    case ENCL_OP_KEYS:
    case ENCL_OP_GATHER:
        return 0;
    case ENCL_OP_LINEAR:
        return 4e-6 * fmax(largest, sqrt((double)b->shape.depth) / 2.5);
    case ENCL_OP_TOP_K:
        return 4e-6;
    default:
        return 4e-6 * fmax(1, largest);
    }
}

static void not_finite(encl_check_result *result, int64_t at) {
    if (result->max_error < (double)INFINITY) {
        result->reason = "not finite";
        result->where = at;
        result->max_error = (double)INFINITY;
    }
}

// Every element: written where it must be, untouched elsewhere.
static void look_through(const encl_check_inputs *b, const uint32_t *found, encl_check_result *result) {
    const size_t total = b->out_words + 2 * (size_t)ENCL_CHECK_GUARD;
    for (size_t i = 0; i < total; i++) {
        const int64_t at = (int64_t)i - ENCL_CHECK_GUARD;
        if (at >= 0 && (size_t)at < b->out_words && encl_check_writes(b, (size_t)at)) {
            if (encl_check_is_quantized(b)) {
                if (found[i] == ENCL_CHECK_UNTOUCHED) {
                    not_finite(result, at);
                }
                continue; // no floats
            }
            // A segment of TOP_K that holds less than k values is filled up with −∞.
            const float value = encl_float_from_bits(found[i]);
            if (isnan(value) || (isinf(value) && b->op != ENCL_OP_TOP_K)) {
                not_finite(result, at);
            }
        } else if (found[i] != ENCL_CHECK_UNTOUCHED && result->reason == NULL) {
            result->reason = "wrote outside";
            result->where = at;
        }
    }
}

static void compare_piece(const encl_check_inputs *b, const piece *p, const double *expected, const uint32_t *found,
                          encl_check_result *result) {
    for (size_t i = 0; i < p->words; i++) {
        if (isnan(expected[i])) {
            continue; // not this piece's
        }
        const int64_t at = (int64_t)(p->first + i);
        const double value = (double)encl_float_from_bits(found[ENCL_CHECK_GUARD + at]);
        // Columns and sums of TOP_K are larger than its values, so each is held against its own size.
        const double size = b->op == ENCL_OP_TOP_K ? fmax(1, fabs(expected[i])) : 1;
        const double error = value == expected[i] ? 0 : fabs(value - expected[i]) / size;
        result->largest = b->op == ENCL_OP_TOP_K ? 1 : fmax(result->largest, fabs(expected[i]));
        if (!isfinite(value) && error != 0) {
            not_finite(result, at);
        } else if (error > result->max_error) {
            result->max_error = error;
            result->where = result->reason == NULL ? at : result->where;
        }
    }
}

// How many of `count` pieces are computed: all, or what the reference may take.
static size_t chosen_pieces(const encl_check_inputs *b, size_t count, double most_flops) {
    // Where nothing is computed, a number that is moved costs as much.
    const double each = fmax(b->flops, b->bytes) / (double)count;
    const double most = fmax(2, floor(most_flops / each));
    return most < (double)count ? (size_t)most : count;
}

encl_status encl_check_compare(const encl_check_inputs *inputs, const uint32_t *found, double most_flops,
                               encl_check_result *result) {
    encl_status status = ENCL_OK;
    const size_t count = piece_count(inputs);
    const size_t chosen = chosen_pieces(inputs, count, most_flops);
    double *expected = NULL;
    size_t capacity = 0;
    *result = (encl_check_result){0};
    look_through(inputs, found, result);
    for (size_t i = 0; i < chosen; i++) {
        encl_attention_block block;
        piece p;
        const int64_t index = (int64_t)(chosen == count ? i : i * (count - 1) / (chosen - 1));
        if (encl_check_is_quantized(inputs)) {
            ENCL_TRY(encl_check_quantized(inputs, index, found + ENCL_CHECK_GUARD, result));
            continue;
        }
        cut(inputs, index, &block, &p);
        ENCL_TRY(encl_reserve((void **)&expected, &capacity, p.words, sizeof *expected));
        for (size_t j = 0; j < p.words; j++) {
            expected[j] = (double)NAN;
        }
        encl_reference(inputs->op, &p.shape, p.hosts, expected);
        compare_piece(inputs, &p, expected, found, result);
        result->rows_checked += p.rows;
    }
    result->tolerance = encl_check_is_quantized(inputs) ? encl_check_quantized_tolerance(inputs)
                                                        : tolerance_of(inputs, result->largest);
    if (result->reason == NULL && result->max_error > result->tolerance) {
        result->reason = "error too large";
    }
    result->passed = result->reason == NULL;
cleanup:
    free(expected);
    return status;
}
