// Trials: a kernel that is launched again and again gives times and is held against the reference.
#include "op/find_row.h"
#include "test.h"

#include <math.h>
#include <string.h>

#include "runtime/device/device.h"
#include "runtime/measure/launches.h"

// As short as can be: correctness does not depend on time.
static encl_sampling short_sampling(void) {
    encl_sampling sampling = encl_sampling_default();
    sampling.warm_count = 0;
    sampling.warm_ns = 0;
    sampling.warm_most_ns = 0;
    sampling.least_count = 3;
    sampling.least_ns = 0;
    sampling.most_ns = 1;
    sampling.most_count = 3;
    return sampling;
}

static void expect_times(const encl_trial *trial) {
    const encl_launch_times *times = &trial->times;
    assert_true(times->samples.count >= 1);
    assert_true(times->inner >= 1);
    assert_true(strcmp(times->timer, "event") == 0 || strcmp(times->timer, "wall") == 0);
    assert_true(times->samples.statistics.p50 > 0);
    assert_true(times->wall.p50 > 0);
    assert_true(times->samples.first_ns > 0);
}

// ---- Right and wrong --------------------------------------------------------------------------------------

static void check_trial(const encl_device *device) {
    static const int32_t lengths[] = {9, 1, 17};
    static const char *const names[] = {"linear_plain", "attention_plain", "pool"};
    assert_ok(encl_device_acquire(device));
    for (size_t i = 0; i < 3; i++) {
        const encl_check_case check = {
            .shape = {.rows = 5, .columns = 33, .depth = 12, .heads = 2, .head_size = 16, .pooling = ENCL_POOLING_MAX},
            .lengths = lengths,
            .sequences = 3,
            .seed = 1};
        encl_trial_options options = {.sampling = short_sampling(), .hot = i == 0, .marked = i == 1, .wall = i == 2};
        encl_trial trial;
        assert_ok(encl_trial_run(device, find_row(names[i]), &check, &options, &trial));
        expect_times(&trial);
        assert_true(trial.check.passed);
        assert_true(trial.check.max_error <= trial.check.tolerance);
        assert_true(trial.check.rows_checked > 0);
        assert_true(i == 0 ? trial.sets == 1 : trial.sets > 1); // such small ones all go round
        assert_true(trial.bytes > 0);
        assert_true(trial.launch.global[0] >= trial.launch.local[0] && trial.launch.local[0] >= 1);
        encl_trial_free(&trial);
    }
    encl_device_release(device);
}

static void test_trials_of_right_kernels(void **state) {
    (void)state;
    encl_test_on_devices(check_trial);
}

// A row whose grid is too small leaves outputs unwritten.
static void check_wrong(const encl_device *device) {
    const encl_check_case check = {.shape = {.rows = 5, .columns = 33, .depth = 12}, .seed = 1};
    const encl_trial_options options = {.sampling = short_sampling()};
    encl_kernel_row wrong = *find_row("linear_plain");
    encl_trial trial;
    wrong.grid[1].block = 2;
    assert_ok(encl_device_acquire(device));
    assert_ok(encl_trial_run(device, &wrong, &check, &options, &trial));
    expect_times(&trial);
    assert_false(trial.check.passed);
    assert_string_equal(trial.check.reason, "not finite");
    assert_int_equal(trial.check.where, 3 * 33); // three work-groups do the first three rows
    encl_trial_free(&trial);
    encl_device_release(device);
}

static void test_trials_of_wrong_kernels(void **state) {
    (void)state;
    encl_test_on_devices(check_wrong);
}

// ---- Failures ---------------------------------------------------------------------------------------------

static encl_status interrupt(void *context) {
    int *left = context;
    return --*left < 0 ? encl_fail(ENCL_INTERRUPTED, "interrupted") : ENCL_OK;
}

static void expect_empty(const encl_trial *trial) {
    static const encl_trial empty;
    assert_memory_equal(trial, &empty, sizeof empty);
}

static void check_failures(const encl_device *device) {
    const encl_kernel_row *row = find_row("linear_plain");
    encl_check_case check = {.shape = {.rows = 5, .columns = 33, .depth = 12}, .seed = 1};
    encl_trial_options options = {.sampling = short_sampling()};
    encl_trial trial;
    int left = 1; // the very first run
    assert_ok(encl_device_acquire(device));
    options.sampling.check = interrupt;
    options.sampling.check_context = &left;
    assert_int_equal(encl_trial_run(device, row, &check, &options, &trial), ENCL_INTERRUPTED);
    expect_empty(&trial);
    options.sampling.check = NULL;
    assert_int_equal(encl_trial_run(device, find_row("layer_norm_tile"), &check, &options, &trial), ENCL_UNSUPPORTED);
    assert_non_null(strstr(encl_status_detail(), "layer_norm_tile"));
    expect_empty(&trial);
    check.shape.rows = 0;
    assert_int_equal(encl_trial_run(device, row, &check, &options, &trial), ENCL_INVALID);
    expect_empty(&trial);
    // A kernel that does not build.
    encl_kernel_row broken = *row;
    check.shape.rows = 5;
    broken.options = "-D__kernel=nonsense";
    assert_int_equal(encl_trial_run(device, &broken, &check, &options, &trial), ENCL_BUILD);
    expect_empty(&trial);
    encl_device_release(device);
}

static void test_failures(void **state) {
    (void)state;
    encl_test_on_devices(check_failures);
}

// ---- Launches ---------------------------------------------------------------------------------------------

typedef struct counter {
    size_t launches, failing_at;
    bool in_order;
} counter;

static encl_status count_launch(void *context, encl_queue queue, size_t index, encl_command *command) {
    counter *c = context;
    encl_command mark = NULL;
    c->in_order = c->in_order && index == c->launches;
    if (c->launches++ == c->failing_at) {
        return encl_fail(ENCL_DEVICE, "launch %zu: asked to fail", index);
    }
    encl_status status = encl_queue_mark(queue, &mark);
    if (status == ENCL_OK && command != NULL) {
        *command = mark;
    } else {
        encl_command_release(mark);
    }
    return status;
}

// Whichever launch fails, its status comes back and the times are empty.
static void check_launches(const encl_device *device) {
    const encl_sampling sampling = short_sampling();
    encl_launch_times times;
    assert_ok(encl_device_acquire(device));
    for (size_t failing_at = 0; failing_at < 9; failing_at++) {
        counter c = {.failing_at = failing_at, .in_order = true};
        const encl_launches launches = {.device = device, .launch = count_launch, .context = &c, .wall = true};
        const encl_status status = encl_launches_time(&launches, &sampling, &times);
        // While the clock is tried, a failure means that the host's clock must do.
        assert_true(status == ENCL_DEVICE || (failing_at >= 1 && failing_at <= 3 && status == ENCL_OK));
        assert_true(status == ENCL_OK ? times.timer[0] == 'w' : times.samples.ns == NULL);
        assert_true(c.in_order || failing_at <= 3);
        encl_launch_times_free(&times);
    }
    counter c = {.failing_at = SIZE_MAX, .in_order = true};
    const encl_launches launches = {.device = device, .launch = count_launch, .context = &c};
    assert_ok(encl_launches_time(&launches, &sampling, &times));
    assert_int_equal(times.last + 1, c.launches);
    assert_true(c.in_order);
    encl_launch_times_free(&times);
    encl_device_release(device);
}

static void test_launches(void **state) {
    (void)state;
    encl_test_on_devices(check_launches);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trials_of_right_kernels),
        cmocka_unit_test(test_trials_of_wrong_kernels),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_launches),
    };
    return encl_test_main(tests);
}
