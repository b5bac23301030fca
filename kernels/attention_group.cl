// softmax(q·kᵀ·scale)·v within a sequence; one work-item a query row, one work-group a block of them and a head, keys
// and values as rows, of which the work-group reads a tile at a time into local memory.
// Online softmax (Milakov & Gimelshein 2018): the sums are rescaled once every STEP keys.
// The work list holds blocks of up to QUERIES rows. Grid: (blocks, heads). For GPUs, HEAD_SIZE % 4 = 0.
// Loops over a head are unrolled, which keeps it in registers; with those over STEP, AMD's compiler spills.
// gpu-check: -DQUERIES=64 -DHEAD_SIZE=64
// gpu-check: -DQUERIES=64 -DHEAD_SIZE=32

#define VECTORS (HEAD_SIZE / 4)
#define TILE 32
#define STEP 4
#define NONE -3.0e38f // finite: some drivers compute as if there were no infinities

static inline float dot_head(const float4 *query, __local const float4 *key) {
    float4 sum = (float4)(0.0f);
#pragma unroll
    for (int d = 0; d < VECTORS; d++) {
        sum = fma(query[d], key[d], sum);
    }
    return (sum.x + sum.y) + (sum.z + sum.w);
}

__kernel __attribute__((reqd_work_group_size(QUERIES, 1, 1))) void attention_group(
    __global const float *q, __global const float *keys, __global const float *kv, __global const attention_block *list,
    __global float *out, int count, int heads, int q_stride, int kv_stride, int key_column, int value_column,
    int out_stride, float scale) {
    __local float4 tile[2 * TILE * VECTORS]; // keys, then values: one array, because Intel's compiler mixes up several
    __local float4 *values = tile + TILE * VECTORS;
    const int lane = get_local_id(0);
    const int head = get_group_id(1);
    const attention_block block = list[get_group_id(0)];
    const int row = min(lane, block.queries - 1); // lanes beyond the block work along, for the barriers
    __global const float *query_row = q + (size_t)(block.first_query + row) * q_stride + head * HEAD_SIZE;
    __global const float *key = keys + (size_t)block.first_key * kv_stride + key_column + head * HEAD_SIZE;
    __global const float *value = kv + (size_t)block.first_key * kv_stride + value_column + head * HEAD_SIZE;

    float4 query[VECTORS];
    float4 sum[VECTORS];
#pragma unroll
    for (int d = 0; d < VECTORS; d++) {
        query[d] = vload4(d, query_row);
        sum[d] = (float4)(0.0f);
    }
    float highest = NONE;
    float total = 0.0f;
    for (int first = 0; first < block.keys; first += TILE) {
        barrier(CLK_LOCAL_MEM_FENCE); // the tile before is used up
        for (int i = lane; i < TILE * VECTORS; i += QUERIES) {
            const size_t at = (size_t)min(first + i / VECTORS, block.keys - 1) * kv_stride;
            tile[i] = vload4(i % VECTORS, key + at);
            values[i] = vload4(i % VECTORS, value + at);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        const int left = min(TILE, block.keys - first);
        for (int k = 0; k < left; k += STEP) {
            float score[STEP];
            float most = highest;
            for (int i = 0; i < STEP; i++) {
                score[i] = k + i < left ? dot_head(query, tile + (k + i) * VECTORS) * scale : NONE;
                most = fmax(most, score[i]);
            }
            const float rescale = exp(highest - most);
            highest = most;
            total *= rescale;
#pragma unroll
            for (int d = 0; d < VECTORS; d++) {
                sum[d] *= rescale;
            }
            for (int i = 0; i < STEP; i++) {
                const float p = k + i < left ? exp(score[i] - most) : 0.0f;
                total = fma(p, 1.0f, total);
#pragma unroll
                for (int d = 0; d < VECTORS; d++) {
                    sum[d] = fma((float4)(p), values[(k + i) * VECTORS + d], sum[d]);
                }
            }
        }
    }
    if (lane < block.queries) {
        __global float *y = out + (size_t)(block.first_query + row) * out_stride + head * HEAD_SIZE;
#pragma unroll
        for (int d = 0; d < VECTORS; d++) {
            vstore4(sum[d] / total, d, y);
        }
    }
}
