// out[m, column0 + n] = activation(Σ_k x[m, k] · w[n, k] + bias) + residual, one work-item a tile of
// TILE_ROWS × 32 outputs held in registers; weights in panels, x broadcast. For CPU devices.
// Grid: (row tiles, column panels), work-groups of one. Tail tiles read rows beyond M (row padding) and store none.
#include "vector.h"
#ifndef TILE_ROWS
#define TILE_ROWS 8
#endif

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void linear_tile(
    __global const float *restrict x, __global const float *restrict weight, __global const float *restrict bias,
    __global const float *residual, __global float *out, int M, int N, int K, int row0, int column0,
    int out_stride) {
    const int row = row0 + (int)get_group_id(0) * TILE_ROWS;
    const int panel = get_group_id(1);
    __global const float *a = x + (size_t)row * K;
    __global const float *w = weight + (size_t)panel * K * PANEL;

    float16 sum[TILE_ROWS][2];
#pragma unroll
    for (int i = 0; i < TILE_ROWS; i++) {
        sum[i][0] = (float16)(0.0f);
        sum[i][1] = (float16)(0.0f);
    }
#pragma unroll 1
    for (int k = 0; k < K; k++) {
        const float16 w0 = vload16(0, w);
        const float16 w1 = vload16(1, w);
#pragma unroll
        for (int i = 0; i < TILE_ROWS; i++) {
            const float16 v = (float16)(a[(size_t)i * K + k]);
            sum[i][0] = fma(v, w0, sum[i][0]);
            sum[i][1] = fma(v, w1, sum[i][1]);
        }
        w += PANEL;
    }

    const int column = panel * PANEL;
    const int rows = min(TILE_ROWS, M - row);
    const int columns = min(PANEL, N - column);
    const size_t first = column0 + column;
    if (columns == PANEL) {
        const float16 b0 = vload16(0, bias + first);
        const float16 b1 = vload16(1, bias + first);
#pragma unroll
        for (int i = 0; i < TILE_ROWS; i++) {
            if (i < rows) {
                const size_t at = (size_t)(row + i) * out_stride + first;
                float16 y0 = activate16(sum[i][0] + b0);
                float16 y1 = activate16(sum[i][1] + b1);
#if RESIDUAL
                y0 += vload16(0, residual + at);
                y1 += vload16(1, residual + at);
#endif
                vstore16(y0, 0, out + at);
                vstore16(y1, 1, out + at);
            }
        }
    } else {
        // The last panel of an N that is no multiple of 32: the same vector arithmetic, stored one by one.
        float b[PANEL];
        for (int n = 0; n < PANEL; n++) {
            b[n] = n < columns ? bias[first + n] : 0.0f;
        }
        const float16 b0 = vload16(0, b);
        const float16 b1 = vload16(1, b);
        float y[PANEL];
#pragma unroll
        for (int i = 0; i < TILE_ROWS; i++) {
            if (i < rows) {
                const size_t at = (size_t)(row + i) * out_stride + first;
                vstore16(activate16(sum[i][0] + b0), 0, y);
                vstore16(activate16(sum[i][1] + b1), 1, y);
                for (int n = 0; n < columns; n++) {
#if RESIDUAL
                    out[at + n] = y[n] + residual[at + n];
#else
                    out[at + n] = y[n];
#endif
                }
            }
        }
    }
}
