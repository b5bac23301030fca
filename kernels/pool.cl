// One row a sequence: out[b, out_column + h] from the rows begins[b] … offsets[b + 1] of x, of a sequence that begins
// with row offsets[b]. POOLING is encl_pooling.
// One work-item a column of a sequence, tokens in order. Grid: (columns, sequences).
// gpu-check: -DPOOLING=2
// gpu-check: -DPOOLING=1
#define POOLING_CLS 0
#define POOLING_MAX 1
#define POOLING_MEAN 2
#define POOLING_MEAN_SQRT_LEN 3
#define POOLING_WEIGHTED_MEAN 4
#define POOLING_LAST 5

__kernel void pool(
    __global const float *x, __global const int *offsets, __global const int *begins, __global float *out, int M, int H,
    int out_stride, int out_column) {
    const int h = get_global_id(0);
    const int b = get_global_id(1);
    if (h >= H || b >= M) {
        return;
    }
    const int n = offsets[b + 1] - begins[b];
    __global const float *v = x + (size_t)begins[b] * H + h;
    float y;
#if POOLING == POOLING_CLS
    y = v[0];
#elif POOLING == POOLING_LAST
    y = v[(size_t)(n - 1) * H];
#elif POOLING == POOLING_MAX
    y = v[0];
    for (int i = 1; i < n; i++) {
        y = fmax(y, v[(size_t)i * H]);
    }
#elif POOLING == POOLING_WEIGHTED_MEAN
    // Weights skipped + 1 … skipped + n.
    const int skipped = begins[b] - offsets[b];
    y = 0.0f;
    for (int i = 0; i < n; i++) {
        y = fma((float)(skipped + i + 1), v[(size_t)i * H], y);
    }
    y /= 0.5f * (float)n * (float)(2 * skipped + n + 1);
#else
    y = 0.0f;
    for (int i = 0; i < n; i++) {
        y = fma(v[(size_t)i * H], 1.0f, y);
    }
#if POOLING == POOLING_MEAN
    y /= (float)n;
#else
    y /= sqrt((float)n);
#endif
#endif
    out[(size_t)b * out_stride + out_column + h] = y;
}
