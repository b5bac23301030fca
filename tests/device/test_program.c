// Programs on every device that is here: messages, options, the cache of binaries, damaged binaries, threads.
#include "fixture.h"

#include "runtime/device/program.h"

#include <dlfcn.h>

#include "runtime/base/clock.h"
#include "runtime/base/thread.h"
#include "runtime/device/cache.h"

enum { ITEMS = 64, GROUP = 16 };

static const char fill_source[] = "#ifndef VALUE\n"
                                  "#define VALUE 1\n"
                                  "#endif\n"
                                  "__kernel void fill(__global int *x) {\n"
                                  "    x[get_global_id(0)] = VALUE * (int)get_global_id(0);\n"
                                  "}\n";

static char kernels[FIXTURE_PATH];      // ENCL_KERNEL_DIR
static char cache[FIXTURE_PATH];        // ENCL_CACHE_DIR
static char driver_cache[FIXTURE_PATH]; // PoCL's own
static const encl_device *const *devices;
static size_t device_count;

static bool open_device(size_t i) {
    if (!encl_test_usable(devices[i])) {
        return false;
    }
    assert_ok(encl_device_acquire(devices[i]));
    return true;
}

// Launches `fill` of a program and tells whether every item is value × its index.
static bool fills(const encl_program *program, int value) {
    const encl_device *device = program->device;
    int result[ITEMS] = {0};
    const size_t global = ITEMS;
    const size_t local = GROUP;
    cl_kernel kernel = NULL;
    cl_int error = CL_SUCCESS;
    if (encl_program_kernel(program, "fill", &kernel) != ENCL_OK) {
        return false;
    }
    cl_mem buffer = clCreateBuffer(encl_device_context(device), CL_MEM_READ_WRITE, sizeof result, NULL, &error);
    bool good = error == CL_SUCCESS && clSetKernelArg(kernel, 0, sizeof buffer, &buffer) == CL_SUCCESS &&
                clEnqueueNDRangeKernel(encl_device_queue(device), kernel, 1, NULL, &global, &local, 0, NULL, NULL) ==
                    CL_SUCCESS &&
                clEnqueueReadBuffer(encl_device_queue(device), buffer, CL_TRUE, 0, sizeof result, result, 0, NULL,
                                    NULL) == CL_SUCCESS;
    for (int i = 0; good && i < ITEMS; i++) {
        good = result[i] == value * i;
    }
    clReleaseMemObject(buffer);
    clReleaseKernel(kernel);
    return good;
}

static void expect_program(const encl_device *device, const char *options, int value, bool from_cache) {
    encl_program *program = NULL;
    assert_ok(encl_program_build(device, "fill.cl", options, &program));
    assert_int_equal(program->from_cache, from_cache);
    assert_true(fills(program, value));
    encl_program_destroy(program);
}

// ---- Sources ----------------------------------------------------------------------------------------------

static void test_sources(void **state) {
    (void)state;
    char *text = NULL;
    assert_ok(encl_program_source("fill.cl", &text));
    assert_string_equal(text, fill_source);
    free(text);
    assert_int_equal(encl_program_source("absent.cl", &text), ENCL_NOT_FOUND);
    assert_null(text);
    assert_non_null(strstr(encl_status_detail(), "absent.cl"));
    assert_int_equal(encl_program_source("../fill.cl", &text), ENCL_INVALID);
    fixture_write(kernels, "nul.cl", "a\0b", 3);
    assert_int_equal(encl_program_source("nul.cl", &text), ENCL_FORMAT);
    assert_null(text);

    unsetenv("ENCL_KERNEL_DIR");
    assert_ok(encl_program_source("prelude.h", &text));
    assert_non_null(strstr(text, "FP_CONTRACT OFF"));
    free(text);
    assert_int_equal(encl_program_source("fill.cl", &text), ENCL_NOT_FOUND);
    assert_null(text);
    setenv("ENCL_KERNEL_DIR", kernels, 1);
}

static void expect_failure(const encl_device *device, const char *file, const char *message) {
    encl_program *program = (encl_program *)&device;
    assert_int_equal(encl_program_build(device, file, "", &program), ENCL_BUILD);
    assert_null(program);
    if (strncmp(encl_status_detail(), message, strlen(message)) != 0) {
        fail_msg("%s: '%s', expected '%s…'", encl_device_get_info(device)->platform, encl_status_detail(), message);
    }
    assert_non_null(strstr(encl_status_detail(), encl_device_get_info(device)->name));
}

