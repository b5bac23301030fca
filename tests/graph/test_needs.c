// Rows that no head reads are not computed, and the rows that are read do not change by a bit.
#include "fixture.h"

#include "runtime/graph/graph.h"
#include "runtime/graph/schedule.h"

static const fixture_shape shape = {
    .layers = 2, .hidden = 32, .heads = 2, .intermediate = 64, .vocabulary = 90, .positions = 80};
enum { LABELS = 5, HIDDEN = 32 };

static const int32_t lengths[] = {7, 1, 40, 33, 12, 2};
enum { SEQUENCES = sizeof lengths / sizeof lengths[0], TOKENS = 95 };
// None in sequences 1 and 4, the last row of the batch among them.
static const int32_t listed[] = {0, 3, 9, 10, 41, 47, 48, 60, 94};
enum { LISTED = sizeof listed / sizeof listed[0] };

static void make_batch(fixture_batch *batch, bool with_rows) {
    memset(batch, 0, sizeof *batch);
    for (size_t i = 0; i < SEQUENCES; i++) {
        fixture_add(batch, i + 1, lengths[i], shape.vocabulary);
    }
    assert_int_equal(batch->tokens, TOKENS);
    if (with_rows) {
        memcpy(batch->rows, listed, sizeof listed);
        batch->selected = LISTED;
    }
}

// ---- The graph alone --------------------------------------------------------------------------------------

static void needs_go_backwards(void **state) {
    (void)state;
    static fixture_weights weights;
    const fixture_shape one = {
        .layers = 0, .hidden = 16, .heads = 1, .intermediate = 16, .vocabulary = 9, .positions = 9};
    encl_graph *graph = NULL;
    encl_need needs[16];
    encl_value attended = 0;
    encl_value sum = 0;
    encl_value first = 0;
    assert_ok(encl_graph_create(&graph));
    const encl_value x = fixture_embed(&weights, graph, &one);
    const encl_value q = fixture_linear(&weights, graph, x, 16, 16);
    const encl_value k = fixture_linear(&weights, graph, x, 16, 16);
    const encl_value v = fixture_linear(&weights, graph, x, 16, 16);
    assert_ok(encl_graph_attention(graph, q, k, v, 1, &attended));
    assert_ok(encl_graph_add(graph, attended, x, &sum));
    const encl_value dead = fixture_linear(&weights, graph, sum, 16, 16);
    assert_ok(encl_graph_select(graph, sum, ENCL_SELECT_FIRST, &first));
    assert_ok(encl_graph_output(graph, first));
    encl_needs(graph, needs);
    assert_int_equal(needs[x - 1], ENCL_NEED_ALL);
    assert_int_equal(needs[q - 1], ENCL_NEED_FIRST);
    assert_int_equal(needs[k - 1], ENCL_NEED_ALL);
    assert_int_equal(needs[v - 1], ENCL_NEED_ALL);
    assert_int_equal(needs[attended - 1], ENCL_NEED_FIRST);
    assert_int_equal(needs[sum - 1], ENCL_NEED_FIRST);
    assert_int_equal(needs[dead - 1], ENCL_NEED_NONE);
    // A second reader of other rows makes it all.
    encl_value some = 0;
    assert_ok(encl_graph_select(graph, sum, ENCL_SELECT_LISTED, &some));
    assert_ok(encl_graph_output(graph, some));
    encl_needs(graph, needs);
    assert_int_equal(needs[sum - 1], ENCL_NEED_ALL);
    assert_int_equal(needs[q - 1], ENCL_NEED_ALL);
    encl_graph_destroy(graph);
}

// ---- On devices -------------------------------------------------------------------------------------------

typedef enum heads { FIRST = 1, SELECTED = 2, WHOLE = 4 } heads;

