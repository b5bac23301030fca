// Rows of floats into rows of bytes with a scale and a zero each (prelude.h), one work-item a row, 16 columns at once.
// For CPU devices. Grid: (rows), work-groups of one.
#include "quantize.h"
#include "vector.h"

// 16 values as bytes. Adding 1.5 · 2^23 rounds a number below 2^22 to the nearest integer, even ones first, and leaves
// it in the lowest bits: PoCL's rint takes many instructions for vectors.
static inline uint4 bytes_of(float16 v, row_scale scale, int levels) {
    const int16 bits = as_int16(v * scale.inverse + 12582912.0f);
    const int16 integers = bits - (0x4b400000 - scale.zero);
    // Bounds as vectors: Oclgrind clamps wrongly between scalars.
    return as_uint4(convert_uchar16(clamp(integers, (int16)(0), (int16)(levels))));
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void quantize_int8_tile(
    __global const float *x, __global uint *out, int M, int K, int x_stride, int out_stride, int levels) {
    const int m = get_group_id(0);
    const int whole = K / 16 * 16;
    __global const float *v = x + (size_t)m * x_stride;
    __global uint *to = out + (size_t)m * out_stride;
    float16 low = (float16)(0.0f);
    float16 high = (float16)(0.0f);
    int16 not_numbers = (int16)(0);
    for (int k = 0; k < K; k += 16) {
        const float16 y = k < whole ? vload16(0, v + k) : load16(v + k, K - k);
        low = y < low ? y : low;
        high = y > high ? y : high;
        not_numbers |= y != y;
    }
    // An infinity shows in the range.
    const float lowest = -max16(-low);
    const float highest = max16(high);
    const bool finite = !any(not_numbers) && !isinf(highest - lowest);
    const row_scale scale = scale_of(lowest, highest, finite, levels);
    write_head(scale, to);
    to += QUANTIZED_HEAD;
    if (scale.inverse == 0.0f) {
        for (int i = 0; i < (K + 3) / 4; i++) {
            to[i] = 0;
        }
        return;
    }
    for (int k = 0; k < whole; k += 16) {
        vstore4(bytes_of(vload16(0, v + k), scale, levels), 0, to + k / 4);
    }
    if (whole < K) {
        // Beyond the end there are zeros, not the byte that stands for 0.
        uint words[4];
        vstore4(bytes_of(load16(v + whole, K - whole), scale, levels), 0, words);
        for (int i = 0; i < (K - whole + 3) / 4; i++) {
            const int bytes = min(4, K - whole - 4 * i);
            to[whole / 4 + i] = words[i] & (0xffffffffu >> (32 - 8 * bytes));
        }
    }
}
