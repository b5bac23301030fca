// out[m, column0 + n] = activation(Σ_k x[m, k] · w[n, k] + bias) + residual with quantized x and weights (prelude.h),
// one work-item an output. Integer sums are exact. Grid: (columns, rows).
// gpu-check:
#include "activation.h"

static inline int dot4(uint q, uint w) {
    const uchar4 a = as_uchar4(q);
    const char4 b = as_char4(w);
    return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
}

__kernel void linear_plain_int8(
    __global const uint *x, __global const uint *weight, __global const float *bias, __global const float *residual,
    __global float *out, int M, int N, int K, int row0, int column0, int x_stride, int out_stride, int activation,
    int adds_residual) {
    const int n = get_global_id(0);
    const int m = row0 + (int)get_global_id(1);
    if (n >= N || m >= M) {
        return;
    }
    const int words = (K + 3) / 4;
    __global const uint *a = x + (size_t)m * x_stride;
    __global const uint *w = weight + (size_t)(n / PANEL) * (words + 2) * PANEL + n % PANEL;
    int sum = 0;
    for (int i = 0; i < words; i++) {
        sum += dot4(a[QUANTIZED_HEAD + i], w[(size_t)(i + 2) * PANEL]);
    }
    sum -= as_int(a[1]) * as_int(w[PANEL]);
    const float scale = as_float(a[0]) * as_float(w[0]);
    const size_t at = (size_t)m * out_stride + column0 + n;
    float y = activate(activation, scale * (float)sum + bias[column0 + n]);
    if (adds_residual) {
        y += residual[at];
    }
    out[at] = y;
}
