// A kernel's output held against the reference in double precision: all of it, or as many rows as a bounded work
// allows.
#ifndef ENCL_OP_CHECK_COMPARE_H
#define ENCL_OP_CHECK_COMPARE_H

#include "runtime/op/check_inputs.h"

// Words before and after an output, and what they and the output hold before the launch: a quiet NaN that no
// arithmetic makes.
enum { ENCL_CHECK_GUARD = 64 };
#define ENCL_CHECK_UNTOUCHED 0x7fc0e9c1u

// True where the operator writes this element of its output.
bool encl_check_writes(const encl_check_inputs *inputs, size_t element);

// found: [GUARD + out_words + GUARD]. Every element must be finite where the operator writes and untouched elsewhere.
// Numbers are compared in the first, the last and evenly spread rows, as many as most_flops operations of the reference
// allow, and two at least; INFINITY: in all. A status other than OK is lack of memory.
encl_status encl_check_compare(const encl_check_inputs *inputs, const uint32_t *found, double most_flops,
                               encl_check_result *result);

#endif
