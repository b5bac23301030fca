// What packing into panels of int8 (prelude.h) shares, however a row's scale is found.

// Every lane gets the sum over the lanes that its weight meets in a sum of 16 bits.
static inline float16 group_sums(float16 v, int short_words) {
    float16 sum = v + v.s1032547698badcfe;
    if (short_words >= 2) {
        sum += sum.s45670123cdef89ab;
    }
    return short_words >= 4 ? sum + sum.s89abcdef01234567 : sum;
}

// Where row n of a weight begins among the panels.
static inline __global uint *row_in_panels(__global uint *packed, int n, int K) {
    const int words = (K + 3) / 4;
    return packed + (size_t)(n / PANEL) * (words + 2) * PANEL + n % PANEL;
}

// Writes 16 integers of a row, from column k on, those beyond K left out.
static inline void write_integers(__global uint *to, float16 integers, int k, int K) {
    uint four[4];
    vstore4(as_uint4(convert_char16(integers)), 0, four);
    for (int i = 0; i < min(4, (K + 3) / 4 - k / 4); i++) {
        to[(size_t)(2 + k / 4 + i) * PANEL] = four[i];
    }
}

// And what stands before them: the scale and their sum.
static inline void write_row_head(__global uint *to, float scale, float sum) {
    to[0] = as_uint(scale);
    to[PANEL] = as_uint((int)sum);
}
