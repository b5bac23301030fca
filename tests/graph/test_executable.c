// Runs and events: capacity, runs in flight, waiting, callbacks, profiles, and batches that are refused.
#include "fixture.h"

enum { HIDDEN = 32, TOKENS = 100, SEQUENCES = 8, SELECTED = 4 };
static const fixture_shape shape = {
    .layers = 2, .hidden = HIDDEN, .heads = 2, .intermediate = 64, .vocabulary = 50, .positions = 40};

// Outputs: hidden states, and a head over listed rows.
static encl_executable *compile(const encl_device *device, int32_t depth) {
    static fixture_weights weights;
    const encl_executable_options options = {
        .capacity = {.tokens = TOKENS, .sequences = SEQUENCES, .selected = SELECTED}, .depth = depth};
    encl_executable *executable = NULL;
    encl_graph *graph = NULL;
    encl_value rows = 0;
    memset(&weights, 0, sizeof weights);
    assert_ok(encl_graph_create(&graph));
    const encl_value hidden = fixture_encoder(&weights, graph, &shape);
    assert_ok(encl_graph_output(graph, hidden));
    assert_ok(encl_graph_select(graph, hidden, ENCL_SELECT_LISTED, &rows));
    assert_ok(encl_graph_output(graph, fixture_linear(&weights, graph, rows, HIDDEN, 3)));
    assert_ok(encl_executable_create(device, graph, &options, &executable));
    encl_graph_destroy(graph);
    return executable;
}

static void make_batch(fixture_batch *batch, uint64_t seed, int32_t length, int32_t sequences) {
    memset(batch, 0, sizeof *batch);
    for (int32_t i = 0; i < sequences; i++) {
        fixture_add(batch, seed + (uint64_t)i, length, shape.vocabulary);
    }
}

// ---- Batches ----------------------------------------------------------------------------------------------

static void assert_refused(encl_executable *executable, const encl_batch *batch, const char *part) {
    encl_event *event = (encl_event *)executable;
    assert_int_equal(encl_executable_run(executable, batch, false, &event), ENCL_INVALID);
    assert_null(event);
    if (strstr(encl_status_detail(), part) == NULL) {
        fail_msg("'%s' does not say '%s'", encl_status_detail(), part);
    }
}

static void bad_offsets(encl_executable *executable) {
    static const struct {
        int32_t offsets[4];
        const char *part;
    } cases[] = {
        {{1, 10, 20, 30}, "sequence 0 has 9 tokens from row 1 on"},
        {{0, 10, 10, 30}, "sequence 1 has 0 tokens"},
        {{0, 20, 10, 30}, "sequence 1 has -10 tokens"},
        {{0, 10, 20, 29}, "ends at row 29, expected 30"},
        {{0, 10, 20, 31}, "ends at row 31, expected 30"},
        {{-5, 10, 20, 30}, "sequence 0 has 15 tokens from row -5 on"},
        {{0, INT32_MIN, 20, 30}, "sequence 0 has -2147483648 tokens"},
        {{0, INT32_MAX, -5, 30}, "sequence 0 has 2147483647 tokens"},
    };
    static fixture_batch batch;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make_batch(&batch, 1, 10, 3);
        memcpy(batch.offsets, cases[i].offsets, sizeof cases[i].offsets);
        const encl_batch packed = fixture_packed(&batch);
        assert_refused(executable, &packed, cases[i].part);
    }
}

static void bad_rows(encl_executable *executable) {
    static const struct {
        int32_t rows[3];
        const char *part;
    } cases[] = {
        {{-1, 2, 3}, "listed row 0 is -1, expected 0 … 29"},
        {{5, 5, 6}, "listed row 1 is 5, expected 6 … 29"},
        {{5, 4, 6}, "listed row 1 is 4"},
        {{0, 1, 30}, "listed row 2 is 30, expected 2 … 29"},
        {{0, 1, INT32_MAX}, "listed row 2"},
    };
    static fixture_batch batch;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make_batch(&batch, 1, 10, 3);
        batch.selected = 3;
        memcpy(batch.rows, cases[i].rows, sizeof cases[i].rows);
        const encl_batch packed = fixture_packed(&batch);
        assert_refused(executable, &packed, cases[i].part);
    }
}

