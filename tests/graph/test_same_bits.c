// On CPU devices a sequence's result has the same bits alone, in any company, at any place of the batch and in any
// order of the batch.
#include "fixture.h"

enum { SEQUENCES = 10, LONGEST = 130, HIDDEN = 32, MODES = 3, TRIALS = 6 };

// Two heads of 16: both families' attention serves them.
static const fixture_shape shape = {
    .layers = 2, .hidden = HIDDEN, .heads = 2, .intermediate = 80, .vocabulary = 200, .positions = LONGEST};

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

// Hidden states, pooling of three kinds, and a head over the first rows.
static encl_graph *make_graph(void) {
    static fixture_weights weights;
    static const encl_pooling modes[MODES] = {ENCL_POOLING_MEAN, ENCL_POOLING_MAX, ENCL_POOLING_WEIGHTED_MEAN};
    encl_graph *graph = NULL;
    encl_value value = 0;
    memset(&weights, 0, sizeof weights);
    assert_ok(encl_graph_create(&graph));
    const encl_value hidden = fixture_encoder(&weights, graph, &shape);
    assert_ok(encl_graph_output(graph, hidden));
    assert_ok(encl_graph_pool(graph, hidden, modes, MODES, &value));
    assert_ok(encl_graph_normalize(graph, value, &value));
    assert_ok(encl_graph_output(graph, value));
    assert_ok(encl_graph_select(graph, hidden, ENCL_SELECT_FIRST, &value));
    assert_ok(encl_graph_output(graph, fixture_linear(&weights, graph, value, HIDDEN, HIDDEN)));
    return graph;
}

// What each sequence gives alone.
static float hidden_alone[SEQUENCES][LONGEST * HIDDEN];
static float pooled_alone[SEQUENCES][MODES * HIDDEN];
static float head_alone[SEQUENCES][HIDDEN];
static int32_t lengths[SEQUENCES];

static void run_alone(encl_executable *executable, int32_t s) {
    static fixture_batch batch;
    memset(&batch, 0, sizeof batch);
    fixture_add(&batch, (uint64_t)s + 1, lengths[s], shape.vocabulary);
    encl_event *event = fixture_run(executable, &batch, false);
    memcpy(hidden_alone[s], fixture_output(event, 0, lengths[s], HIDDEN), (size_t)lengths[s] * HIDDEN * sizeof(float));
    memcpy(pooled_alone[s], fixture_output(event, 1, 1, MODES * HIDDEN), sizeof pooled_alone[s]);
    memcpy(head_alone[s], fixture_output(event, 2, 1, HIDDEN), sizeof head_alone[s]);
    encl_event_release(event);
}

static void check_company(encl_executable *executable, const int32_t *order, int32_t count) {
    static fixture_batch batch;
    memset(&batch, 0, sizeof batch);
    for (int32_t i = 0; i < count; i++) {
        fixture_add(&batch, (uint64_t)order[i] + 1, lengths[order[i]], shape.vocabulary);
    }
    encl_event *event = fixture_run(executable, &batch, false);
    const float *hidden = fixture_output(event, 0, batch.tokens, HIDDEN);
    const float *pooled = fixture_output(event, 1, count, MODES * HIDDEN);
    const float *head = fixture_output(event, 2, count, HIDDEN);
    for (int32_t i = 0; i < count; i++) {
        const int32_t s = order[i];
        assert_true(fixture_same_bits(hidden + batch.offsets[i] * HIDDEN, hidden_alone[s], lengths[s] * HIDDEN));
        assert_true(fixture_same_bits(pooled + i * MODES * HIDDEN, pooled_alone[s], MODES * HIDDEN));
        assert_true(fixture_same_bits(head + i * HIDDEN, head_alone[s], HIDDEN));
    }
    encl_event_release(event);
}

// What the executables are made with.
typedef struct choice {
    const char *family;
    encl_precision precision;
} choice;
static choice chosen;

static void company_on(const encl_device *device) {
    const encl_executable_options options = {.capacity = {.tokens = SEQUENCES * LONGEST, .sequences = SEQUENCES},
                                             .family = chosen.family,
                                             .precision = chosen.precision};
    encl_executable *executable = NULL;
    uint32_t random = 20;
    if (encl_device_get_info(device)->type != ENCL_DEVICE_CPU) {
        print_message("    not a CPU: same bits are not promised\n");
        return;
    }
    if (!fixture_takes(device, chosen.family)) {
        return;
    }
    encl_graph *graph = make_graph();
    assert_ok(encl_executable_create(device, graph, &options, &executable));
    encl_graph_destroy(graph);
    assert_true(encl_executable_get_info(executable)->same_bits);
    assert_int_equal(encl_executable_get_info(executable)->precision, chosen.precision);
    for (int32_t s = 0; s < SEQUENCES; s++) {
        lengths[s] = s == 0 ? 1 : s == 1 ? LONGEST : 1 + (int32_t)(next_random(&random) % LONGEST);
        run_alone(executable, s);
    }
    for (int trial = 0; trial < TRIALS; trial++) {
        int32_t order[SEQUENCES];
        const int32_t count = trial == 0 ? SEQUENCES : 2 + (int32_t)(next_random(&random) % (SEQUENCES - 1));
        for (int32_t i = 0; i < SEQUENCES; i++) {
            order[i] = i;
        }
        for (int32_t i = SEQUENCES - 1; i > 0; i--) {
            const int32_t j = (int32_t)(next_random(&random) % (uint32_t)(i + 1));
            const int32_t kept = order[i];
            order[i] = order[j];
            order[j] = kept;
        }
        check_company(executable, order, count);
    }
    encl_executable_destroy(executable);
}

static void company_does_not_matter(void **state) {
    chosen = *(const choice *)*state;
    encl_test_on_devices(company_on);
}

int main(void) {
    static choice choices[] = {
        {NULL, ENCL_PRECISION_FP32},    {"tile", ENCL_PRECISION_FP32},  {"plain", ENCL_PRECISION_FP32},
        {NULL, ENCL_PRECISION_BF16},    {"plain", ENCL_PRECISION_BF16}, {NULL, ENCL_PRECISION_INT8},
        {"plain", ENCL_PRECISION_INT8},
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(company_does_not_matter, &choices[0]),
        cmocka_unit_test_prestate(company_does_not_matter, &choices[1]),
        cmocka_unit_test_prestate(company_does_not_matter, &choices[2]),
        cmocka_unit_test_prestate(company_does_not_matter, &choices[3]),
        cmocka_unit_test_prestate(company_does_not_matter, &choices[4]),
        cmocka_unit_test_prestate(company_does_not_matter, &choices[5]),
        cmocka_unit_test_prestate(company_does_not_matter, &choices[6]),
    };
    return encl_test_main(tests);
}
