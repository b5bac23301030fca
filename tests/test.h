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

// Calls test(device) for every device that can be used, and says which, so that a failure names its device.
static inline void encl_test_on_devices(void (*test)(const encl_device *device)) {
    const encl_device *const *devices = NULL;
    size_t count = 0;
    size_t used = 0;
    const encl_status status = encl_devices(&devices, &count);
    if (status == ENCL_NO_DEVICE) {
        print_message("skipped: %s\n", encl_status_detail());
        skip();
    }
    assert_ok(status);
    for (size_t i = 0; i < count; i++) {
        if (encl_test_usable(devices[i])) {
            const encl_device_info *info = encl_device_get_info(devices[i]);
            print_message("  on %s: %s\n", info->platform, info->name);
            test(devices[i]);
            used++;
        }
    }
    assert_true(used > 0);
}

#endif
