// Keys of every sequence and head into panels [panel][head][HEAD_SIZE][32], zero beyond the sequence's end.
// list[panel] = (first token row, tokens in the panel). One work-item a (panel, head), in squares of 8 by 8.
// For CPU devices, HEAD_SIZE % 8 = 0. Grid: (panels, heads), work-groups of one.
#include "turn.h"

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void keys_tile(
    __global const float *restrict kv, __global const int2 *restrict list, __global float *restrict panels, int count,
    int heads, int stride, int key_column) {
    const int panel = get_group_id(0);
    const int head = get_group_id(1);
    const int2 item = list[panel];
    __global const float *k = kv + (size_t)item.x * stride + key_column + head * HEAD_SIZE;
    __global float *y = panels + ((size_t)panel * heads + head) * HEAD_SIZE * PANEL;
    for (int j = 0; j < PANEL; j += 8) {
        for (int d = 0; d < HEAD_SIZE; d += 8) {
            float8 keys[8];
            for (int i = 0; i < 8; i++) {
                keys[i] = j + i < item.y ? vload8(0, k + (size_t)(j + i) * stride + d) : (float8)(0.0f);
            }
            turn8(keys, y + d * PANEL + j);
        }
    }
}
