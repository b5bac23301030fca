// The sampler against a clock that the test moves: when it stops warming up, when it stops, and what it says.
#include "test.h"

#include <math.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/measure/sampler.h"

enum { MILLISECOND = 1000000 };

static int64_t fake_now;

static int64_t fake_clock(void) {
    return fake_now;
}

// Runs that take what a list says, its last entry for ever; the clock moves by as much, and by `outside` more.
typedef struct runs {
    const int64_t *ns;
    size_t count;
    size_t done;
    int64_t outside;
    size_t fail_at; // 0: never; else the run, from 1
} runs;

static encl_status once(void *context, int64_t *ns) {
    runs *of = context;
    const int64_t took = of->ns[of->done < of->count ? of->done : of->count - 1];
    of->done++;
    fake_now += took + of->outside;
    *ns = took;
    return of->done == of->fail_at ? encl_fail(ENCL_DEVICE, "run %zu failed", of->done) : ENCL_OK;
}

static encl_sampling sampling(void) {
    encl_sampling by = encl_sampling_default();
    by.clock = fake_clock;
    return by;
}

static void test_default(void **state) {
    (void)state;
    const encl_sampling by = encl_sampling_default();
    assert_int_equal(by.warm_count, 3);
    assert_int_equal(by.warm_ns, 200 * MILLISECOND);
    assert_int_equal(by.warm_most_ns, (int64_t)5000 * MILLISECOND);
    assert_int_equal(by.least_count, 10);
    assert_int_equal(by.least_ns, 1000 * MILLISECOND);
    assert_true(by.precision == 0.01);
    assert_int_equal(by.most_ns, (int64_t)10000 * MILLISECOND);
    assert_int_equal(by.most_count, 0);
    assert_null(by.check);
}

// 20 ms a run: the first alone, 10 runs until 200 ms are over, then samples until 1 s is.
static void test_steady(void **state) {
    (void)state;
    const int64_t ns[] = {90 * MILLISECOND, 20 * MILLISECOND};
    runs of = {ns, 2, 0, 0, 0};
    encl_sampling by = sampling();
    encl_samples samples;
    assert_ok(encl_sample(&by, once, &of, &samples));
    assert_int_equal(samples.first_ns, 90 * MILLISECOND);
    assert_int_equal(samples.warmup, 11);
    assert_int_equal(samples.count, 50);
    assert_string_equal(samples.stop, "ci");
    assert_int_equal(of.done, 61);
    assert_int_equal(samples.statistics.count, 50);
    assert_true(samples.statistics.p50 == 20.0 * MILLISECOND);
    encl_samples_free(&samples);
    assert_null(samples.ns);
    encl_samples_free(&samples);
}

// Time between the runs counts too: what is promised is when it ends.
static void test_outside(void **state) {
    (void)state;
    const int64_t ns[] = {10 * MILLISECOND};
    runs of = {ns, 1, 0, 90 * MILLISECOND, 0};
    encl_sampling by = sampling();
    encl_samples samples;
    assert_ok(encl_sample(&by, once, &of, &samples));
    assert_int_equal(samples.warmup, 1 + 5); // 200 ms are over after 2, but stable are 5
    assert_int_equal(samples.count, 10);
    encl_samples_free(&samples);
}

// The machine becomes faster until the 30th run: warm-up goes on until five runs agree within 1 %.
static void test_settling(void **state) {
    (void)state;
    int64_t ns[31];
    for (int64_t i = 0; i < 30; i++) {
        ns[i] = (100 - i) * MILLISECOND;
    }
    ns[30] = 70 * MILLISECOND;
    runs of = {ns, 31, 0, 0, 0};
    encl_sampling by = sampling();
    encl_samples samples;
    assert_ok(encl_sample(&by, once, &of, &samples));
    assert_int_equal(samples.warmup, 35); // 31 … 35 are equal
    assert_true(samples.statistics.min == samples.statistics.max);
    encl_samples_free(&samples);
}

// What never settles is warm after 5 s, and ends after 10 s.
static void test_noise(void **state) {
    (void)state;
    int64_t ns[1000];
    for (int64_t i = 0; i < 1000; i++) {
        ns[i] = (i * 37 % 100 + 50) * MILLISECOND;
    }
    runs of = {ns, 1000, 0, 0, 0};
    encl_sampling by = sampling();
    encl_samples samples;
    fake_now = 0;
    assert_ok(encl_sample(&by, once, &of, &samples));
    assert_string_equal(samples.stop, "time");
    int64_t warm = 0;
    int64_t sampled = 0;
    for (int64_t i = 1; i < samples.warmup; i++) {
        warm += ns[i];
    }
    for (size_t i = 0; i < samples.count; i++) {
        sampled += samples.ns[i];
        assert_int_equal(samples.ns[i], ns[(size_t)samples.warmup + i]); // every one, in its order
    }
    assert_true(warm >= by.warm_most_ns && warm - ns[samples.warmup - 1] < by.warm_most_ns);
    assert_true(sampled >= by.most_ns && sampled - samples.ns[samples.count - 1] < by.most_ns);
    encl_samples_free(&samples);
}