// An encoder with the wanted heads: a classifier over first rows, another over listed rows, the hidden state itself.
// Weights do not depend on which heads are outputs, because all are made.
static encl_graph *make_graph(fixture_weights *weights, unsigned wanted) {
    encl_graph *graph = NULL;
    encl_value rows[2] = {0, 0};
    memset(weights, 0, sizeof *weights);
    assert_ok(encl_graph_create(&graph));
    const encl_value hidden = fixture_encoder(weights, graph, &shape);
    for (int i = 0; i < 2; i++) {
        assert_ok(encl_graph_select(graph, hidden, i == 0 ? ENCL_SELECT_FIRST : ENCL_SELECT_LISTED, &rows[i]));
        rows[i] = fixture_linear(weights, graph, rows[i], HIDDEN, HIDDEN);
        assert_ok(encl_graph_activation(graph, rows[i], ENCL_ACTIVATION_TANH, &rows[i]));
        rows[i] = fixture_linear(weights, graph, rows[i], HIDDEN, LABELS);
        if ((wanted & (i == 0 ? FIRST : SELECTED)) != 0) {
            assert_ok(encl_graph_output(graph, rows[i]));
        }
    }
    if ((wanted & WHOLE) != 0) {
        assert_ok(encl_graph_output(graph, hidden));
    }
    return graph;
}

static const char *family;

static encl_executable *compile(const encl_device *device, unsigned wanted) {
    static fixture_weights weights;
    const encl_executable_options options = {.capacity = {.tokens = 128, .sequences = 8, .selected = 16},
                                             .family = family};
    encl_executable *executable = NULL;
    encl_graph *graph = make_graph(&weights, wanted);
    assert_ok(encl_executable_create(device, graph, &options, &executable));
    encl_graph_destroy(graph);
    return executable;
}

static void assert_same(const encl_device *device, const float *found, const float *expected, int64_t count) {
    if (encl_device_get_info(device)->type == ENCL_DEVICE_CPU) {
        assert_true(fixture_same_bits(found, expected, count));
    } else {
        assert_true(fixture_difference(found, expected, count) < 1e-5f);
    }
}

static void same_rows_on(const encl_device *device) {
    static fixture_batch batch;
    make_batch(&batch, true);
    if (!fixture_takes(device, family)) {
        return;
    }
    encl_executable *whole = compile(device, FIRST | SELECTED | WHOLE);
    encl_event *expected = fixture_run(whole, &batch, false);
    const float *first = fixture_output(expected, 0, SEQUENCES, LABELS);
    const float *selected = fixture_output(expected, 1, LISTED, LABELS);
    static const unsigned some[] = {FIRST, SELECTED, FIRST | SELECTED};
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        encl_executable *executable = compile(device, some[i]);
        encl_event *event = fixture_run(executable, &batch, false);
        size_t output = 0;
        if ((some[i] & FIRST) != 0) {
            assert_same(device, fixture_output(event, output++, SEQUENCES, LABELS), first, SEQUENCES * LABELS);
        }
        if ((some[i] & SELECTED) != 0) {
            assert_same(device, fixture_output(event, output++, LISTED, LABELS), selected, LISTED * LABELS);
        }
        encl_event_release(event);
        encl_executable_destroy(executable);
    }
    encl_event_release(expected);
    encl_executable_destroy(whole);
}

static void needed_rows_do_not_change(void **state) {
    (void)state;
    static const char *const families[] = {NULL, "tile", "plain"};
    for (size_t i = 0; i < 3; i++) {
        family = families[i];
        encl_test_on_devices(same_rows_on);
    }
    family = NULL;
}

// Rows that a profiled run computes in a layer, per operator (KEYS counts panels).
typedef struct layer_rows {
    int64_t linear_multiplications; // Σ rows · columns of products
    int64_t attention, layer_norm;
} layer_rows;

static layer_rows rows_of_layer(encl_executable *executable, const fixture_batch *batch, int32_t layer) {
    const encl_run_profile *profile = NULL;
    layer_rows rows = {0};
    encl_event *event = fixture_run(executable, batch, true);
    assert_ok(encl_event_profile(event, &profile));
    for (size_t i = 0; i < profile->count; i++) {
        const encl_profile_record *r = &profile->records[i];
        if (r->layer == layer) {
            rows.linear_multiplications += strcmp(r->op, "linear") == 0 ? (int64_t)r->rows * r->columns * r->depth : 0;
            rows.attention += strcmp(r->op, "attention") == 0 ? r->rows : 0;
            rows.layer_norm += strcmp(r->op, "layer_norm") == 0 ? r->rows : 0;
        }
    }
    encl_event_release(event);
    return rows;
}

