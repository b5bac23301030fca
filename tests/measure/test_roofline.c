// The roofline by hand: a device of 100 GF/s and 20 GB/s, whose ridge is at 5 flops a byte, with empty kernels of 4 µs.
#include "test.h"

#include <math.h>

#include "runtime/measure/roofline.h"

static const encl_peaks peaks = {.fp32_gflops = 100.0, .memory_gbs = 20.0, .launch_us = 4.0};

static void test_cases(void **state) {
    (void)state;
    static const struct {
        double flops, bytes, ns;
        double intensity, attainable, percent;
        const char *bound;
    } cases[] = {
        {2e9, 1e8, 4e7, 20.0, 100.0, 50.0, "compute"},
        {1e8, 1e8, 1e7, 1.0, 20.0, 50.0, "memory"},
        {5e8, 1e8, 5e6, 5.0, 100.0, 100.0, "compute"}, // on the ridge
        {1e8, 1e8, 2.5e6, 1.0, 20.0, 200.0, "memory"}, // from a cache
        {0.0, 1e8, 1e7, 0.0, NAN, 50.0, "memory"},     // a copy
        {2e9, 0.0, 4e7, NAN, 100.0, 50.0, "compute"},  // registers alone
        {1e3, 1e3, 11999, 1.0, 20.0, 1e5 / 11999 / 20, "launch"},
        {1e3, 1e3, 12000, 1.0, 20.0, 1e5 / 12000 / 20, "memory"},
        {0.0, 0.0, 1e6, NAN, NAN, NAN, ""},
        {1e8, 1e8, 0.0, 1.0, 20.0, NAN, ""},
        {1e8, 1e8, NAN, 1.0, 20.0, NAN, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const encl_roof roof = encl_roof_of(&peaks, cases[i].flops, cases[i].bytes, cases[i].ns);
        const double found[] = {roof.intensity, roof.attainable_gflops, roof.roof_pct};
        const double expected[] = {cases[i].intensity, cases[i].attainable, cases[i].percent};
        for (size_t j = 0; j < 3; j++) {
            const bool same =
                isnan(expected[j]) ? isnan(found[j]) : fabs(found[j] - expected[j]) <= 1e-12 * fabs(expected[j]);
            if (!same) {
                fail_msg("case %zu, value %zu: found %g, expected %g", i, j, found[j], expected[j]);
            }
        }
        assert_string_equal(roof.bound, cases[i].bound);
    }
}

static void test_unknown(void **state) {
    (void)state;
    const encl_roof none = encl_roof_of(NULL, 1e6, 2e6, 1e6);
    assert_true(none.intensity == 0.5 && isnan(none.attainable_gflops) && isnan(none.roof_pct));
    assert_string_equal(none.bound, "");

    // A peak that was not measured is no limit of 0, and not the other one's.
    const encl_peaks no_flops = {.fp32_gflops = NAN, .memory_gbs = 20.0, .launch_us = NAN};
    const encl_roof first = encl_roof_of(&no_flops, 1e8, 1e8, 1e7);
    assert_true(isnan(first.attainable_gflops) && isnan(first.roof_pct));
    assert_string_equal(first.bound, "");
    const encl_peaks no_bytes = {.fp32_gflops = 100.0, .memory_gbs = NAN, .launch_us = 4.0};
    const encl_roof second = encl_roof_of(&no_bytes, 1e8, 1e8, 1e7);
    assert_true(isnan(second.attainable_gflops) && isnan(second.roof_pct));
    assert_string_equal(second.bound, "");
    const encl_roof copy = encl_roof_of(&no_bytes, 0.0, 1e8, 1e7);
    assert_true(isnan(copy.roof_pct));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_unknown),
    };
    return encl_test_main(tests);
}
