// out[m, column0 + n] = activation(Σ_k x[m, k] · w[n, k] + bias) + residual with quantized x and weights (prelude.h).
// One work-item computes GROUP_ROWS × TILE_COLUMNS outputs by tiles and blocks of K, like linear_tile.cl; x is
// broadcast, four numbers (a word) at once. For CPU devices whose compiler takes the instructions (needs in
// kernels.def); integer sums are exact, whatever makes them:
//     VNNI=512, 256   vpdpbusd adds four products of bytes to a sum
//     AVX2            vpmaddubsw adds two products in 16 bits. It does so for SHORT_WORDS words of a column before
//                     vpmaddwd widens the sums: their weights are packed so that these do not overflow.
// Grid: (groups of rows, column tiles), work-groups of one. Tiles read rows beyond M (row padding) and store none.
#include "vector.h"
#ifndef TILE_ROWS
#define TILE_ROWS 4
#endif
#ifndef TILE_COLUMNS
#define TILE_COLUMNS 16
#endif
#ifndef GROUP_ROWS
#define GROUP_ROWS TILE_ROWS // there are no blocks, then, and nothing is fetched
#endif
#ifndef SHORT_WORDS
#define SHORT_WORDS 1
#endif
#define BLOCK_WORDS 96 // of K: with 16 columns, weights of 6 KB in half of the first-level cache's sets
#define ROW_WORDS 256  // where a tile is alone: it is over so soon that what it fetches must lie further ahead
#if GROUP_ROWS > TILE_ROWS
#define WALK_ROWS GROUP_ROWS // a group has rows enough for the weights that it reads
#endif
#include "fetch.h"
#include "tile_epilogue.h"
#include "walk.h"

#if VNNI == 512
#define LANES 16
#else
#define LANES 8
#endif
#define VECTORS (TILE_COLUMNS / LANES)
// Vectors of weights that stand in registers while the rows of a tile take them; the others are read for every row.
// AVX2 has registers for one of two: with both, a sum would wait in memory, and each turn for it.
#ifdef VNNI
#define HELD VECTORS
#else
#define HELD (VECTORS - 1)
#endif
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

