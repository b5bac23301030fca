// Statistics of timings against values worked out by hand and by SciPy, and at their edges.
#include "test.h"

#include <math.h>
#include <string.h>

#include "runtime/measure/statistics.h"

static encl_statistics of(const int64_t *samples, size_t count) {
    encl_statistics found;
    assert_ok(encl_statistics_of(samples, count, &found));
    return found;
}

static void assert_near(double found, double expected) {
    if (!(fabs(found - expected) <= 1e-9 * fabs(expected))) {
        fail_msg("found %.17g, expected %.17g", found, expected);
    }
}

// By hand, and the same by numpy (percentile, std(ddof=1)).
static void test_small(void **state) {
    (void)state;
    const int64_t samples[] = {120, 100, 105, 110, 103, 101, 99, 5000, 104, 102};
    int64_t kept[10];
    memcpy(kept, samples, sizeof kept);
    const encl_statistics found = of(samples, 10);
    assert_memory_equal(kept, samples, sizeof kept);
    assert_int_equal(found.count, 10);
    assert_near(found.min, 99);
    assert_near(found.max, 5000);
    assert_near(found.p50, 103.5);
    assert_near(found.mean, 594.4);
    assert_near(found.sd, 1547.9822852848013);
    assert_near(found.riqr_pct, (108.75 - 101.25) / 103.5 * 100);
    assert_near(found.ci_lo, 100); // the second smallest and the second largest
    assert_near(found.ci_hi, 120);
    assert_int_equal(found.outliers, 1); // deviation's median 3: beyond 44.4 is 5000 alone
    assert_true(isnan(found.p90) && isnan(found.p95) && isnan(found.p99));
}

// Largest k with 2 · P(X < k) ≤ 0.05 for X ~ Binomial(n, 1/2), by scipy.stats.binom of SciPy 1.17.1.
static void test_median_rank(void **state) {
    (void)state;
    static const size_t golden[][2] = {
        {0, 0},
        {1, 0},
        {2, 0},
        {5, 0},
        {6, 1},
        {7, 1},
        {8, 1},
        {9, 2},
        {10, 2},
        {11, 2},
        {12, 3},
        {15, 4},
        {20, 6},
        {25, 8},
        {29, 9},
        {30, 10},
        {40, 14},
        {50, 18},
        {59, 22},
        {71, 27},
        {100, 40},
        {101, 41},
        {299, 133},
        {500, 228},
        {1000, 469},
        {1001, 470},
        {10000, 4902},
        {100000, 49690},
        {1000000, 499020},
        {10000000, 4996901},
    };
    for (size_t i = 0; i < sizeof golden / sizeof golden[0]; i++) {
        assert_int_equal(encl_median_rank(golden[i][0]), golden[i][1]);
    }
}

static void test_percentiles(void **state) {
    (void)state;
    int64_t samples[1000];
    for (int64_t i = 0; i < 1000; i++) {
        samples[i] = 1000 - i;
    }
    for (size_t count = 0; count <= 400; count++) {
        const encl_statistics found = of(samples + 1000 - count, count); // count … 1
        assert_int_equal(isnan(found.p90), count < 29);
        assert_int_equal(isnan(found.p95), count < 59);
        assert_int_equal(isnan(found.p99), count < 299);
    }
    const encl_statistics thirty = of(samples + 970, 30);
    assert_near(thirty.p90, 27); // nearest rank: 90 % of 30 are 27
    const encl_statistics most = of(samples, 1000);
    assert_near(most.p90, 900);
    assert_near(most.p95, 950);
    assert_near(most.p99, 990);
    assert_near(most.ci_lo, 469);
    assert_near(most.ci_hi, 532);
}

static void test_degenerate(void **state) {
    (void)state;
    const encl_statistics none = of(NULL, 0);
    assert_int_equal(none.count, 0);
    assert_true(isnan(none.min) && isnan(none.p50) && isnan(none.mean) && isnan(none.max) && isnan(none.ci_lo));
    assert_int_equal(none.outliers, 0);

    const int64_t single = 7;
    const encl_statistics one = of(&single, 1);
    assert_near(one.min, 7);
    assert_near(one.p50, 7);
    assert_near(one.mean, 7);
    assert_near(one.max, 7);
    assert_true(isnan(one.sd) && isnan(one.riqr_pct) && isnan(one.ci_lo) && isnan(one.ci_hi));
    assert_int_equal(one.outliers, 0);

    const int64_t pair[] = {9, 4};
    const encl_statistics two = of(pair, 2);
    assert_near(two.p50, 6.5);
    assert_near(two.sd, sqrt(12.5));
    assert_true(isnan(two.ci_lo));

    int64_t equal[50];
    for (size_t i = 0; i < 50; i++) {
        equal[i] = 42;
    }
    const encl_statistics same = of(equal, 50);
    assert_near(same.p50, 42);
    assert_true(same.sd == 0.0 && same.riqr_pct == 0.0);
    assert_near(same.ci_lo, 42);
    assert_near(same.ci_hi, 42);
    assert_int_equal(same.outliers, 0);

    const int64_t zeros[] = {0, 0, 0};
    const encl_statistics zero = of(zeros, 3);
    assert_true(zero.p50 == 0.0 && zero.sd == 0.0 && isnan(zero.riqr_pct));
}

// Sums of such times do not fit into 64 bits.
static void test_huge(void **state) {
    (void)state;
    int64_t samples[40];
    for (size_t i = 0; i < 40; i++) {
        samples[i] = INT64_MAX;
    }
    const encl_statistics found = of(samples, 40);
    assert_near(found.p50, 0x1p63);
    assert_near(found.mean, 0x1p63);
    assert_true(found.sd == 0.0);
    samples[0] = INT64_MIN;
    assert_near(of(samples, 2).p50, 0.0);
    assert_near(of(samples, 40).max, 0x1p63);
    assert_int_equal(of(samples, 40).outliers, 1);
}

