// Checks of a device, one at a time and each with its numbers: for someone who wants to know what works on this very
// driver. (What an executable checks before it trusts a kernel is runtime/op/check.h.)
#ifndef ENCL_MEASURE_SELF_CHECK_H
#define ENCL_MEASURE_SELF_CHECK_H

#include "runtime/device/device.h"

// What came of one. Errors are absolute.
typedef struct encl_self_check {
    bool passed;
    double max_error, tolerance;
    int64_t where;      // element of the output where the worst error stands
    const char *reason; // as in encl_check_result
    char shape[48];     // the largest that was tried: "61x768x384"
    bool rebuilt;       // the program in the cache was wrong or did not load; built anew, it is right
    int64_t time_ns;    // building or loading, running and comparing
} encl_self_check;

// ---- Kernel rows ------------------------------------------------------------------------------------------

struct encl_kernel_row; // runtime/op/kernel.h

// The rows that encl may choose on a device: those of its family and the plain ones, in the order of kernels.def.
// Writes at most `capacity`; returns how many there are.
size_t encl_self_check_rows(const encl_device *device, const struct encl_kernel_row **rows, size_t capacity);
const char *encl_self_check_row_name(const struct encl_kernel_row *row);
const char *encl_self_check_row_operator(const struct encl_kernel_row *row); // "linear"
// The row that encl takes in a model where those of `failed` are out; NULL: none is left for this operator.
const struct encl_kernel_row *encl_self_check_row_instead(const encl_device *device, const struct encl_kernel_row *row,
                                                          const struct encl_kernel_row *const *failed, size_t count);

// Builds a row and compares it with the reference on a small case with tails in every dimension, and, unless `quick`,
// on one of a model's sizes. A program that passes is kept in the cache. Where the row cannot be built or run, that is
// the status. The device must be acquired.
encl_status encl_self_check_row(const encl_device *device, const struct encl_kernel_row *row, bool quick,
                                encl_self_check *result);

// ---- Matrix products --------------------------------------------------------------------------------------

// Who may compute matrix products.
typedef struct encl_self_check_provider {
    const char *name;                  // the row's, or "clblast"
    const struct encl_kernel_row *row; // NULL: CLBlast
} encl_self_check_provider;

// Those of a device, own rows first, best rank first. Writes at most `capacity`; returns how many there are.
size_t encl_self_check_providers(const encl_device *device, encl_self_check_provider *providers, size_t capacity);

// x [M, K] · weightᵀ [N, K] on random numbers. Every element must be written; a few rows, spread over all, are compared
// with sums in double precision. The device must be acquired.
encl_status encl_self_check_product(const encl_device *device, const encl_self_check_provider *provider, int32_t m,
                                    int32_t n, int32_t k, encl_self_check *result);

// ---- Memory -----------------------------------------------------------------------------------------------

// Writes so many random bytes to the device, reads them back and compares. result->where is the first wrong byte. The
// device must be acquired.
encl_status encl_self_check_transfer(const encl_device *device, size_t bytes, encl_self_check *result);

#endif
