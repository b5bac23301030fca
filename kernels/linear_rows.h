// Part of linear_tile.cl, which includes it for every height of its tiles: ROWS is the height, ADD_BLOCK the function's
// name. (One function for all heights, called with constants, makes PoCL keep the sums in memory.)

// Adds the products of a block `depth` deep to the sums of ROWS rows of x, which wait in `total` unless they begin
// here.
static inline void ADD_BLOCK(
    float *total, bool begin, __global const float *x, size_t stride, __global const word *w, int depth, fetcher *f) {
    float16 sum[ROWS][VECTORS];
#pragma unroll
    for (int i = 0; i < ROWS; i++) {
#pragma unroll
        for (int j = 0; j < VECTORS; j++) {
            sum[i][j] = begin ? (float16)(0.0f) : vload16(i * VECTORS + j, total);
        }
    }
    __global const float *low = x;
    __global const float *high = x + LOW_ROWS * stride;
    HIDE(high);
    int k = 0;
#pragma unroll 1
    for (; k + STEPS <= depth; k += STEPS) {
#pragma unroll
        for (int step = 0; step < STEPS; step++) {
            if (step % WORD_DEPTH == 0) {
                fetch_line(f);
            }
            float16 v[VECTORS];
#pragma unroll
            for (int j = 0; j < VECTORS; j++) {
                v[j] = weights_at(w, step, j);
            }
#pragma unroll
            for (int i = 0; i < ROWS; i++) {
                const float16 b = i < LOW_ROWS ? low[i * stride + step] : high[(i - LOW_ROWS) * stride + step];
#pragma unroll
                for (int j = 0; j < VECTORS; j++) {
                    sum[i][j] = fma(b, v[j], sum[i][j]);
                }
            }
        }
        low += STEPS;
        high += STEPS;
        w += STEPS / WORD_DEPTH * PANEL;
    }
#pragma unroll 1
    for (; k < depth; k++) {
#pragma unroll
        for (int i = 0; i < ROWS; i++) {
            const float16 b = x[i * stride + k];
#pragma unroll
            for (int j = 0; j < VECTORS; j++) {
                sum[i][j] = fma(b, weights_at(w, 0, j), sum[i][j]);
            }
        }
        w += PANEL;
    }
#pragma unroll
    for (int i = 0; i < ROWS; i++) {
#pragma unroll
        for (int j = 0; j < VECTORS; j++) {
            vstore16(sum[i][j], i * VECTORS + j, total);
        }
    }
}
