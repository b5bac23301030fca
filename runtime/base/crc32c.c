// Eight bytes a step through eight tables (Kounavis & Berry 2005, "slicing-by-8"): about a processor's cycle a byte,
// on any processor.
#include "runtime/base/crc32c.h"

#include <pthread.h>
#include <string.h>

enum { SLICES = 8 };

// tables[n][b]: the checksum's change by byte b that n bytes of the step follow.
static uint32_t tables[SLICES][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void make_tables(void) {
    const uint32_t polynomial = 0x82f63b78; // 0x1edc6f41, bits reversed
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++) {
            value = value >> 1 ^ (polynomial & (0u - (value & 1)));
        }
        tables[0][i] = value;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (int n = 1; n < SLICES; n++) {
            const uint32_t before = tables[n - 1][i];
            tables[n][i] = before >> 8 ^ tables[0][before & 0xff];
        }
    }
}

uint32_t encl_crc32c(const void *bytes, size_t length) {
    const uint8_t *at = bytes;
    uint32_t value = 0xffffffff;
    pthread_once(&tables_once, make_tables);
    for (; length >= SLICES; length -= SLICES, at += SLICES) {
        uint64_t step;
        memcpy(&step, at, sizeof step); // little-endian, as every host that this builds for
        step ^= value;
        value = tables[7][step & 0xff] ^ tables[6][step >> 8 & 0xff] ^ tables[5][step >> 16 & 0xff] ^
                tables[4][step >> 24 & 0xff] ^ tables[3][step >> 32 & 0xff] ^ tables[2][step >> 40 & 0xff] ^
                tables[1][step >> 48 & 0xff] ^ tables[0][step >> 56];
    }
    for (; length > 0; length--, at++) {
        value = value >> 8 ^ tables[0][(value ^ *at) & 0xff];
    }
    return ~value;
}
