// What an installation is made of: the drivers that the loader is told of, right and wrong files of theirs, libraries
// that are no drivers, device files.
#include "tests/device/fixture.h"

#include "runtime/base/file.h"
#include "runtime/device/installation.h"

static char folder[FIXTURE_PATH];

static const char *in_folder(const char *name) {
    static char path[2 * FIXTURE_PATH];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state) {
    (void)state;
    fixture_folder(folder);
    fixture_write_text(folder, "b.icd", "  libb.so.1 \r\nsecond line\n");
    fixture_write_text(folder, "a.icd", "/opt/a/liba.so");
    fixture_write_text(folder, "empty.icd", "");
    fixture_write_text(folder, "blank.icd", "\nliblate.so\n");
    fixture_write_text(folder, "c.txt", "libc.so\n");
    return unsetenv("OPENCL_VENDOR_PATH");
}

static int remove_folder(void **state) {
    (void)state;
    fixture_remove(folder);
    return 0;
}

static void list(const char *vendors, encl_drivers *drivers) {
    if (vendors != NULL) {
        setenv("OCL_ICD_VENDORS", vendors, 1);
    } else {
        unsetenv("OCL_ICD_VENDORS");
    }
    assert_ok(encl_drivers_list(drivers));
}

static void test_folder(void **state) {
    encl_drivers drivers;
    (void)state;
    list(folder, &drivers);
    assert_string_equal(drivers.place, folder);
    assert_string_equal(drivers.variable, "OCL_ICD_VENDORS");
    assert_null(drivers.fault);
    assert_int_equal(drivers.count, 4);
    assert_string_equal(drivers.rows[0].name, "a.icd"); // by name, whatever the folder's order
    assert_string_equal(drivers.rows[0].library, "/opt/a/liba.so");
    assert_string_equal(drivers.rows[1].library, "libb.so.1");
    assert_null(drivers.rows[1].fault);
    for (size_t i = 2; i < 4; i++) {
        assert_null(drivers.rows[i].library);
        assert_non_null(strstr(drivers.rows[i].fault, "empty first line"));
    }
    encl_drivers_free(&drivers);
}

static void test_other_places(void **state) {
    char named[2 * FIXTURE_PATH];
    encl_drivers drivers;
    (void)state;
    snprintf(named, sizeof named, "%s", in_folder("b.icd"));
    list(named, &drivers); // one file
    assert_int_equal(drivers.count, 1);
    assert_string_equal(drivers.rows[0].library, "libb.so.1");
    encl_drivers_free(&drivers);

    setenv("OPENCL_VENDOR_PATH", folder, 1);
    list("a.icd", &drivers); // one file of the standard folder
    assert_string_equal(drivers.rows[0].library, "/opt/a/liba.so");
    encl_drivers_free(&drivers);
    list(NULL, &drivers); // all of it
    assert_string_equal(drivers.variable, "OPENCL_VENDOR_PATH");
    assert_int_equal(drivers.count, 4);
    encl_drivers_free(&drivers);
    unsetenv("OPENCL_VENDOR_PATH");

    list("libsomething.so.2", &drivers); // a library
    assert_int_equal(drivers.count, 1);
    assert_string_equal(drivers.rows[0].library, "libsomething.so.2");
    encl_drivers_free(&drivers);

    list(NULL, &drivers);
    assert_string_equal(drivers.place, "/etc/OpenCL/vendors");
    assert_null(drivers.variable);
    encl_drivers_free(&drivers);
}

static void test_places_that_lead_nowhere(void **state) {
    char named[2 * FIXTURE_PATH];
    encl_drivers drivers;
    (void)state;
    const char *const names[] = {"nothing", "nothing.icd", "none"};
    assert_int_equal(mkdir(in_folder("none"), 0700), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(named, sizeof named, "%s", in_folder(names[i]));
        list(named, &drivers);
        assert_int_equal(drivers.count, 0);
        assert_non_null(drivers.fault);
        assert_non_null(strstr(drivers.fault, names[i]));
        encl_drivers_free(&drivers);
    }
}

static void test_libraries_that_are_no_drivers(void **state) {
    int32_t platforms = 7;
    (void)state;
    assert_int_equal(encl_driver_try("/nonexistent/libdriver.so", &platforms), ENCL_NOT_FOUND);
    assert_non_null(strstr(encl_status_detail(), "/nonexistent/libdriver.so"));
    assert_int_equal(platforms, 0);
    assert_int_equal(encl_driver_try("libm.so.6", &platforms), ENCL_UNSUPPORTED);
    assert_non_null(strstr(encl_status_detail(), "expected an OpenCL driver"));
}

static void test_loaded_libraries(void **state) {
    char *path = NULL;
    (void)state;
    assert_ok(encl_loaded_library("libOpenCL", &path));
    assert_non_null(path);
    assert_int_equal(path[0], '/');
    free(path);
    assert_ok(encl_loaded_library("libnosuch", &path));
    assert_null(path);
}

static void test_device_files(void **state) {
    encl_device_file files[8];
    (void)state;
    assert_int_equal(encl_device_files(folder, files, 8), 0);
    assert_int_equal(mkdir(in_folder("dev"), 0700), 0);
    assert_int_equal(mkdir(in_folder("dev/dri"), 0700), 0);
    fixture_write_text(folder, "dev/dri/renderD129", "");
    fixture_write_text(folder, "dev/dri/renderD200", ""); // beyond what Linux numbers
    fixture_write_text(folder, "dev/kfd", "");
    fixture_write_text(folder, "dev/nvidia3", "");
    assert_int_equal(chmod(in_folder("dev/kfd"), 0), 0);
    assert_int_equal(encl_device_files(folder, files, 8), 3);
    assert_string_equal(files[0].path, in_folder("dev/dri/renderD129"));
    assert_true(files[0].opens);
    assert_true(files[0].group[0] != '\0');
    assert_string_equal(files[1].path, in_folder("dev/kfd"));
    assert_string_equal(files[1].what, "AMD's ROCm");
    assert_int_equal(files[1].opens, getuid() == 0); // nothing is closed to root
    assert_string_equal(files[2].path, in_folder("dev/nvidia3"));
    assert_int_equal(encl_device_files(folder, files, 1), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folder),
        cmocka_unit_test(test_other_places),
        cmocka_unit_test(test_libraries_that_are_no_drivers),
        cmocka_unit_test(test_places_that_lead_nowhere),
        cmocka_unit_test(test_loaded_libraries),
        cmocka_unit_test(test_device_files),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
