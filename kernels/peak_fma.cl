// Chains of fused multiply-adds in registers: how many of them does the device make in a second?
// Every work-item keeps CHAINS vectors of WIDTH elements that do not depend on each other. A step is v = v · x + y; x
// and y are 1, which the compiler does not know, so that a lane that begins at b holds b + steps in the end: exactly,
// as long as a half (up to 2048) or a float (up to 2^24) counts by ones.
// in: [18] the lanes' first values, then x and y. out: [items][WIDTH] sums over the chains. Grid: (items).
// gpu-check[no-spill]: -DELEMENT=float -DWIDTH=1 -DCHAINS=16
// gpu-check[no-spill]: -DELEMENT=float -DWIDTH=2 -DCHAINS=8
// gpu-check[no-spill]: -DELEMENT=float -DWIDTH=4 -DCHAINS=4
#ifndef ELEMENT
#define ELEMENT float
#endif
#ifndef WIDTH
#define WIDTH 4
#endif
#ifndef CHAINS
#define CHAINS 4
#endif
#ifdef cl_khr_fp16
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
#endif

#define JOIN_TEXT(a, b) a##b
#define JOIN(a, b) JOIN_TEXT(a, b)
#if WIDTH == 1
#define VECTOR ELEMENT
#define FLOATS float
#define LOAD(at) (*(at))
#define STORE(v, i, at) (at)[i] = (v)
#else
#define VECTOR JOIN(ELEMENT, WIDTH)
#define FLOATS JOIN(float, WIDTH)
#define LOAD(at) JOIN(vload, WIDTH)(0, at)
#define STORE(v, i, at) JOIN(vstore, WIDTH)(v, i, at)
#endif

__kernel void peak_fma(__global const float *in, __global float *out, int steps) {
    const VECTOR x = (VECTOR)((ELEMENT)in[16]);
    const VECTOR y = (VECTOR)((ELEMENT)in[17]);
    VECTOR v[CHAINS];
#pragma unroll
    for (int i = 0; i < CHAINS; i++) {
        v[i] = JOIN(convert_, VECTOR)(LOAD(in) + (FLOATS)((float)i));
    }
#pragma unroll 1
    for (int step = 0; step < steps; step += 4) {
#pragma unroll
        for (int j = 0; j < 4 * CHAINS; j++) {
            v[j % CHAINS] = fma(v[j % CHAINS], x, y);
        }
    }
    FLOATS sum = (FLOATS)(0.0f);
#pragma unroll
    for (int i = 0; i < CHAINS; i++) {
        sum += JOIN(convert_, FLOATS)(v[i]);
    }
    STORE(sum, get_global_id(0), out);
}
