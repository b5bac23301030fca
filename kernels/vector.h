// Functions of the tile family: 16 floats at once.

static inline float sum16(float16 v) {
    float8 a = v.lo + v.hi;
    float4 b = a.lo + a.hi;
    float2 c = b.lo + b.hi;
    return c.x + c.y;
}

static inline float max16(float16 v) {
    float8 a = fmax(v.lo, v.hi);
    float4 b = fmax(a.lo, a.hi);
    float2 c = fmax(b.lo, b.hi);
    return fmax(c.x, c.y);
}

// e^x for x ≤ 88, relative error below 3e-7: 2^n · 2^f with |f| ≤ 1/2 and the Taylor series of 2^f to degree 6.
// Below 2^-126 the result stays at about 1e-38.
static inline float16 exp16(float16 x) {
    float16 y = fmax(x * 1.44269504f, (float16)(-126.0f));
    float16 n = rint(y);
    float16 f = y - n;
    float16 p = fma(f, (float16)(1.540353e-4f), (float16)(1.33335581e-3f));
    p = fma(f, p, (float16)(9.61812911e-3f));
    p = fma(f, p, (float16)(5.55041087e-2f));
    p = fma(f, p, (float16)(2.40226507e-1f));
    p = fma(f, p, (float16)(6.93147181e-1f));
    p = fma(f, p, (float16)(1.0f));
    return as_float16(as_int16(p) + (convert_int16(n) << 23));
}

// x/2 · (1 + erf(x/√2)); erf by Abramowitz & Stegun 7.1.26, error below 6e-7. With z = |x|/√2 and
// q = (a1 t + … + a5 t⁵) e^(−z²), the result is x − x q/2 for x ≥ 0 and x q/2 below: no cancellation.
static inline float16 gelu16(float16 x) {
    float16 z = fabs(x) * 0.70710678f;
    float16 t = 1.0f / fma(z, (float16)(0.3275911f), (float16)(1.0f));
    float16 p = fma(t, (float16)(1.061405429f), (float16)(-1.453152027f));
    p = fma(t, p, (float16)(1.421413741f));
    p = fma(t, p, (float16)(-0.284496736f));
    p = fma(t, p, (float16)(0.254829592f));
    float16 tail = 0.5f * x * (t * p * exp16(-z * z));
    return x < 0.0f ? tail : x - tail;
}

static inline float16 tanh16(float16 x) {
    float16 e = exp16(-2.0f * fabs(x));
    return copysign((1.0f - e) / (1.0f + e), x);
}

static inline float16 activate16(float16 x) {
#if ACTIVATION == ACTIVATION_GELU
    return gelu16(x);
#elif ACTIVATION == ACTIVATION_GELU_TANH
    float16 u = 0.79788456f * fma(0.044715f * x * x, x, x);
    return 0.5f * x * (1.0f + tanh16(u));
#elif ACTIVATION == ACTIVATION_RELU
    return fmax(x, (float16)(0.0f));
#elif ACTIVATION == ACTIVATION_SILU
    return x / (1.0f + exp16(fmin(-x, (float16)(88.0f))));
#elif ACTIVATION == ACTIVATION_TANH
    return tanh16(x);
#else
    return x;
#endif
}
