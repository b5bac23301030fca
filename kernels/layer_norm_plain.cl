// (x − mean)/√(variance + ε) · γ + β, one work-item a row.
// gpu-check:

__kernel void layer_norm_plain(
    __global const float *x, __global const float *gamma, __global const float *beta, __global float *out, int M, int H,
    float epsilon) {
    const int m = get_global_id(0);
    if (m >= M) {
        return;
    }
    __global const float *v = x + (size_t)m * H;
    __global float *y = out + (size_t)m * H;

    float sum = 0.0f;
    for (int i = 0; i < H; i++) {
        sum = fma(v[i], 1.0f, sum);
    }
    const float mean = sum / H;
    float square = 0.0f;
    for (int i = 0; i < H; i++) {
        const float d = v[i] - mean;
        square = fma(d, d, square);
    }
    const float scale = 1.0f / sqrt(square / H + epsilon);
    for (int i = 0; i < H; i++) {
        y[i] = fma((v[i] - mean) * scale, gamma[i], beta[i]);
    }
}
