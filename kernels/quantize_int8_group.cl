// Rows of floats into rows of bytes with a scale and a zero each (prelude.h), one work-group a row. Grid: (rows).
// For GPUs: neighbours in a work-group read and write neighbours in the row.
// gpu-check[no-spill]:
#include "quantize.h"

#define LANES 64

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void quantize_int8_group(
    __global const float *x, __global uint *out, int M, int K, int x_stride, int out_stride, int levels) {
    __local float partial[2 * LANES]; // the lowest numbers, then the highest ones' negatives
    const int lane = get_local_id(0);
    __global const float *v = x + (size_t)get_group_id(0) * x_stride;
    __global uint *to = out + (size_t)get_group_id(0) * out_stride;

    float low = 0.0f;
    float high = 0.0f;
    for (int k = lane; k < K; k += LANES) {
        low = fmin(low, v[k]);
        high = isfinite(v[k]) ? fmax(high, v[k]) : INFINITY; // which no scale has
    }
    partial[lane] = low;
    partial[LANES + lane] = -high;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int left = LANES / 2; left > 0; left /= 2) {
        if (lane < left) {
            partial[lane] = fmin(partial[lane], partial[lane + left]);
            partial[LANES + lane] = fmin(partial[LANES + lane], partial[LANES + lane + left]);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    const row_scale scale = scale_of(partial[0], -partial[LANES], true, levels);
    if (lane == 0) {
        write_head(scale, to);
    }
    for (int k = 4 * lane; k < K; k += 4 * LANES) {
        uint word = 0;
        for (int i = 0; i < min(4, K - k); i++) {
            word |= quantized(v[k + i], scale, levels) << 8 * i;
        }
        to[QUANTIZED_HEAD + k / 4] = word;
    }
}
