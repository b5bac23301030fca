#include "runtime/op/check_quantized.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/float_bits.h"
#include "runtime/op/quantized.h"

static const double wrong = 1e9;              // the error of what is simply not right
static const double half_a_step = 0.5 + 1e-3; // and what rounding in float32 adds

bool encl_check_is_quantized(const encl_check_inputs *inputs) {
    return inputs->op == ENCL_OP_QUANTIZE ||
           (inputs->op == ENCL_OP_PACK && inputs->shape.precision != ENCL_PRECISION_FP32);
}

double encl_check_quantized_tolerance(const encl_check_inputs *inputs) {
    return inputs->shape.precision == ENCL_PRECISION_BF16 ? 0 : half_a_step;
}

static void add_error(encl_check_result *result, double error, int64_t where) {
    if (error > result->max_error) {
        result->max_error = error;
        result->where = result->reason == NULL ? where : result->where;
    }
}

// Rounding to bfloat16 leaves no choice.
static void check_half(uint32_t word, int32_t half, float value, int64_t where, encl_check_result *result) {
    const uint16_t bits = (uint16_t)(word >> (half * 16));
    if (bits != encl_bfloat16_round(value)) {
        add_error(result, fabs((double)encl_bfloat16_value(bits) - (double)value), where);
    }
    result->largest = fmax(result->largest, fabs((double)value));
}

// ---- Rows of x --------------------------------------------------------------------------------------------

static void check_row_bf16(const encl_shape *s, const float *x, const uint32_t *words, int64_t where,
                           encl_check_result *result) {
    for (int32_t k = 0; k < 2 * encl_quantized_words(s->precision, s->columns); k++) {
        check_half(words[k / 2], k % 2, k < s->columns ? x[k] : 0.0f, where + k / 2, result);
    }
}

static bool check_head(const encl_shape *s, const float *x, const uint32_t *words, int64_t where,
                       encl_check_result *result) {
    double low = 0;
    double high = 0;
    for (int32_t k = 0; k < s->columns; k++) {
        low = fmin(low, (double)x[k]);
        high = fmax(high, (double)x[k]);
    }
    const double scale = (high - low) / s->levels;
    const double found = (double)encl_float_from_bits(words[0]);
    const double zero = (double)(int32_t)words[1];
    if (!(fabs(found - scale) <= 1e-6 * scale)) {
        add_error(result, wrong, where);
        return false;
    }
    if (!(fabs(zero - (scale > 0 ? -low / scale : 0)) <= 0.5 + 1e-3)) {
        add_error(result, wrong, where + 1);
        return false;
    }
    for (int32_t i = 2; i < ENCL_QUANTIZED_HEAD; i++) {
        add_error(result, words[i] != 0 ? wrong : 0, where + i);
    }
    return true;
}

static void check_row_int8(const encl_shape *s, const float *x, const uint32_t *words, int64_t where,
                           encl_check_result *result) {
    if (!check_head(s, x, words, where, result)) {
        return;
    }
    const double scale = (double)encl_float_from_bits(words[0]);
    const double zero = (double)(int32_t)words[1];
    for (int32_t k = 0; k < (s->columns + 3) / 4 * 4; k++) {
        const int32_t at = ENCL_QUANTIZED_HEAD + k / 4;
        const double q = words[at] >> (k % 4 * 8) & 0xff;
        const bool used = k < s->columns && scale > 0;
        const double exact = used ? (double)x[k] / scale + zero : 0;
        const double error = q > s->levels ? wrong : fabs(q - fmin(fmax(exact, 0), s->levels));
        add_error(result, error, where + at);
        result->largest = fmax(result->largest, q);
    }
}

// ---- Weights ----------------------------------------------------------------------------------------------

static void check_packed_bf16(const encl_shape *s, const float *row, int64_t n, const uint32_t *panels,
                              encl_check_result *result) {
    for (int32_t k = 0; k < (s->depth + 1) / 2 * 2; k++) {
        const int64_t at = encl_packed_place(s->precision, s->depth, n, k);
        check_half(panels[at], k % 2, k < s->depth ? row[k] : 0.0f, at, result);
    }
}

static int32_t byte_of(const uint32_t *panels, int64_t depth, int64_t n, int32_t k) {
    return (int8_t)(panels[encl_packed_place(ENCL_PRECISION_INT8, depth, n, k)] >> (k % 4 * 8) & 0xff);
}

static double squared_error(const encl_shape *s, const float *row, double scale, const uint32_t *panels, int64_t n) {
    double sum = 0;
    for (int32_t k = 0; k < s->depth; k++) {
        const double error = (double)row[k] - scale * byte_of(panels, s->depth, n, k);
        sum += error * error;
    }
    return sum;
}

// The magnitude of the weights of one sign that meet the bytes pair and pair + 1 of the word at k in one short sum.
static int32_t short_sum(const encl_shape *s, const uint32_t *panels, int64_t n, int32_t k, int32_t pair,
                         int32_t sign) {
    int32_t sum = 0;
    for (int32_t word = 0; word < s->short_words; word++) {
        for (int32_t i = 0; i < 2; i++) {
            const int32_t at = k + 4 * word + pair + i;
            const int32_t w = at < s->depth ? sign * byte_of(panels, s->depth, n, at) : 0;
            sum += w > 0 ? w : 0;
        }
    }
    return sum;
}

