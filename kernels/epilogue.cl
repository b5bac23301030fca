// out = activation(product + bias) + residual, element by element: what follows a product that a library made.
// `out` may be `product`. Grid: (columns, rows).
// gpu-check:
#include "activation.h"

__kernel void epilogue(
    __global const float *product, __global const float *bias, __global const float *residual, __global float *out,
    int M, int N, int activation, int adds_residual) {
    const int n = get_global_id(0);
    const int m = get_global_id(1);
    if (n >= N || m >= M) {
        return;
    }
    const size_t at = (size_t)m * N + n;
    float y = activate(activation, product[at] + bias[n]);
    if (adds_residual) {
        y += residual[at];
    }
    out[at] = y;
}
