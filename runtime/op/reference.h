// The plain C reference of every operator, in double precision: what tests and self-checks compare with.
#ifndef ENCL_OP_REFERENCE_H
#define ENCL_OP_REFERENCE_H

#include "runtime/op/operator.h"

// Computes the operator on host arrays in the operator's buffer order (int32_t or float; weights of LINEAR and keys of
// ATTENTION are given as rows here, not as panels: weight [N, K], and keys is ignored because kv holds them).
// `out` receives the output buffer's elements as doubles, laid out as the shape's strides say; elements that the
// operator does not write are left alone.
void encl_reference(encl_operator op, const encl_shape *shape, const void *const *buffers, double *out);

double encl_reference_activation(encl_activation activation, double x);

#endif
