// Activations of one number (encl_activation). Which one it is comes with a launch: a program for each would take the
// compiler's time over and over.

static inline float activate(int activation, float x) {
    switch (activation) {
    case ACTIVATION_GELU:
        return 0.5f * x * erfc(-0.70710678f * x);
    case ACTIVATION_GELU_TANH:
        return 0.5f * x * (1.0f + tanh(0.79788456f * (x + 0.044715f * x * x * x)));
    case ACTIVATION_RELU:
        return fmax(x, 0.0f);
    case ACTIVATION_SILU:
        return x / (1.0f + exp(-x));
    case ACTIVATION_TANH:
        return tanh(x);
    default:
        return x;
    }
}
