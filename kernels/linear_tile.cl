// out[m, column0 + n] = activation(Σ_k x[m, k] · w[n, k] + bias) + residual, one work-item a tile of
// TILE_ROWS × TILE_COLUMNS outputs held in registers; weights in panels, x broadcast. For CPU devices.
// Grid: (row tiles, column tiles), work-groups of one. Tiles of 16 columns take halves of panels. Tail tiles read rows
// beyond M (row padding) and store none.
#include "fetch.h"
#include "vector.h"
#ifndef TILE_ROWS
#define TILE_ROWS 8
#endif
#ifndef TILE_COLUMNS
#define TILE_COLUMNS 32
#endif
#define VECTORS (TILE_COLUMNS / 16)

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void linear_tile(
    __global const float *restrict x, __global const float *restrict weight, __global const float *restrict bias,
    __global const float *residual, __global float *out, int M, int N, int K, int row0, int column0, int x_stride,
    int out_stride) {
    const int row = row0 + (int)get_group_id(0) * TILE_ROWS;
    const int panel = (int)get_group_id(1) * TILE_COLUMNS / PANEL;
    const int side = (int)get_group_id(1) * TILE_COLUMNS % PANEL;
    __global const float *a = x + (size_t)row * x_stride;
    __global const float *w = weight + (size_t)panel * K * PANEL + side;

    float16 sum[TILE_ROWS][VECTORS];
#pragma unroll
    for (int i = 0; i < TILE_ROWS; i++) {
#pragma unroll
        for (int j = 0; j < VECTORS; j++) {
            sum[i][j] = (float16)(0.0f);
        }
    }
    // The tiles of a panel run one after the other. Each fetches its share of the next panel, so that weights arrive
    // from memory while the arithmetic goes on.
    const int share = max(1, PANEL / (int)get_num_groups(0));
    __global const float *next = w + (size_t)K * PANEL + (size_t)get_group_id(0) * K * share;
#pragma unroll 1
    for (int k = 0; k < K; k++) {
        float16 v[VECTORS];
#pragma unroll
        for (int j = 0; j < VECTORS; j++) {
            v[j] = vload16(j, w);
        }
        FETCH(next);
#pragma unroll
        for (int i = 0; i < TILE_ROWS; i++) {
            const float16 b = (float16)(a[(size_t)i * x_stride + k]);
#pragma unroll
            for (int j = 0; j < VECTORS; j++) {
                sum[i][j] = fma(b, v[j], sum[i][j]);
            }
        }
        w += PANEL;
        next += share;
    }

    // The epilogue works on memory, row by row: unrolled over the registers it would be most of the kernel's code.
    float tile[TILE_ROWS * TILE_COLUMNS];
#pragma unroll
    for (int i = 0; i < TILE_ROWS; i++) {
#pragma unroll
        for (int j = 0; j < VECTORS; j++) {
            vstore16(sum[i][j], VECTORS * i + j, tile);
        }
    }
    const int column = panel * PANEL + side;
    const int rows = min(TILE_ROWS, M - row);
    const int columns = min(TILE_COLUMNS, N - column);
    const size_t first = (size_t)row * out_stride + column0 + column;
    float b[TILE_COLUMNS];
    for (int n = 0; n < TILE_COLUMNS; n++) {
        b[n] = n < columns ? bias[column0 + column + n] : 0.0f;
    }
#pragma unroll 1
    for (int i = 0; i < VECTORS * rows; i++) {
        const int offset = i % VECTORS * 16;
        const size_t at = first + (size_t)(i / VECTORS) * out_stride + offset;
        float16 y = activate16(vload16(i, tile) + vload16(0, b + offset));
        if (columns == TILE_COLUMNS) {
#if RESIDUAL
            y += vload16(0, residual + at);
#endif
            vstore16(y, 0, out + at);
        } else {
            // The last panel of an N that is no multiple of 32: the same arithmetic, stored one by one.
            vstore16(y, i, tile);
#pragma unroll 1
            for (int n = 0; n < min(16, columns - offset); n++) {
#if RESIDUAL
                out[at + n] = tile[16 * i + n] + residual[at + n];
#else
                out[at + n] = tile[16 * i + n];
#endif
            }
        }
    }
}
