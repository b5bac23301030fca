// word[ids] + position[positions] + type[types], then LayerNorm; one work-item a token.
// The word table may lie in up to four buffers of `part_rows` rows each.
// gpu-check:

__kernel void embed_plain(
    __global const float *word0, __global const float *word1, __global const float *word2, __global const float *word3,
    __global const float *position, __global const float *type, __global const float *gamma, __global const float *beta,
    __global const int *ids, __global const int *types, __global const int *positions, __global float *out, int M,
    int H, int part_rows, float epsilon) {
    const int m = get_global_id(0);
    if (m >= M) {
        return;
    }
    const int id = ids[m];
    const int part = id / part_rows;
    __global const float *word = part == 0 ? word0 : part == 1 ? word1 : part == 2 ? word2 : word3;
    __global const float *w = word + (size_t)(id - part * part_rows) * H;
    __global const float *p = position + (size_t)positions[m] * H;
    __global const float *t = type + (size_t)types[m] * H;
    __global float *y = out + (size_t)m * H;

    float sum = 0.0f;
    for (int i = 0; i < H; i++) {
        const float v = w[i] + t[i] + p[i];
        y[i] = v;
        sum = fma(v, 1.0f, sum);
    }
    const float mean = sum / H;
    float square = 0.0f;
    for (int i = 0; i < H; i++) {
        const float d = y[i] - mean;
        square = fma(d, d, square);
    }
    const float scale = 1.0f / sqrt(square / H + epsilon);
    for (int i = 0; i < H; i++) {
        y[i] = fma((y[i] - mean) * scale, gamma[i], beta[i]);
    }
}
