// Rows of floats into rows of bytes with a scale and a zero each (prelude.h), one work-item a row, 16 columns at once.
// For CPU devices. Grid: (rows), work-groups of one.
#include "quantize.h"
#include "vector.h"

// 16 columns, 0 beyond a row's end.
static inline float16 load16(__global const float *v, int count) {
    float values[16];
    if (count >= 16) {
        return vload16(0, v);
    }
    for (int i = 0; i < 16; i++) {
        values[i] = i < count ? v[i] : 0.0f;
    }
    return vload16(0, values);
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void quantize_int8_tile(
    __global const float *x, __global uint *out, int M, int K, int x_stride, int out_stride, int levels) {
    const int m = get_group_id(0);
    __global const float *v = x + (size_t)m * x_stride;
    __global uint *to = out + (size_t)m * out_stride;
    float16 low = (float16)(0.0f);
    float16 high = (float16)(0.0f);
    int16 exponents = (int16)(0); // the largest of all; that of infinities and NaN is 255
    for (int k = 0; k < K; k += 16) {
        const float16 y = load16(v + k, K - k);
        low = y < low ? y : low;
        high = y > high ? y : high;
        exponents = max(exponents, as_int16(y) & 0x7f800000);
    }
    const bool finite = !any(exponents == 0x7f800000);
    const row_scale scale = scale_of(-max16(-low), max16(high), finite, levels);
    write_head(scale, to);
    to += QUANTIZED_HEAD;
    for (int k = 0; k < K; k += 16) {
        // A row without a step has the inverse 0: everything is 0, NaN apart.
        const float16 steps = finite ? load16(v + k, K - k) * scale.inverse : (float16)(0.0f);
        const int16 q = clamp(convert_int16(rint(steps)) + scale.zero, 0, levels);
        const uchar16 bytes = convert_uchar16(q);
        // Beyond the end there are zeros, not the byte that stands for 0.
        if (k + 16 <= K) {
            vstore4(as_uint4(bytes), 0, to + k / 4);
        } else {
            uchar last[16];
            uint words[4];
            vstore16(bytes, 0, last);
            for (int i = K - k; i < 16; i++) {
                last[i] = 0;
            }
            vstore4(as_uint4(vload16(0, last)), 0, words);
            for (int i = 0; i < (K - k + 3) / 4; i++) {
                to[k / 4 + i] = words[i];
            }
        }
    }
}
