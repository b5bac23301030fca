// Discovery on this machine's own drivers, against what OpenCL says when asked directly.
#include "fixture.h"

#include "runtime/device/device.h"

#include "runtime/base/thread.h"

static const encl_device *const *devices;
static size_t device_count;

static void find_devices(void) {
    encl_status status = encl_devices(&devices, &device_count);
    assert_true(status == ENCL_OK || status == ENCL_NO_DEVICE);
    if (status == ENCL_NO_DEVICE) {
        print_message("no device: %s\n", encl_status_detail());
    }
}

// The first calls of a process, all at once, see one and the same list.
static void list_devices(void *context, size_t i) {
    size_t count = 0;
    encl_devices(&((const encl_device *const **)context)[i], &count);
}

static void test_first_calls_at_once(void **state) {
    (void)state;
    const encl_device *const *lists[4] = {NULL};
    encl_parallel(4, 4, list_devices, (void *)lists);
    find_devices();
    for (size_t i = 0; i < 4; i++) {
        assert_ptr_equal(lists[i], devices);
    }
}

static void test_all_are_listed(void **state) {
    (void)state;
    cl_platform_id platforms[32];
    cl_uint platform_count = 0;
    size_t expected = 0;
    if (clGetPlatformIDs(32, platforms, &platform_count) != CL_SUCCESS) {
        platform_count = 0;
    }
    for (cl_uint i = 0; i < platform_count; i++) {
        cl_device_id ids[64];
        cl_uint count = 0;
        if (clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 64, ids, &count) != CL_SUCCESS) {
            continue;
        }
        for (cl_uint j = 0; j < count; j++) {
            size_t seen = 0;
            for (size_t k = 0; k < device_count; k++) {
                seen += devices[k]->id == ids[j];
            }
            assert_int_equal(seen, 1);
        }
        expected += count;
    }
    assert_int_equal(device_count, expected);
}

static void test_info(void **state) {
    (void)state;
    for (size_t i = 0; i < device_count; i++) {
        const encl_device_info *info = encl_device_get_info(devices[i]);
        cl_uint units = 0;
        cl_ulong memory = 0;
        char text[1024] = "";
        assert_int_equal(info->index, i);
        assert_int_equal(clGetDeviceInfo(devices[i]->id, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof units, &units, NULL), 0);
        assert_int_equal(info->compute_units, units);
        assert_int_equal(clGetDeviceInfo(devices[i]->id, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof memory, &memory, NULL), 0);
        assert_int_equal(info->global_memory, memory);
        assert_int_equal(clGetDeviceInfo(devices[i]->id, CL_DRIVER_VERSION, sizeof text, text, NULL), 0);
        assert_non_null(strstr(text, info->driver));
        assert_in_range(info->max_allocation, 1, memory);
        assert_true(info->max_group >= 1 && info->base_alignment >= 1 && info->native_float_width >= 1);
        assert_non_null(strstr(devices[i]->cache_identity, info->name));
        assert_non_null(strstr(devices[i]->cache_identity, info->driver));
        if (info->type == ENCL_DEVICE_CPU) {
            assert_non_null(strstr(devices[i]->cache_identity, encl_machine_cpu()));
        }
    }
}

// What is known of drivers that run without a GPU.
static void test_known_drivers(void **state) {
    (void)state;
    size_t known = 0;
    for (size_t i = 0; i < device_count; i++) {
        const encl_device_info *info = encl_device_get_info(devices[i]);
        if (strcmp(info->platform, "Portable Computing Language") == 0 && strstr(info->driver, "3.1") == info->driver) {
            assert_false(info->subgroups || info->fp16 || info->int_dot || info->software);
            assert_string_equal(encl_device_family(devices[i]), "tile");
        } else if (strcmp(info->platform, "Intel(R) OpenCL") == 0 && info->type == ENCL_DEVICE_CPU) {
            assert_true(info->subgroups);
            assert_true(devices[i]->opencl_c_version >= 300);
            assert_string_equal(encl_device_family(devices[i]), "tile");
        } else if (strstr(info->name, "llvmpipe") != NULL) {
            assert_true(info->software);
            assert_string_equal(encl_device_family(devices[i]), "plain");
        } else {
            continue;
        }
        assert_true(info->available && info->unified_memory);
        known++;
    }
    print_message("%zu of %zu devices are known\n", known, device_count);
}

