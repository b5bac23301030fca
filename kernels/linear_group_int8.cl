// out[m, column0 + n] = activation(Σ_k x[m, k] · w[n, k] + bias) + residual with quantized x and weights (prelude.h),
// for GPUs. Four products of bytes are added to a sum by one instruction, where there is one to be named:
//     KHR      cl_khr_integer_dot_product (OpenCL C 3.0)
//     DP4A     the instruction of NVIDIA's GPUs, in assembly, as their driver has no such extension
//     neither  OpenCL C 1.2, of which the compiler may make what it can
// A work-group computes TILE_ROWS rows of GROUP columns, a work-item one column of it, so that neighbours read
// neighbouring words of a panel. The rows of x come through local memory, LOCAL_WORDS words of each at once.
//
// Both operands are taken as signed bytes, which every device that has the instruction takes: flipping the highest bit
// of an unsigned q makes it the signed q − 128, so that Σ q·w = Σ (q − 128)·w + 128 Σ w, and the panel has Σ w.
// Grid: (columns, rows), work-groups of (GROUP, 1). Columns beyond N and rows beyond M are computed from the last one,
// as every work-item must reach the barriers, and not stored.
// gpu-check[no-spill, on=NVIDIA]: -DDP4A -DTILE_ROWS=8
// gpu-check[no-spill, on=NVIDIA]: -DDP4A -DTILE_ROWS=2
// gpu-check[on=Intel]: -cl-std=CL3.0 -DKHR -DTILE_ROWS=8
// gpu-check[no-spill]: -DTILE_ROWS=8
// gpu-check[no-spill]: -DTILE_ROWS=2
#include "activation.h"
#ifndef TILE_ROWS
#define TILE_ROWS 8
#endif
#define GROUP 64
#define LOCAL_WORDS 64 // a multiple of 4

static inline int add_dot(uint q, uint w, int sum) {
#if defined(DP4A)
    int more;
    __asm__("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(more) : "r"(q), "r"(w), "r"(sum));
    return more;
#elif defined(KHR)
    return sum + dot_4x8packed_ss_int(q, w);
#else
    const char4 a = as_char4(q);
    const char4 b = as_char4(w);
    return sum + a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
#endif
}

// Words [k, k + LOCAL_WORDS) of the rows from `row` on, as signed bytes; what lies beyond a row is 0.
static inline void stage_rows(
    __local uint *to, __global const uint *x, int M, int x_stride, int row, int k, int words) {
    for (int i = get_local_id(0); i < TILE_ROWS * LOCAL_WORDS; i += GROUP) {
        const int at = k + i % LOCAL_WORDS;
        const size_t from = (size_t)min(row + i / LOCAL_WORDS, M - 1) * x_stride;
        to[i] = at < words ? x[from + QUANTIZED_HEAD + at] ^ 0x80808080u : 0u;
    }
}

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void linear_group_int8(
    __global const uint *restrict x, __global const uint *restrict weight, __global const float *restrict bias,
    __global const float *residual, __global float *out, int M, int N, int K, int row0, int column0, int x_stride,
    int out_stride, int activation, int adds_residual) {
    __local uint4 staged[TILE_ROWS * LOCAL_WORDS / 4];
    const int n = get_global_id(0);
    const int column = min(n, N - 1);
    const int row = row0 + (int)get_group_id(1) * TILE_ROWS;
    const int words = (K + 3) / 4;
    __global const uint *panel = weight + (size_t)(column / PANEL) * (words + 2) * PANEL + column % PANEL;
    __global const uint *w = panel + 2 * PANEL;
    int sum[TILE_ROWS];
#pragma unroll
    for (int i = 0; i < TILE_ROWS; i++) {
        sum[i] = 0;
    }
    for (int k = 0; k < words; k += LOCAL_WORDS) {
        stage_rows((__local uint *)staged, x, M, x_stride, row, k, words);
        barrier(CLK_LOCAL_MEM_FENCE);
        const int here = min(LOCAL_WORDS, words - k);
        for (int j = 0; j < here; j += 4) {
            uint v[4];
#pragma unroll
            for (int h = 0; h < 4; h++) {
                v[h] = w[(size_t)min(k + j + h, words - 1) * PANEL]; // beyond the last it meets a 0
            }
#pragma unroll
            for (int i = 0; i < TILE_ROWS; i++) {
                const uint4 q = staged[(i * LOCAL_WORDS + j) / 4];
                sum[i] = add_dot(q.x, v[0], sum[i]);
                sum[i] = add_dot(q.y, v[1], sum[i]);
                sum[i] = add_dot(q.z, v[2], sum[i]);
                sum[i] = add_dot(q.w, v[3], sum[i]);
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (n >= N) {
        return;
    }
    const float weight_scale = as_float(panel[0]);
    const int weight_sum = as_int(panel[PANEL]);
    const float added = bias[column0 + n];
#pragma unroll
    for (int i = 0; i < TILE_ROWS; i++) {
        const int m = row + i;
        if (m < M) {
            __global const uint *head = x + (size_t)m * x_stride;
            const int exact = sum[i] + (128 - as_int(head[1])) * weight_sum;
            const size_t at = (size_t)m * out_stride + column0 + n;
            float y = activate(activation, as_float(head[0]) * weight_scale * (float)exact + added);
            if (adds_residual) {
                y += residual[at];
            }
            out[at] = y;
        }
    }
}
