// Weight rows [row0, row0 + rows) from row-major [rows][K] into panels of bfloat16 (prelude.h).
// One work-item a weight; the grid is (K, rows).
// gpu-check:
#include "bfloat16.h"

__kernel void pack_bf16(
    __global const float *source, __global ushort *packed, int rows, int K, int row0, int levels, int limit,
    int short_words) {
    const int k = get_global_id(0);
    const int r = get_global_id(1);
    if (k >= K || r >= rows) {
        return;
    }
    const int n = row0 + r;
    const size_t word = ((size_t)(n / PANEL) * ((K + 1) / 2) + k / 2) * PANEL + n % PANEL;
    packed[2 * word + k % 2] = to_bfloat16(source[(size_t)r * K + k]);
    if (k == K - 1 && k % 2 == 0) {
        packed[2 * word + 1] = 0;
    }
}
