// Weight rows [row0, row0 + rows) from row-major [rows][K] into panels [.][K][32], for CPU devices.
// One work-item moves 32 rows by DEPTH columns, in squares of 8 by 8 that it turns in registers. A cache line of a row
// is read once: where rows are a multiple of 4 KiB apart, theirs share the cache's sets and do not stay.
#include "turn.h"
#define DEPTH 64

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void pack_tile(
    __global const float *restrict source, __global float *restrict packed, int rows, int K, int row0, int levels,
    int limit, int short_words) {
    const int k0 = get_group_id(0) * DEPTH;
    const int r0 = get_group_id(1) * PANEL;
    __global const float *from = source + (size_t)r0 * K + k0;
    if (k0 + DEPTH <= K && r0 + PANEL <= rows && row0 % PANEL == 0) {
        __global float *to = packed + ((size_t)(row0 + r0) * K + (size_t)k0 * PANEL);
        for (int k = 0; k < DEPTH; k += 16) {
            for (int r = 0; r < PANEL; r += 8) {
                float8 left[8];
                float8 right[8];
                for (int i = 0; i < 8; i++) {
                    const float16 line = vload16(0, from + (size_t)(r + i) * K + k);
                    left[i] = line.lo;
                    right[i] = line.hi;
                }
                turn8(left, to + k * PANEL + r);
                turn8(right, to + (k + 8) * PANEL + r);
            }
        }
        return;
    }
    const int columns = min(DEPTH, K - k0);
    for (int r = 0; r < min(PANEL, rows - r0); r++) {
        const int n = row0 + r0 + r;
        __global float *to = packed + ((size_t)(n / PANEL) * K + k0) * PANEL + n % PANEL;
        for (int k = 0; k < columns; k++) {
            to[(size_t)k * PANEL] = from[(size_t)r * K + k];
        }
    }
}