static void test_messages(void **state) {
    (void)state;
    fixture_write_text(kernels, "broken.cl", "\n\n__kernel void f(__global int *x) {\n    x[0] = nowhere;\n}\n");
    fixture_write_text(kernels, "part.h", "// first\n\nint part(void) { return missing; }\n");
    fixture_write_text(kernels, "whole.cl", "// one\n#include \"part.h\"\nint two;\n");
    fixture_write_text(kernels, "good_part.h", "// first\n\n");
    fixture_write_text(kernels, "after.cl", "// one\n#include \"good_part.h\"\n\nint f(void) { return missing; }");
    for (size_t i = 0; i < device_count; i++) {
        if (open_device(i)) {
            expect_failure(devices[i], "broken.cl", "broken.cl:4: use of undeclared identifier 'nowhere'");
            expect_failure(devices[i], "whole.cl", "part.h:3: use of undeclared identifier 'missing'");
            expect_failure(devices[i], "after.cl", "after.cl:4: use of undeclared identifier 'missing'");
            encl_device_release(devices[i]);
        }
    }
}

// This program's own clBuildProgram stands before the loader's and fails as often as a test asks for.
static int failing_builds;

cl_int clBuildProgram(cl_program program, cl_uint count, const cl_device_id *ids, const char *options,
                      void(CL_CALLBACK *done)(cl_program, void *), void *context) {
    cl_int (*next)(cl_program, cl_uint, const cl_device_id *, const char *, void(CL_CALLBACK *)(cl_program, void *),
                   void *) = NULL;
    if (failing_builds > 0) {
        failing_builds--;
        return CL_OUT_OF_RESOURCES;
    }
    *(void **)&next = dlsym(RTLD_NEXT, "clBuildProgram");
    return next(program, count, ids, options, done, context);
}

static void test_exhausted_compiler(void **state) {
    (void)state;
    for (size_t i = 0; i < device_count; i++) {
        encl_program *program = NULL;
        if (!open_device(i)) {
            continue;
        }
        failing_builds = 2; // the third attempt works
        assert_ok(encl_program_build(devices[i], "fill.cl", "-DVALUE=2", &program));
        assert_true(fills(program, 2));
        encl_program_destroy(program);
        failing_builds = 3;
        assert_int_equal(encl_program_build(devices[i], "fill.cl", "-DVALUE=2", &program), ENCL_DEVICE_MEMORY);
        assert_null(program);
        assert_non_null(strstr(encl_status_detail(), "fill.cl (device "));
        assert_int_equal(failing_builds, 0);
        encl_device_release(devices[i]);
    }
}

static void test_missing_kernel(void **state) {
    (void)state;
    for (size_t i = 0; i < device_count; i++) {
        encl_program *program = NULL;
        cl_kernel kernel = (cl_kernel)&kernels;
        if (open_device(i)) {
            assert_ok(encl_program_build(devices[i], "fill.cl", "", &program));
            assert_int_not_equal(encl_program_kernel(program, "empty", &kernel), ENCL_OK);
            assert_null(kernel);
            assert_non_null(strstr(encl_status_detail(), "fill.cl: kernel 'empty'"));
            encl_program_destroy(program);
            encl_device_release(devices[i]);
        }
    }
}

static void test_options(void **state) {
    (void)state;
    fixture_write_text(kernels, "standard.cl",
                       "#if __OPENCL_C_VERSION__ != EXPECTED\n#error other standard\n#endif\n"
                       "__kernel void f(__global int *x) { x[0] = 0; }\n");
    for (size_t i = 0; i < device_count; i++) {
        encl_program *program = NULL;
        if (!open_device(i)) {
            continue;
        }
        assert_ok(encl_program_build(devices[i], "standard.cl", "-DEXPECTED=120", &program));
        assert_string_equal(program->options, "-cl-std=CL1.2 -w -DEXPECTED=120");
        encl_program_destroy(program);
        assert_ok(encl_program_build(devices[i], "fill.cl", NULL, &program));
        assert_string_equal(program->options, "-cl-std=CL1.2 -w");
        encl_program_destroy(program);
        if (devices[i]->opencl_c_version >= 300) {
            assert_ok(encl_program_build(devices[i], "standard.cl", "-DEXPECTED=300 -cl-std=CL3.0", &program));
            assert_string_equal(program->options, "-w -DEXPECTED=300 -cl-std=CL3.0");
            encl_program_destroy(program);
        }
        encl_device_release(devices[i]);
    }
}

