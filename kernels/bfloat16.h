// Rounds to the nearest bfloat16, ties to even. A NaN stays one.
static inline ushort to_bfloat16(float value) {
    const uint bits = as_uint(value);
    const uint rounded = bits + 0x7fffu + (bits >> 16 & 1u);
    return (ushort)((isnan(value) ? bits | 0x400000u : rounded) >> 16);
}
