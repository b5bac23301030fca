// word[ids] + position[positions] + type[types], then LayerNorm; one work-item a token. For CPU devices, H % 16 = 0.
// The word table may lie in up to four buffers of `part_rows` rows each.
#include "vector.h"

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void embed_tile(
    __global const float *word0, __global const float *word1, __global const float *word2, __global const float *word3,
    __global const float *restrict position, __global const float *restrict type, __global const float *restrict gamma,
    __global const float *restrict beta, __global const int *restrict ids, __global const int *restrict types,
    __global const int *restrict positions, __global float *restrict out, int M, int H, int part_rows, float epsilon) {
    const int m = get_group_id(0);
    const int id = ids[m];
    const int part = id / part_rows;
    __global const float *word = part == 0 ? word0 : part == 1 ? word1 : part == 2 ? word2 : word3;
    __global const float *w = word + (size_t)(id - part * part_rows) * H;
    __global const float *p = position + (size_t)positions[m] * H;
    __global const float *t = type + (size_t)types[m] * H;
    __global float *y = out + (size_t)m * H;

    const int n = H / 16;
    float16 sum = (float16)(0.0f);
    for (int i = 0; i < n; i++) {
        const float16 v = vload16(i, w) + vload16(i, t) + vload16(i, p);
        vstore16(v, i, y);
        sum += v;
    }
    const float mean = sum16(sum) / H;
    float16 square = (float16)(0.0f);
    for (int i = 0; i < n; i++) {
        const float16 d = vload16(i, y) - mean;
        square = fma(d, d, square);
    }
    const float scale = 1.0f / sqrt(sum16(square) / H + epsilon);
    for (int i = 0; i < n; i++) {
        vstore16(fma((vload16(i, y) - mean) * scale, vload16(i, gamma), vload16(i, beta)), i, y);
    }
}