static void test_acquire(void **state) {
    (void)state;
    for (size_t i = 0; i < device_count; i++) {
        const encl_device *device = devices[i];
        if (!encl_test_usable(device)) {
            continue;
        }
        assert_ok(encl_device_acquire(device));
        cl_context context = encl_device_context(device);
        assert_ok(encl_device_acquire(device));
        assert_ptr_equal(encl_device_context(device), context);
        encl_device_release(device);

        cl_uint count = 0;
        cl_command_queue_properties plain = 0;
        cl_command_queue_properties profile = 0;
        assert_int_equal(clGetContextInfo(context, CL_CONTEXT_NUM_DEVICES, sizeof count, &count, NULL), 0);
        assert_int_equal(count, 1);
        assert_int_equal(
            clGetCommandQueueInfo(encl_device_queue(device), CL_QUEUE_PROPERTIES, sizeof plain, &plain, NULL), 0);
        assert_int_equal(clGetCommandQueueInfo(encl_device_profile_queue(device), CL_QUEUE_PROPERTIES, sizeof profile,
                                               &profile, NULL),
                         0);
        assert_int_equal(plain, 0);
        assert_int_equal(profile, CL_QUEUE_PROFILING_ENABLE);

        encl_device_release(device);
        assert_null(encl_device_context(device));
        assert_null(encl_device_queue(device));
        assert_ok(encl_device_acquire(device));
        assert_int_equal(clFinish(encl_device_queue(device)), 0);
        encl_device_release(device);
    }
}

static void open_and_close(void *context, size_t i) {
    (void)i;
    size_t *bad = context;
    for (int round = 0; round < 5; round++) {
        if (encl_device_acquire(devices[0]) != ENCL_OK || clFinish(encl_device_queue(devices[0])) != CL_SUCCESS) {
            bad[i]++;
        }
        encl_device_release(devices[0]);
    }
}

static void test_acquire_at_once(void **state) {
    (void)state;
    size_t bad[4] = {0};
    if (device_count == 0 || !encl_test_usable(devices[0])) {
        skip();
    }
    encl_parallel(4, 4, open_and_close, bad);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(bad[i], 0);
    }
    assert_null(encl_device_context(devices[0]));
}

// ---- With another environment -----------------------------------------------------------------------------

static int print_devices(void) {
    size_t count = 0;
    encl_status status = encl_devices(&devices, &count);
    printf("status %s\n%s\n", encl_status_name(status), encl_status_detail());
    for (size_t i = 0; i < count; i++) {
        printf("max_allocation %llu\n", (unsigned long long)encl_device_get_info(devices[i])->max_allocation);
    }
    return 0;
}

static void test_no_platform(void **state) {
    (void)state;
    char text[FIXTURE_TEXT];
    char folder[FIXTURE_PATH];
    char environment[3 * FIXTURE_PATH];
    fixture_folder(folder);
    snprintf(environment, sizeof environment, "OCL_ICD_VENDORS='%s' OCL_ICD_FILENAMES= OPENCL_VENDOR_PATH='%s'", folder,
             folder);
    int empty = fixture_child(environment, "print-devices", text);
    bool empty_told = strstr(text, "status NO_DEVICE") != NULL && strstr(text, "pocl-opencl-icd") != NULL;
    // A driver that is named and not there is the same as none.
    fixture_write_text(folder, "gone.icd", "/nonexistent/libgone.so\n");
    int gone = fixture_child(environment, "print-devices", text);
    bool gone_told = strstr(text, "status NO_DEVICE") != NULL && strstr(text, "pocl-opencl-icd") != NULL;
    fixture_remove(folder);
    assert_int_equal(empty, 0);
    assert_true(empty_told);
    assert_int_equal(gone, 0);
    assert_true(gone_told);
}

static void test_max_allocation(void **state) {
    (void)state;
    char text[FIXTURE_TEXT];
    if (device_count == 0) {
        skip();
    }
    assert_int_equal(fixture_child("ENCL_MAX_ALLOCATION=1048576", "print-devices", text), 0);
    assert_non_null(strstr(text, "max_allocation 1048576\n"));
    // It only lowers, and what is no number is ignored with a warning.
    assert_int_equal(fixture_child("ENCL_MAX_ALLOCATION=18446744073709551615", "print-devices", text), 0);
    assert_null(strstr(text, "max_allocation 18446744073709551615"));
    static const char *const bad[] = {"0", "-1", "1M", "99999999999999999999", "' 1'"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char environment[64];
        snprintf(environment, sizeof environment, "ENCL_MAX_ALLOCATION=%s", bad[i]);
        assert_int_equal(fixture_child(environment, "print-devices", text), 0);
        assert_non_null(strstr(text, "warning: ENCL_MAX_ALLOCATION"));
        assert_non_null(strstr(text, "status OK"));
    }
}

int main(int count, char **arguments) {
    if (count > 1 && strcmp(arguments[1], "print-devices") == 0) {
        return print_devices();
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_calls_at_once),
        cmocka_unit_test(test_all_are_listed),
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_known_drivers),
        cmocka_unit_test(test_acquire),
        cmocka_unit_test(test_acquire_at_once),
        cmocka_unit_test(test_no_platform),
        cmocka_unit_test(test_max_allocation),
    };
    return encl_test_main(tests);
}
