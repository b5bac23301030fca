// Rows of floats into rows of bytes with a scale and a zero each (prelude.h), one work-item a row, 16 columns at once.
// For CPU devices. Grid: (rows), work-groups of one.
#include "quantize.h"
#include "vector.h"

#include "quantize_tile.h"

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void quantize_int8_tile(
    __global const float *x, __global uint *out, int M, int K, int x_stride, int out_stride, int levels) {
    const int m = get_group_id(0);
    const int whole = K / 16 * 16;
    __global const float *v = x + (size_t)m * x_stride;
    row_range range = {(float16)(0.0f), (float16)(0.0f), (int16)(0)};
    for (int k = 0; k < K; k += 16) {
        range = with(range, k < whole ? vload16(0, v + k) : load16(v + k, K - k));
    }
    write_quantized(v, K, range, levels, out + (size_t)m * out_stride);
}