// ---- Binaries ---------------------------------------------------------------------------------------------

static void keep_program(const encl_device *device, const char *options, int value, char key[65]) {
    encl_program *program = NULL;
    assert_ok(encl_program_build(device, "fill.cl", options, &program));
    assert_false(program->from_cache);
    assert_true(fills(program, value));
    encl_program_keep(program);
    memcpy(key, program->key, 65);
    encl_program_destroy(program);
}

static void test_round_trip(void **state) {
    (void)state;
    for (size_t i = 0; i < device_count; i++) {
        char key[65];
        char other[65];
        if (!open_device(i)) {
            continue;
        }
        expect_program(devices[i], "-DVALUE=3", 3, false);
        keep_program(devices[i], "-DVALUE=3", 3, key);
        expect_program(devices[i], "-DVALUE=3", 3, true);
        keep_program(devices[i], "-DVALUE=4", 4, other);
        assert_string_not_equal(key, other);
        expect_program(devices[i], "-DVALUE=3", 3, true);

        // Another source text under the same name is another program.
        fixture_write_text(kernels, "fill.cl",
                           "__kernel void fill(__global int *x) {\n"
                           "    x[get_global_id(0)] = 7 * (int)get_global_id(0);\n}\n");
        expect_program(devices[i], "-DVALUE=3", 7, false);
        fixture_write_text(kernels, "fill.cl", fill_source);

        encl_program *program = NULL;
        assert_ok(encl_program_build(devices[i], "fill.cl", "-DVALUE=3", &program));
        encl_program_forget(program);
        encl_program_destroy(program);
        expect_program(devices[i], "-DVALUE=3", 3, false);
        encl_device_release(devices[i]);
    }
}

// Entries that are whole, and not what a driver wrote for this program. Several drivers crash on such bytes.
static void test_damaged_binaries(void **state) {
    (void)state;
    static unsigned char garbage[5000];
    static const size_t lengths[] = {0, 1, 63, 64, 65, 500, sizeof garbage};
    for (size_t i = 0; i < sizeof garbage; i++) {
        garbage[i] = (unsigned char)(i * 37 + i / 11);
    }
    for (size_t i = 0; i < device_count; i++) {
        char key[65];
        char other[65];
        void *bytes = NULL;
        size_t length = 0;
        if (!open_device(i)) {
            continue;
        }
        keep_program(devices[i], "-DVALUE=5", 5, key);
        for (size_t j = 0; j < sizeof lengths / sizeof *lengths; j++) {
            encl_cache_store("programs", key, garbage, lengths[j]);
            expect_program(devices[i], "-DVALUE=5", 5, false);
            assert_int_equal(encl_cache_load("programs", key, &bytes, &length), ENCL_NOT_FOUND);
        }
        // Another program's binary under this one's name would run, and give wrong results.
        keep_program(devices[i], "-DVALUE=6", 6, other);
        assert_ok(encl_cache_load("programs", other, &bytes, &length));
        encl_cache_store("programs", key, bytes, length);
        free(bytes);
        expect_program(devices[i], "-DVALUE=5", 5, false);
        encl_device_release(devices[i]);
    }
}

// Bytes with the right name before them do reach the driver: those of PoCL and Intel refuse them.
static void test_refused_binary(void **state) {
    (void)state;
    for (size_t i = 0; i < device_count; i++) {
        char key[65];
        char payload[1000];
        if (strcmp(encl_device_get_info(devices[i])->platform, "rusticl") == 0 || !open_device(i)) {
            continue; // Mesa 22.3 ends the process
        }
        keep_program(devices[i], "-DVALUE=8", 8, key);
        memset(payload, 'x', sizeof payload);
        memcpy(payload, key, 64);
        encl_cache_store("programs", key, payload, sizeof payload);
        expect_program(devices[i], "-DVALUE=8", 8, false);
        encl_device_release(devices[i]);
    }
}

// ---- Threads ----------------------------------------------------------------------------------------------

typedef struct thread_case {
    const encl_device *device;
    size_t bad[4];
} thread_case;

// Two of the four threads build the same program, two one of their own.
static void build_and_run(void *context, size_t i) {
    thread_case *shared = context;
    int value = i < 2 ? 20 : 20 + (int)i;
    char options[32];
    encl_program *program = NULL;
    snprintf(options, sizeof options, "-DVALUE=%d", value);
    if (encl_program_build(shared->device, "fill.cl", options, &program) != ENCL_OK || !fills(program, value)) {
        shared->bad[i]++;
    } else {
        encl_program_keep(program);
    }
    encl_program_destroy(program);
}

