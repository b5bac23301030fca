// Weight rows [row0, row0 + rows) from row-major [rows][K] into panels [.][K][32], for CPU devices.
// One work-item moves 32 rows by DEPTH columns, in squares of 8 by 8 that it turns in registers. A cache line of a row
// is read once: where rows are a multiple of 4 KiB apart, theirs share the cache's sets and do not stay.
#define DEPTH 64

// Of two pairs of rows: their elements side by side, of each half of four the first two or the last two.
#define FIRST(a, b) (float8)(a.s0, b.s0, a.s1, b.s1, a.s4, b.s4, a.s5, b.s5)
#define LAST(a, b) (float8)(a.s2, b.s2, a.s3, b.s3, a.s6, b.s6, a.s7, b.s7)
#define FIRST_PAIRS(a, b) (float8)(a.s01, b.s01, a.s45, b.s45)
#define LAST_PAIRS(a, b) (float8)(a.s23, b.s23, a.s67, b.s67)

// Element [r][k] of `rows` to [k][r], whose rows are PANEL apart.
static inline void turn8(const float8 rows[8], __global float *to) {
    float8 pairs[8]; // [2i, 2i + 1]: rows 2i and 2i + 1, columns 0 1 4 5 and 2 3 6 7
    float8 fours[8]; // [4i + j]: rows 4i … 4i + 3, columns j and j + 4
    for (int i = 0; i < 4; i++) {
        pairs[2 * i] = FIRST(rows[2 * i], rows[2 * i + 1]);
        pairs[2 * i + 1] = LAST(rows[2 * i], rows[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++) {
        fours[4 * i] = FIRST_PAIRS(pairs[4 * i], pairs[4 * i + 2]);
        fours[4 * i + 1] = LAST_PAIRS(pairs[4 * i], pairs[4 * i + 2]);
        fours[4 * i + 2] = FIRST_PAIRS(pairs[4 * i + 1], pairs[4 * i + 3]);
        fours[4 * i + 3] = LAST_PAIRS(pairs[4 * i + 1], pairs[4 * i + 3]);
    }
    for (int j = 0; j < 4; j++) {
        vstore8((float8)(fours[j].lo, fours[4 + j].lo), 0, to + j * PANEL);
        vstore8((float8)(fours[j].hi, fours[4 + j].hi), 0, to + (j + 4) * PANEL);
    }
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void pack_tile(
    __global const float *restrict source, __global float *restrict packed, int rows, int K, int row0, int levels,
    int limit, int short_words) {
    const int k0 = get_group_id(0) * DEPTH;
    const int r0 = get_group_id(1) * PANEL;
    __global const float *from = source + (size_t)r0 * K + k0;
    if (k0 + DEPTH <= K && r0 + PANEL <= rows && row0 % PANEL == 0) {
        __global float *to = packed + ((size_t)(row0 + r0) * K + (size_t)k0 * PANEL);
        for (int k = 0; k < DEPTH; k += 16) {
            for (int r = 0; r < PANEL; r += 8) {
                float8 left[8];
                float8 right[8];
                for (int i = 0; i < 8; i++) {
                    const float16 line = vload16(0, from + (size_t)(r + i) * K + k);
                    left[i] = line.lo;
                    right[i] = line.hi;
                }
                turn8(left, to + k * PANEL + r);
                turn8(right, to + (k + 8) * PANEL + r);
            }
        }
        return;
    }
    const int columns = min(DEPTH, K - k0);
    for (int r = 0; r < min(PANEL, rows - r0); r++) {
        const int n = row0 + r0 + r;
        __global float *to = packed + ((size_t)(n / PANEL) * K + k0) * PANEL + n % PANEL;
        for (int k = 0; k < columns; k++) {
            to[(size_t)k * PANEL] = from[(size_t)r * K + k];
        }
    }
}
