// out[m, column0 + n] = activation(Σ_k x[m, k] · w[n, k] + bias) + residual, one work-item an output.
// Weights in panels. Grid: (columns, rows).
// gpu-check: -DACTIVATION=1 -DRESIDUAL=0
// gpu-check: -DACTIVATION=0 -DRESIDUAL=1
#include "activation.h"

__kernel void linear_plain(
    __global const float *x, __global const float *weight, __global const float *bias, __global const float *residual,
    __global float *out, int M, int N, int K, int row0, int column0, int x_stride, int out_stride) {
    const int n = get_global_id(0);
    const int m = row0 + (int)get_global_id(1);
    if (n >= N || m >= M) {
        return;
    }
    __global const float *a = x + (size_t)m * x_stride;
    __global const float *w = weight + (size_t)(n / PANEL) * K * PANEL + n % PANEL;
    float sum = 0.0f;
    for (int k = 0; k < K; k++) {
        sum = fma(a[k], w[(size_t)k * PANEL], sum);
    }
    const size_t at = (size_t)m * out_stride + column0 + n;
    float y = activate(sum + bias[column0 + n]);
#if RESIDUAL
    y += residual[at];
#endif
    out[at] = y;
}
