// softmax(q·kᵀ·scale)·v within a sequence; one work-item a (query row, head), keys and values as rows.
// Online softmax (Milakov & Gimelshein 2018): the sums are rescaled whenever a higher score comes.
// The work list holds blocks of one query row. Grid: (rows, heads).
//
// A head is read in the widest vectors that divide it. That is also what keeps llvmpipe right on long sequences: it
// ends the loops of a work-item for good after 65,535 turns in all.
// gpu-check: -DHEAD_SIZE=64
// gpu-check: -DHEAD_SIZE=32

#if HEAD_SIZE % 16 == 0
#define WIDTH 16
typedef float16 floats;
#define LOAD(i, p) vload16(i, p)
#define STORE(v, i, p) vstore16(v, i, p)
#elif HEAD_SIZE % 4 == 0
#define WIDTH 4
typedef float4 floats;
#define LOAD(i, p) vload4(i, p)
#define STORE(v, i, p) vstore4(v, i, p)
#elif HEAD_SIZE % 2 == 0
#define WIDTH 2
typedef float2 floats;
#define LOAD(i, p) vload2(i, p)
#define STORE(v, i, p) vstore2(v, i, p)
#else
#define WIDTH 1
typedef float floats;
#define LOAD(i, p) ((p)[i])
#define STORE(v, i, p) ((p)[i] = (v))
#endif
#define VECTORS (HEAD_SIZE / WIDTH)

static inline float add_lanes(floats v) {
#if WIDTH == 16
    const float8 a = v.lo + v.hi;
    const float4 b = a.lo + a.hi;
    return (b.x + b.y) + (b.z + b.w);
#elif WIDTH == 4
    return (v.x + v.y) + (v.z + v.w);
#elif WIDTH == 2
    return v.x + v.y;
#else
    return v;
#endif
}

__kernel void attention_plain(
    __global const float *q, __global const float *keys, __global const float *kv, __global const attention_block *list,
    __global float *out, int count, int heads, int q_stride, int kv_stride, int key_column, int value_column,
    int out_stride, float scale) {
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

    floats sum[VECTORS];
    for (int d = 0; d < VECTORS; d++) {
        sum[d] = (floats)(0.0f);
    }
    float highest = -3.0e38f;
    float total = 0.0f;
    for (int k = 0; k < block.keys; k++) {
        floats product = (floats)(0.0f);
        for (int d = 0; d < VECTORS; d++) {
            product = fma(LOAD(d, query), LOAD(d, key), product);
        }
        const float score = add_lanes(product) * scale;
        const float m = fmax(highest, score);
        const float rescale = exp(highest - m);
        const float p = exp(score - m);
        highest = m;
        total = fma(total, rescale, p);
        for (int d = 0; d < VECTORS; d++) {
            sum[d] = fma(sum[d], (floats)(rescale), p * LOAD(d, value));
        }
        key += kv_stride;
        value += kv_stride;
    }
    for (int d = 0; d < VECTORS; d++) {
        STORE(sum[d] / total, d, y);
    }
}