static void test_threads(void **state) {
    (void)state;
    for (size_t i = 0; i < device_count; i++) {
        thread_case shared = {.device = devices[i]};
        if (!open_device(i)) {
            continue;
        }
        encl_parallel(4, 4, build_and_run, &shared);
        for (size_t j = 0; j < 4; j++) {
            assert_int_equal(shared.bad[j], 0);
        }
        expect_program(devices[i], "-DVALUE=20", 20, true);
        encl_device_release(devices[i]);
    }
}

// ---- A new process ----------------------------------------------------------------------------------------

static size_t shared_objects;

static int count_shared_object(const char *path, const struct stat *status, int type, struct FTW *place) {
    size_t length = strlen(path);
    (void)status;
    (void)place;
    shared_objects += type == FTW_F && length > 3 && strcmp(path + length - 3, ".so") == 0;
    return 0;
}

// PoCL compiles by writing a shared object into its own cache; how many there are.
static size_t count_compiled(void) {
    shared_objects = 0;
    nftw(getenv("POCL_CACHE_DIR"), count_shared_object, 16, FTW_PHYS);
    return shared_objects;
}

// In the child: is what the parent kept found, does it work, and does the first launch compile anything?
static int start_warm(void) {
    if (encl_devices(&devices, &device_count) != ENCL_OK) {
        return 1;
    }
    for (size_t i = 0; i < device_count; i++) {
        encl_program *program = NULL;
        if (!encl_test_usable(devices[i])) {
            continue;
        }
        if (encl_device_acquire(devices[i]) != ENCL_OK ||
            encl_program_build(devices[i], "fill.cl", "-DVALUE=9", &program) != ENCL_OK) {
            printf("%s\n", encl_status_detail());
            return 2;
        }
        size_t before = count_compiled();
        int64_t begin = encl_clock_ns();
        bool right = fills(program, 9);
        int64_t end = encl_clock_ns();
        printf("%s: from cache %d, right %d, compiled %zu, first launch %.1f ms\n", devices[i]->info.platform,
               program->from_cache, right, count_compiled() - before, (double)(end - begin) / 1e6);
        if (!program->from_cache || !right || count_compiled() != before) {
            return 3;
        }
        encl_program_destroy(program);
        encl_device_release(devices[i]);
    }
    return 0;
}

static void test_warm_start(void **state) {
    (void)state;
    char text[FIXTURE_TEXT];
    char environment[2 * FIXTURE_PATH];
    char empty[FIXTURE_PATH];
    for (size_t i = 0; i < device_count; i++) {
        char key[65];
        if (open_device(i)) {
            keep_program(devices[i], "-DVALUE=9", 9, key);
            encl_device_release(devices[i]);
        }
    }
    fixture_folder(empty);
    snprintf(environment, sizeof environment, "POCL_CACHE_DIR='%s'", empty);
    int status = fixture_child(environment, "start-warm", text);
    fixture_remove(empty);
    print_message("%s", text);
    assert_int_equal(status, 0);
}

// ---- All --------------------------------------------------------------------------------------------------

static int set_up(void **state) {
    (void)state;
    fixture_folder(kernels);
    fixture_folder(cache);
    fixture_folder(driver_cache);
    fixture_write_text(kernels, "prelude.h", "#pragma OPENCL FP_CONTRACT OFF\n");
    fixture_write_text(kernels, "fill.cl", fill_source);
    setenv("ENCL_KERNEL_DIR", kernels, 1);
    setenv("ENCL_CACHE_DIR", cache, 1);
    setenv("POCL_CACHE_DIR", driver_cache, 1);
    encl_status status = encl_devices(&devices, &device_count);
    if (status == ENCL_NO_DEVICE) {
        print_message("no device, so only sources are tested: %s\n", encl_status_detail());
    }
    return status == ENCL_OK || status == ENCL_NO_DEVICE ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    fixture_remove(kernels);
    fixture_remove(cache);
    fixture_remove(driver_cache);
    return 0;
}

int main(int count, char **arguments) {
    if (count > 1 && strcmp(arguments[1], "start-warm") == 0) {
        return start_warm();
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_exhausted_compiler),
        cmocka_unit_test(test_missing_kernel),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_damaged_binaries),
        cmocka_unit_test(test_refused_binary),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_warm_start),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
