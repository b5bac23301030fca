// The scale of a row of bytes: x ≈ step · (q − zero), 0 ≤ q ≤ levels. Zero itself is always one of the numbers.
typedef struct row_scale {
    float step;
    float inverse;
    int zero;
} row_scale;

// For values in [low, high], low ≤ 0 ≤ high. Where a value is not finite the step is NaN, which goes through the
// product into every result of the row; the bytes are 0 then. So they are where the row is 0 everywhere.
static inline row_scale scale_of(float low, float high, bool finite, int levels) {
    const float range = high - low;
    row_scale scale = {0.0f, 0.0f, 0};
    if (!finite || isinf(range)) {
        scale.step = NAN;
    } else if (range > 1e-30f) { // the inverse of less would overflow
        scale.step = range / (float)levels;
        scale.inverse = (float)levels / range;
        scale.zero = (int)rint(-low * scale.inverse);
    }
    return scale;
}

static inline uint quantized(float value, row_scale scale, int levels) {
    return scale.inverse == 0.0f ? 0 : (uint)clamp((int)rint(value * scale.inverse) + scale.zero, 0, levels);
}

static inline void write_head(row_scale scale, __global uint *to) {
    to[0] = as_uint(scale.step);
    to[1] = (uint)scale.zero;
    for (int i = 2; i < QUANTIZED_HEAD; i++) {
        to[i] = 0;
    }
}

// 16 numbers of a row, 0 beyond its end.
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
