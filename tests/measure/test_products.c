// Matrix products by whoever provides them.
#include "test.h"

#include <string.h>

#include "runtime/device/device.h"
#include "runtime/measure/products.h"

static encl_trial_options short_trial(void) {
    encl_trial_options options = {.sampling = encl_sampling_default(), .hot = true, .marked = true, .wall = true};
    options.sampling.warm_count = 0;
    options.sampling.warm_most_ns = 0;
    options.sampling.least_count = 2;
    options.sampling.least_ns = 0;
    options.sampling.most_ns = 1;
    return options;
}

// llvmpipe takes minutes to compile the library's kernels.
static bool is_slow(const encl_device *device) {
    return encl_device_get_info(device)->software;
}

static void check_library(const encl_device *device) {
    const encl_product product = {5, 33, 12};
    const encl_trial_options options = short_trial();
    encl_trial trial;
    if (is_slow(device)) {
        return;
    }
    assert_ok(encl_device_acquire(device));
    assert_ok(encl_product_run(device, &product, &options, &trial));
    assert_true(trial.check.passed);
    assert_int_equal(trial.check.rows_checked, 5);
    assert_true(trial.times.samples.statistics.p50 > 0);
    assert_true(trial.flops == 2.0 * 5 * 33 * 12);
    encl_trial_free(&trial);
    encl_device_release(device);
}

static void test_the_library(void **state) {
    (void)state;
    encl_test_on_devices(check_library);
}

static encl_status interrupt(void *context) {
    (void)context;
    return encl_fail(ENCL_INTERRUPTED, "interrupted");
}

// One set of parameters, because each compiles for seconds: what is chosen computes right.
static void check_tuning(const encl_device *device) {
    const encl_product product = {40, 65, 33};
    encl_trial_options options = short_trial();
    const char *best = "unset";
    encl_trial trial;
    if (is_slow(device)) {
        return;
    }
    assert_ok(encl_device_acquire(device));
    assert_ok(encl_product_tune(device, &product, &options.sampling, 0, &best));
    assert_non_null(best);
    assert_non_null(strstr(best, "Xgemm"));
    assert_ok(encl_product_run(device, &product, &options, &trial));
    assert_true(trial.check.passed);
    encl_trial_free(&trial);
    options.sampling.check = interrupt;
    assert_int_equal(encl_product_tune(device, &product, &options.sampling, 0, &best), ENCL_INTERRUPTED);
    assert_null(best);
    encl_device_release(device);
}

static void test_tuning(void **state) {
    (void)state;
    encl_test_on_devices(check_tuning);
}

static void check_choice(const encl_device *device) {
    const encl_product few = {1, 768, 768};
    const encl_product many = {4096, 768, 768};
    const bool cpu = strcmp(encl_device_family(device), "tile") == 0;
    encl_product_choice choice = encl_product_choose(device, ENCL_GEMM_CLBLAST, ENCL_SAME_BITS_OFF, &few);
    assert_true(choice.library);
    assert_null(choice.row);
    choice = encl_product_choose(device, ENCL_GEMM_AUTO, ENCL_SAME_BITS_ON, &few);
    assert_false(choice.library);
    const bool wide = encl_device_get_info(device)->native_float_width >= 16; // tiles of 8 x 32 fit the registers
    assert_string_equal(choice.row->name, !cpu ? "linear_plain" : wide ? "linear_tile_4" : "linear_tile_4x16");
    choice = encl_product_choose(device, ENCL_GEMM_AUTO, ENCL_SAME_BITS_ON, &many);
    assert_string_equal(choice.row->name, !cpu ? "linear_plain" : wide ? "linear_tile_8" : "linear_tile_6x16");
}

static void test_the_choice(void **state) {
    (void)state;
    encl_test_on_devices(check_choice);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_library),
        cmocka_unit_test(test_tuning),
        cmocka_unit_test(test_the_choice),
    };
    return encl_test_main(tests);
}
