// Pooling with and without tokens that are left out, against double precision on the hidden states of the same run.
#include "fixture.h"

enum { WIDTH = 19, VOCABULARY = 40, SEQUENCES = 4, MODES = ENCL_POOLING_LAST + 1 };

static const encl_pooling all_modes[MODES] = {ENCL_POOLING_CLS,           ENCL_POOLING_MAX,
                                              ENCL_POOLING_MEAN,          ENCL_POOLING_MEAN_SQRT_LEN,
                                              ENCL_POOLING_WEIGHTED_MEAN, ENCL_POOLING_LAST};
static const fixture_shape shape = {.hidden = WIDTH, .vocabulary = VOCABULARY, .positions = 40};
static const int32_t none[SEQUENCES] = {0};
static const int32_t some[SEQUENCES] = {0, 4, 32, 2};

static fixture_weights weights;
static fixture_batch batch;

static void make_batch(void) {
    static const int32_t lengths[SEQUENCES] = {1, 9, 33, 5};
    memset(&batch, 0, sizeof batch);
    for (int32_t b = 0; b < SEQUENCES; b++) {
        fixture_add(&batch, (uint64_t)b + 1, lengths[b], VOCABULARY);
    }
}

// Output 0: pooled rows; output 1, where `whole`: the hidden states; output 2, where `first`: first tokens.
static encl_executable *open_pool(const encl_device *device, const encl_pooling *modes, size_t count, bool whole,
                                  bool first) {
    encl_executable *executable = NULL;
    encl_graph *graph = NULL;
    encl_value value = 0;
    memset(&weights, 0, sizeof weights);
    assert_ok(encl_graph_create(&graph));
    const encl_value x = fixture_embed(&weights, graph, &shape);
    assert_ok(encl_graph_pool(graph, x, modes, count, &value));
    assert_ok(encl_graph_output(graph, value));
    if (whole) {
        assert_ok(encl_graph_output(graph, x));
    }
    if (first) {
        assert_ok(encl_graph_select(graph, x, ENCL_SELECT_FIRST, &value));
        assert_ok(encl_graph_output(graph, value));
    }
    assert_ok(encl_executable_create(device, graph, NULL, &executable));
    encl_graph_destroy(graph);
    return executable;
}

static encl_event *run(encl_executable *executable, const int32_t *skips) {
    encl_batch packed = fixture_packed(&batch);
    encl_event *event = NULL;
    packed.skips = skips;
    assert_ok(encl_executable_run(executable, &packed, false, &event));
    assert_ok(encl_event_wait(event, -1));
    return event;
}

static double plain_pool(encl_pooling mode, const float *x, int32_t skipped, int32_t length) {
    double sum = 0;
    double weights_sum = 0;
    double highest = -INFINITY;
    for (int32_t t = skipped; t < length; t++) {
        const double weight = mode == ENCL_POOLING_WEIGHTED_MEAN ? t + 1 : 1;
        sum += weight * (double)x[t * WIDTH];
        weights_sum += weight;
        highest = fmax(highest, (double)x[t * WIDTH]);
    }
    switch (mode) {
    case ENCL_POOLING_CLS:
        return (double)x[skipped * WIDTH];
    case ENCL_POOLING_LAST:
        return (double)x[(length - 1) * WIDTH];
    case ENCL_POOLING_MAX:
        return highest;
    case ENCL_POOLING_MEAN_SQRT_LEN:
        return sum / sqrt(weights_sum);
    default:
        return sum / weights_sum;
    }
}

static void check(encl_event *event, const encl_pooling *modes, int32_t count, const int32_t *skips) {
    const float *pooled = fixture_output(event, 0, SEQUENCES, (int64_t)count * WIDTH);
    const float *hidden = fixture_output(event, 1, batch.tokens, WIDTH);
    for (int32_t b = 0; b < SEQUENCES; b++) {
        const int32_t length = batch.offsets[b + 1] - batch.offsets[b];
        for (int32_t i = 0; i < count * WIDTH; i++) {
            const double expected =
                plain_pool(modes[i / WIDTH], hidden + batch.offsets[b] * WIDTH + i % WIDTH, skips[b], length);
            const double found = (double)pooled[b * count * WIDTH + i];
            if (!(fabs(found - expected) < 1e-5)) {
                fail_msg("sequence %d, mode %d, column %d: found %g, expected %g", (int)b, (int)modes[i / WIDTH],
                         (int)(i % WIDTH), found, expected);
            }
        }
    }
}

