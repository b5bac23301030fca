// Operators: what a kernel computes, independent of how. An operator fixes its buffers, its scalar arguments, the build
// options that follow from a node's shape, and its cost; kernels (kernel.h) are the ways to compute it.
#ifndef ENCL_OP_OPERATOR_H
#define ENCL_OP_OPERATOR_H

#include "runtime/base/memory.h"

// X(name, text, buffers, output): `buffers` in argument order, `output` is the index of the one that is written.
//   EMBED      word ×4, position, type, gamma, beta, ids, types, positions, out
//   LINEAR     x, weight (panels), bias, residual, out
//   EPILOGUE   product, bias, residual, out
//   PACK       source rows, packed panels
//   QUANTIZE   x, out
//   KEYS       kv, panel list, panels
//   ATTENTION  q, keys, kv, work list, out
//   LAYER_NORM x, gamma, beta, out
//   GATHER     x, rows, out
//   POOL       x, offsets, begins, out
//   NORMALIZE  x, out
//   TOP_K      x, out
#define ENCL_OPERATOR_LIST(X)         \
    X(EMBED, "embed", 12, 11)         \
    X(LINEAR, "linear", 5, 4)         \
    X(EPILOGUE, "epilogue", 4, 3)     \
    X(PACK, "pack", 2, 1)             \
    X(QUANTIZE, "quantize", 2, 1)     \
    X(KEYS, "keys", 3, 2)             \
    X(ATTENTION, "attention", 5, 4)   \
    X(LAYER_NORM, "layer_norm", 4, 3) \
    X(GATHER, "gather", 3, 2)         \
    X(POOL, "pool", 4, 3)             \
    X(NORMALIZE, "normalize", 2, 1)   \
    X(TOP_K, "top_k", 2, 1)

typedef enum encl_operator {
#define ENCL_OPERATOR_ENUM(name, text, buffers, output) ENCL_OP_##name,
    ENCL_OPERATOR_LIST(ENCL_OPERATOR_ENUM)
#undef ENCL_OPERATOR_ENUM
        ENCL_OPERATOR_COUNT
} encl_operator;

enum { ENCL_OPERATOR_BUFFERS = 12, ENCL_OPERATOR_SCALARS = 10, ENCL_PANEL = 32, ENCL_WORD_PARTS = 4 };
// TOP_K: the columns that one work-item looks through (a block in kernels.def is 16 times as many), the most it keeps,
// and the most columns whose numbers are floats.
enum { ENCL_TOP_K_SEGMENT = 512, ENCL_TOP_K_COLUMNS = 1 << 24 };

// What a row of a product's x holds.
typedef enum encl_numbers { ENCL_NUMBERS_FLOATS, ENCL_NUMBERS_BF16, ENCL_NUMBERS_INT8 } encl_numbers;

// The shape and settings of one call. Unused members are 0. `rows` alone changes from run to run.
typedef struct encl_shape {
    int32_t rows;    // M: rows computed; work-list entries for ATTENTION, panels for KEYS, sequences for POOL
    int32_t columns; // N, or the width H
    int32_t depth;   // K
    int32_t heads;
    int32_t head_size;
    encl_activation activation;
    encl_precision precision; // LINEAR, PACK, QUANTIZE: of the product that is computed or made ready for
    encl_numbers x;           // LINEAR: what its rows of x hold
    int32_t levels;           // INT8, QUANTIZE and PACK: the largest integer of an activation
    int32_t limit;            // PACK to INT8: the largest |integer| of a weight
    int32_t short_words;      // PACK to INT8: words of weights whose products are added in 16 bits; see below
    bool residual;
    encl_pooling pooling;
    int32_t top_k; // TOP_K: values kept of each segment
    float epsilon;
    float scale;          // of attention scores
    int32_t first_row;    // LINEAR: the first row computed
    int32_t first_column; // LINEAR, POOL: where this call's columns begin in a row of out; PACK: the weight row
                          // (output column) that source row 0 is
    int32_t x_stride;     // LINEAR, QUANTIZE: words of 4 bytes from one row of x to the next
    int32_t out_stride;   // LINEAR, ATTENTION, POOL, QUANTIZE: words from one row of out to the next
    int32_t q_stride;
    int32_t kv_stride;
    int32_t key_column;
    int32_t value_column;
    int32_t part_rows; // EMBED: rows of the word table in each of its buffers
} encl_shape;

