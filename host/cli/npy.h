// NumPy's .npy, version 1.0: float32, C order, [rows, columns], with the number of rows known only at the end.
#ifndef ENCL_CLI_NPY_H
#define ENCL_CLI_NPY_H

#include <stdint.h>

#include "runtime/base/file.h"

typedef struct encl_npy {
    encl_output output;
    int64_t rows; // so far
    int64_t columns;
} encl_npy;

// `columns` numbers a row. One of _finish and _abandon must be called after a success.
encl_status encl_npy_open(const char *path, int64_t columns, encl_npy *npy);
encl_status encl_npy_row(encl_npy *npy, const float *values);
// Writes the header again, now with the rows, and gives the file its name. On failure nothing is left.
encl_status encl_npy_finish(encl_npy *npy);
void encl_npy_abandon(encl_npy *npy); // a zeroed one is allowed

#endif