static void modes_on(const encl_device *device) {
    make_batch();
    encl_executable *executable = open_pool(device, all_modes, MODES, true, true);
    encl_event *plain = run(executable, NULL);
    encl_event *zero = run(executable, none);
    check(plain, all_modes, MODES, none);
    assert_true(fixture_same_bits(fixture_output(plain, 0, SEQUENCES, MODES * WIDTH),
                                  fixture_output(zero, 0, SEQUENCES, MODES * WIDTH), SEQUENCES * MODES * WIDTH));
    encl_event_release(plain);
    encl_event_release(zero);
    encl_event *event = run(executable, some);
    check(event, all_modes, MODES, some);
    // What selects first tokens skips nothing.
    const float *hidden = fixture_output(event, 1, batch.tokens, WIDTH);
    const float *first = fixture_output(event, 2, SEQUENCES, WIDTH);
    for (int32_t b = 0; b < SEQUENCES; b++) {
        assert_true(fixture_same_bits(first + b * WIDTH, hidden + batch.offsets[b] * WIDTH, WIDTH));
    }
    encl_event_release(event);
    encl_executable_destroy(executable);
}

static void every_mode_leaves_tokens_out(void **state) {
    (void)state;
    encl_test_on_devices(modes_on);
}

// Pooling of CLS alone has no kernel of its own: with all hidden states needed, and with first rows only.
static void cls_alone_on(const encl_device *device) {
    static float expected[SEQUENCES * WIDTH];
    make_batch();
    encl_executable *executable = open_pool(device, all_modes, 1, true, false);
    encl_event *event = run(executable, some);
    check(event, all_modes, 1, some);
    memcpy(expected, fixture_output(event, 0, SEQUENCES, WIDTH), sizeof expected);
    encl_event_release(event);
    encl_executable_destroy(executable);
    executable = open_pool(device, all_modes, 1, false, false);
    event = run(executable, some);
    assert_true(fixture_same_bits(fixture_output(event, 0, SEQUENCES, WIDTH), expected, SEQUENCES * WIDTH));
    encl_event_release(event);
    encl_executable_destroy(executable);
}

static void cls_alone_takes_the_first_that_is_left(void **state) {
    (void)state;
    encl_test_on_devices(cls_alone_on);
}

static void assert_refused(encl_executable *executable, const int32_t *skips, const char *part) {
    encl_batch packed = fixture_packed(&batch);
    encl_event *event = NULL;
    packed.skips = skips;
    assert_int_equal(encl_executable_run(executable, &packed, false, &event), ENCL_INVALID);
    assert_null(event);
    if (strstr(encl_status_detail(), part) == NULL) {
        fail_msg("'%s' does not say '%s'", encl_status_detail(), part);
    }
}

static void wrong_skips_on(const encl_device *device) {
    make_batch();
    encl_executable *executable = open_pool(device, all_modes, MODES, false, false);
    assert_refused(executable, (const int32_t[]){1, 0, 0, 0}, "sequence 0 skips 1 tokens, expected 0 … 0");
    assert_refused(executable, (const int32_t[]){0, 0, 0, 5}, "sequence 3 skips 5 tokens, expected 0 … 4");
    assert_refused(executable, (const int32_t[]){0, -1, 0, 0}, "sequence 1 skips -1 tokens");
    assert_refused(executable, (const int32_t[]){0, 0, INT32_MIN, 0}, "sequence 2");
    assert_refused(executable, (const int32_t[]){0, 0, INT32_MAX, 0}, "sequence 2");
    encl_executable_destroy(executable);
    executable = open_pool(device, all_modes, 1, false, true);
    assert_refused(executable, none, "selects first tokens");
    encl_event_release(run(executable, NULL));
    encl_executable_destroy(executable);
}

static void wrong_skips_are_refused(void **state) {
    (void)state;
    encl_test_on_devices(wrong_skips_on);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mode_leaves_tokens_out),
        cmocka_unit_test(cls_alone_takes_the_first_that_is_left),
        cmocka_unit_test(wrong_skips_are_refused),
    };
    return encl_test_main(tests);
}
