// Functions of the tile family: 16 floats at once.

// Hides from the compiler where a pointer points. Else it computes each row's address from that of the row before, and
// that chain takes as long as the arithmetic.
#if defined(POCL_DEVICE_ADDRESS_BITS)
#define HIDE(pointer) __asm__ volatile("" : "+r"(pointer))
#else
#define HIDE(pointer)
#endif
#define LOW_ROWS 3 // of a tile, addressed from its first one; the others from the fourth, which is hidden

static inline float sum16(float16 v) {
    float8 a = v.lo + v.hi;
    float4 b = a.lo + a.hi;
    float2 c = b.lo + b.hi;
    return c.x + c.y;
}

// The larger of each pair; fmax costs two instructions more for its care of NaN.
static inline float16 larger16(float16 a, float16 b) {
    return a > b ? a : b;
}

static inline float max16(float16 v) {
    float8 a = v.lo > v.hi ? v.lo : v.hi;
    float4 b = a.lo > a.hi ? a.lo : a.hi;
    float2 c = b.lo > b.hi ? b.lo : b.hi;
    return c.x > c.y ? c.x : c.y;
}

// 2^y for y ≤ 127, relative error below 2.5e-7: 2^n · 2^f with |f| ≤ 1/2 and a polynomial for 2^f of degree 5 that was
// fitted to its largest relative error, 8e-8 before rounding. Below 2^-126 the result stays at about 1e-38.
// Adding ROUND rounds to an integer, which then stands in the lowest bits; rint and a conversion cost some twenty
// instructions in PoCL.
#define ROUND 12582912.0f // 1.5 · 2^23
static inline float16 exp2_16(float16 y) {
    y = larger16(y, (float16)(-126.0f));
    const float16 n = y + ROUND;
    const float16 f = y - (n - ROUND);
    float16 p = fma(f, (float16)(1.32764725e-3f), (float16)(9.67554096e-3f));
    p = fma(f, p, (float16)(5.55071309e-2f));
    p = fma(f, p, (float16)(2.40221202e-1f));
    p = fma(f, p, (float16)(6.93146944e-1f));
    p = fma(f, p, (float16)(1.0f));
    return as_float16(as_int16(p) + (as_int16(n) << 23));
}

// e^x for x ≤ 88, relative error below 2.5e-7 + 8e-8 |x|, as x log2(e) is rounded.
static inline float16 exp16(float16 x) {
    return exp2_16(x * 1.44269504f);
}

// x · Φ(x) = x/2 · (1 + erf(x/√2)), with a rational function for erf(x/√2)/2 on |x| ≤ 5.6 (beyond, it is ±1/2 in
// float32) that was fitted to its largest error: erf is off by less than 6e-7, rounding included.
static inline float16 gelu16(float16 x) {
    float16 c = x > 5.6f ? (float16)(5.6f) : x;
    c = c < -5.6f ? (float16)(-5.6f) : c;
    const float16 t = c * c;
    float16 p = fma(t, (float16)(2.2145555e-8f), (float16)(6.3565240e-6f));
    p = fma(t, p, (float16)(1.73849155e-4f));
    p = fma(t, p, (float16)(4.70724935e-3f));
    p = fma(t, p, (float16)(3.43759470e-2f));
    p = fma(t, p, (float16)(3.98942232e-1f));
    float16 q = fma(t, (float16)(1.18021535e-6f), (float16)(7.51014377e-5f));
    q = fma(t, q, (float16)(1.91296905e-3f));
    q = fma(t, q, (float16)(2.89399959e-2f));
    q = fma(t, q, (float16)(2.52833426e-1f));
    q = fma(t, q, (float16)(1.0f));
    float16 r = c * p / q;
    r = r > 0.5f ? (float16)(0.5f) : r;
    r = r < -0.5f ? (float16)(-0.5f) : r;
    return x * (r + 0.5f);
}

static inline float16 tanh16(float16 x) {
    float16 e = exp16(-2.0f * fabs(x));
    return copysign((1.0f - e) / (1.0f + e), x);
}

// encl_activation, as a launch says.
static inline float16 activate16(int activation, float16 x) {
    switch (activation) {
    case ACTIVATION_GELU:
        return gelu16(x);
    case ACTIVATION_GELU_TANH:
        return 0.5f * x * (1.0f + tanh16(0.79788456f * fma(0.044715f * x * x, x, x)));
    case ACTIVATION_RELU:
        return fmax(x, (float16)(0.0f));
    case ACTIVATION_SILU:
        return x / (1.0f + exp16(fmin(-x, (float16)(88.0f))));
    case ACTIVATION_TANH:
        return tanh16(x);
    default:
        return x;
    }
}
