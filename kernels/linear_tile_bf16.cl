// out[m, column0 + n] = activation(Σ_k x[m, k] · w[n, k] + bias) + residual with weights in bfloat16 (prelude.h), one
// work-item a tile of TILE_ROWS × TILE_COLUMNS sums held in registers. x is float32, as are products and sums, in the
// order of k: half the weights' bytes, no other rounding. For CPU devices.
// Grid: (row tiles, column tiles), work-groups of one. Tail tiles read rows beyond M (row padding) and store none.
#ifndef TILE_ROWS
#define TILE_ROWS 6
#endif
#ifndef TILE_COLUMNS
#define TILE_COLUMNS 16
#endif
#define VECTORS (TILE_COLUMNS / 16)
#include "fetch.h"
#include "vector.h"

#include "tile_epilogue.h"

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void linear_tile_bf16(
    __global const float *restrict x, __global const uint *restrict weight, __global const float *restrict bias,
    __global const float *residual, __global float *out, int M, int N, int K, int row0, int column0, int x_stride,
    int out_stride) {
    const int row = row0 + (int)get_group_id(0) * TILE_ROWS;
    const int column = (int)get_group_id(1) * TILE_COLUMNS;
    const int words = (K + 1) / 2;
    __global const float *a = x + (size_t)row * x_stride;
    __global const uint *w = weight + (size_t)(column / PANEL) * words * PANEL + column % PANEL;

    float16 sum[TILE_ROWS][VECTORS];
#pragma unroll
    for (int i = 0; i < TILE_ROWS; i++) {
#pragma unroll
        for (int j = 0; j < VECTORS; j++) {
            sum[i][j] = (float16)(0.0f);
        }
    }
    // Every tile of a panel fetches its share of the next panel, so that weights arrive while the arithmetic goes on.
    const int share = max(1, PANEL / (int)get_num_groups(0));
    __global const uint *next = w + (size_t)words * PANEL + (size_t)get_group_id(0) * words * share;
#pragma unroll 1
    for (int k = 0; k + 1 < K; k += 2) {
        FETCH(next);
#pragma unroll
        for (int h = 0; h < 2; h++) {
            float16 v[VECTORS];
#pragma unroll
            for (int j = 0; j < VECTORS; j++) {
                const uint16 pair = vload16(j, w);
                v[j] = as_float16(h == 0 ? pair << 16 : pair & 0xffff0000u);
            }
#pragma unroll
            for (int i = 0; i < TILE_ROWS; i++) {
                const float16 b = (float16)(a[(size_t)i * x_stride + k + h]);
#pragma unroll
                for (int j = 0; j < VECTORS; j++) {
                    sum[i][j] = fma(b, v[j], sum[i][j]);
                }
            }
        }
        w += PANEL;
        next += share;
    }
    if (K % 2 == 1) { // what stands behind x's last column is none of its numbers
#pragma unroll
        for (int i = 0; i < TILE_ROWS; i++) {
            const float16 b = (float16)(a[(size_t)i * x_stride + K - 1]);
#pragma unroll
            for (int j = 0; j < VECTORS; j++) {
                sum[i][j] = fma(b, as_float16(vload16(j, w) << 16), sum[i][j]);
            }
        }
    }

    float tile[TILE_ROWS * TILE_COLUMNS];
#pragma unroll
    for (int i = 0; i < TILE_ROWS; i++) {
#pragma unroll
        for (int j = 0; j < VECTORS; j++) {
            vstore16(sum[i][j], i * VECTORS + j, tile);
        }
    }
    const size_t first = (size_t)row * out_stride + column0 + column;
    write_tile(
        tile, min(TILE_ROWS, M - row), min(TILE_COLUMNS, N - column), bias + column0 + column, residual + first,
        out + first, out_stride);
}
