// out[m, column0 + n] = activation(Σ_k x[m, k] · w[n, k] + bias) + residual with x and weights in bfloat16 (prelude.h),
// one work-item a tile of TILE_ROWS × TILE_COLUMNS sums held in registers. vdpbf16ps adds two products to a sum in
// float32; x is broadcast, two numbers at once. For CPU devices whose compiler takes the instruction (needs in
// kernels.def).
// Grid: (row tiles, column tiles), work-groups of one. Tail tiles read rows beyond M (row padding) and store none.
#ifndef TILE_ROWS
#define TILE_ROWS 8
#endif
#ifndef TILE_COLUMNS
#define TILE_COLUMNS 32
#endif
#define VECTORS (TILE_COLUMNS / 16)
#include "fetch.h"
#include "vector.h"

#include "tile_epilogue.h"

static inline float16 add_pairs(float16 sum, int16 x, int16 w) {
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
    return sum;
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void linear_tile_bf16_dot(
    __global const int *restrict x, __global const int *restrict weight, __global const float *restrict bias,
    __global const float *residual, __global float *out, int M, int N, int K, int row0, int column0, int x_stride,
    int out_stride, int activation, int adds_residual) {
    const int row = row0 + (int)get_group_id(0) * TILE_ROWS;
    const int column = (int)get_group_id(1) * TILE_COLUMNS;
    const int words = (K + 1) / 2;
    __global const int *a = x + (size_t)row * x_stride;
    __global const int *w = weight + (size_t)(column / PANEL) * words * PANEL + column % PANEL;

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
    __global const int *next = w + (size_t)words * PANEL + (size_t)get_group_id(0) * words * share;
#pragma unroll 1
    for (int k = 0; k < words; k++) {
        int16 v[VECTORS];
#pragma unroll
        for (int j = 0; j < VECTORS; j++) {
            v[j] = vload16(j, w);
        }
        FETCH(next);
#pragma unroll
        for (int i = 0; i < TILE_ROWS; i++) {
            const int16 pair = (int16)(a[(size_t)i * x_stride + k]);
#pragma unroll
            for (int j = 0; j < VECTORS; j++) {
                sum[i][j] = add_pairs(sum[i][j], pair, v[j]);
            }
        }
        w += PANEL;
        next += share;
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
        tile, min(TILE_ROWS, M - row), min(TILE_COLUMNS, N - column), activation, adds_residual,
        bias + column0 + column, residual + first, out + first, out_stride);
}
