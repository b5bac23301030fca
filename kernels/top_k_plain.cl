// The TOP_K largest of every SEGMENT columns of a row, and what a softmax needs of the rest; one work-item a segment.
// out[m, segment]: TOP_K values, falling; their columns as floats; Σ e^(x − first value). Of equal values the lower
// column comes first. Places that are left, and NaN and −∞ never fill one, hold −∞ and column −1.
// Grid: (segments, rows).
// gpu-check: -DTOP_K=5 -DSEGMENT=512
// gpu-check: -DTOP_K=64 -DSEGMENT=512
#define LOWEST -3.0e38f

// Puts a value behind all that are not smaller, and drops the last. Every index is a constant once this is unrolled, so
// that GPUs keep the lists in registers.
static inline void insert(float value, float column, float *values, float *columns) {
    bool before = false;
#pragma unroll
    for (int i = 0; i < TOP_K; i++) {
        before = before || value > values[i];
        const float next_value = before ? values[i] : value;
        const float next_column = before ? columns[i] : column;
        values[i] = before ? value : values[i];
        columns[i] = before ? column : columns[i];
        value = next_value;
        column = next_column;
    }
}

// 16 columns from v on; those from n on are −∞. What is read there is another row's or row padding.
static inline float16 load(__global const float *v, int n) {
    const int16 lanes = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return select((float16)(-INFINITY), vload16(0, v), lanes < (int16)(n));
}

__kernel void top_k_plain(__global const float *x, __global float *out, int M, int N) {
    const int segment = get_global_id(0);
    const int m = get_global_id(1);
    const int segments = (N + SEGMENT - 1) / SEGMENT;
    if (segment >= segments || m >= M) {
        return;
    }
    const int first = segment * SEGMENT;
    const int n = min(SEGMENT, N - first);
    __global const float *v = x + (size_t)m * N + first;
    __global float *y = out + ((size_t)m * segments + segment) * (2 * TOP_K + 1);

    float values[TOP_K];
    float columns[TOP_K];
    for (int i = 0; i < TOP_K; i++) {
        values[i] = -INFINITY;
        columns[i] = -1.0f;
    }
    for (int i = 0; i < n; i += 16) {
        if (any(load(v + i, n - i) > (float16)(values[TOP_K - 1]))) {
            const int end = min(i + 16, n);
            for (int j = i; j < end; j++) {
                if (v[j] > values[TOP_K - 1]) {
                    insert(v[j], (float)(first + j), values, columns);
                }
            }
        }
    }
    const float highest = fmax(values[0], LOWEST);
    float16 sums = (float16)(0.0f);
    for (int i = 0; i < n; i += 16) {
        sums = fma(exp(load(v + i, n - i) - highest), (float16)(1.0f), sums);
    }
    for (int i = 0; i < TOP_K; i++) {
        y[i] = values[i];
        y[TOP_K + i] = columns[i];
    }
    const float8 a = sums.lo + sums.hi;
    const float4 b = a.lo + a.hi;
    y[2 * TOP_K] = (b.x + b.y) + (b.z + b.w);
}
