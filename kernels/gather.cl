// out[m] = x[rows[m]]. Grid: (columns, rows).
// gpu-check:

__kernel void gather(__global const float *x, __global const int *rows, __global float *out, int M, int H) {
    const int h = get_global_id(0);
    const int m = get_global_id(1);
    if (h < H && m < M) {
        out[(size_t)m * H + h] = x[(size_t)rows[m] * H + h];
    }
}
