// Reading, writing and copying memory, over and over: how much of it does the device move in a second?
//
// The buffer is cut into regions, a region into chunks of EACH vectors for every work-item of a group. The groups of a
// region share its chunks: group g begins at chunk g · hop and makes `passes` visits, `step` chunks apart, around and
// around. The host chooses hop and step so that all groups together have been everywhere before anybody comes back:
// what is measured is then the level of memory that holds the whole buffer, however often it is gone over.
//     CPU: a region for every processor; hop = passes, step = 1: a group goes on where the one before it ended
//     GPU: one region; hop = 1, step = groups: all of them sweep over the buffer side by side
// Two groups may write the same vector; they write the same value.
// All vectors that a work-item writes into a chunk hold tag + the place of the first of them in every lane, and sums
// wrap around, so that every result is known.
// gpu-check[no-spill]: -DWIDTH=4 -DEACH=4 -DLOCAL=256
#ifndef WIDTH
#define WIDTH 4
#endif
#ifndef EACH
#define EACH 4
#endif
#ifndef LOCAL // work-items of a group; known here, so that addresses cost nothing
#define LOCAL 64
#endif
#define JOIN_TEXT(a, b) a##b
#define JOIN(a, b) JOIN_TEXT(a, b)
#define VECTOR JOIN(uint, WIDTH)

// The chunk's first vector for this work-item. `groups` are those of a region.
static inline uint chunk_of(uint chunks, uint groups, uint hop) {
    return (uint)((ulong)(get_group_id(0) % groups) * hop % chunks);
}

static inline uint next_chunk(uint chunk, uint chunks, uint step) {
    const uint next = chunk + step;
    return next >= chunks ? next - chunks : next;
}

static inline uint vector_of(uint chunk, uint chunks, uint groups) {
    const uint before = (uint)(get_group_id(0) / groups) * chunks + chunk;
    return before * (LOCAL * EACH) + (uint)get_local_id(0);
}

// out: [items][WIDTH] sums over all that was read.
__kernel void peak_read(
    __global const VECTOR *restrict x, __global VECTOR *restrict out, uint chunks, uint groups, uint passes, uint hop,
    uint step) {
    uint chunk = chunk_of(chunks, groups, hop);
    VECTOR sum[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
        sum[i] = (VECTOR)(0);
    }
    for (uint pass = 0; pass < passes; pass++) {
        __global const VECTOR *from = x + vector_of(chunk, chunks, groups);
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            sum[i % 4] += from[i * LOCAL];
        }
        chunk = next_chunk(chunk, chunks, step);
    }
    out[get_global_id(0)] = sum[0] + sum[1] + sum[2] + sum[3];
}

__kernel void peak_write(
    __global VECTOR *restrict x, uint chunks, uint groups, uint passes, uint hop, uint step, uint tag) {
    uint chunk = chunk_of(chunks, groups, hop);
    for (uint pass = 0; pass < passes; pass++) {
        const uint at = vector_of(chunk, chunks, groups);
        __global VECTOR *to = x + at;
        const VECTOR value = (VECTOR)(tag + at);
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            to[i * LOCAL] = value;
        }
        chunk = next_chunk(chunk, chunks, step);
    }
}

// From one half of the buffer to the other, `shift` vectors further on.
__kernel void peak_copy(__global VECTOR *x, uint chunks, uint groups, uint passes, uint hop, uint step, uint shift) {
    uint chunk = chunk_of(chunks, groups, hop);
    for (uint pass = 0; pass < passes; pass++) {
        __global VECTOR *from = x + vector_of(chunk, chunks, groups);
        __global VECTOR *to = from + shift;
        VECTOR v[EACH];
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            v[i] = from[i * LOCAL];
        }
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            to[i * LOCAL] = v[i];
        }
        chunk = next_chunk(chunk, chunks, step);
    }
}
