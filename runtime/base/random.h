// Seeded numbers that are the same on every machine: SplitMix64 (Steele, Lea & Flood 2014). For tests, self-checks and
// models without weights; not for secrets.
#ifndef ENCL_BASE_RANDOM_H
#define ENCL_BASE_RANDOM_H

#include <stdint.h>

#define ENCL_RANDOM_STEP 0x9e3779b97f4a7c15u

// Number `index` of the sequence that `seed` begins, without making those before it.
static inline uint64_t encl_random_at(uint64_t seed, uint64_t index) {
    uint64_t z = seed + index * ENCL_RANDOM_STEP;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// The next number; the state is the seed at first.
static inline uint64_t encl_random_next(uint64_t *state) {
    *state += ENCL_RANDOM_STEP;
    return encl_random_at(*state, 0);
}

// 64 random bits as a float in [−1, 1).
static inline float encl_random_float(uint64_t bits) {
    return (float)(bits >> 40) * 0x1p-23f - 1.0f;
}

#endif
