// Parallel loops, conditions and the clock.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "runtime/base/clock.h"
#include "runtime/base/thread.h"

static void count_visit(void *context, size_t i) {
    atomic_int *visits = context;
    atomic_fetch_add(&visits[i], 1);
}

static void test_parallel_visits_each_once(void **state) {
    (void)state;
    static const size_t counts[] = {0, 1, 2, 3, 100, 1000};
    static const size_t threads[] = {0, 1, 2, 7, 64, 1000};
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        for (size_t t = 0; t < sizeof threads / sizeof threads[0]; t++) {
            atomic_int *visits = calloc(counts[c] + 1, sizeof *visits);
            assert_non_null(visits);
            encl_parallel(counts[c], threads[t], count_visit, visits);
            for (size_t i = 0; i < counts[c]; i++) {
                assert_int_equal(atomic_load(&visits[i]), 1);
            }
            assert_int_equal(atomic_load(&visits[counts[c]]), 0);
            free(visits);
        }
    }
}

typedef struct meeting {
    encl_mutex mutex;
    encl_condition condition;
    size_t present;
    int interruptible; // calls on threads that take SIGINT
    bool met;
} meeting;

// Both calls must run at the same time for either to see the other. The deadline is only there to end a test that
// fails.
static void attend(void *context, size_t i) {
    (void)i;
    meeting *m = context;
    const int64_t deadline = encl_clock_ns() + INT64_C(300000000000);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    encl_mutex_lock(&m->mutex);
    m->interruptible += sigismember(&mask, SIGINT) == 0;
    m->present++;
    encl_condition_broadcast(&m->condition);
    while (m->present < 2 && encl_condition_wait_until(&m->condition, &m->mutex, deadline)) {
    }
    m->met = m->present == 2;
    encl_mutex_unlock(&m->mutex);
}

static void test_parallel_is_parallel(void **state) {
    (void)state;
    meeting m = {.mutex = ENCL_MUTEX_INIT};
    sigset_t mask;
    assert_int_equal(encl_condition_init(&m.condition), ENCL_OK);
    encl_parallel(2, 2, attend, &m);
    assert_true(m.met);
    assert_int_equal(m.interruptible, 1); // signals stay with the caller
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_int_equal(sigismember(&mask, SIGINT), 0);
    encl_condition_destroy(&m.condition);
}

static void test_condition_times_out(void **state) {
    (void)state;
    encl_mutex mutex;
    encl_condition condition;
    assert_int_equal(encl_mutex_init(&mutex), ENCL_OK);
    assert_int_equal(encl_condition_init(&condition), ENCL_OK);
    encl_mutex_lock(&mutex);
    const int64_t start = encl_clock_ns();
    while (encl_condition_wait_until(&condition, &mutex, start + 20000000)) {
    }
    assert_true(encl_clock_ns() - start >= 20000000);
    assert_false(encl_condition_wait_until(&condition, &mutex, 0));
    assert_false(encl_condition_wait_until(&condition, &mutex, -5));
    encl_mutex_unlock(&mutex);
    encl_condition_destroy(&condition);
    encl_mutex_destroy(&mutex);
}

static void test_clock(void **state) {
    (void)state;
    const struct timespec pause = {.tv_nsec = 5000000};
    const int64_t start = encl_clock_ns();
    nanosleep(&pause, NULL);
    const int64_t passed = encl_clock_ns() - start;
    assert_true(passed >= 5000000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parallel_visits_each_once),
        cmocka_unit_test(test_parallel_is_parallel),
        cmocka_unit_test(test_condition_times_out),
        cmocka_unit_test(test_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
