// What kernels need of a device, word by word, and ENCL_CPU_FEATURES.
#include "fixture.h"

#include "runtime/base/thread.h"
#include "runtime/device/features.h"

static encl_device *made_device(encl_device *device, encl_device_type type, const char *platform, bool dot_khr) {
    memset(device, 0, sizeof *device);
    device->info.type = type;
    device->info.platform = platform;
    device->dot_khr = dot_khr;
    return device;
}

static const char pocl[] = "Portable Computing Language";

static void expect(const encl_device *device, const char *words, const char *missing) {
    const char *found = "unset";
    size_t length = 99;
    assert_int_equal(encl_device_has(device, words, &found, &length), missing == NULL);
    if (missing == NULL) {
        assert_null(found);
        assert_int_equal(length, 0);
    } else {
        assert_int_equal(length, strlen(missing));
        assert_memory_equal(found, missing, length);
        assert_in_range(found - words, 0, strlen(words)); // it lies in the words
    }
}

static void nothing_is_needed(void **state) {
    (void)state;
    encl_device device;
    expect(made_device(&device, ENCL_DEVICE_GPU, "Clover", false), "", NULL);
    expect(&device, "  ", NULL);
}

static void drivers_and_devices_have_words(void **state) {
    (void)state;
    encl_device device;
    made_device(&device, ENCL_DEVICE_CPU, pocl, true);
    expect(&device, "pocl", NULL);
    expect(&device, "int_dot pocl", NULL);
    made_device(&device, ENCL_DEVICE_CPU, "Intel(R) OpenCL", false);
    expect(&device, "pocl", "pocl");
    expect(&device, "int_dot", "int_dot");
    made_device(&device, ENCL_DEVICE_CPU, pocl, false);
    expect(&device, "pocl int_dot", "int_dot");
    made_device(&device, ENCL_DEVICE_GPU, "NVIDIA CUDA", false);
    expect(&device, "dp4a", "dp4a");
    device.dot_dp4a = true;
    expect(&device, "dp4a", NULL);
    expect(&device, "dp4a int_dot", "int_dot");
}

// The processor's own are no others than the list says, whatever it has.
static void features_can_be_taken_away(void **state) {
    (void)state;
    encl_device device;
    made_device(&device, ENCL_DEVICE_CPU, pocl, false);
    setenv("ENCL_CPU_FEATURES", "none", 1);
    expect(&device, "pocl avx2", "avx2");
    expect(&device, "pocl fpu", "fpu");
    setenv("ENCL_CPU_FEATURES", "", 1);
    expect(&device, "fpu", "fpu");
    setenv("ENCL_CPU_FEATURES", "no_such_feature", 1); // it takes away, and gives nothing
    expect(&device, "no_such_feature", "no_such_feature");
    unsetenv("ENCL_CPU_FEATURES");
    expect(&device, "a_feature_whose_name_is_longer_than_any", "a_feature_whose_name_is_longer_than_any");
}

#ifdef __x86_64__
static void features_are_the_processors(void **state) {
    (void)state;
    encl_device device;
    made_device(&device, ENCL_DEVICE_CPU, pocl, false);
    expect(&device, "sse2", NULL); // every processor of this kind has it
    expect(&device, "pocl  sse2 fpu", NULL);
    expect(&device, "sse", NULL);
    expect(&device, "ss", NULL == strstr(encl_machine_cpu(), " ss ") ? "ss" : NULL); // a whole word
    setenv("ENCL_CPU_FEATURES", "sse2,avx2 fpu", 1);
    expect(&device, "sse2 fpu", NULL);
    expect(&device, "sse2 sse", "sse");
    unsetenv("ENCL_CPU_FEATURES");
    // A GPU is not made of it.
    made_device(&device, ENCL_DEVICE_GPU, pocl, false);
    expect(&device, "pocl sse2", "sse2");
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_needed),
        cmocka_unit_test(drivers_and_devices_have_words),
        cmocka_unit_test(features_can_be_taken_away),
#ifdef __x86_64__
        cmocka_unit_test(features_are_the_processors),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