static void check_short_sums(const encl_shape *s, const uint32_t *panels, int64_t n, encl_check_result *result) {
    for (int32_t k = 0; s->short_words > 0 && k < s->depth; k += 4 * s->short_words) {
        for (int32_t i = 0; i < 4; i++) {
            if (short_sum(s, panels, n, k, i / 2 * 2, i % 2 == 0 ? 1 : -1) * s->levels > INT16_MAX) {
                add_error(result, wrong, encl_packed_place(s->precision, s->depth, n, k));
            }
        }
    }
}

// Every weight against what its row's scale asks of it: half a step, a whole one where weights were scaled down.
static void check_weights(const encl_shape *s, const float *row, const double *ideal, int64_t n, const uint32_t *panels,
                          encl_check_result *result) {
    int32_t sum = 0;
    for (int32_t k = 0; k < (s->depth + 3) / 4 * 4; k++) {
        const int64_t at = encl_packed_place(s->precision, s->depth, n, k);
        const int32_t w = byte_of(panels, s->depth, n, k);
        const double scale = (double)encl_float_from_bits(panels[encl_packed_scale_place(s->depth, n)]);
        const double asked = k < s->depth ? ideal[k] : 0;
        const double exact = k < s->depth && scale > 0 ? fmin(fmax((double)row[k] / scale, -s->limit), s->limit) : 0;
        const bool bounded = asked != rint(asked) || fabs(asked - exact) > 0.5;
        add_error(result, bounded ? (fabs(w - asked) <= 1 ? 0 : wrong) : fabs(w - exact), at);
        result->largest = fmax(result->largest, abs(w));
        sum += w;
    }
    if (result->max_error <= half_a_step && sum != (int32_t)panels[encl_packed_sum_place(s->depth, n)]) {
        add_error(result, wrong, encl_packed_sum_place(s->depth, n));
    }
}

static encl_status check_packed_int8(const encl_shape *s, const float *row, int64_t n, const uint32_t *panels,
                                     encl_check_result *result) {
    encl_status status = ENCL_OK;
    const int64_t usual_n = n % ENCL_PANEL;
    const int64_t scale_place = encl_packed_scale_place(s->depth, n);
    const double scale = (double)encl_float_from_bits(panels[scale_place]);
    uint32_t *usual = NULL; // with a scale by the largest weight
    double *ideal = NULL;
    double largest = 0;
    for (int32_t k = 0; k < s->depth; k++) {
        largest = fmax(largest, fabs((double)row[k]) / s->limit);
    }
    // A scale finer than half of the usual one would clip what matters, one coarser than where no sum can overflow
    // would be of no use.
    if (!(scale >= 0.5 * largest && scale <= largest * s->limit / encl_safe_limit(s) * (1 + 1e-5))) {
        add_error(result, wrong, scale_place);
        return ENCL_OK;
    }
    ENCL_TRY(encl_allocate((size_t)encl_panel_words(s->precision, s->depth), sizeof *usual, (void **)&usual));
    ENCL_TRY(encl_allocate((size_t)s->depth, sizeof *ideal, (void **)&ideal));
    encl_ideal_weights(s, row, scale, ideal);
    encl_pack_row(s, row, usual_n, usual);
    check_weights(s, row, ideal, n, panels, result);
    if (result->max_error > half_a_step) {
        goto cleanup; // what follows would only say so in other places
    }
    check_short_sums(s, panels, n, result);
    const double found = squared_error(s, row, scale, panels, n);
    const double allowed = squared_error(s, row, (double)encl_float_from_bits(usual[usual_n]), usual, usual_n);
    const double rounding = 1e-6 * largest * s->limit; // of a weight: devices may divide less than exactly
    if (found > allowed * (1 + 1e-3) + rounding * rounding * s->depth) {
        add_error(result, wrong, scale_place);
    }
cleanup:
    free(usual);
    free(ideal);
    return status;
}

// ---- Both -------------------------------------------------------------------------------------------------

encl_status encl_check_quantized(const encl_check_inputs *inputs, int64_t row, const uint32_t *out,
                                 encl_check_result *result) {
    const encl_shape *s = &inputs->shape;
    const bool bf16 = s->precision == ENCL_PRECISION_BF16;
    const float *source = inputs->operands[0].host;
    result->rows_checked++;
    if (inputs->op == ENCL_OP_QUANTIZE) {
        const int64_t where = row * s->out_stride;
        (bf16 ? check_row_bf16 : check_row_int8)(s, source + row * s->x_stride, out + where, where, result);
        return ENCL_OK;
    }
    const float *weights = source + row * s->depth;
    if (bf16) {
        check_packed_bf16(s, weights, s->first_column + row, out, result);
        return ENCL_OK;
    }
    return check_packed_int8(s, weights, s->first_column + row, out, result);
}
