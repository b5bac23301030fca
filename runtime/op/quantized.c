#include "runtime/op/quantized.h"

#include <math.h>
#include <string.h>

#include "runtime/base/float_bits.h"

uint16_t encl_bfloat16_round(float value) {
    const uint32_t bits = encl_float_bits(value);
    if (isnan(value)) {
        return (uint16_t)(bits >> 16 | 0x40); // quiet, and not rounded to an infinity
    }
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float encl_bfloat16_value(uint16_t bits) {
    return encl_float_from_bits((uint32_t)bits << 16);
}

static void set_half(uint32_t *words, int64_t k, uint16_t half) {
    words[k / 2] |= (uint32_t)half << (k % 2 * 16);
}

static void set_byte(uint32_t *words, int64_t k, uint8_t byte) {
    words[k / 4] |= (uint32_t)byte << (k % 4 * 8);
}

// ---- Rows -------------------------------------------------------------------------------------------------

void encl_quantize_row(const encl_shape *shape, const float *x, uint32_t *words) {
    double low = 0;
    double high = 0;
    bool finite = true;
    memset(words, 0, (size_t)encl_quantized_words(shape->precision, shape->columns) * sizeof *words);
    if (shape->precision == ENCL_PRECISION_BF16) {
        for (int32_t k = 0; k < shape->columns; k++) {
            set_half(words, k, encl_bfloat16_round(x[k]));
        }
        return;
    }
    for (int32_t k = 0; k < shape->columns; k++) {
        low = fmin(low, (double)x[k]);
        high = fmax(high, (double)x[k]);
        finite = finite && isfinite(x[k]);
    }
    const double scale = (high - low) / shape->levels;
    if (!finite || scale == 0) {
        words[0] = encl_float_bits(finite ? 0.0f : NAN);
        return;
    }
    const double zero = rint(-low / scale);
    words[0] = encl_float_bits((float)scale);
    words[1] = (uint32_t)zero;
    for (int32_t k = 0; k < shape->columns; k++) {
        const double q = rint((double)x[k] / scale) + zero;
        set_byte(words + ENCL_QUANTIZED_HEAD, k, (uint8_t)fmin(fmax(q, 0), shape->levels));
    }
}

float encl_quantized_value(const encl_shape *shape, const uint32_t *words, int32_t k) {
    if (shape->precision == ENCL_PRECISION_BF16) {
        return encl_bfloat16_value((uint16_t)(words[k / 2] >> (k % 2 * 16)));
    }
    const int32_t q = words[ENCL_QUANTIZED_HEAD + k / 4] >> (k % 4 * 8) & 0xff;
    return encl_float_from_bits(words[0]) * (float)(q - (int32_t)words[1]);
}

// ---- Panels -----------------------------------------------------------------------------------------------

int64_t encl_packed_scale_place(int64_t depth, int64_t n) {
    return n / ENCL_PANEL * encl_panel_words(ENCL_PRECISION_INT8, depth) + n % ENCL_PANEL;
}

int64_t encl_packed_sum_place(int64_t depth, int64_t n) {
    return encl_packed_scale_place(depth, n) + ENCL_PANEL;
}

int64_t encl_packed_place(encl_precision precision, int64_t depth, int64_t n, int32_t k) {
    const int64_t panel = n / ENCL_PANEL * encl_panel_words(precision, depth) + n % ENCL_PANEL;
    switch (precision) {
    case ENCL_PRECISION_BF16:
        return panel + (int64_t)(k / 2) * ENCL_PANEL;
    case ENCL_PRECISION_INT8:
        return panel + (int64_t)(2 + k / 4) * ENCL_PANEL;
    default:
        return panel + (int64_t)k * ENCL_PANEL;
    }
}

// The weights that meet weight k in a short sum: its pair and those at the same place of the words after it.
static int32_t group_begin(const encl_shape *shape, int32_t k) {
    const int32_t span = 4 * shape->short_words;
    return k / span * span + k % 4 / 2 * 2;
}

static double group_sum(const encl_shape *shape, const double *weights, int32_t k, bool positive) {
    const int32_t first = group_begin(shape, k);
    double sum = 0;
    for (int32_t word = 0; word < shape->short_words; word++) {
        for (int32_t i = first + 4 * word; i < first + 4 * word + 2 && i < shape->depth; i++) {
            sum += (weights[i] > 0) == positive ? fabs(weights[i]) : 0;
        }
    }
    return sum;
}

int32_t encl_safe_limit(const encl_shape *shape) {
    const int32_t safe = shape->short_words == 0 ? shape->limit : INT16_MAX / shape->levels / (2 * shape->short_words);
    return safe < shape->limit ? safe : shape->limit;
}

void encl_ideal_weights(const encl_shape *shape, const float *row, double scale, double *ideal) {
    for (int32_t k = 0; k < shape->depth; k++) {
        const double w = scale == 0 ? 0 : rint((double)row[k] / scale);
        ideal[k] = fmin(fmax(w, -shape->limit), shape->limit);
    }
    if (shape->short_words == 0) {
        return;
    }
    const double most = floor(32767.0 / shape->levels);
    const int32_t span = 4 * shape->short_words;
    for (int32_t first = 0; first < shape->depth; first += span) {
        const int32_t end = first + span < shape->depth ? first + span : shape->depth;
        double factors[16] = {0};
        for (int32_t k = first; k < end; k++) {
            const double sum = group_sum(shape, ideal, k, ideal[k] > 0);
            factors[k - first] = sum > most ? most / sum : 1;
        }
        for (int32_t k = first; k < end; k++) {
            ideal[k] *= factors[k - first];
        }
    }
}

// Integers of at most SPAN weights, which hold whole groups; returns the squared error.
enum { SPAN = 16 };
static double to_integers(const encl_shape *shape, const float *row, float scale, int32_t integers[SPAN]) {
    double ideal[SPAN];
    double sum = 0;
    encl_ideal_weights(shape, row, (double)scale, ideal);
    for (int32_t i = 0; i < shape->depth; i++) {
        // Towards zero: what was scaled down must stay below its bound. (It is whole or far from whole.)
        integers[i] = (int32_t)(ideal[i] + copysign(1e-4, ideal[i]));
        const double error = (double)row[i] - (double)scale * integers[i];
        sum += error * error;
    }
    return sum;
}

// Writes a row with a scale; returns its squared error.
static double pack_with(const encl_shape *shape, const float *row, float scale, int64_t n, uint32_t *panels) {
    int32_t sum = 0;
    double error = 0;
    panels[encl_packed_scale_place(shape->depth, n)] = encl_float_bits(scale);
    for (int32_t k = 0; k < shape->depth; k += SPAN) {
        int32_t integers[SPAN];
        encl_shape piece = *shape;
        piece.depth = shape->depth - k < SPAN ? shape->depth - k : SPAN;
        error += to_integers(&piece, row + k, scale, integers);
        for (int32_t i = 0; i < piece.depth; i++) {
            uint32_t *word = &panels[encl_packed_place(ENCL_PRECISION_INT8, shape->depth, n, k + i)];
            *word = i % 4 == 0 ? 0 : *word;
            set_byte(word, i % 4, (uint8_t)(int8_t)integers[i]);
            sum += integers[i];
        }
    }
    panels[encl_packed_sum_place(shape->depth, n)] = (uint32_t)sum;
    return error;
}

static void pack_int8(const encl_shape *shape, const float *row, int64_t n, uint32_t *panels) {
    double largest = 0;
    for (int32_t k = 0; k < shape->depth; k++) {
        largest = fmax(largest, fabs((double)row[k]));
    }
    const float usual = (float)(largest / shape->limit);
    const float safe = (float)(largest / encl_safe_limit(shape));
    const double error = pack_with(shape, row, safe, n, panels);
    if (pack_with(shape, row, usual, n, panels) > error) {
        pack_with(shape, row, safe, n, panels);
    }
}

void encl_pack_row(const encl_shape *shape, const float *row, int64_t n, uint32_t *panels) {
    for (int32_t k = 0; k < shape->depth; k++) {
        panels[encl_packed_place(shape->precision, shape->depth, n, k)] = 0;
    }
    if (shape->precision == ENCL_PRECISION_INT8) {
        pack_int8(shape, row, n, panels);
        return;
    }
    for (int32_t k = 0; k < shape->depth; k++) {
        uint32_t *word = &panels[encl_packed_place(shape->precision, shape->depth, n, k)];
        if (shape->precision == ENCL_PRECISION_BF16) {
            set_half(word, k % 2, encl_bfloat16_round(row[k]));
        } else {
            *word = encl_float_bits(row[k]);
        }
    }
}

float encl_packed_value(const encl_shape *shape, const uint32_t *panels, int64_t n, int32_t k) {
    const uint32_t word = panels[encl_packed_place(shape->precision, shape->depth, n, k)];
    switch (shape->precision) {
    case ENCL_PRECISION_BF16:
        return encl_bfloat16_value((uint16_t)(word >> (k % 2 * 16)));
    case ENCL_PRECISION_INT8:
        return encl_float_from_bits(panels[encl_packed_scale_place(shape->depth, n)]) *
               (float)(int8_t)(word >> (k % 4 * 8) & 0xff);
    default:
        return encl_float_from_bits(word);
    }
}