static void bad_ids(encl_executable *executable) {
    static const int32_t ids[] = {-1, 50, INT32_MAX, INT32_MIN};
    static const int32_t types[] = {-1, 2, INT32_MAX, INT32_MIN};
    static fixture_batch batch;
    for (size_t i = 0; i < 4; i++) {
        char part[64];
        make_batch(&batch, 1, 10, 3);
        batch.ids[17] = ids[i];
        const encl_batch packed = fixture_packed(&batch);
        snprintf(part, sizeof part, "token 17 has the id %d, expected 0 … 49", (int)ids[i]);
        assert_refused(executable, &packed, part);
        make_batch(&batch, 1, 10, 3);
        batch.types[29] = types[i];
        snprintf(part, sizeof part, "token 29 has the type %d, expected 0 … 1", (int)types[i]);
        assert_refused(executable, &packed, part);
    }
}

static void bad_counts(encl_executable *executable) {
    static fixture_batch batch;
    make_batch(&batch, 1, 10, 3);
    const encl_batch good = fixture_packed(&batch);
    encl_batch packed = good;
    packed.tokens = 0;
    assert_refused(executable, &packed, "0 tokens");
    packed = good;
    packed.sequences = 0;
    assert_refused(executable, &packed, "0 sequences");
    packed = good;
    packed.selected = -1;
    assert_refused(executable, &packed, "-1 rows");
    packed = good;
    packed.ids = NULL;
    assert_refused(executable, &packed, "without ids");
    packed = good;
    packed.selected = 1;
    packed.rows = NULL;
    assert_refused(executable, &packed, "without");
}

static void over_capacity(encl_executable *executable) {
    static fixture_batch batch;
    make_batch(&batch, 1, 25, 4);
    fixture_add(&batch, 9, 1, shape.vocabulary);
    encl_batch packed = fixture_packed(&batch);
    assert_refused(executable, &packed, "101 tokens, 5 sequences, 0 rows; the executable takes 100, 8, 4");
    make_batch(&batch, 1, 2, SEQUENCES + 1);
    packed = fixture_packed(&batch);
    assert_refused(executable, &packed, "9 sequences");
    make_batch(&batch, 1, 10, 1);
    batch.selected = SELECTED + 1;
    packed = fixture_packed(&batch);
    assert_refused(executable, &packed, "5 rows");
    make_batch(&batch, 1, 41, 1); // one more than there are positions
    packed = fixture_packed(&batch);
    assert_refused(executable, &packed, "sequence 0 has 41 tokens from row 0 on, expected 1 … 40");
}

static void bad_batches_on(const encl_device *device) {
    static fixture_batch batch;
    encl_executable *executable = compile(device, 1);
    bad_offsets(executable);
    bad_rows(executable);
    bad_ids(executable);
    bad_counts(executable);
    over_capacity(executable);
    // None of them took the only slot; a full batch runs.
    make_batch(&batch, 1, 25, 4);
    encl_event *event = fixture_run(executable, &batch, false);
    fixture_output(event, 0, TOKENS, HIDDEN);
    encl_event_release(event);
    encl_executable_destroy(executable);
}

static void bad_batches_are_refused(void **state) {
    (void)state;
    encl_test_on_devices(bad_batches_on);
}

static void panels_on(const encl_device *device) {
    static fixture_weights weights;
    static fixture_batch batch;
    const encl_executable_options options = {.capacity = {.tokens = 64, .sequences = 8, .panels = 3}};
    encl_executable *executable = NULL;
    encl_graph *graph = NULL;
    memset(&weights, 0, sizeof weights);
    assert_ok(encl_graph_create(&graph));
    assert_ok(encl_graph_output(graph, fixture_encoder(&weights, graph, &shape)));
    assert_ok(encl_executable_create(device, graph, &options, &executable));
    make_batch(&batch, 1, 1, 4);
    const encl_batch packed = fixture_packed(&batch);
    assert_refused(executable, &packed, "fills 4 key panels, the executable takes 3");
    make_batch(&batch, 1, 33, 1);
    fixture_add(&batch, 2, 1, shape.vocabulary);
    encl_event_release(fixture_run(executable, &batch, false));
    encl_executable_destroy(executable);
    encl_graph_destroy(graph);
}

