// Weight rows [row0, row0 + rows) from row-major [rows][K] into panels of int8 (prelude.h), one work-item a row.
// The scale is the one with the least squared error of those tried: the usual one, which gives the row's largest weight
// the limit, coarser ones as long as they are better, finer ones where no coarser one was, and the coarsest. Where
// short_words is not 0, weights that meet in a sum of 16 bits are scaled down together so that it does not overflow
// (runtime/op/operator.h); with the coarsest scale none are. Grid: (rows). Done once a weight. For CPU devices.
#include "panel_int8.h"
#include "quantize.h"
#include "vector.h"

#define STEP 1.16f  // from one scale to the next
#define FINEST 0.7f // of the usual one

// Integers of which none of one sign add up to more than `most` in their groups: where they do, they are scaled down.
// (w most / sum is a whole number or at least 1 / 2032 from one, as a sum is at most 16 · 127: what is added hides the
// rounding of the division.)
static inline float16 bounded(float16 w, float most, int short_words) {
    const float16 none = (float16)(0.0f);
    const float16 more = group_sums(w > none ? w : none, short_words);
    const float16 less = group_sums(w < none ? -w : none, short_words);
    const float16 largest = (float16)(most);
    const float16 sums = w > none ? more : less;
    const float16 scaled = w * (largest / (sums > largest ? sums : largest));
    return convert_float16(convert_int16(scaled + (w > none ? (float16)(1e-4f) : (float16)(-1e-4f))));
}

// Adding 1.5 · 2^23 rounds a number below 2^22 to the nearest integer, even ones first: rint takes many instructions
// for vectors in PoCL, as do fmin and fmax for their care of NaN.
static inline float16 to_integers(float16 v, float inverse, int levels, int limit, int short_words) {
    const float16 largest = (float16)(limit);
    float16 w = v * inverse;
    w = w > largest ? largest : w;
    w = w < -largest ? -largest : w;
    w = (w + 12582912.0f) - 12582912.0f;
    return short_words == 0 ? w : bounded(w, (float)(32767 / levels), short_words);
}

// The squared error of a row with a scale.
static inline float error_of(__global const float *v, int K, float scale, int levels, int limit, int short_words) {
    float16 errors = (float16)(0.0f);
    for (int k = 0; k < K; k += 16) {
        const float16 exact = load16(v + k, K - k);
        const float16 error = exact - to_integers(exact, 1.0f / scale, levels, limit, short_words) * scale;
        errors = fma(error, error, errors);
    }
    return sum16(errors);
}

static inline float best_scale(__global const float *v, int K, int levels, int limit, int short_words) {
    float16 largest = (float16)(0.0f);
    for (int k = 0; k < K; k += 16) {
        largest = larger16(largest, fabs(load16(v + k, K - k)));
    }
    const int safe = short_words == 0 ? limit : min(limit, 32767 / levels / (2 * short_words));
    const float usual = max16(largest) / (float)limit;
    const float coarsest = max16(largest) / (float)safe;
    float best = 0.0f; // where all weights are, or so small that the inverse would overflow
    float least = INFINITY;
    for (int way = 0; way < 3 && usual > 1e-32f; way++) {
        float scale = way == 0 ? usual : way == 1 ? usual / STEP : coarsest;
        const float factor = way == 0 ? STEP : way == 1 ? 1.0f / STEP : 0.0f;
        bool better = way == 0 || (way == 1 ? best == usual : coarsest > usual);
        for (; better && scale >= FINEST * usual && scale <= coarsest; scale *= factor) {
            const float error = error_of(v, K, scale, levels, limit, short_words);
            better = error < least;
            best = better ? scale : best;
            least = better ? error : least;
        }
    }
    return best;
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void pack_int8_tile(
    __global const float *source, __global uint *packed, int rows, int K, int row0, int levels, int limit,
    int short_words) {
    const int r = get_global_id(0);
    if (r >= rows) {
        return;
    }
    __global const float *v = source + (size_t)r * K;
    __global uint *to = row_in_panels(packed, row0 + r, K);
    const float best = best_scale(v, K, levels, limit, short_words);
    const float inverse = best > 0.0f ? 1.0f / best : 0.0f;
    float16 sums = (float16)(0.0f);
    for (int k = 0; k < K; k += 16) {
        const float16 w = to_integers(load16(v + k, K - k), inverse, levels, limit, short_words);
        sums += w;
        write_integers(to, w, k, K);
    }
    write_row_head(to, best, sum16(sums));
}
