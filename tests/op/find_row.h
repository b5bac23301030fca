// A row of kernels.def by its name, for tests.
#ifndef ENCL_TESTS_OP_FIND_ROW_H
#define ENCL_TESTS_OP_FIND_ROW_H

#include "test.h"

#include <string.h>

#include "runtime/op/kernel_row.h"

// Fails the test where there is none.
static inline const encl_kernel_row *find_row(const char *name) {
    for (size_t i = 0; i < encl_kernel_row_count; i++) {
        if (strcmp(encl_kernel_rows[i].name, name) == 0) {
            return &encl_kernel_rows[i];
        }
    }
    fail_msg("no kernel %s", name);
    return NULL;
}

#endif
