// Rows of floats into rows of bytes with a scale and a zero each (prelude.h), one work-item a row. Grid: (rows).
// gpu-check:
#include "quantize.h"

__kernel void quantize_int8_plain(
    __global const float *x, __global uint *out, int M, int K, int x_stride, int out_stride, int levels) {
    const int m = get_global_id(0);
    if (m >= M) {
        return;
    }
    __global const float *v = x + (size_t)m * x_stride;
    __global uint *to = out + (size_t)m * out_stride;
    float low = 0.0f;
    float high = 0.0f;
    bool finite = true;
    for (int k = 0; k < K; k++) {
        low = fmin(low, v[k]);
        high = fmax(high, v[k]);
        finite = finite && isfinite(v[k]);
    }
    const row_scale scale = scale_of(low, high, finite, levels);
    write_head(scale, to);
    for (int k = 0; k < K; k += 4) {
        uint word = 0;
        for (int i = 0; i < min(4, K - k); i++) {
            word |= quantized(v[k + i], scale, levels) << 8 * i;
        }
        to[QUANTIZED_HEAD + k / 4] = word;
    }
}
