// Two clocks that are known to differ: the map must find the difference, say how well, and not find one where there is
// none.
#include "test.h"

#include <math.h>
#include <string.h>

#include "runtime/measure/clock_map.h"

enum { MOST = 4000, MICROSECOND = 1000, MILLISECOND = 1000000 };

static encl_profile_record records[MOST];

// `count` commands, one every `step` ns, whose enqueuing took 2 µs; `stamp`: when within these QUEUED was stamped. The
// device's clock is the host's minus `offset`, and loses `drift` ns a millisecond more.
static void make(size_t count, int64_t step, int64_t stamp, int64_t offset, int64_t drift) {
    memset(records, 0, sizeof records);
    for (size_t i = 0; i < count; i++) {
        const int64_t begin = 5000000000 + (int64_t)i * step;
        records[i].enqueue_begin_ns = begin;
        records[i].enqueue_end_ns = begin + 2 * MICROSECOND;
        const int64_t host = begin + stamp + (int64_t)(i * 37 % 200);
        records[i].queued_ns = host - offset - (host - 5000000000) / MILLISECOND * drift;
    }
}

static void assert_near(int64_t found, int64_t expected, int64_t slack) {
    assert_in_range((uint64_t)(found - expected + slack), 0, 2 * slack);
}

static void a_constant_offset_is_found(void **state) {
    (void)state;
    static const int64_t offsets[] = {0, 1, -1, 123456789, -987654321012345, (int64_t)1 << 60};
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        make(100, 10 * MICROSECOND, 500, offsets[i], 0);
        const encl_clock_map map = encl_clock_map_of(records, 100);
        assert_true(map.aligned);
        assert_true(map.rate == 0);
        assert_in_range(map.width_ns, 1600, 2000);
        assert_near(map.offset_ns, offsets[i], map.width_ns / 2);
        assert_near(encl_clock_map_host(&map, records[7].queued_ns), records[7].queued_ns + offsets[i], 1000);
    }
}

// More stamps at other places within the calls narrow it down.
static void more_commands_narrow_it(void **state) {
    (void)state;
    make(100, 10 * MICROSECOND, 100, 777, 0);
    records[50].queued_ns += 1700; // stamped 1.8 … 2 µs after its call began
    const encl_clock_map map = encl_clock_map_of(records, 100);
    assert_true(map.aligned);
    assert_true(map.width_ns <= 300);
    assert_near(map.offset_ns, 777, 150);
}

// 50 ns a millisecond is 50 ppm: over 300 ms the offset moves by 15 µs, more than any call takes.
static void a_drift_is_followed(void **state) {
    (void)state;
    static const int64_t drifts[] = {50, -50, 100};
    for (size_t i = 0; i < sizeof drifts / sizeof drifts[0]; i++) {
        make(3000, 100 * MICROSECOND, 1000, 42000000, drifts[i]);
        const encl_clock_map map = encl_clock_map_of(records, 3000);
        assert_true(map.aligned);
        assert_true(fabs(map.rate - (double)drifts[i] * 1e-6) < 5e-6);
        assert_true(map.width_ns <= 20 * MICROSECOND);
        for (size_t r = 0; r < 3000; r += 500) {
            assert_near(encl_clock_map_host(&map, records[r].queued_ns), records[r].enqueue_begin_ns + 1000,
                        map.width_ns / 2 + 2000);
        }
    }
}

static void expect_unaligned(size_t count) {
    assert_false(encl_clock_map_of(records, count).aligned);
}

static void nonsense_is_not_aligned(void **state) {
    (void)state;
    make(100, 10 * MICROSECOND, 500, 0, 0);
    expect_unaligned(0);
    expect_unaligned(1);
    for (size_t i = 0; i < 100; i++) {
        records[i].queued_ns = 0; // as Mesa's rusticl says
    }
    expect_unaligned(100);
    for (size_t i = 0; i < 100; i++) {
        records[i].queued_ns = (int64_t)i; // a counter
    }
    expect_unaligned(100);
    make(100, 10 * MICROSECOND, 500, 0, 0);
    records[60].queued_ns += 50 * MICROSECOND; // one command contradicts the others
    expect_unaligned(100);
    make(100, 10 * MICROSECOND, 500, 0, 0);
    for (size_t i = 0; i < 100; i++) {
        records[i].enqueue_begin_ns -= 15 * MICROSECOND; // calls that say little
        records[i].enqueue_end_ns += 15 * MICROSECOND;
    }
    expect_unaligned(100);
    make(3000, 100 * MICROSECOND, 1000, 0, 0);
    for (size_t i = 0; i < 3000; i++) {
        records[i].queued_ns = records[i].enqueue_begin_ns / 2; // counts something else
    }
    expect_unaligned(3000);
    make(3000, 100 * MICROSECOND, 1000, 0, 0);
    for (size_t i = 1000; i < 2000; i++) {
        records[i].queued_ns += MILLISECOND; // the clock was set, and set back
    }
    expect_unaligned(3000);
}

// Whatever a driver says, the answer is an answer.
static void extremes_do_not_overflow(void **state) {
    (void)state;
    static const int64_t times[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
    const size_t count = sizeof times / sizeof times[0];
    for (size_t a = 0; a < count; a++) {
        for (size_t b = 0; b < count; b++) {
            make(4, 60 * MILLISECOND, 500, 0, 0);
            records[1].queued_ns = times[a];
            records[3].queued_ns = times[b];
            const encl_clock_map map = encl_clock_map_of(records, 4);
            assert_true(!map.aligned || map.width_ns >= 0);
            (void)encl_clock_map_host(&map, times[a]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_constant_offset_is_found), cmocka_unit_test(more_commands_narrow_it),
        cmocka_unit_test(a_drift_is_followed),        cmocka_unit_test(nonsense_is_not_aligned),
        cmocka_unit_test(extremes_do_not_overflow),
    };
    return encl_test_main(tests);
}
