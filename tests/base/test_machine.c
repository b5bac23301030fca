#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include <cmocka.h>

#include "runtime/base/machine.h"
#include "runtime/base/thread.h"

static const char x86[] = "processor\t: 0\n"
                          "vendor_id\t: GenuineIntel\n"
                          "cpu family\t: 6\n"
                          "model\t\t: 143\n"
                          "model name\t: Intel(R) Xeon(R)\n"
                          "stepping\t: 8\n"
                          "microcode\t: 0xffffffff\n"
                          "cpu MHz\t\t: 2100.000\n"
                          "flags\t\t: fpu avx512f avx512_bf16 \n"
                          "bugs\t\t: spectre_v1\n"
                          "\n"
                          "processor\t: 1\n"
                          "vendor_id\t: GenuineIntel\n"
                          "cpu family\t: 6\n"
                          "model\t\t: 143\n"
                          "stepping\t: 8\n"
                          "cpu MHz\t\t: 3000.000\n"
                          "flags\t\t: fpu avx512f avx512_bf16 \n";

static const char arm64[] = "processor\t: 0\n"
                            "BogoMIPS\t: 48.00\n"
                            "Features\t: fp asimd bf16\n"
                            "CPU implementer\t: 0x41\n"
                            "CPU architecture: 8\n"
                            "CPU variant\t: 0x1\n"
                            "CPU part\t: 0xd05\n"
                            "CPU revision\t: 0\n"
                            "\n"
                            "processor\t: 1\n"
                            "Features\t: fp asimd bf16\n"
                            "CPU implementer\t: 0x41\n"
                            "CPU architecture: 8\n"
                            "CPU variant\t: 0x1\n"
                            "CPU part\t: 0xd0b\n"
                            "CPU revision\t: 0";

static void test_x86(void **state) {
    (void)state;
    char *text = NULL;
    assert_int_equal(encl_machine_identify(x86, &text), ENCL_OK);
    assert_string_equal(text, "vendor_id: GenuineIntel\ncpu family: 6\nmodel: 143\nstepping: 8\n"
                              "flags: fpu avx512f avx512_bf16 \n");
    assert_true(encl_machine_identity_has(text, "avx512_bf16"));
    assert_true(encl_machine_identity_has(text, "fpu"));
    assert_false(encl_machine_identity_has(text, "avx512"));
    assert_false(encl_machine_identity_has(text, "bf16"));
    assert_false(encl_machine_identity_has(text, ""));
    assert_false(encl_machine_identity_has(text, "GenuineIntel"));
    assert_false(encl_machine_identity_has(text, "fpu avx512f"));
    free(text);
}

// Big and little cores differ in one line, which is told of both.
static void test_arm64(void **state) {
    (void)state;
    char *text = NULL;
    assert_int_equal(encl_machine_identify(arm64, &text), ENCL_OK);
    assert_string_equal(text, "Features: fp asimd bf16\nCPU implementer: 0x41\nCPU architecture: 8\nCPU variant: 0x1\n"
                              "CPU part: 0xd05\nCPU revision: 0\nCPU part: 0xd0b\n");
    assert_true(encl_machine_identity_has(text, "bf16"));
    assert_false(encl_machine_identity_has(text, "asimdhp"));
    free(text);
}

static void test_odd_texts(void **state) {
    (void)state;
    static const char *const texts[] = {
        "", "\n\n", ":", "flags", "flags:", "flags:\n", "flags: \n\n:", "no colon\nflags :  "};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char *text = NULL;
        assert_int_equal(encl_machine_identify(texts[i], &text), ENCL_OK);
        assert_non_null(text);
        assert_false(encl_machine_identity_has(text, "avx2"));
        free(text);
    }
    for (size_t length = 0; length < sizeof x86; length++) {
        char *cut = calloc(length + 1, 1);
        char *text = NULL;
        memcpy(cut, x86, length);
        assert_int_equal(encl_machine_identify(cut, &text), ENCL_OK);
        free(text);
        free(cut);
    }
}

static void test_this_machine(void **state) {
    (void)state;
    assert_in_range(encl_machine_threads(), 1, (size_t)get_nprocs_conf());
    const char *text = encl_machine_cpu();
    assert_ptr_equal(text, encl_machine_cpu());
#if defined(__x86_64__)
    assert_non_null(strstr(text, "vendor_id: "));
    assert_true(encl_machine_has_feature("sse2"));
    assert_int_equal(encl_machine_has_feature("avx2"), __builtin_cpu_supports("avx2") != 0);
#elif defined(__aarch64__)
    assert_non_null(strstr(text, "CPU implementer: "));
    assert_true(encl_machine_has_feature("asimd"));
#endif
    assert_false(encl_machine_has_feature("no_such_feature"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_x86),
        cmocka_unit_test(test_arm64),
        cmocka_unit_test(test_odd_texts),
        cmocka_unit_test(test_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
