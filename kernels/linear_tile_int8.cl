// out[m, column0 + n] = activation(Σ_k x[m, k] · w[n, k] + bias) + residual with quantized x and weights (prelude.h),
// one work-item a tile of TILE_ROWS × TILE_COLUMNS sums held in registers; x is broadcast, four numbers at once. For
// CPU devices whose compiler takes the instructions (needs in kernels.def); integer sums are exact, whatever makes
// them:
//     VNNI=512, 256   vpdpbusd adds four products of bytes to a sum
//     AVX2            vpmaddubsw adds two products in 16 bits. It does so for SHORT_WORDS words of a column before
//                     vpmaddwd widens the sums: their weights are packed so that these do not overflow.
// Grid: (row tiles, column tiles), work-groups of one. Tail tiles read rows beyond M (row padding) and store none.
#ifndef TILE_ROWS
#define TILE_ROWS 4
#endif
#ifndef TILE_COLUMNS
#define TILE_COLUMNS 16
#endif
#ifndef SHORT_WORDS
#define SHORT_WORDS 1
#endif
#include "vector.h"

#include "tile_epilogue.h"

#if VNNI == 512
#define LANES 16
#else
#define LANES 8
#endif
#define VECTORS (TILE_COLUMNS / LANES)
typedef int lanes __attribute__((vector_size(4 * LANES)));
typedef lanes lanes_at __attribute__((aligned(4))); // where it lies in memory

static inline lanes repeated(int value) {
    return (lanes){} + value;
}

#ifdef VNNI
static inline lanes add_word(lanes sum, lanes q, lanes w) {
#if VNNI == 512
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(q), "v"(w));
#else
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(q), "x"(w));
#endif
    return sum;
}

static inline lanes add_words(lanes sum, const lanes *q, const lanes *w) {
    return add_word(sum, q[0], w[0]);
}
#else
typedef char bytes __attribute__((vector_size(32)));
typedef short shorts __attribute__((vector_size(32)));

static inline shorts pairs(lanes q, lanes w) {
    return (shorts)__builtin_ia32_pmaddubsw256((bytes)q, (bytes)w);
}

static inline lanes widen(shorts sums) {
    return (lanes)__builtin_ia32_pmaddwd256(sums, (shorts){} + (short)1);
}

static inline lanes add_word(lanes sum, lanes q, lanes w) {
    return sum + widen(pairs(q, w));
}

static inline lanes add_words(lanes sum, const lanes *q, const lanes *w) {
    shorts short_sum = pairs(q[0], w[0]);
#pragma unroll
    for (int i = 1; i < SHORT_WORDS; i++) {
        short_sum += pairs(q[i], w[i]);
    }
    return sum + widen(short_sum);
}
#endif

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void linear_tile_int8(
    __global const int *restrict x, __global const int *restrict weight, __global const float *restrict bias,
    __global const float *residual, __global float *out, int M, int N, int K, int row0, int column0, int x_stride,
    int out_stride, int activation, int adds_residual) {
    const int row = row0 + (int)get_group_id(0) * TILE_ROWS;
    const int column = (int)get_group_id(1) * TILE_COLUMNS;
    const int words = (K + 3) / 4;
    __global const int *rows = x + (size_t)row * x_stride;
    __global const int *a = rows + QUANTIZED_HEAD;
    __global const int *panel = weight + (size_t)(column / PANEL) * (words + 2) * PANEL + column % PANEL;
    __global const int *w = panel + 2 * PANEL;

    lanes sum[TILE_ROWS][VECTORS];
#pragma unroll
    for (int i = 0; i < TILE_ROWS; i++) {
#pragma unroll
        for (int j = 0; j < VECTORS; j++) {
            sum[i][j] = repeated(0);
        }
    }
    int k = 0;
#pragma unroll 1
    for (; k + SHORT_WORDS <= words; k += SHORT_WORDS) {
        lanes v[VECTORS][SHORT_WORDS];
#pragma unroll
        for (int h = 0; h < SHORT_WORDS; h++) {
#pragma unroll
            for (int j = 0; j < VECTORS; j++) {
                v[j][h] = *(__global const lanes_at *)(w + h * PANEL + j * LANES);
            }
        }
#pragma unroll
        for (int i = 0; i < TILE_ROWS; i++) {
            lanes q[SHORT_WORDS];
#pragma unroll
            for (int h = 0; h < SHORT_WORDS; h++) {
                q[h] = repeated(a[(size_t)i * x_stride + k + h]);
            }
#pragma unroll
            for (int j = 0; j < VECTORS; j++) {
                sum[i][j] = add_words(sum[i][j], q, v[j]);
            }
        }
        w += SHORT_WORDS * PANEL;
    }
#pragma unroll 1
    for (; k < words; k++) {
#pragma unroll
        for (int i = 0; i < TILE_ROWS; i++) {
#pragma unroll
            for (int j = 0; j < VECTORS; j++) {
                const lanes v = *(__global const lanes_at *)(w + j * LANES);
                sum[i][j] = add_word(sum[i][j], repeated(a[(size_t)i * x_stride + k]), v);
            }
        }
        w += PANEL;
    }

    int sums[TILE_ROWS * TILE_COLUMNS];
    float tile[TILE_ROWS * TILE_COLUMNS];
#pragma unroll
    for (int i = 0; i < TILE_ROWS; i++) {
#pragma unroll
        for (int j = 0; j < VECTORS; j++) {
            *(lanes_at *)(sums + i * TILE_COLUMNS + j * LANES) = sum[i][j];
        }
    }
    const int count = min(TILE_ROWS, M - row);
    // Row i's sums become numbers: scale of x · scale of w · (sum − zero of x · sum of w).
#pragma unroll 1
    for (int i = 0; i < count; i++) {
        const float scale = as_float(rows[(size_t)i * x_stride]);
        const int zero = rows[(size_t)i * x_stride + 1];
#pragma unroll
        for (int n = 0; n < TILE_COLUMNS; n += 16) {
            const float16 scales = scale * as_float16(vload16(0, panel + n));
            const int16 exact = vload16(0, sums + i * TILE_COLUMNS + n) - zero * vload16(0, panel + PANEL + n);
            vstore16(scales * convert_float16(exact), 0, tile + i * TILE_COLUMNS + n);
        }
    }
    const size_t first = (size_t)row * out_stride + column0 + column;
    write_tile(
        tile, count, min(TILE_COLUMNS, N - column), activation, adds_residual, bias + column0 + column,
        residual + first, out + first, out_stride);
}
