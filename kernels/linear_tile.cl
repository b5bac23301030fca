// out[m, column0 + n] = activation(Σ_k x[m, k] · w[n, k] + bias) + residual. One work-item computes GROUP_ROWS ×
// TILE_COLUMNS outputs, as tiles of TILE_ROWS rows whose sums stand in registers. Where a group has several tiles, it
// goes by blocks of BLOCK_DEPTH of K, all tiles of a block one after the other:
//
//     k │ TILE_COLUMNS of weights │      The weights of a block come from memory once and stay in the first-level
//       ├─────────────────────────┤      cache meanwhile; the sums wait in private memory. Each tile fetches its share
//       │          block          │      of the weights that come next, so that they arrive while the arithmetic goes
//       ├─────────────────────────┤      on. Every sum adds its products in the order of k, whatever the sizes are.
//       │          next           │
//
// Weights in panels, x broadcast. For CPU devices. Grid: (groups of rows, column tiles), work-groups of one; tiles of
// 16 columns take halves of panels. Tiles read rows beyond M (row padding) and store none.
#include "fetch.h"
#include "vector.h"
#ifndef TILE_ROWS
#define TILE_ROWS 8
#endif
#ifndef TILE_COLUMNS
#define TILE_COLUMNS 32
#endif
#ifndef GROUP_ROWS
#define GROUP_ROWS TILE_ROWS
#endif
#ifndef REST_ROWS // of a lower tile for a group's last rows; 0: there is none
#define REST_ROWS 0
#endif
#if GROUP_ROWS > TILE_ROWS
#define WALK_ROWS GROUP_ROWS // a group has rows enough for the weights that it reads
#endif
#include "tile_epilogue.h"
#include "walk.h"
#define BLOCK_DEPTH 128
#define VECTORS (TILE_COLUMNS / 16)
#define STEPS 2 // of k in a turn of the innermost loop

#ifdef BFLOAT16 // weights in bfloat16, two of them a word; x, products and sums are float32 all the same
typedef uint word;
#define WORD_DEPTH 2
#else
typedef float word;
#define WORD_DEPTH 1
#endif

// Sixteen weights of a panel's row, `step` of k after w.
static inline float16 weights_at(__global const word *w, int step, int j) {
#ifdef BFLOAT16
    const uint16 pair = vload16(j, w + step / 2 * PANEL);
    return as_float16(step % 2 == 0 ? pair << 16 : pair & 0xffff0000u);
#else
    return vload16(j, w + step * PANEL);
#endif
}

// What a tile fetches: a line at each word of k, `step` rows of a panel after the line before, in 1/65536. A half of a
// panel is every other line of it.
typedef struct fetcher {
    __global const word *next;
    uint at, step;
} fetcher;

static inline void fetch_line(fetcher *f) {
#if TILE_COLUMNS == PANEL
    FETCH(f->next + (f->at / (65536 / PANEL)));
#else
    FETCH(f->next + f->at / 65536 * PANEL);
#endif
    f->at += f->step;
}

#define ROWS TILE_ROWS
#define ADD_BLOCK add_block
#include "linear_rows.h"
#if REST_ROWS > 0
#undef ROWS
#undef ADD_BLOCK
#define ROWS REST_ROWS
#define ADD_BLOCK add_rest
#include "linear_rows.h"
#undef ROWS
#undef ADD_BLOCK
#define ROWS 1
#define ADD_BLOCK add_row
#include "linear_rows.h"
#endif

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void linear_tile(
    __global const float *restrict x, __global const word *restrict weight, __global const float *restrict bias,
    __global const float *residual, __global float *out, int M, int N, int K, int row0, int column0, int x_stride,
    int out_stride, int activation, int adds_residual) {
    const walk at = walk_to_work_item(GROUP_ROWS);
    const int row = row0 + at.group * GROUP_ROWS;
    const int rows = min(GROUP_ROWS, M - row);
    const int column = at.tile * TILE_COLUMNS;
    const int words = (K + WORD_DEPTH - 1) / WORD_DEPTH;
    __global const word *w = weight + (size_t)(column / PANEL) * words * PANEL + column % PANEL;
    __global const word *following = w + TILE_COLUMNS; // the next group's
    if (column % PANEL + TILE_COLUMNS == PANEL) {
        following = weight + (size_t)(column / PANEL + 1) * words * PANEL;
    }
    // The tiles that share the fetching: those of the group for its blocks, those of a block
    // of groups for a whole panel.
    const bool blocks = GROUP_ROWS > TILE_ROWS;
    const uint tiles = blocks ? (rows + TILE_ROWS - 1) / TILE_ROWS : at.groups;
    const int depth = blocks ? BLOCK_DEPTH : K;
    float total[(GROUP_ROWS + TILE_ROWS) * TILE_COLUMNS];

#pragma unroll 1
    for (int k = 0; k < K; k += depth) {
        const int n = min(depth, K - k);
        __global const word *block = w + (size_t)k / WORD_DEPTH * PANEL;
        __global const float *a = x + (size_t)row * x_stride + k;
        fetcher f = {k + n < K ? block + (size_t)n / WORD_DEPTH * PANEL : following, 0, 65536 / tiles};
        if (!blocks) {
            f.at = (uint)at.place * f.step * (uint)words;
        }
        int i = 0;
#pragma unroll 1
        for (; i + REST_ROWS < rows; i += TILE_ROWS) {
            add_block(total + i * TILE_COLUMNS, k == 0, a + (size_t)i * x_stride, x_stride, block, n, &f);
        }
#if REST_ROWS > 0
        if (i + 1 < rows) {
            add_rest(total + i * TILE_COLUMNS, k == 0, a + (size_t)i * x_stride, x_stride, block, n, &f);
        } else if (i < rows) {
            add_row(total + i * TILE_COLUMNS, k == 0, a + (size_t)i * x_stride, x_stride, block, n, &f);
        }
#endif
    }

    const size_t first = (size_t)row * out_stride + column0 + column;
    write_tile(
        total, rows, min(TILE_COLUMNS, N - column), activation, adds_residual, bias + column0 + column,
        residual + first, out + first, out_stride);
}
