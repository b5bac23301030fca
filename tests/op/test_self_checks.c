// The self-check of every row of kernels.def, on every device that can run it: small enough for a simulator, so that
// scripts/race-check.sh runs this file on Oclgrind.
#include "tests/test.h"

#include <stdio.h>

#include "runtime/op/check.h"
#include "runtime/op/kernel.h"

static void check_row(const encl_device *device, const encl_kernel_row *row) {
    const encl_shape node = {.activation = row->op == ENCL_OP_LINEAR || row->op == ENCL_OP_EPILOGUE
                                               ? ENCL_ACTIVATION_GELU
                                               : ENCL_ACTIVATION_NONE,
                             .residual = row->op == ENCL_OP_LINEAR || row->op == ENCL_OP_EPILOGUE,
                             .head_size = 16,
                             .pooling = ENCL_POOLING_MEAN,
                             .top_k = 5};
    encl_kernel kernel;
    encl_check_case check;
    encl_check_result result;
    encl_check_small(row, &node, &check);
    assert_ok(encl_kernel_open(device, row, &node, &kernel));
    assert_ok(encl_check_kernel(device, &kernel, &check, &result));
    if (!result.passed) {
        fail_msg("%s: %s, error %g > %g at %lld", row->name, result.reason, result.max_error, result.tolerance,
                 (long long)result.where);
    }
    encl_kernel_close(&kernel);
}

static void test_every_row(void **state) {
    const encl_device *const *devices;
    size_t count;
    size_t checked = 0;
    (void)state;
    if (encl_devices(&devices, &count) != ENCL_OK) {
        print_message("skipped: %s\n", encl_status_detail());
        skip();
    }
    for (size_t d = 0; d < count; d++) {
        const encl_device_info *info = encl_device_get_info(devices[d]);
        if (!encl_test_usable(devices[d])) {
            continue;
        }
        assert_ok(encl_device_acquire(devices[d]));
        for (size_t i = 0; i < encl_kernel_row_count; i++) {
            const encl_kernel_row *row = &encl_kernel_rows[i];
            // llvmpipe takes minutes to compile what is unrolled for wide registers, and nothing would choose it there.
            if ((row->family == ENCL_FAMILY_TILE && info->software) || !encl_kernel_is_possible(row, devices[d])) {
                continue;
            }
            check_row(devices[d], row);
            checked++;
        }
        encl_device_release(devices[d]);
        print_message("%s: %zu rows so far\n", info->name, checked);
    }
    assert_true(checked > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_row)};
    return encl_test_main(tests);
}
