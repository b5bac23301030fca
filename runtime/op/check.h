// Runs a kernel on random numbers and compares it with the C reference: self-checks while an executable is made, the
// operator tests, benchmarks.
#ifndef ENCL_OP_CHECK_H
#define ENCL_OP_CHECK_H

#include "runtime/op/kernel_row.h"

// What a check runs on. `shape` holds everything a launch needs; the check fills the members that follow from others
// (counts of list entries) and strides that are 0, with odd ones where the operator allows. ATTENTION, KEYS and POOL
// run over sequences.
typedef struct encl_check_case {
    encl_shape shape;
    const int32_t *lengths; // [sequences]
    int32_t sequences;
    const int32_t *rows; // [row_count] ATTENTION: only these token rows are queries; NULL: all
    int32_t row_count;
    int32_t table_rows; // EMBED: of the word table, GATHER: of what is gathered from; 0: a few
    int32_t positions;  // EMBED: rows of the position table; 0: a few
    bool whole;         // POOL: all tokens of every sequence; else every other sequence leaves a third out
    uint64_t seed;
} encl_check_case;

typedef struct encl_check_result {
    bool passed;
    double max_error; // |found − expected| over all elements that were compared
    double tolerance; // what max_error was held against
    double largest;   // |expected| of these
    int64_t rows_checked;
    int64_t where;      // element of out where the worst error (or a wrong write) stands
    const char *reason; // NULL, "error too large", "not finite", "wrote outside"
} encl_check_result;

// A small case of a node's shape (same options, few rows, tails in every dimension) for self-checks. The case points to
// static arrays.
void encl_check_small(const encl_kernel_row *row, const encl_shape *node, encl_check_case *result);

struct encl_kernel; // kernel.h

// Builds inputs from the seed (row padding holds NaN, the output lies between guard words and is filled with a NaN
// pattern), launches once, reads back, compares all of it (check_inputs.h, check_buffers.h and check_compare.h are the
// parts of this). A status other than OK is a failure of OpenCL or memory, not of the numbers.
encl_status encl_check_kernel(const encl_device *device, const struct encl_kernel *kernel, const encl_check_case *check,
                              encl_check_result *result);

#endif
