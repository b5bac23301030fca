// The inputs of one call of an operator, made from a seed: what self-checks, tests and benchmarks run kernels on.
#ifndef ENCL_OP_CHECK_INPUTS_H
#define ENCL_OP_CHECK_INPUTS_H

#include "runtime/op/check.h"

typedef struct encl_check_operand {
    void *host;   // what the reference reads
    void *device; // what the kernel reads, where it differs (panels); else NULL
    size_t words; // of 4 bytes
    size_t device_words;
} encl_check_operand;

typedef struct encl_check_inputs {
    encl_operator op;
    encl_shape shape;     // of the launch: what the case left open is filled in, and the row's precision and format
    encl_shape reference; // the same for the reference, which reads other operands: floats
    int32_t *offsets;     // [sequences + 1]; NULL where the operator has no sequences
    int32_t sequences, tokens;
    encl_check_operand operands[ENCL_OPERATOR_BUFFERS];
    size_t out_words; // of 4 bytes
    double flops, bytes;
} encl_check_inputs;

// Inputs for a row of kernels.def (attention's layout of keys and length of blocks are the row's). Row padding holds
// NaN. The caller frees them; on failure *inputs is zeroed, which may be freed too.
encl_status encl_check_inputs_make(const encl_kernel_row *row, const encl_check_case *check, encl_check_inputs *inputs);
void encl_check_inputs_free(encl_check_inputs *inputs);

#endif