// One entry of the attention work list (attention_block in kernels/prelude.h).
typedef struct encl_attention_block {
    int32_t first_key, keys, first_panel, first_query, queries, padding[3];
} encl_attention_block;

// One entry of the key panel list.
typedef struct encl_key_panel {
    int32_t first_token, tokens;
} encl_key_panel;

typedef union encl_scalar {
    int32_t integer;
    float real;
} encl_scalar;

// Floats in a row that TOP_K writes: for each segment k values, their k columns, and a sum (kernels/top_k_plain.cl).
static inline int32_t encl_top_k_width(int32_t columns, int32_t k) {
    return (columns + ENCL_TOP_K_SEGMENT - 1) / ENCL_TOP_K_SEGMENT * (2 * k + 1);
}

// The formats that the operands of a product have by its precision. Everything is words of 4 bytes; what lies beyond K
// is zero.
//   FP32  x: floats; weights: panels [K][32] of floats
//   BF16  x: floats, or rows of K bfloat16; weights: panels [⌈K/2⌉][32][2] of bfloat16
//   INT8  x: rows of a head of 64 bytes (float scale s, int32 zero z, zeros) and K bytes q: x ≈ s · (q − z),
//         0 ≤ q ≤ levels. A row that is not finite has s = NaN, and a product with it is NaN.
//         Weights: panels of 32 float scales t, 32 int32 sums Σ_k w, then [⌈K/4⌉][32][4] signed bytes w, |w| ≤ limit.
//         Product: s · t · (Σ_k q·w − z · Σ_k w), the sums in integers, exact.
// Some instructions add products of bytes in 16 bits, in pairs (vpmaddubsw), of short_words = 1, 2 or 4 words of a
// column one after the other. So that no sum overflows, the weights of one sign that meet in it (of bytes 0 and 1, or 2
// and 3, of these words) add up to at most 32767 / levels; where they would be more, they are scaled down together.
// That is seldom: the scales are those with the least error. short_words = 0: sums are never so narrow.
enum { ENCL_QUANTIZED_HEAD = 16 }; // words
// Words of a row that QUANTIZE writes.
static inline int32_t encl_quantized_words(encl_precision precision, int32_t columns) {
    return precision == ENCL_PRECISION_INT8 ? ENCL_QUANTIZED_HEAD + (columns + 3) / 4 : (columns + 1) / 2;
}
// Words of a panel of weights.
static inline int64_t encl_panel_words(encl_precision precision, int64_t depth) {
    switch (precision) {
    case ENCL_PRECISION_BF16:
        return (depth + 1) / 2 * ENCL_PANEL;
    case ENCL_PRECISION_INT8:
        return (2 + (depth + 3) / 4) * ENCL_PANEL;
    default:
        return depth * ENCL_PANEL;
    }
}

const char *encl_operator_name(encl_operator op);
size_t encl_operator_buffers(encl_operator op);
size_t encl_operator_output(encl_operator op);

// The scalar arguments that follow the buffers; returns how many.
size_t encl_operator_scalars(encl_operator op, const encl_shape *shape, encl_scalar scalars[ENCL_OPERATOR_SCALARS]);

// Appends the build options that a node of this shape needs (" -DHEAD_SIZE=64").
encl_status encl_operator_options(encl_operator op, const encl_shape *shape, encl_string *options);

// What one call works on that its shape does not say; other operators leave it 0.
typedef struct encl_operator_work {
    int32_t tokens;  // KEYS, ATTENTION, POOL: rows of kv or x
    int32_t queries; // ATTENTION: rows of q and out
    double pairs;    // ATTENTION: Σ queries · keys over the work list
} encl_operator_work;

// Floating-point operations and bytes of one call. Bytes are those of each tensor, counted once; of a table, of the
// rows that are read. Operations: 2 M N K of a product (what is fused into it is not counted), 7 an element of a
// LayerNorm, 5 of a softmax, 9 of a GELU.
void encl_operator_cost(encl_operator op, const encl_shape *shape, const encl_operator_work *work, double *flops,
                        double *bytes);

#endif
