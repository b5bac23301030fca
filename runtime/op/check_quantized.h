// The comparison of what PACK and QUANTIZE write in low precision: no floats, so that it is not done element by element
// against the reference, but by what the formats promise (operator.h).
#ifndef ENCL_OP_CHECK_QUANTIZED_H
#define ENCL_OP_CHECK_QUANTIZED_H

#include "runtime/op/check_inputs.h"

// True where the output holds quantized numbers.
bool encl_check_is_quantized(const encl_check_inputs *inputs);

// Adds one row to the result: of x for QUANTIZE, of the weight for PACK. out: the whole output. Errors are in steps of
// the integers; what has no such measure (a scale, a sum, zeros beyond the end) has an error beyond any tolerance where
// it is wrong. A status other than OK is lack of memory.
encl_status encl_check_quantized(const encl_check_inputs *inputs, int64_t row, const uint32_t *out,
                                 encl_check_result *result);
double encl_check_quantized_tolerance(const encl_check_inputs *inputs);

#endif
