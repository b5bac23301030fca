// The 32 bits of a float (IEEE 754: sign, 8 of exponent, 23 of fraction), and back.
#ifndef ENCL_BASE_FLOAT_BITS_H
#define ENCL_BASE_FLOAT_BITS_H

#include <stdint.h>
#include <string.h>

static inline uint32_t encl_float_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float encl_float_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
