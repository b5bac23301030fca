// Rows of floats into rows of bfloat16 (prelude.h), one work-item a word of two. Grid: (columns / 2, rows).
// gpu-check:
#include "bfloat16.h"

__kernel void quantize_bf16(
    __global const float *x, __global uint *out, int M, int K, int x_stride, int out_stride, int levels) {
    const int word = get_global_id(0);
    const int m = get_global_id(1);
    if (2 * word >= K || m >= M) {
        return;
    }
    __global const float *v = x + (size_t)m * x_stride + 2 * word;
    const uint high = 2 * word + 1 < K ? to_bfloat16(v[1]) : 0;
    out[(size_t)m * out_stride + word] = high << 16 | to_bfloat16(v[0]);
}