static void panels_are_a_capacity(void **state) {
    (void)state;
    encl_test_on_devices(panels_on);
}

// ---- Runs in flight ---------------------------------------------------------------------------------------

static void busy_on(const encl_device *device) {
    static fixture_batch batch;
    make_batch(&batch, 3, 10, 3);
    const encl_batch packed = fixture_packed(&batch);
    for (int32_t depth = 1; depth <= 2; depth++) {
        encl_executable *executable = compile(device, depth);
        encl_event *events[3] = {NULL};
        for (int32_t i = 0; i < depth; i++) {
            assert_ok(encl_executable_run(executable, &packed, false, &events[i]));
        }
        assert_int_equal(encl_executable_run(executable, &packed, false, &events[2]), ENCL_BUSY);
        assert_null(events[2]);
        // A run that is over still holds its outputs.
        assert_ok(encl_event_wait(events[0], -1));
        assert_int_equal(encl_executable_run(executable, &packed, true, &events[2]), ENCL_BUSY);
        encl_event_release(events[0]);
        assert_ok(encl_executable_run(executable, &packed, false, &events[0]));
        for (int32_t i = 0; i < depth; i++) {
            encl_event_release(events[i]);
        }
        encl_executable_destroy(executable);
    }
}

static void depth_limits_runs_in_flight(void **state) {
    (void)state;
    encl_test_on_devices(busy_on);
}

enum { ROUNDS = 12 };

// Two runs always overlap; each must give what it gives alone, although both use the same activations.
static void overlap_on(const encl_device *device) {
    static fixture_batch batches[ROUNDS];
    static float expected[ROUNDS][TOKENS * HIDDEN];
    encl_executable *executable = compile(device, 2);
    encl_event *events[2] = {NULL};
    for (int i = 0; i < ROUNDS; i++) {
        make_batch(&batches[i], 10 * (uint64_t)i, 1 + 7 * (i % 4), 1 + i % 4);
        encl_event *event = fixture_run(executable, &batches[i], false);
        memcpy(expected[i], fixture_output(event, 0, batches[i].tokens, HIDDEN),
               (size_t)batches[i].tokens * HIDDEN * sizeof(float));
        encl_event_release(event);
    }
    for (int i = 0; i < ROUNDS + 1; i++) {
        const int before = i - 1;
        if (i < ROUNDS) {
            const encl_batch packed = fixture_packed(&batches[i]);
            assert_ok(encl_executable_run(executable, &packed, false, &events[i % 2]));
        }
        if (before >= 0) {
            // The other run computes meanwhile; this one's outputs stay.
            const int32_t tokens = batches[before].tokens;
            assert_ok(encl_event_wait(events[before % 2], -1));
            if (i < ROUNDS) {
                assert_ok(encl_event_wait(events[i % 2], -1));
            }
            assert_true(fixture_same_bits(fixture_output(events[before % 2], 0, tokens, HIDDEN), expected[before],
                                          tokens * HIDDEN));
            encl_event_release(events[before % 2]);
        }
    }
    encl_executable_destroy(executable);
}

static void overlapping_runs_do_not_mix(void **state) {
    (void)state;
    encl_test_on_devices(overlap_on);
}

static void inputs_on(const encl_device *device) {
    static fixture_batch batch;
    static float expected[TOKENS * HIDDEN];
    encl_executable *executable = compile(device, 1);
    make_batch(&batch, 5, 20, 3);
    batch.rows[0] = 7;
    batch.selected = 1;
    encl_event *event = fixture_run(executable, &batch, false);
    memcpy(expected, fixture_output(event, 0, batch.tokens, HIDDEN), (size_t)batch.tokens * HIDDEN * sizeof(float));
    encl_event_release(event);
    const encl_batch packed = fixture_packed(&batch);
    assert_ok(encl_executable_run(executable, &packed, false, &event));
    memset(batch.ids, -1, sizeof batch.ids);
    memset(batch.types, -1, sizeof batch.types);
    memset(batch.rows, -1, sizeof batch.rows);
    memset(batch.offsets, -1, sizeof batch.offsets);
    assert_ok(encl_event_wait(event, -1));
    assert_true(fixture_same_bits(fixture_output(event, 0, 60, HIDDEN), expected, (int64_t)60 * HIDDEN));
    encl_event_release(event);
    // Without types every token is of type 0.
    make_batch(&batch, 5, 20, 3);
    memset(batch.types, 0, sizeof batch.types);
    event = fixture_run(executable, &batch, false);
    memcpy(expected, fixture_output(event, 0, 60, HIDDEN), (size_t)60 * HIDDEN * sizeof(float));
    encl_event_release(event);
    encl_batch untyped = fixture_packed(&batch);
    untyped.types = NULL;
    assert_ok(encl_executable_run(executable, &untyped, false, &event));
    assert_ok(encl_event_wait(event, -1));
    assert_true(fixture_same_bits(fixture_output(event, 0, 60, HIDDEN), expected, (int64_t)60 * HIDDEN));
    encl_event_release(event);
    encl_executable_destroy(executable);
}

