// The end of a tile of TILE_ROWS × TILE_COLUMNS sums: out = activation(tile + bias) + residual, for its first `rows`
// rows and `columns` columns. It works on memory, row by row: unrolled over registers it would be most of a kernel's
// code. Bias, residual and out begin at the tile's first element.
// Comes after vector.h.
static inline void write_tile(
    float *tile, int rows, int columns, int activation, int adds_residual, __global const float *bias,
    __global const float *residual, __global float *out, int stride) {
    float b[TILE_COLUMNS];
    for (int n = 0; n < TILE_COLUMNS; n++) {
        b[n] = n < columns ? bias[n] : 0.0f;
    }
    const float *shift = b;
    HIDE(shift); // or it is added in pieces of two
#pragma unroll 1
    for (int i = 0; i < rows; i++) {
#pragma unroll 1
        for (int n = 0; n < columns; n += 16) {
            const size_t at = (size_t)i * stride + n;
            float *from = tile + i * TILE_COLUMNS + n;
            float16 y = activate16(activation, vload16(0, from) + vload16(0, shift + n));
            if (n + 16 <= columns) {
                if (adds_residual) {
                    y += vload16(0, residual + at);
                }
                vstore16(y, 0, out + at);
            } else {
                // The last columns of an N that is no multiple of 16: the same arithmetic, stored one by one.
                vstore16(y, 0, from);
#pragma unroll 1
                for (int j = 0; j < columns - n; j++) {
                    out[at + j] = adds_residual ? from[j] + residual[at + j] : from[j];
                }
            }
        }
    }
}
