// The profiling clock of every device. What drivers say is not demanded to be right, only to be seen as it is.
#include "tests/test.h"

#include <math.h>
#include <string.h>

#include "runtime/measure/timer_check.h"

static void check_timer(const encl_device *device) {
    const encl_device_info *info = encl_device_get_info(device);
    const bool mesa_22 = strcmp(info->platform, "rusticl") == 0 && strncmp(info->driver, "22.", 3) == 0;
    encl_timer_check result;
    assert_ok(encl_device_acquire(device));
    assert_ok(encl_timer_check_run(device, 20000000, &result));
    assert_true(result.commands > 0);
    assert_int_equal(result.constant, mesa_22); // which says 0, 1, 2 and 3 of every command
    if (result.constant) {
        assert_true(isnan(result.rate));
        assert_false(result.clock.aligned);
    } else {
        // Nanoseconds, not ticks: within what the doubt allows, the rate is 1.
        assert_true(fabs(result.rate - 1) <= result.rate_doubt + 1e-3);
        assert_true(result.step_ns > 0);
        assert_int_equal(result.unordered, 0);
    }
    encl_device_release(device);
}

static void test_timer(void **state) {
    (void)state;
    encl_test_on_devices(check_timer);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_timer)};
    return encl_test_main(tests);
}