static void inputs_are_copied(void **state) {
    (void)state;
    encl_test_on_devices(inputs_on);
}

static void destroy_on(const encl_device *device) {
    static fixture_batch batch;
    make_batch(&batch, 3, 25, 4);
    const encl_batch packed = fixture_packed(&batch);
    for (int32_t runs = 0; runs <= 2; runs++) {
        encl_executable *executable = compile(device, 2);
        encl_event *event = NULL;
        for (int32_t i = 0; i < runs; i++) {
            assert_ok(encl_executable_run(executable, &packed, false, &event));
        }
        encl_executable_destroy(executable);
    }
    encl_executable_destroy(NULL);
    encl_event_release(NULL);
}

static void destroying_waits_for_runs(void **state) {
    (void)state;
    encl_test_on_devices(destroy_on);
}

// ---- Waiting ----------------------------------------------------------------------------------------------

static void waiting_on(const encl_device *device) {
    static fixture_batch batch;
    encl_executable *executable = compile(device, 2);
    encl_event *event = NULL;
    const float *data = (const float *)executable;
    int64_t rows = 5;
    int64_t columns = 5;
    make_batch(&batch, 3, 25, 4);
    const encl_batch packed = fixture_packed(&batch);
    assert_ok(encl_executable_run(executable, &packed, false, &event));
    const encl_status early = encl_event_wait(event, 0);
    assert_true(early == ENCL_OK || early == ENCL_TIMEOUT);
    if (early == ENCL_TIMEOUT) {
        assert_non_null(strstr(encl_status_detail(), "not over after 0 ms"));
    }
    assert_ok(encl_event_wait(event, INT64_MAX));
    assert_true(encl_event_poll(event));
    assert_ok(encl_event_wait(event, 0));
    assert_ok(encl_event_wait(event, -1));
    assert_int_equal(encl_event_output(event, 2, &data, &rows, &columns), ENCL_INVALID);
    assert_null(data);
    assert_int_equal(rows, 0);
    assert_int_equal(columns, 0);
    encl_event_release(event);
    encl_executable_destroy(executable);
}

static void waiting_has_a_limit(void **state) {
    (void)state;
    encl_test_on_devices(waiting_on);
}

typedef struct heard {
    int calls; // written by the driver's thread, read after the release
    encl_status status;
} heard;

static void hear(void *context, encl_status status) {
    heard *h = context;
    h->calls++;
    h->status = status;
}

static void callbacks_on(const encl_device *device) {
    static fixture_batch batch;
    encl_executable *executable = compile(device, 1);
    make_batch(&batch, 3, 25, 4);
    const encl_batch packed = fixture_packed(&batch);
    for (int late = 0; late < 2; late++) {
        encl_event *event = NULL;
        heard h = {0, ENCL_INTERNAL};
        assert_ok(encl_executable_run(executable, &packed, false, &event));
        if (late) {
            assert_ok(encl_event_wait(event, -1));
        }
        assert_ok(encl_event_on_done(event, hear, &h));
        if (late) {
            assert_int_equal(h.calls, 1);
        }
        encl_event_release(event); // after the callback's return
        assert_int_equal(h.calls, 1);
        assert_int_equal(h.status, ENCL_OK);
    }
    encl_executable_destroy(executable);
}

