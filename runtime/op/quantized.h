// Quantized rows and panels in plain C: what the kernels of QUANTIZE and PACK write (operator.h has the formats), made
// and read back element by element. For checks, tests and benchmarks.
#ifndef ENCL_OP_QUANTIZED_H
#define ENCL_OP_QUANTIZED_H

#include "runtime/op/operator.h"

// Rounds to the nearest bfloat16, ties to even; a NaN stays one.
uint16_t encl_bfloat16_round(float value);
float encl_bfloat16_value(uint16_t bits);

// One row: shape->columns floats to encl_quantized_words words. The shape is one of QUANTIZE.
void encl_quantize_row(const encl_shape *shape, const float *x, uint32_t *words);
// Element k of such a row as its product takes it.
float encl_quantized_value(const encl_shape *shape, const uint32_t *words, int32_t k);

// One weight row into panels; n counts from the first of them. The shape is one of PACK. The scale gives the row's
// largest weight the limit, or encl_safe_limit where that is better; a kernel's, which is searched for, must not do
// worse.
void encl_pack_row(const encl_shape *shape, const float *row, int64_t n, uint32_t *panels);
// Weight k of row n as a product takes it.
float encl_packed_value(const encl_shape *shape, const uint32_t *panels, int64_t n, int32_t k);
// The word of the panels that it lies in; in INT8 its byte is k mod 4, in BF16 its half k mod 2.
int64_t encl_packed_place(encl_precision precision, int64_t depth, int64_t n, int32_t k);
// INT8: the words of row n's scale and of its sum.
int64_t encl_packed_scale_place(int64_t depth, int64_t n);
int64_t encl_packed_sum_place(int64_t depth, int64_t n);

// INT8: the largest |integer| of weights that cannot overflow a short sum, however they meet.
int32_t encl_safe_limit(const encl_shape *shape);

// The integers that a weight row gets with a scale: rounded, and scaled down together where a short sum would overflow.
// Doubles: in such a group they are not rounded. ideal[shape->depth].
void encl_ideal_weights(const encl_shape *shape, const float *row, double scale, double *ideal);

#endif