// Multiplications of a layer: keys and values for every token, all else for `rows`.
static int64_t layer_multiplications(int64_t rows) {
    return TOKENS * 2 * HIDDEN * HIDDEN + rows * (2 * HIDDEN * HIDDEN + 2 * HIDDEN * shape.intermediate);
}

static void fewer_rows_on(const encl_device *device) {
    static const struct {
        unsigned wanted;
        int64_t rows;
    } cases[] = {{WHOLE, TOKENS}, {FIRST, SEQUENCES}, {SELECTED, LISTED}, {FIRST | SELECTED, TOKENS}};
    static fixture_batch batch;
    make_batch(&batch, true);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        encl_executable *executable = compile(device, cases[i].wanted);
        const layer_rows before = rows_of_layer(executable, &batch, shape.layers - 1);
        const layer_rows last = rows_of_layer(executable, &batch, shape.layers);
        assert_int_equal(before.linear_multiplications, layer_multiplications(TOKENS));
        assert_int_equal(before.attention, TOKENS);
        assert_int_equal(before.layer_norm, 2 * TOKENS);
        assert_int_equal(last.linear_multiplications, layer_multiplications(cases[i].rows));
        assert_int_equal(last.attention, cases[i].rows);
        assert_int_equal(last.layer_norm, 2 * cases[i].rows);
        encl_executable_destroy(executable);
    }
}

static void unread_rows_are_not_computed(void **state) {
    (void)state;
    encl_test_on_devices(fewer_rows_on);
}

static void no_rows_on(const encl_device *device) {
    static fixture_batch batch;
    make_batch(&batch, false);
    encl_executable *executable = compile(device, FIRST | SELECTED);
    encl_executable *alone = compile(device, SELECTED);
    encl_event *event = fixture_run(executable, &batch, false);
    fixture_output(event, 0, SEQUENCES, LABELS);
    fixture_output(event, 1, 0, LABELS);
    encl_event_release(event);
    event = fixture_run(alone, &batch, false);
    fixture_output(event, 0, 0, LABELS);
    encl_event_release(event);
    encl_executable_destroy(alone);
    encl_executable_destroy(executable);
}

static void a_batch_may_list_nothing(void **state) {
    (void)state;
    encl_test_on_devices(no_rows_on);
}

static void dead_nodes_on(const encl_device *device) {
    static fixture_weights weights;
    encl_executable *live = NULL;
    encl_executable *with_dead = NULL;
    encl_graph *graph = make_graph(&weights, FIRST);
    const size_t used = weights.count;
    assert_ok(encl_executable_create(device, graph, NULL, &live));
    // An encoder beside the first one, and a head on the first one, that nothing reads.
    const encl_value dead = fixture_encoder(&weights, graph, &shape);
    fixture_norm(&weights, graph, fixture_linear(&weights, graph, dead, HIDDEN, 500), 500);
    assert_ok(encl_executable_create(device, graph, NULL, &with_dead));
    const encl_executable_info *a = encl_executable_get_info(live);
    const encl_executable_info *b = encl_executable_get_info(with_dead);
    assert_int_equal(a->nodes, b->nodes);
    assert_int_equal(a->weight_bytes, b->weight_bytes);
    assert_int_equal(a->unshared_bytes, b->unshared_bytes);
    for (size_t i = used; i < weights.count; i++) {
        assert_int_equal(weights.sources[i].reads, 0);
    }
    encl_executable_destroy(with_dead);
    encl_executable_destroy(live);
    encl_graph_destroy(graph);
}

static void dead_nodes_cost_nothing(void **state) {
    (void)state;
    encl_test_on_devices(dead_nodes_on);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(needs_go_backwards),           cmocka_unit_test(needed_rows_do_not_change),
        cmocka_unit_test(unread_rows_are_not_computed), cmocka_unit_test(a_batch_may_list_nothing),
        cmocka_unit_test(dead_nodes_cost_nothing),
    };
    return encl_test_main(tests);
}
