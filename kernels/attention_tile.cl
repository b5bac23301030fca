// softmax(q·kᵀ·scale)·v within a sequence; one work-item a (block of up to TILES · QUERIES rows, head). Keys in panels
// of 32; the tiles of a block follow one another over each, so that all but the first find it in the first-level cache.
// Both products go by tiles of QUERIES × TILE_COLUMNS sums in registers: over a panel's keys, or half of them, and over
// the values' columns. Scores of up to CHUNK keys stand in private memory and take a two-pass softmax; longer sequences
// go chunk by chunk, rescaling the result so far (online softmax, Milakov & Gimelshein 2018).
// For CPU devices, HEAD_SIZE % 16 = 0.
// Grid: (blocks, heads), work-groups of one. Rows beyond the block's are computed on garbage and not stored.
#include "vector.h"
#ifndef QUERIES
#define QUERIES 12
#endif
#ifndef TILE_COLUMNS
#define TILE_COLUMNS 32
#endif
#ifndef TILES
#define TILES 1
#endif
#ifndef CHUNK
#define CHUNK 512
#endif
#define LOWEST -3.0e38f

#if HEAD_SIZE % TILE_COLUMNS == 0
#define VALUE_COLUMNS TILE_COLUMNS
#else
#define VALUE_COLUMNS 16
#endif
#define KEY_VECTORS (TILE_COLUMNS / 16)
#define VALUE_VECTORS (VALUE_COLUMNS / 16)

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void attention_tile(
    __global const float *restrict q, __global const float *restrict panels, __global const float *restrict kv,
    __global const attention_block *restrict list, __global float *restrict out, int count, int heads, int q_stride,
    int kv_stride, int key_column, int value_column, int out_stride, float scale) {
    const int head = get_group_id(1);
    __global const attention_block *block = list + get_group_id(0);
    const int keys = block->keys;
    const int queries = block->queries;
    const float power = scale * 1.44269504f; // e^(scale s) = 2^(power s)
    const int panel_floats = HEAD_SIZE * PANEL;
    q += (size_t)block->first_query * q_stride + head * HEAD_SIZE;
    out += (size_t)block->first_query * out_stride + head * HEAD_SIZE;
    kv += (size_t)block->first_key * kv_stride + value_column + head * HEAD_SIZE;
    panels += ((size_t)block->first_panel * heads + head) * panel_floats;

    float score[TILES * QUERIES * CHUNK] __attribute__((aligned(64)));
    float part[TILES * QUERIES * HEAD_SIZE] __attribute__((aligned(64)));
    float result[TILES * QUERIES * HEAD_SIZE] __attribute__((aligned(64)));
    float highest[TILES * QUERIES];
    float total[TILES * QUERIES];
    const int rows = (queries + QUERIES - 1) / QUERIES * QUERIES;
#pragma unroll 1
    for (int i = 0; i < rows; i++) {
        highest[i] = LOWEST;
        total[i] = 0.0f;
    }

    for (int first = 0; first < keys; first += CHUNK) {
        const int n = min(CHUNK, keys - first);
#pragma unroll 1
        for (int p = 0; p < n; p += TILE_COLUMNS) {
#pragma unroll 1
            for (int tile = 0; tile < rows; tile += QUERIES) {
                __global const float *row = q + (size_t)tile * q_stride;
                float *tile_score = score + tile * CHUNK + p;
                HIDE(row);
                HIDE(tile_score);
                __global const float *key = panels + (size_t)((first + p) / PANEL) * heads * panel_floats + p % PANEL;
                float16 sum[QUERIES][KEY_VECTORS];
#pragma unroll
                for (int i = 0; i < QUERIES; i++) {
#pragma unroll
                    for (int j = 0; j < KEY_VECTORS; j++) {
                        sum[i][j] = (float16)(0.0f);
                    }
                }
                __global const float *high = row + (size_t)LOW_ROWS * q_stride;
                HIDE(high);
#pragma unroll 4
                for (int d = 0; d < HEAD_SIZE; d++) {
                    float16 k[KEY_VECTORS];
#pragma unroll
                    for (int j = 0; j < KEY_VECTORS; j++) {
                        k[j] = vload16(j, key);
                    }
#pragma unroll
                    for (int i = 0; i < QUERIES; i++) {
                        const float16 v =
                            i < LOW_ROWS ? row[(size_t)i * q_stride + d] : high[(size_t)(i - LOW_ROWS) * q_stride + d];
#pragma unroll
                        for (int j = 0; j < KEY_VECTORS; j++) {
                            sum[i][j] = fma(v, k[j], sum[i][j]);
                        }
                    }
                    key += PANEL;
                }
#pragma unroll
                for (int i = 0; i < QUERIES; i++) {
#pragma unroll
                    for (int j = 0; j < KEY_VECTORS; j++) {
                        vstore16(sum[i][j], j, tile_score + i * CHUNK);
                    }
                }
            }
        }

        float rescale[TILES * QUERIES];
        const int vectors = (n + 15) / 16;
#pragma unroll 1
        for (int i = 0; i < rows; i++) {
            float *s = score + i * CHUNK;
            // Panels are filled up with zero keys, whose scores must not count.
#pragma unroll 1
            for (int k = n; k < 16 * vectors; k++) {
                s[k] = LOWEST;
            }
            float16 top = (float16)(LOWEST);
#pragma unroll 1
            for (int k = 0; k < vectors; k++) {
                top = larger16(vload16(k, s), top);
            }
            const float m = fmax(highest[i], max16(top));
            float16 sum = (float16)(0.0f);
#pragma unroll 2
            for (int k = 0; k < vectors; k++) {
                const float16 e = exp2_16((vload16(k, s) - m) * power);
                vstore16(e, k, s);
                sum += e;
            }
            rescale[i] = first == 0 ? 0.0f : exp2_16((float16)((highest[i] - m) * power)).s0;
            total[i] = fma(total[i], rescale[i], sum16(sum));
            highest[i] = m;
        }

        // Weighted sums of the values, in private memory between chunks.
#pragma unroll 1
        for (int c = 0; c < HEAD_SIZE; c += VALUE_COLUMNS) {
#pragma unroll 1
            for (int tile = 0; tile < rows; tile += QUERIES) {
                const float *tile_score = score + tile * CHUNK;
                float *tile_part = part + tile * HEAD_SIZE + c;
                HIDE(tile_score);
                HIDE(tile_part);
                float16 sum[QUERIES][VALUE_VECTORS];
#pragma unroll
                for (int i = 0; i < QUERIES; i++) {
#pragma unroll
                    for (int j = 0; j < VALUE_VECTORS; j++) {
                        sum[i][j] = (float16)(0.0f);
                    }
                }
                __global const float *value = kv + (size_t)first * kv_stride + c;
#pragma unroll 2
                for (int k = 0; k < n; k++) {
                    float16 v[VALUE_VECTORS];
#pragma unroll
                    for (int j = 0; j < VALUE_VECTORS; j++) {
                        v[j] = vload16(j, value);
                    }
#pragma unroll
                    for (int i = 0; i < QUERIES; i++) {
                        const float16 p = (float16)(tile_score[i * CHUNK + k]);
#pragma unroll
                        for (int j = 0; j < VALUE_VECTORS; j++) {
                            sum[i][j] = fma(p, v[j], sum[i][j]);
                        }
                    }
                    value += kv_stride;
                }
#pragma unroll
                for (int i = 0; i < QUERIES; i++) {
#pragma unroll
                    for (int j = 0; j < VALUE_VECTORS; j++) {
                        vstore16(sum[i][j], j, tile_part + i * HEAD_SIZE);
                    }
                }
            }
        }
#pragma unroll 1
        for (int i = 0; i < rows; i++) {
#pragma unroll 1
            for (int d = 0; d < HEAD_SIZE; d += 16) {
                const float16 before = first == 0 ? (float16)(0.0f) : vload16(0, result + i * HEAD_SIZE + d);
                vstore16(
                    fma(before, (float16)(rescale[i]), vload16(0, part + i * HEAD_SIZE + d)), 0,
                    result + i * HEAD_SIZE + d);
            }
        }
    }
#pragma unroll 1
    for (int i = 0; i < queries; i++) {
#pragma unroll 1
        for (int d = 0; d < HEAD_SIZE; d += 16) {
            vstore16(vload16(0, result + i * HEAD_SIZE + d) * (1.0f / total[i]), 0, out + (size_t)i * out_stride + d);
        }
    }
}
