// out[m, column0 + n] = activation(Σ_k x[m, k] · w[n, k] + bias) + residual, one work-item an output.
// Weights in panels, of floats or with -DBFLOAT16 of bfloat16. Grid: (columns, rows).
// gpu-check:
// gpu-check: -DBFLOAT16
#include "activation.h"

// Weight k of the column that w is the first word of.
static inline float weight_at(__global const float *w, int k) {
#ifdef BFLOAT16
    const uint pair = as_uint(w[(size_t)(k / 2) * PANEL]);
    return as_float(k % 2 == 0 ? pair << 16 : pair & 0xffff0000u);
#else
    return w[(size_t)k * PANEL];
#endif
}

__kernel void linear_plain(
    __global const float *x, __global const float *weight, __global const float *bias, __global const float *residual,
    __global float *out, int M, int N, int K, int row0, int column0, int x_stride, int out_stride, int activation,
    int adds_residual) {
    const int n = get_global_id(0);
    const int m = row0 + (int)get_global_id(1);
    if (n >= N || m >= M) {
        return;
    }
    __global const float *a = x + (size_t)m * x_stride;
#ifdef BFLOAT16
    const int words = (K + 1) / 2; // of a column
#else
    const int words = K;
#endif
    __global const float *w = weight + (size_t)(n / PANEL) * words * PANEL + n % PANEL;
    float sum = 0.0f;
    for (int k = 0; k < K; k++) {
        sum = fma(a[k], weight_at(w, k), sum);
    }
    const size_t at = (size_t)m * out_stride + column0 + n;
    float y = activate(activation, sum + bias[column0 + n]);
    if (adds_residual) {
        y += residual[at];
    }
    out[at] = y;
}
