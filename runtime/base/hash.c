// SHA-256 as FIPS 180-4 gives it: section 4.1.2 (functions), 4.2.2 (constants), 5.1.1 (padding), 6.2 (computation).
#include "runtime/base/hash.h"

#include <string.h>

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, unsigned bits) {
    return x >> bits | x << (32 - bits);
}

static void compress(uint32_t state[8], const uint8_t block[64]) {
    uint32_t schedule[64];
    for (size_t t = 0; t < 16; t++) {
        schedule[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 |
                      (uint32_t)block[4 * t + 2] << 8 | (uint32_t)block[4 * t + 3];
    }
    for (size_t t = 16; t < 64; t++) {
        const uint32_t early = schedule[t - 15];
        const uint32_t late = schedule[t - 2];
        schedule[t] = (rotate(late, 17) ^ rotate(late, 19) ^ late >> 10) + schedule[t - 7] +
                      (rotate(early, 7) ^ rotate(early, 18) ^ early >> 3) + schedule[t - 16];
    }

    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (size_t t = 0; t < 64; t++) {
        const uint32_t choice = (e & f) ^ (~e & g);
        const uint32_t majority = (a & b) ^ (a & c) ^ (b & c);
        const uint32_t first =
            h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + choice + round_constants[t] + schedule[t];
        const uint32_t second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + majority;
        h = g;
        g = f;
        f = e;
        e = d + first;
        d = c;
        c = b;
        b = a;
        a = first + second;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

void encl_hash_start(encl_hash *hash) {
    *hash = (encl_hash){
        .state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void encl_hash_add(encl_hash *hash, const void *bytes, size_t length) {
    const uint8_t *next = bytes;
    size_t used = (size_t)(hash->length % sizeof hash->block);
    hash->length += length;

    if (used > 0) {
        const size_t room = sizeof hash->block - used;
        const size_t taken = length < room ? length : room;
        if (taken == 0) {
            return;
        }
        memcpy(hash->block + used, next, taken);
        next += taken;
        length -= taken;
        if (used + taken < sizeof hash->block) {
            return;
        }
        compress(hash->state, hash->block);
    }
    while (length >= sizeof hash->block) {
        compress(hash->state, next);
        next += sizeof hash->block;
        length -= sizeof hash->block;
    }
    if (length > 0) {
        memcpy(hash->block, next, length);
    }
}

void encl_hash_add_text(encl_hash *hash, const char *text) {
    if (text == NULL) {
        text = "";
    }
    encl_hash_add(hash, text, strlen(text) + 1);
}

void encl_hash_finish(encl_hash *hash, char text[ENCL_HASH_TEXT]) {
    // A one bit, zeros up to 8 bytes before a block's end, then the message's length in bits.
    const uint64_t bits = hash->length * 8;
    const size_t used = (size_t)(hash->length % sizeof hash->block);
    uint8_t padding[72] = {0x80};
    const size_t zeros_end = (used < 56 ? 56 : 120) - used;
    for (size_t i = 0; i < 8; i++) {
        padding[zeros_end + i] = (uint8_t)(bits >> (56 - 8 * i));
    }
    encl_hash_add(hash, padding, zeros_end + 8);

    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < ENCL_HASH_BYTES; i++) {
        const uint32_t byte = hash->state[i / 4] >> (24 - 8 * (i % 4)) & 0xff;
        text[2 * i] = digits[byte >> 4];
        text[2 * i + 1] = digits[byte & 15];
    }
    text[ENCL_HASH_TEXT - 1] = '\0';
}
