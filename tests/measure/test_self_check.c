// The checks of doctor on every device: all pass, and each fails where something is wrong: kernels that compute wrong
// or do not build.
#include "tests/test.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/file.h"
#include "runtime/device/program.h"
#include "runtime/measure/self_check.h"

enum { MOST = 64 };

static void expect_pass(const char *name, encl_status status, const encl_self_check *result) {
    if (status != ENCL_OK || !result->passed) {
        fail_msg("%s: %s, error %g > %g at %lld", name, status != ENCL_OK ? encl_status_detail() : result->reason,
                 result->max_error, result->tolerance, (long long)result->where);
    }
    assert_null(result->reason);
    assert_true(result->max_error <= result->tolerance);
    assert_true(result->time_ns > 0);
    assert_true(result->shape[0] != '\0');
}

// ---- Sound devices ----------------------------------------------------------------------------------------

static void check_rows(const encl_device *device) {
    const struct encl_kernel_row *rows[MOST];
    assert_ok(encl_device_acquire(device));
    const size_t count = encl_self_check_rows(device, rows, MOST);
    assert_in_range(count, 1, MOST);
    for (size_t i = 0; i < count; i++) {
        encl_self_check result;
        const encl_status status = encl_self_check_row(device, rows[i], false, &result);
        expect_pass(encl_self_check_row_name(rows[i]), status, &result);
    }
    encl_device_release(device);
}

static void test_rows(void **state) {
    (void)state;
    encl_test_on_devices(check_rows);
}

static void check_products(const encl_device *device) {
    static const int32_t sizes[][3] = {{1, 1, 1}, {5, 40, 67}, {40, 96, 384}};
    encl_self_check_provider providers[MOST];
    assert_ok(encl_device_acquire(device));
    const size_t count = encl_self_check_providers(device, providers, MOST);
    assert_in_range(count, 2, MOST);
    assert_string_equal(providers[count - 1].name, "clblast");
    assert_null(providers[count - 1].row);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < sizeof sizes / sizeof sizes[0]; j++) {
            encl_self_check result;
            const encl_status status =
                encl_self_check_product(device, &providers[i], sizes[j][0], sizes[j][1], sizes[j][2], &result);
            expect_pass(providers[i].name, status, &result);
        }
    }
    encl_device_release(device);
}

static void test_products(void **state) {
    (void)state;
    encl_test_on_devices(check_products);
}

static void check_transfer(const encl_device *device) {
    encl_self_check result;
    assert_ok(encl_device_acquire(device));
    const encl_status status = encl_self_check_transfer(device, 1 << 20, &result);
    expect_pass("transfer", status, &result);
    encl_device_release(device);
}

static void test_transfer(void **state) {
    (void)state;
    encl_test_on_devices(check_transfer);
}

// ---- What serves instead ----------------------------------------------------------------------------------

static const struct encl_kernel_row *find(const encl_device *device, const char *name) {
    const struct encl_kernel_row *rows[MOST];
    const size_t count = encl_self_check_rows(device, rows, MOST);
    for (size_t i = 0; i < count && i < MOST; i++) {
        if (strcmp(encl_self_check_row_name(rows[i]), name) == 0) {
            return rows[i];
        }
    }
    return NULL;
}

static void check_instead(const encl_device *device) {
    const struct encl_kernel_row *plain = find(device, "linear_plain");
    const bool wide = encl_device_get_info(device)->native_float_width >= 16;
    const char *low = wide ? "linear_tile_4" : "linear_tile_4x16";
    const struct encl_kernel_row *tile = find(device, wide ? "linear_tile_8" : "linear_tile_6x16");
    assert_non_null(plain);
    assert_string_equal(encl_self_check_row_operator(plain), "linear");
    if (tile == NULL) {
        assert_null(encl_self_check_row_instead(device, plain, NULL, 0));
        return;
    }
    const struct encl_kernel_row *next = encl_self_check_row_instead(device, tile, NULL, 0);
    assert_string_equal(encl_self_check_row_name(next), low);
    // Then tiles that do not fit the registers as well.
    const struct encl_kernel_row *failed[MOST] = {tile, next};
    size_t count = 2;
    while ((next = encl_self_check_row_instead(device, next, failed, count)) != plain && count < MOST) {
        assert_non_null(next);
        failed[count++] = next;
    }
    assert_ptr_equal(next, plain);
    assert_string_equal(encl_self_check_row_name(encl_self_check_row_instead(device, plain, failed, 1)), low);
    assert_null(encl_self_check_row_instead(device, plain, failed, count));
}

static void test_instead(void **state) {
    (void)state;
    encl_test_on_devices(check_instead);
}

// ---- Wrong kernels ----------------------------------------------------------------------------------------

static char folder[] = "/tmp/encl-test-measure-XXXXXX";

// A kernel's source in the folder, with something replaced or, where that is NULL, added.
static void sabotage(const char *file, const char *old, const char *new) {
    char *source = NULL;
    char *path = NULL;
    encl_string changed = {0};
    unsetenv("ENCL_KERNEL_DIR");
    assert_ok(encl_program_source(file, &source));
    const char *at = old != NULL ? strstr(source, old) : source + strlen(source);
    assert_non_null(at);
    assert_ok(encl_string_append(&changed, source, (size_t)(at - source)));
    assert_ok(encl_string_format(&changed, "%s%s", new, at + (old != NULL ? strlen(old) : 0)));
    assert_ok(encl_path_join(folder, file, &path));
    assert_ok(encl_file_write(path, changed.text, changed.length));
    encl_string_free(&changed);
    free(source);
    free(path);
    setenv("ENCL_KERNEL_DIR", folder, 1);
}

static void check_wrong(const encl_device *device) {
    encl_self_check result;
    const struct encl_kernel_row *row = find(device, "layer_norm_plain");
    assert_ok(encl_device_acquire(device));
    sabotage("prelude.h", NULL, "\n"); // what others include must be there too
    sabotage("activation.h", NULL, "\n");
    sabotage("layer_norm_plain.cl", "+ epsilon)", "+ epsilon + 0.01f)");
    assert_ok(encl_self_check_row(device, row, true, &result));
    assert_false(result.passed);
    assert_string_equal(result.reason, "error too large");
    assert_true(result.max_error > result.tolerance);
    sabotage("layer_norm_plain.cl", NULL, "\nno OpenCL C\n");
    assert_int_equal(encl_self_check_row(device, row, true, &result), ENCL_BUILD);
    assert_non_null(strstr(encl_status_detail(), "layer_norm_plain.cl"));
    assert_false(result.passed);

    const encl_self_check_provider provider = {"linear_plain", find(device, "linear_plain")};
    sabotage("linear_plain.cl", "k < K", "k < K - 1");
    assert_ok(encl_self_check_product(device, &provider, 5, 40, 67, &result));
    assert_false(result.passed);
    assert_string_equal(result.reason, "error too large");
    unsetenv("ENCL_KERNEL_DIR");
    assert_ok(encl_self_check_product(device, &provider, 5, 40, 67, &result));
    assert_true(result.passed); // what was wrong is not remembered
    encl_device_release(device);
}

static void test_wrong_kernels(void **state) {
    (void)state;
    encl_test_on_devices(check_wrong);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk) {
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static int make_folder(void **state) {
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    return setenv("ENCL_CACHE_DIR", folder, 0); // or that of the whole run of tests
}

static int remove_folder(void **state) {
    (void)state;
    return nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),    cmocka_unit_test(test_products),      cmocka_unit_test(test_transfer),
        cmocka_unit_test(test_instead), cmocka_unit_test(test_wrong_kernels),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
