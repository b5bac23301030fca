// What devices say of themselves beyond what every run asks, and the step of their clocks.
#include <string.h>

#include "runtime/device/details.h"
#include "test.h"

static void expect_details(const encl_device *device) {
    encl_device_details details;
    memset(&details, 0x5a, sizeof details);
    encl_device_read_details(device, &details);
    assert_int_equal(strncmp(details.version, "OpenCL ", strlen("OpenCL ")), 0);
    assert_true(strlen(details.uuid) == 0 || strspn(details.uuid, "0123456789abcdef") == 32);
    assert_true(strlen(details.pci) == 0 || strchr(details.pci, '.') != NULL);
    assert_true(details.subgroup_size <= encl_device_get_info(device)->max_group);
    assert_in_range(details.cache_line_bytes, 0, 4096);
}

// Some step is seen on every device: commands are ordered, so their times cannot all be one.
static void expect_step(const encl_device *device) {
    int64_t step_ns = -1;
    assert_ok(encl_device_timer_step(device, &step_ns));
    assert_in_range(step_ns, 1, 1000000000);
}

static void test_details(void **state) {
    (void)state;
    encl_test_on_devices(expect_details);
}

static void test_step(void **state) {
    (void)state;
    encl_test_on_devices(expect_step);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_details),
        cmocka_unit_test(test_step),
    };
    return encl_test_main(tests);
}
