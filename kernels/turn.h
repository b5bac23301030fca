// Squares of 8 by 8, turned in registers.

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
