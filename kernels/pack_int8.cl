// Weight rows [row0, row0 + rows) from row-major [rows][K] into panels of int8 (prelude.h), one work-item a row.
// The scale is the one with the least squared error of CANDIDATES: one that gives the row's largest weight the limit,
// and coarse ones and then finer ones, until they become worse. Where short_words is not 0, weights that meet in a sum
// of 16 bits are scaled down together so that it does not overflow (runtime/op/operator.h); with the coarsest none are.
// Grid: (rows). Done once a weight.
// gpu-check:
#include "panel_int8.h"
#include "quantize.h"

#define CANDIDATES 13
#define FINEST 0.7f

// Shares of weights of one sign, ≥ 0, that add up to at most `most` in their groups. (v most / sum is a whole number or
// at least 1 / 2032 from one, as a sum is at most 16 · 127: what is added hides the rounding of the division.)
static inline float16 bounded(float16 v, int most, int short_words) {
    const float16 sums = group_sums(v, short_words);
    if (!any(sums > (float)most)) {
        return v;
    }
    const float16 scaled = trunc(v * ((float)most / fmax(sums, (float16)(1.0f))) + 1e-4f);
    return sums > (float)most ? scaled : v;
}

static inline float16 to_integers(float16 v, float inverse, int levels, int limit, int short_words) {
    const float16 w = clamp(rint(v * inverse), (float16)(-limit), (float16)(limit));
    if (short_words == 0) {
        return w;
    }
    const int most = 32767 / levels;
    const float16 none = (float16)(0.0f);
    return bounded(fmax(w, none), most, short_words) - bounded(fmax(-w, none), most, short_words);
}

// Candidate i, as a multiple of the scale by the largest weight: that itself, then a geometric series to finer ones.
static inline float multiple_of(int i, float coarsest) {
    return i == 0 ? 1.0f : coarsest * pow(FINEST / coarsest, (float)(i - 1) / (float)(CANDIDATES - 2));
}

static inline float sum_of(float16 v) {
    const float8 a = v.lo + v.hi;
    const float4 b = a.lo + a.hi;
    return (b.x + b.y) + (b.z + b.w);
}

__kernel void pack_int8(
    __global const float *source, __global uint *packed, int rows, int K, int row0, int levels, int limit,
    int short_words) {
    const int r = get_global_id(0);
    if (r >= rows) {
        return;
    }
    __global const float *v = source + (size_t)r * K;
    float largest = 0.0f;
    for (int k = 0; k < K; k++) {
        largest = fmax(largest, fabs(v[k]));
    }
    float best = 0.0f; // the scale; 0 where all weights are, or so small that the inverse would overflow
    float least = INFINITY;
    float before = INFINITY;
    const int safe = short_words == 0 ? limit : min(limit, 32767 / levels / (2 * short_words));
    int worse = 0; // candidates in a row
    for (int i = 0; i < CANDIDATES && worse < 2 && largest > 1e-30f; i++) {
        const float scale = multiple_of(i, (float)limit / (float)safe) * largest / (float)limit;
        float16 errors = (float16)(0.0f);
        for (int k = 0; k < K; k += 16) {
            const float16 exact = load16(v + k, K - k);
            const float16 error = exact - to_integers(exact, 1.0f / scale, levels, limit, short_words) * scale;
            errors = fma(error, error, errors);
        }
        const float error = sum_of(errors);
        worse = i > 1 && error > before ? worse + 1 : 0;
        before = error;
        best = error < least ? scale : best;
        least = fmin(error, least);
    }
    __global uint *to = row_in_panels(packed, row0 + r, K);
    const float inverse = best > 0.0f ? 1.0f / best : 0.0f;
    float sum = 0.0f;
    for (int k = 0; k < K; k += 16) {
        const float16 w = to_integers(load16(v + k, K - k), inverse, levels, limit, short_words);
        sum += sum_of(w);
        write_integers(to, w, k, K);
    }
    write_row_head(to, best, sum);
}
