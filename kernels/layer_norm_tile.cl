// (x − mean)/√(variance + ε) · γ + β, one work-item a row; two passes over the row (E[x²] − mean² loses digits).
// For CPU devices, H % 16 = 0.
#include "vector.h"

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void layer_norm_tile(
    __global const float *restrict x, __global const float *restrict gamma, __global const float *restrict beta,
    __global float *restrict out, int M, int H, float epsilon) {
    const int m = get_group_id(0);
    __global const float *v = x + (size_t)m * H;
    __global float *y = out + (size_t)m * H;

    const int n = H / 16;
    float16 sum = (float16)(0.0f);
    for (int i = 0; i < n; i++) {
        sum += vload16(i, v);
    }
    const float mean = sum16(sum) / H;
    float16 square = (float16)(0.0f);
    for (int i = 0; i < n; i++) {
        const float16 d = vload16(i, v) - mean;
        square = fma(d, d, square);
    }
    const float scale = 1.0f / sqrt(sum16(square) / H + epsilon);
    for (int i = 0; i < n; i++) {
        vstore16(fma((vload16(i, v) - mean) * scale, vload16(i, gamma), vload16(i, beta)), i, y);
    }
}