static inline lanes add_words_at(lanes sum, const lanes *q, __global const int *w) {
    return add_word(sum, q[0], *(__global const lanes_at *)w);
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

// In assembly, as the compiler would hold the weights after all.
static inline shorts pairs_at(lanes q, __global const int *w) {
    shorts sums;
    __asm__("vpmaddubsw %2, %1, %0" : "=x"(sums) : "x"(q), "m"(*(__global const lanes_at *)w));
    return sums;
}

static inline lanes add_words_at(lanes sum, const lanes *q, __global const int *w) {
    shorts short_sum = pairs_at(q[0], w);
#pragma unroll
    for (int i = 1; i < SHORT_WORDS; i++) {
        short_sum += pairs_at(q[i], w + i * PANEL);
    }
    return sum + widen(short_sum);
}
#endif

// Adds the products of a block of `words` words to the sums of TILE_ROWS rows of x, which wait in `total` unless they
// begin here. Each turn fetches the line at `next`, which moves on by fetch_step words.
static inline void add_block(
    int *total, bool begin, __global const int *x, size_t stride, __global const int *w, int words,
    __global const int *next, int fetch_step) {
    lanes sum[TILE_ROWS][VECTORS];
#pragma unroll
    for (int i = 0; i < TILE_ROWS; i++) {
#pragma unroll
        for (int j = 0; j < VECTORS; j++) {
            sum[i][j] = begin ? repeated(0) : *(lanes_at *)(total + i * TILE_COLUMNS + j * LANES);
        }
    }
    __global const int *low = x;
    __global const int *high = x + LOW_ROWS * stride;
    HIDE(high);
    int k = 0;
#pragma unroll 1
    for (; k + SHORT_WORDS <= words; k += SHORT_WORDS) {
        if (GROUP_ROWS > TILE_ROWS) {
            FETCH(next);
            next += fetch_step;
        }
        lanes v[VECTORS][SHORT_WORDS];
#pragma unroll
        for (int h = 0; h < SHORT_WORDS; h++) {
#pragma unroll
            for (int j = 0; j < HELD; j++) {
                v[j][h] = *(__global const lanes_at *)(w + h * PANEL + j * LANES);
            }
        }
#pragma unroll
        for (int i = 0; i < TILE_ROWS; i++) {
            __global const int *row = i < LOW_ROWS ? low + i * stride : high + (i - LOW_ROWS) * stride;
            lanes q[SHORT_WORDS];
#pragma unroll
            for (int h = 0; h < SHORT_WORDS; h++) {
                q[h] = repeated(row[h]);
            }
#pragma unroll
            for (int j = 0; j < VECTORS; j++) {
                sum[i][j] = j < HELD ? add_words(sum[i][j], q, v[j]) : add_words_at(sum[i][j], q, w + j * LANES);
            }
        }
        low += SHORT_WORDS;
        high += SHORT_WORDS;
        w += SHORT_WORDS * PANEL;
    }
#pragma unroll 1
    for (; k < words; k++) {
#pragma unroll
        for (int i = 0; i < TILE_ROWS; i++) {
#pragma unroll
            for (int j = 0; j < VECTORS; j++) {
                const lanes v = *(__global const lanes_at *)(w + j * LANES);
                sum[i][j] = add_word(sum[i][j], repeated(x[i * stride + k]), v);
            }
        }
        w += PANEL;
    }
#pragma unroll
    for (int i = 0; i < TILE_ROWS; i++) {
#pragma unroll
        for (int j = 0; j < VECTORS; j++) {
            *(lanes_at *)(total + i * TILE_COLUMNS + j * LANES) = sum[i][j];
        }
    }
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void linear_tile_int8(
    __global const int *restrict x, __global const int *restrict weight, __global const float *restrict bias,
    __global const float *residual, __global float *out, int M, int N, int K, int row0, int column0, int x_stride,
    int out_stride, int activation, int adds_residual) {
    const walk at = walk_to_work_item(GROUP_ROWS);
    const int row = row0 + at.group * GROUP_ROWS;
    const int rows = min(GROUP_ROWS, M - row);
    const int column = at.tile * TILE_COLUMNS;
    const int words = (K + 3) / 4;
    __global const int *head = x + (size_t)row * x_stride;
    __global const int *panel = weight + (size_t)(column / PANEL) * (words + 2) * PANEL + column % PANEL;
    __global const int *following = panel + TILE_COLUMNS; // the next group's
    if (column % PANEL + TILE_COLUMNS == PANEL) {
        following = weight + (size_t)(column / PANEL + 1) * (words + 2) * PANEL;
    }
    // Each tile fetches a line a turn, from the beginning of its share on: what it fetches beyond that is there
    // already. A tile alone takes every SHORT_WORDS-th.
    const int tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;
    const int fetch_step = tiles == 1 ? SHORT_WORDS * PANEL : PANEL;
    const int depth = GROUP_ROWS <= TILE_ROWS ? words : tiles > 1 ? BLOCK_WORDS : ROW_WORDS;
    int total[(GROUP_ROWS + TILE_ROWS) * TILE_COLUMNS];

#pragma unroll 1
    for (int k = 0; k < words; k += depth) {
        const int n = min(depth, words - k);
        __global const int *block = panel + (size_t)(2 + k) * PANEL;
        __global const int *a = head + QUANTIZED_HEAD + k;
        __global const int *next = k + n < words ? block + (size_t)n * PANEL : following;
        const int share = (n + tiles - 1) / tiles * PANEL;
#pragma unroll 1
        for (int i = 0; i < rows; i += TILE_ROWS) {
            add_block(total + i * TILE_COLUMNS, k == 0, a + (size_t)i * x_stride, x_stride, block, n, next, fetch_step);
            next += share;
        }
    }

    // A row's sums become numbers: scale of x · scale of w · (sum − zero of x · sum of w).
    float numbers[GROUP_ROWS * TILE_COLUMNS];
#pragma unroll 1
    for (int i = 0; i < rows; i++) {
        const float scale = as_float(head[(size_t)i * x_stride]);
        const int zero = head[(size_t)i * x_stride + 1];
#pragma unroll
        for (int n = 0; n < TILE_COLUMNS; n += 16) {
            const float16 scales = scale * as_float16(vload16(0, panel + n));
            const int16 exact = vload16(0, total + i * TILE_COLUMNS + n) - zero * vload16(0, panel + PANEL + n);
            vstore16(scales * convert_float16(exact), 0, numbers + i * TILE_COLUMNS + n);
        }
    }
    const size_t first = (size_t)row * out_stride + column0 + column;
    write_tile(
        numbers, rows, min(TILE_COLUMNS, N - column), activation, adds_residual, bias + column0 + column,
        residual + first, out + first, out_stride);
}
