// (x − mean)/√(variance + ε) · γ + β, one work-group a row; two passes over the row (E[x²] − mean² loses digits).
// For GPUs: neighbours in a work-group read neighbours in the row, and a row's lanes share their sums by a tree.
// gpu-check[no-spill]:

#define LANES 64

// The sum over the work-group, the same for all its work-items, added in one order.
static inline float sum_of_group(float value, __local float *partial) {
    const int lane = get_local_id(0);
    partial[lane] = value;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int left = LANES / 2; left > 0; left /= 2) {
        if (lane < left) {
            partial[lane] += partial[lane + left];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    const float sum = partial[0];
    barrier(CLK_LOCAL_MEM_FENCE); // before the next sum is written
    return sum;
}

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void layer_norm_group(
    __global const float *x, __global const float *gamma, __global const float *beta, __global float *out, int M, int H,
    float epsilon) {
    __local float partial[LANES];
    const int lane = get_local_id(0);
    __global const float *v = x + (size_t)get_group_id(0) * H;
    __global float *y = out + (size_t)get_group_id(0) * H;

    float sum = 0.0f;
    for (int i = lane; i < H; i += LANES) {
        sum = fma(v[i], 1.0f, sum);
    }
    const float mean = sum_of_group(sum, partial) / H;
    float square = 0.0f;
    for (int i = lane; i < H; i += LANES) {
        const float d = v[i] - mean;
        square = fma(d, d, square);
    }
    const float scale = 1.0f / sqrt(sum_of_group(square, partial) / H + epsilon);
    for (int i = lane; i < H; i += LANES) {
        y[i] = fma((v[i] - mean) * scale, gamma[i], beta[i]);
    }
}