static void test_precision(void **state) {
    (void)state;
    const int64_t ns[] = {100 * MILLISECOND, 100 * MILLISECOND, 100 * MILLISECOND, 100 * MILLISECOND, 100 * MILLISECOND,
                          100 * MILLISECOND, 104 * MILLISECOND, 96 * MILLISECOND,  104 * MILLISECOND, 96 * MILLISECOND,
                          104 * MILLISECOND, 96 * MILLISECOND,  104 * MILLISECOND, 96 * MILLISECOND,  104 * MILLISECOND,
                          96 * MILLISECOND,  100 * MILLISECOND};
    runs of = {ns, sizeof ns / sizeof ns[0], 0, 0, 0};
    encl_sampling by = sampling();
    encl_samples samples;
    assert_ok(encl_sample(&by, once, &of, &samples));
    assert_string_equal(samples.stop, "ci");
    assert_true(samples.count > 10); // at 10 the interval is still [96, 104]
    const encl_statistics *found = &samples.statistics;
    assert_true(found->ci_lo >= 0.99 * found->p50 && found->ci_hi <= 1.01 * found->p50);
    encl_samples_free(&samples);

    of.done = 0;
    by.precision = 0.05;
    assert_ok(encl_sample(&by, once, &of, &samples));
    assert_int_equal(samples.count, 10);
    encl_samples_free(&samples);
}

static void test_count(void **state) {
    (void)state;
    const int64_t ns[] = {MILLISECOND};
    runs of = {ns, 1, 0, 0, 0};
    encl_sampling by = sampling();
    encl_samples samples;
    by.most_count = 3;
    by.warm_most_ns = 0;
    assert_ok(encl_sample(&by, once, &of, &samples));
    assert_string_equal(samples.stop, "count");
    assert_int_equal(samples.count, 3);
    assert_int_equal(samples.warmup, 1);
    assert_int_equal(of.done, 4);
    assert_true(isnan(samples.statistics.ci_lo));
    encl_samples_free(&samples);

    // Whatever is asked for, there is one sample.
    by = (encl_sampling){.clock = fake_clock};
    assert_ok(encl_sample(&by, once, &of, &samples));
    assert_int_equal(samples.count, 1);
    assert_string_equal(samples.stop, "time");
    encl_samples_free(&samples);
}

static size_t checks;
static size_t checks_until_failure;

static encl_status check(void *context) {
    assert_ptr_equal(context, &checks);
    checks++;
    return checks == checks_until_failure ? encl_fail(ENCL_TIMEOUT, "interrupted") : ENCL_OK;
}

// Interrupted before any run, in warm-up and among samples: nothing is left, and the run that was asked about is not
// made.
static void test_interruption(void **state) {
    (void)state;
    const int64_t ns[] = {MILLISECOND};
    for (size_t stop = 1; stop < 250; stop++) {
        runs of = {ns, 1, 0, 0, 0};
        encl_sampling by = sampling();
        encl_samples samples = {.count = 99};
        by.check = check;
        by.check_context = &checks;
        checks = 0;
        checks_until_failure = stop;
        assert_int_equal(encl_sample(&by, once, &of, &samples), ENCL_TIMEOUT);
        assert_string_equal(encl_status_detail(), "interrupted");
        assert_int_equal(of.done, stop - 1);
        assert_null(samples.ns);
        assert_int_equal(samples.count, 0);
    }
}

static void test_failure(void **state) {
    (void)state;
    const int64_t ns[] = {MILLISECOND};
    for (size_t stop = 1; stop < 250; stop += 7) {
        runs of = {ns, 1, 0, 0, stop};
        encl_sampling by = sampling();
        encl_samples samples = {.count = 99};
        assert_int_equal(encl_sample(&by, once, &of, &samples), ENCL_DEVICE);
        assert_int_equal(of.done, stop);
        assert_null(samples.ns);
    }
    const int64_t backwards[] = {MILLISECOND, -1};
    runs of = {backwards, 2, 0, 0, 0};
    encl_sampling by = sampling();
    encl_samples samples;
    assert_int_equal(encl_sample(&by, once, &of, &samples), ENCL_INTERNAL);
    assert_null(samples.ns);
}

static void test_timer(void **state) {
    (void)state;
    const int64_t step = encl_timer_step_ns();
    assert_true(step > 0);
    assert_int_equal(encl_timer_step_ns(), step);

    // The real clock, where none is given: at least the time that was asked for.
    const int64_t ns[] = {1};
    runs of = {ns, 1, 0, 0, 0};
    const encl_sampling by = {.least_ns = 2 * MILLISECOND, .precision = 0.5, .most_ns = (int64_t)60000 * MILLISECOND};
    encl_samples samples;
    const int64_t start = encl_clock_ns();
    assert_ok(encl_sample(&by, once, &of, &samples));
    assert_true(encl_clock_ns() - start >= 2 * MILLISECOND);
    assert_string_equal(samples.stop, "ci");
    encl_samples_free(&samples);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default),  cmocka_unit_test(test_steady),       cmocka_unit_test(test_outside),
        cmocka_unit_test(test_settling), cmocka_unit_test(test_noise),        cmocka_unit_test(test_precision),
        cmocka_unit_test(test_count),    cmocka_unit_test(test_interruption), cmocka_unit_test(test_failure),
        cmocka_unit_test(test_timer),
    };
    return encl_test_main(tests);
}