// ---- The ratio of medians ---------------------------------------------------------------------------------

// 1000 … 1099 plus `more`, from a generator that is written down in any language.
static void fill(int64_t *samples, size_t count, uint32_t seed, int64_t more) {
    for (size_t i = 0; i < count; i++) {
        seed = (seed * 1103515245u + 12345u) & 0x7fffffffu;
        samples[i] = 1000 + (int64_t)((seed >> 8) % 100) + more;
    }
}

// Plain resampling of the same samples by numpy.random.Generator.choice, 200,000 times; the ends of the intervals lie
// on samples, so two simulations agree but for a neighbour.
static void test_ratio(void **state) {
    (void)state;
    static const struct {
        size_t before, after;
        double ratio, lo, hi;
    } golden[] = {
        {20, 20, 1.0581730769230768, 1.02622794, 1.07302824},
        {21, 40, 1.0394990366088632, 1.01799242, 1.06822612},
        {101, 55, 1.0325670498084292, 1.01806084, 1.05780347},
    };
    for (size_t i = 0; i < sizeof golden / sizeof golden[0]; i++) {
        int64_t before[101];
        int64_t after[101];
        encl_ratio found;
        encl_ratio again;
        fill(before, golden[i].before, 1, 0);
        fill(after, golden[i].after, 7, 30);
        assert_ok(encl_ratio_of_medians(before, golden[i].before, after, golden[i].after, 1, &found));
        assert_near(found.ratio, golden[i].ratio);
        if (fabs(found.lo - golden[i].lo) > 0.003 || fabs(found.hi - golden[i].hi) > 0.003) {
            fail_msg("case %zu: [%.5f, %.5f], expected [%.5f, %.5f]", i, found.lo, found.hi, golden[i].lo,
                     golden[i].hi);
        }
        assert_ok(encl_ratio_of_medians(before, golden[i].before, after, golden[i].after, 1, &again));
        assert_memory_equal(&found, &again, sizeof found);
    }
}

// Another seed draws other samples. (Many and different ones, so that the ends are not the same by chance.)
static void test_seed(void **state) {
    (void)state;
    int64_t before[400];
    int64_t after[400];
    encl_ratio found[2];
    for (size_t i = 0; i < 400; i++) {
        before[i] = (int64_t)(1000000 + i * i * 37 % 9973);
        after[i] = (int64_t)(1000000 + i * i * 41 % 9967);
    }
    assert_ok(encl_ratio_of_medians(before, 400, after, 400, 1, &found[0]));
    assert_ok(encl_ratio_of_medians(before, 400, after, 400, 2, &found[1]));
    assert_true(found[0].ratio == found[1].ratio);
    assert_true(found[0].lo != found[1].lo || found[0].hi != found[1].hi);
}

static void test_ratio_edges(void **state) {
    (void)state;
    const int64_t samples[] = {100, 100, 100, 100, 100, 100, 100};
    const int64_t zeros[] = {5, 0, 7, 8, 9, 10, 11};
    encl_ratio found = {1, 1, 1};
    assert_int_equal(encl_ratio_of_medians(samples, 0, samples, 7, 1, &found), ENCL_INVALID);
    assert_true(isnan(found.ratio));
    assert_int_equal(encl_ratio_of_medians(samples, 7, NULL, 0, 1, &found), ENCL_INVALID);
    assert_non_null(strstr(encl_status_detail(), "7 samples before and 0 after"));
    assert_int_equal(encl_ratio_of_medians(samples, 7, zeros, 7, 1, &found), ENCL_INVALID);
    assert_non_null(strstr(encl_status_detail(), "a sample of 0 ns"));

    assert_ok(encl_ratio_of_medians(samples, 7, samples, 7, 1, &found));
    assert_true(found.ratio == 1.0 && found.lo == 1.0 && found.hi == 1.0);
    assert_int_equal(encl_verdict_of(&found, 0.02), ENCL_VERDICT_SAME);

    // Five samples say nothing with 95 % confidence, however different they look.
    assert_ok(encl_ratio_of_medians(samples, 5, zeros + 2, 5, 1, &found));
    assert_near(found.ratio, 0.09);
    assert_true(isnan(found.lo) && isnan(found.hi));
    assert_int_equal(encl_verdict_of(&found, 0.02), ENCL_VERDICT_UNCLEAR);
}

static void test_verdicts(void **state) {
    (void)state;
    static const struct {
        double lo, hi;
        const char *verdict;
    } cases[] = {
        {1.03, 1.1, "slower"}, {0.9, 0.97, "faster"},  {0.98, 1.02, "same"},
        {0.99, 1.01, "same"},  {1.0, 1.05, "unclear"}, {1.02, 1.05, "unclear"},
        {0.9, 1.1, "unclear"}, {0.9, 1.0, "unclear"},  {NAN, NAN, "unclear"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const encl_ratio ratio = {1.0, cases[i].lo, cases[i].hi};
        assert_string_equal(encl_verdict_name(encl_verdict_of(&ratio, 0.02)), cases[i].verdict);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),      cmocka_unit_test(test_median_rank), cmocka_unit_test(test_percentiles),
        cmocka_unit_test(test_degenerate), cmocka_unit_test(test_huge),        cmocka_unit_test(test_ratio),
        cmocka_unit_test(test_seed),       cmocka_unit_test(test_ratio_edges), cmocka_unit_test(test_verdicts),
    };
    return encl_test_main(tests);
}