static void callbacks_come_once(void **state) {
    (void)state;
    encl_test_on_devices(callbacks_on);
}

// ---- Profiles ---------------------------------------------------------------------------------------------

// The operators that a profiled run of the graph above must show, per layer, whatever the family.
static void check_operators(const encl_profile_record *records, size_t count) {
    static const struct {
        int32_t layer;
        const char *op;
        int least;
    } expected[] = {
        {0, "embed", 1},  {1, "linear", 4},           {1, "attention", 1},  {1, "layer_norm", 2},
        {2, "linear", 4}, {2, "attention", 1},        {2, "layer_norm", 2}, {3, "gather", 1},
        {3, "linear", 1}, {INT32_MAX, "download", 2},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        int found = 0;
        for (size_t r = 0; r < count; r++) {
            found += records[r].layer == expected[i].layer && strcmp(records[r].op, expected[i].op) == 0;
        }
        assert_int_equal(found, expected[i].least);
    }
}

// `counts`: the driver's times are times. Mesa 22's rusticl says 0, 1, 2 and 3 for every command.
static void check_times(const encl_profile_record *records, size_t count, int64_t wall, bool counts) {
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        const encl_profile_record *r = &records[i];
        assert_true(r->queued_ns <= r->submit_ns && r->submit_ns <= r->start_ns && r->start_ns <= r->end_ns);
        assert_true(!counts || i == 0 || records[i - 1].end_ns <= r->start_ns); // the queue is in order
        assert_non_null(r->kernel);
        assert_true(r->bytes > 0);
        const bool computes = strcmp(r->op, "linear") == 0 || strcmp(r->op, "attention") == 0;
        assert_true(!computes || r->flops > 0);
        sum += r->end_ns - r->start_ns;
    }
    assert_true(sum > 0 && wall >= sum);
}

static void profile_on(const encl_device *device) {
    static fixture_batch batch;
    static float expected[TOKENS * HIDDEN];
    encl_executable *executable = compile(device, 2);
    const encl_run_profile *profile = NULL;
    encl_event *plain = NULL;
    encl_event *event = NULL;
    make_batch(&batch, 3, 25, 4);
    batch.selected = 2;
    batch.rows[0] = 3;
    batch.rows[1] = 99;
    const encl_batch packed = fixture_packed(&batch);
    plain = fixture_run(executable, &batch, false);
    memcpy(expected, fixture_output(plain, 0, TOKENS, HIDDEN), sizeof expected);
    assert_int_equal(encl_event_profile(plain, &profile), ENCL_INVALID);
    encl_event_release(plain);
    // Waits for a run in flight and disturbs neither its results nor its own.
    assert_ok(encl_executable_run(executable, &packed, false, &plain));
    assert_ok(encl_executable_run(executable, &packed, true, &event));
    assert_true(encl_event_poll(event));
    assert_ok(encl_event_wait(event, -1));
    assert_ok(encl_event_profile(event, &profile));
    assert_true(profile->count >= encl_executable_get_info(executable)->nodes);
    check_operators(profile->records, profile->count);
    check_times(profile->records, profile->count, profile->end_ns - profile->begin_ns,
                !encl_device_get_info(device)->software);
    assert_ok(encl_event_wait(plain, -1));
    assert_true(fixture_same_bits(fixture_output(plain, 0, TOKENS, HIDDEN), expected, TOKENS * HIDDEN));
    assert_true(fixture_same_bits(fixture_output(event, 0, TOKENS, HIDDEN), expected, TOKENS * HIDDEN));
    encl_event_release(event);
    encl_event_release(plain);
    encl_executable_destroy(executable);
}

static void profiles_show_every_step(void **state) {
    (void)state;
    encl_test_on_devices(profile_on);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_batches_are_refused),     cmocka_unit_test(panels_are_a_capacity),
        cmocka_unit_test(depth_limits_runs_in_flight), cmocka_unit_test(overlapping_runs_do_not_mix),
        cmocka_unit_test(inputs_are_copied),           cmocka_unit_test(destroying_waits_for_runs),
        cmocka_unit_test(waiting_has_a_limit),         cmocka_unit_test(callbacks_come_once),
        cmocka_unit_test(profiles_show_every_step),
    };
    return encl_test_main(tests);
}
