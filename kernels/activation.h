// One activation at a time (ACTIVATION is encl_activation).

static inline float activate(float x) {
#if ACTIVATION == ACTIVATION_GELU
    return 0.5f * x * erfc(-0.70710678f * x);
#elif ACTIVATION == ACTIVATION_GELU_TANH
    return 0.5f * x * (1.0f + tanh(0.79788456f * (x + 0.044715f * x * x * x)));
#elif ACTIVATION == ACTIVATION_RELU
    return fmax(x, 0.0f);
#elif ACTIVATION == ACTIVATION_SILU
    return x / (1.0f + exp(-x));
#elif ACTIVATION == ACTIVATION_TANH
    return tanh(x);
#else
    return x;
#endif
}
