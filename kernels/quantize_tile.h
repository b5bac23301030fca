// Rows of bytes, 16 columns at once. For CPU devices. Comes after quantize.h and vector.h.

// 16 values as bytes. Adding 1.5 · 2^23 rounds a number below 2^22 to the nearest integer, even ones first, and leaves
// it in the lowest bits: PoCL's rint takes many instructions for vectors.
static inline uint4 bytes_of(float16 v, row_scale scale, int levels) {
    const int16 bits = as_int16(v * scale.inverse + 12582912.0f);
    const int16 integers =
        bits - (0x4b400000 - scale.zero); // bounds as vectors: Oclgrind clamps wrongly between scalars
    return as_uint4(convert_uchar16(clamp(integers, (int16)(0), (int16)(levels))));
}

// The largest and smallest numbers of a row in each of 16 lanes, 0 among them, and whether something is none.
typedef struct row_range {
    float16 low, high;
    int16 not_numbers;
} row_range;

static inline row_range with(row_range range, float16 v) {
    range.low = v < range.low ? v : range.low;
    range.high = v > range.high ? v : range.high;
    range.not_numbers |= v != v;
    return range;
}

// A row of K floats as QUANTIZE writes it (prelude.h).
static inline void write_quantized(__global const float *v, int K, row_range range, int levels, __global uint *to) {
    const int whole = K / 16 * 16;
    // An infinity shows in the range.
    const float lowest = -max16(-range.low);
    const float highest = max16(range.high);
    const bool finite = !any(range.not_numbers) && !isinf(highest - lowest);
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
