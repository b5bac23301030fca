// Chains of short dot products in registers: four products of 8-bit integers, or two of bf16, and their sum, in one
// instruction. Five ways (DOT) to say it:
//   1  cl_khr_integer_dot_product: v = dot(v, x) + y on the four bytes of v. With x = (1, 0, 0, 0) and y = 1 the lowest
//      byte counts; v is that byte, signed, before the last step, plus 1.
//   2  vpdpbusd on 512 bits (AVX512-VNNI), 3 the same on 256 bits (AVX-VNNI): v = v + dot(x, y)
//   4  vdpbf16ps on 512 bits (AVX512-BF16): v = v + dot(x, y)
//   5  dp4a of NVIDIA's GPUs: v = v + dot(x, y)
// The last four are assembly, which PoCL and NVIDIA's driver take; the host looks at what the device has before it
// builds them.
// in: [18] the lanes' first values, then x and y. out: [items][WIDTH] sums over the chains. Grid: (items).
// `values` are int, or float for bf16.
// gpu-check[no-spill, on=NVIDIA]: -DDOT=5 -DCHAINS=16
#ifndef DOT
#define DOT 1
#endif
#ifndef CHAINS
#define CHAINS 8
#endif

#if DOT == 1
#ifdef cl_khr_integer_dot_product
#pragma OPENCL EXTENSION cl_khr_integer_dot_product : enable
#endif
#define VALUE int
#define VECTOR int
#define BYTES uint
#define STEP(v) v = dot_4x8packed_ss_int(as_uint(v), x) + as_int(y)
#define LOAD(at) (*(at))
#define STORE(v, i, at) (at)[i] = (v)
#elif DOT == 2
#define VALUE int
#define VECTOR int16
#define BYTES uint16
#define STEP(v) __asm__("vpdpbusd %2, %1, %0" : "+v"(v) : "v"(x), "v"(y))
#define LOAD(at) vload16(0, at)
#define STORE(v, i, at) vstore16(v, i, at)
#elif DOT == 3
#define VALUE int
#define VECTOR int8
#define BYTES uint8
#define STEP(v) __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(v) : "x"(x), "x"(y))
#define LOAD(at) vload8(0, at)
#define STORE(v, i, at) vstore8(v, i, at)
#elif DOT == 5
#define VALUE int
#define VECTOR int
#define BYTES uint
#define STEP(v) __asm__ volatile("dp4a.s32.s32 %0, %1, %2, %0;" : "+r"(v) : "r"(x), "r"(y))
#define LOAD(at) (*(at))
#define STORE(v, i, at) (at)[i] = (v)
#else
#define VALUE float
#define VECTOR float16
#define BYTES uint16
#define STEP(v) __asm__("vdpbf16ps %2, %1, %0" : "+v"(v) : "v"(x), "v"(y))
#define LOAD(at) vload16(0, at)
#define STORE(v, i, at) vstore16(v, i, at)
#endif

__kernel void peak_dot(__global const VALUE *in, __global VALUE *out, int steps) {
    const BYTES x = (BYTES)(((__global const uint *)in)[16]);
    const BYTES y = (BYTES)(((__global const uint *)in)[17]);
    VECTOR v[CHAINS];
#pragma unroll
    for (int i = 0; i < CHAINS; i++) {
        v[i] = LOAD(in) + (VECTOR)((VALUE)i);
    }
#pragma unroll 1
    for (int step = 0; step < steps; step += 4) {
#pragma unroll
        for (int j = 0; j < 4 * CHAINS; j++) {
            STEP(v[j % CHAINS]);
        }
    }
    VECTOR sum = (VECTOR)((VALUE)0);
#pragma unroll
    for (int i = 0; i < CHAINS; i++) {
        sum += v[i];
    }
    STORE(sum, get_global_id(0), out);
}
