// Eight bytes a step through eight tables (Kounavis & Berry 2005, "slicing-by-8"): about a processor's cycle a byte,
// on any processor.
#include "runtime/base/crc32.h"

#include <pthread.h>
#include <string.h>

enum { SLICES = 8 };

// slices[n][b]: the checksum's change by byte b that n bytes of the step follow.
typedef struct tables {
    uint32_t slices[SLICES][256];
} tables;

static tables castagnoli;
static tables iso;
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void make(uint32_t polynomial, tables *made) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++) {
            value = value >> 1 ^ (polynomial & (0u - (value & 1)));
        }
        made->slices[0][i] = value;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (int n = 1; n < SLICES; n++) {
            const uint32_t before = made->slices[n - 1][i];
            made->slices[n][i] = before >> 8 ^ made->slices[0][before & 0xff];
        }
    }
}

// Polynomials with their bits reversed.
static void make_tables(void) {
    make(0x82f63b78, &castagnoli); // 0x1edc6f41
    make(0xedb88320, &iso);        // 0x04c11db7
}

static uint32_t add(const tables *by, uint32_t value, const void *bytes, size_t length) {
    const uint8_t *at = bytes;
    const uint32_t(*slices)[256] = by->slices;
    pthread_once(&tables_once, make_tables);
    for (; length >= SLICES; length -= SLICES, at += SLICES) {
        uint64_t step;
        memcpy(&step, at, sizeof step); // little-endian, as every host that this builds for
        step ^= value;
        value = slices[7][step & 0xff] ^ slices[6][step >> 8 & 0xff] ^ slices[5][step >> 16 & 0xff] ^
                slices[4][step >> 24 & 0xff] ^ slices[3][step >> 32 & 0xff] ^ slices[2][step >> 40 & 0xff] ^
                slices[1][step >> 48 & 0xff] ^ slices[0][step >> 56];
    }
    for (; length > 0; length--, at++) {
        value = value >> 8 ^ slices[0][(value ^ *at) & 0xff];
    }
    return value;
}

uint32_t encl_crc32c(const void *bytes, size_t length) {
    return ~add(&castagnoli, 0xffffffff, bytes, length);
}

uint32_t encl_crc32(uint32_t before, const void *bytes, size_t length) {
    return ~add(&iso, ~before, bytes, length);
}
