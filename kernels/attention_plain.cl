// softmax(q·kᵀ·scale)·v within a sequence; one work-item a (query row, head), keys and values as rows.
// Online softmax (Milakov & Gimelshein 2018): the output is rescaled whenever a higher score comes.
// The work list holds blocks of one query row. Grid: (rows, heads).
// gpu-check: -DHEAD_SIZE=64
// gpu-check: -DHEAD_SIZE=32

__kernel void attention_plain(__global const float *q, __global const float *keys, __global const float *kv,
                              __global const attention_block *list, __global float *out, int count, int heads,
                              int q_stride, int kv_stride, int key_column, int value_column, int out_stride,
                              float scale) {
    const int item = get_global_id(0);
    const int head = get_global_id(1);
    if (item >= count || head >= heads) {
        return;
    }
    const attention_block block = list[item];
    __global const float *query = q + (size_t)block.first_query * q_stride + head * HEAD_SIZE;
    __global const float *key = keys + (size_t)block.first_key * kv_stride + key_column + head * HEAD_SIZE;
    __global const float *value = kv + (size_t)block.first_key * kv_stride + value_column + head * HEAD_SIZE;
    __global float *y = out + (size_t)block.first_query * out_stride + head * HEAD_SIZE;

    float sum[HEAD_SIZE];
    for (int d = 0; d < HEAD_SIZE; d++) {
        sum[d] = 0.0f;
    }
    float highest = -3.0e38f;
    float total = 0.0f;
    for (int k = 0; k < block.keys; k++) {
        float s = 0.0f;
        for (int d = 0; d < HEAD_SIZE; d++) {
            s = fma(query[d], key[(size_t)k * kv_stride + d], s);
        }
        s *= scale;
        const float m = fmax(highest, s);
        const float rescale = exp(highest - m);
        const float p = exp(s - m);
        highest = m;
        total = fma(total, rescale, p);
        for (int d = 0; d < HEAD_SIZE; d++) {
            sum[d] = fma(sum[d], rescale, p * value[(size_t)k * kv_stride + d]);
        }
    }
    for (int d = 0; d < HEAD_SIZE; d++) {
        y[d] = sum[d] / total;
    }
}
