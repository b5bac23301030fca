// out[m] = x[m] / max(‖x[m]‖₂, 1e-12), one work-item a row.
// gpu-check:

__kernel void normalize_rows(__global const float *x, __global float *out, int M, int H) {
    const int m = get_global_id(0);
    if (m >= M) {
        return;
    }
    __global const float *v = x + (size_t)m * H;
    float square = 0.0f;
    for (int i = 0; i < H; i++) {
        square = fma(v[i], v[i], square);
    }
    const float scale = 1.0f / fmax(sqrt(square), 1.0e-12f);
    for (int i = 0; i < H; i++) {
        out[(size_t)m * H + i] = v[i] * scale;
    }
}
