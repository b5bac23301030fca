// What every test file begins with.
#ifndef ENCL_TEST_H
#define ENCL_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/encl.h"

// Devices that tests run on: those that can compile at all.
static inline bool encl_test_usable(const encl_device *device) {
    return encl_device_get_info(device)->available;
}

#define encl_test_main(tests) cmocka_run_group_tests(tests, NULL, NULL)

// The status is OK, else the test fails with the detail.
#define assert_ok(expression)                                      \
    do {                                                           \
        if ((expression) != ENCL_OK) {                             \
            fail_msg("%s: %s", #expression, encl_status_detail()); \
        }                                                          \
    } while (0)

#endif
