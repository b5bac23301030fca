// Graphs of odd shapes against plain double precision, and graphs that are refused.
#include "fixture.h"

enum { VOCABULARY = 30, POSITIONS = 20, TOKENS = 23, MOST_WIDTH = 1100 };

// ---- The plain side: a value is [TOKENS, width] in double ---------------------------------------------------

typedef struct plain {
    double values[TOKENS][MOST_WIDTH];
    int32_t width;
} plain;

static double element(const encl_weight *weight, int64_t index) {
    return (double)fixture_element(weight->context, index);
}

static void plain_norm(plain *x, const encl_weight *gamma, const encl_weight *beta, double epsilon) {
    for (int32_t t = 0; t < TOKENS; t++) {
        double mean = 0;
        double variance = 0;
        for (int32_t i = 0; i < x->width; i++) {
            mean += x->values[t][i] / x->width;
        }
        for (int32_t i = 0; i < x->width; i++) {
            variance += (x->values[t][i] - mean) * (x->values[t][i] - mean) / x->width;
        }
        for (int32_t i = 0; i < x->width; i++) {
            x->values[t][i] =
                (x->values[t][i] - mean) / sqrt(variance + epsilon) * element(gamma, i) + element(beta, i);
        }
    }
}

static double plain_activation(encl_activation activation, double x) {
    switch (activation) {
    case ENCL_ACTIVATION_GELU:
        return x / 2 * (1 + erf(x / sqrt(2)));
    case ENCL_ACTIVATION_GELU_TANH:
        return x / 2 * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
    case ENCL_ACTIVATION_RELU:
        return x > 0 ? x : 0;
    case ENCL_ACTIVATION_SILU:
        return x / (1 + exp(-x));
    case ENCL_ACTIVATION_TANH:
        return tanh(x);
    default:
        return x;
    }
}

// ---- Both sides at once -------------------------------------------------------------------------------------

typedef struct pair {
    encl_value value;
    plain *expected;
} pair;

static fixture_weights weights;
static fixture_batch batch;
static encl_graph *graph;

enum { MOST_PLAINS = 16 };
static plain plains[MOST_PLAINS];
static size_t plain_count;

static plain *new_plain(int32_t width) {
    assert_true(plain_count < MOST_PLAINS && width <= MOST_WIDTH);
    plains[plain_count].width = width;
    return &plains[plain_count++];
}

static void begin(void) {
    memset(&weights, 0, sizeof weights);
    memset(&batch, 0, sizeof batch);
    plain_count = 0;
    assert_ok(encl_graph_create(&graph));
    fixture_add(&batch, 1, 1, VOCABULARY);
    fixture_add(&batch, 2, 17, VOCABULARY);
    fixture_add(&batch, 3, 5, VOCABULARY);
    assert_int_equal(batch.tokens, TOKENS);
}

static pair embed(int32_t width) {
    const encl_weight tables[] = {fixture_weight(&weights, VOCABULARY, width, 0, 1),
                                  fixture_weight(&weights, POSITIONS, width, 0, 0.5f),
                                  fixture_weight(&weights, 2, width, 0, 0.5f)};
    const encl_weight gamma = fixture_weight(&weights, width, 0, 1, 0.2f);
    const encl_weight beta = fixture_weight(&weights, width, 0, 0, 0.2f);
    pair p = {0, new_plain(width)};
    assert_ok(encl_graph_embed(graph, &tables[0], &tables[1], &tables[2], &gamma, &beta, 1e-5f, &p.value));
    for (int32_t b = 0; b < batch.sequences; b++) {
        for (int32_t t = batch.offsets[b]; t < batch.offsets[b + 1]; t++) {
            const int32_t rows[] = {batch.ids[t], t - batch.offsets[b], batch.types[t]};
            for (int32_t i = 0; i < width; i++) {
                p.expected->values[t][i] = 0;
                for (int k = 0; k < 3; k++) {
                    p.expected->values[t][i] += element(&tables[k], (int64_t)rows[k] * width + i);
                }
            }
        }
    }
    plain_norm(p.expected, &gamma, &beta, (double)1e-5f);
    return p;
}

static pair linear(pair x, int32_t width, bool with_bias) {
    const int32_t depth = x.expected->width;
    const encl_weight weight = fixture_weight(&weights, width, depth, 0, 1.5f / sqrtf((float)depth));
    const encl_weight bias = fixture_weight(&weights, width, 0, 0, 0.5f);
    pair p = {0, new_plain(width)};
    assert_ok(encl_graph_linear(graph, x.value, &weight, with_bias ? &bias : NULL, &p.value));
    for (int32_t t = 0; t < TOKENS; t++) {
        for (int32_t n = 0; n < width; n++) {
            double sum = with_bias ? element(&bias, n) : 0;
            for (int32_t k = 0; k < depth; k++) {
                sum += x.expected->values[t][k] * element(&weight, (int64_t)n * depth + k);
            }
            p.expected->values[t][n] = sum;
        }
    }
    return p;
}

static pair activate(pair x, encl_activation activation) {
    pair p = {0, new_plain(x.expected->width)};
    assert_ok(encl_graph_activation(graph, x.value, activation, &p.value));
    for (int32_t t = 0; t < TOKENS; t++) {
        for (int32_t i = 0; i < p.expected->width; i++) {
            p.expected->values[t][i] = plain_activation(activation, x.expected->values[t][i]);
        }
    }
    return p;
}

static pair add(pair a, pair b) {
    pair p = {0, new_plain(a.expected->width)};
    assert_ok(encl_graph_add(graph, a.value, b.value, &p.value));
    for (int32_t t = 0; t < TOKENS; t++) {
        for (int32_t i = 0; i < p.expected->width; i++) {
            p.expected->values[t][i] = a.expected->values[t][i] + b.expected->values[t][i];
        }
    }
    return p;
}

static pair norm(pair x) {
    const int32_t width = x.expected->width;
    const encl_weight gamma = fixture_weight(&weights, width, 0, 1, 0.2f);
    const encl_weight beta = fixture_weight(&weights, width, 0, 0, 0.2f);
    pair p = {0, new_plain(width)};
    assert_ok(encl_graph_layer_norm(graph, x.value, &gamma, &beta, 1e-12f, &p.value));
    memcpy(p.expected->values, x.expected->values, sizeof x.expected->values);
    plain_norm(p.expected, &gamma, &beta, (double)1e-12f);
    return p;
}

// Runs the graph on a device and compares every output.
static void compare(const encl_device *device, const char *family, const pair *outputs, size_t count) {
    const encl_executable_options options = {.capacity = {.tokens = 32, .sequences = 4}, .family = family};
    encl_executable *executable = NULL;
    if (!fixture_takes(device, family)) {
        return;
    }
    assert_ok(encl_executable_create(device, graph, &options, &executable));
    assert_int_equal(encl_executable_get_info(executable)->outputs, count);
    encl_event *event = fixture_run(executable, &batch, false);
    for (size_t o = 0; o < count; o++) {
        const int32_t width = outputs[o].expected->width;
        const float *found = fixture_output(event, o, TOKENS, width);
        for (int32_t i = 0; i < TOKENS * width; i++) {
            const double expected = outputs[o].expected->values[i / width][i % width];
            if (!(fabs((double)found[i] - expected) < 3e-5)) {
                fail_msg("family %s, output %zu, row %d, column %d: found %.9g, expected %.9g",
                         family == NULL ? "default" : family, o, (int)(i / width), (int)(i % width), (double)found[i],
                         expected);
            }
        }
    }
    encl_event_release(event);
    encl_executable_destroy(executable);
}

// Compares the finished graph on one device with every family, and drops it.
static void finish(const encl_device *device, const pair *outputs, size_t count) {
    static const char *const families[] = {NULL, "tile", "plain"};
    for (size_t i = 0; i < count; i++) {
        assert_ok(encl_graph_output(graph, outputs[i].value));
    }
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        compare(device, families[i], outputs, count);
    }
    encl_graph_destroy(graph);
}

// ---- Graphs -------------------------------------------------------------------------------------------------

static void odd_widths_on(const encl_device *device) {
    static const int32_t widths[] = {1, 7, 17, 33, 48};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        begin();
        const pair x = embed(widths[i]);
        const pair up = linear(x, 37, true);
        const pair down = linear(activate(up, ENCL_ACTIVATION_GELU), widths[i], true);
        const pair outputs[] = {norm(add(down, x)), down, up};
        finish(device, outputs, 3);
    }
}

static void widths_need_be_no_multiples(void **state) {
    (void)state;
    encl_test_on_devices(odd_widths_on);
}

static void lone_nodes_on(const encl_device *device) {
    for (int activation = ENCL_ACTIVATION_NONE; activation <= ENCL_ACTIVATION_TANH; activation++) {
        begin();
        const pair x = embed(20);
        const pair alone = activate(x, (encl_activation)activation);
        const pair twice = activate(activate(linear(x, 20, false), (encl_activation)activation), ENCL_ACTIVATION_TANH);
        const pair outputs[] = {alone, twice, x};
        finish(device, outputs, 3);
    }
    begin();
    const pair x = embed(20);
    const pair y = norm(x);
    const pair sum = add(x, y);
    const pair outputs[] = {sum, add(x, x), add(sum, sum)};
    finish(device, outputs, 3);
}

static void activations_and_sums_stand_alone(void **state) {
    (void)state;
    encl_test_on_devices(lone_nodes_on);
}

// Products whose epilogue takes a sum, on either side, with an activation between or on both sides, with and without
// bias, and products that other nodes read as well, so that nothing may be fused away.
static void fusions_on(const encl_device *device) {
    begin();
    const pair x = embed(24);
    const pair left = add(linear(x, 24, false), x);
    const pair right = add(x, linear(x, 24, true));
    const pair both = add(activate(linear(x, 24, true), ENCL_ACTIVATION_RELU), linear(x, 24, false));
    const pair outputs[] = {left, right, both};
    finish(device, outputs, 3);
    begin();
    const pair y = embed(24);
    const pair shared = linear(y, 24, true);
    const pair active = activate(shared, ENCL_ACTIVATION_SILU);
    const pair sum = add(shared, active);
    const pair doubled = add(shared, shared);
    const pair more[] = {active, sum, doubled, shared};
    finish(device, more, 4);
}

static void fused_and_shared_products_agree(void **state) {
    (void)state;
    encl_test_on_devices(fusions_on);
}

// 1024 columns: rows 4 KiB apart, which the tile family keeps further apart for the product that reads them.
static void wide_on(const encl_device *device) {
    begin();
    const pair x = embed(16);
    const pair up = activate(linear(x, 1024, true), ENCL_ACTIVATION_GELU_TANH);
    const pair down = linear(up, 16, true);
    const pair outputs[] = {add(down, x)};
    finish(device, outputs, 1);
}

static void wide_rows_agree(void **state) {
    (void)state;
    encl_test_on_devices(wide_on);
}

static encl_value attend(encl_value x, int64_t width, int32_t heads) {
    encl_value value = 0;
    const encl_value q = fixture_linear(&weights, graph, x, width, width);
    const encl_value k = fixture_linear(&weights, graph, x, width, width);
    const encl_value v = fixture_linear(&weights, graph, x, width, width);
    assert_ok(encl_graph_attention(graph, q, k, v, heads, &value));
    return value;
}

static void run_to(const encl_device *device, const char *family, float *values) {
    const encl_executable_options options = {.family = family, .capacity = {.tokens = 64}};
    encl_executable *executable = NULL;
    assert_ok(encl_executable_create(device, graph, &options, &executable));
    encl_event *event = fixture_run(executable, &batch, false);
    memcpy(values, fixture_output(event, 0, TOKENS, 96), (size_t)TOKENS * 96 * sizeof(float));
    encl_event_release(event);
    encl_executable_destroy(executable);
}

// Heads of 16, of 12 and of 32 in one graph: their kernels want work lists of different blocks.
static void head_sizes_on(const encl_device *device) {
    static const int32_t heads[][3] = {{6, 8, 3}, {8, 6, 3}, {8, 3, 8}};
    static float tile[TOKENS * 96];
    static float plain_family[TOKENS * 96];
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        begin();
        encl_value x = embed(96).value;
        for (int layer = 0; layer < 3; layer++) {
            encl_value sum = 0;
            assert_ok(encl_graph_add(graph, x, attend(x, 96, heads[i][layer]), &sum));
            x = fixture_norm(&weights, graph, sum, 96);
        }
        assert_ok(encl_graph_output(graph, x));
        run_to(device, "plain", plain_family);
        if (fixture_takes(device, "tile")) {
            run_to(device, "tile", tile);
            assert_true(fixture_difference(tile, plain_family, TOKENS * 96) < 3e-5f);
        }
        encl_graph_destroy(graph);
    }
}

static void layers_may_differ_in_head_size(void **state) {
    (void)state;
    encl_test_on_devices(head_sizes_on);
}

// ---- What is refused ----------------------------------------------------------------------------------------

#define assert_refused(expression, part)                                      \
    do {                                                                      \
        value = 99;                                                           \
        assert_int_equal((expression), ENCL_INVALID);                         \
        assert_int_equal(value, 0);                                           \
        if (strstr(encl_status_detail(), (part)) == NULL) {                   \
            fail_msg("'%s' does not say '%s'", encl_status_detail(), (part)); \
        }                                                                     \
    } while (0)

static void wrong_graphs_are_refused(void **state) {
    (void)state;
    static const encl_pooling modes[9] = {ENCL_POOLING_POOLER};
    encl_value value = 0;
    encl_value first = 0;
    begin();
    const encl_value x = embed(16).value;
    const encl_value wide = linear((pair){x, &plains[0]}, 32, true).value;
    const encl_weight square = fixture_weight(&weights, 16, 16, 0, 1);
    const encl_weight narrow = fixture_weight(&weights, 16, 15, 0, 1);
    const encl_weight vector = fixture_weight(&weights, 16, 0, 0, 1);
    const encl_weight shorter = fixture_weight(&weights, 15, 0, 0, 1);
    encl_weight empty = square;
    empty.rows = 0;
    assert_ok(encl_graph_select(graph, x, ENCL_SELECT_FIRST, &first));
    assert_refused(encl_graph_linear(graph, x, &narrow, NULL, &value), "[16, 15], expected");
    assert_refused(encl_graph_linear(graph, x, &square, &shorter, &value), "[15, 0], expected [16, 0]");
    assert_refused(encl_graph_linear(graph, x, &empty, NULL, &value), "[0, 16]");
    assert_refused(encl_graph_linear(graph, 77, &square, NULL, &value), "linear: input 77");
    assert_refused(encl_graph_linear(graph, 0, &square, NULL, &value), "linear: input 0");
    assert_refused(encl_graph_linear(graph, -1, &square, NULL, &value), "linear: input -1");
    assert_refused(encl_graph_layer_norm(graph, x, &vector, &shorter, 1e-12f, &value), "expected [16, 0]");
    assert_refused(encl_graph_add(graph, x, wide, &value), "differ in shape");
    assert_refused(encl_graph_add(graph, x, first, &value), "differ in shape");
    assert_refused(encl_graph_add(graph, x, 77, &value), "add: ");
    assert_refused(encl_graph_activation(graph, x, (encl_activation)6, &value), "activation: 6");
    assert_refused(encl_graph_attention(graph, x, x, wide, 2, &value), "[tokens, 16]");
    assert_refused(encl_graph_attention(graph, x, x, x, 3, &value), "3 heads");
    assert_refused(encl_graph_attention(graph, x, x, x, 0, &value), "0 heads");
    assert_refused(encl_graph_attention(graph, first, x, x, 2, &value), "attention: ");
    assert_refused(encl_graph_select(graph, first, ENCL_SELECT_LISTED, &value), "no token rows");
    assert_refused(encl_graph_pool(graph, first, modes + 1, 1, &value), "no token rows");
    assert_refused(encl_graph_pool(graph, x, modes + 1, 0, &value), "0 modes");
    assert_refused(encl_graph_pool(graph, x, modes, 9, &value), "9 modes");
    assert_refused(encl_graph_pool(graph, x, modes, 1, &value), "mode 6");
    assert_refused(encl_graph_embed(graph, &square, &square, &square, &shorter, &vector, 0, &value), "[15, 0]");
    assert_refused(encl_graph_embed(graph, &square, &narrow, &square, &vector, &vector, 0, &value), "[16, 15]");
    assert_refused(encl_graph_embed(graph, &vector, &square, &square, &vector, &vector, 0, &value), "no columns");
    assert_int_equal(encl_graph_output(graph, 77), ENCL_INVALID);
    encl_graph_destroy(graph);
    encl_graph_destroy(NULL);
}

static void bad_options_on(const encl_device *device) {
    static const struct {
        encl_executable_options options;
        const char *part;
    } cases[] = {
        {{.family = "warp"}, "kernel family 'warp', expected plain, tile or group"},
        {{.family = ""}, "kernel family ''"},
        {{.depth = 3}, "depth 3"},
        {{.depth = -1}, "depth -1"},
        {{.capacity.tokens = -1}, "capacity"},
        {{.capacity.panels = -1}, "capacity"},
        {{.gemm = ENCL_GEMM_CLBLAST, .same_bits = ENCL_SAME_BITS_ON}, "same-bits"},
    };
    encl_executable *executable = NULL;
    begin();
    const encl_value x = embed(16).value;
    assert_int_equal(encl_executable_create(device, graph, NULL, &executable), ENCL_INVALID);
    assert_non_null(strstr(encl_status_detail(), "no output"));
    assert_ok(encl_graph_output(graph, x));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        executable = (encl_executable *)graph;
        assert_int_equal(encl_executable_create(device, graph, &cases[i].options, &executable), ENCL_INVALID);
        assert_null(executable);
        if (strstr(encl_status_detail(), cases[i].part) == NULL) {
            fail_msg("'%s' does not say '%s'", encl_status_detail(), cases[i].part);
        }
    }
    // More than any device holds, and than a GPU counts work-groups.
    const encl_executable_options huge = {
        .capacity = {.tokens = INT32_MAX, .sequences = INT32_MAX, .selected = INT32_MAX}};
    const bool gpu = encl_device_get_info(device)->type != ENCL_DEVICE_CPU;
    assert_int_equal(encl_executable_create(device, graph, &huge, &executable),
                     gpu ? ENCL_INVALID : ENCL_DEVICE_MEMORY);
    assert_null(executable);
    encl_graph_destroy(graph);
}

static void bad_options_are_refused(void **state) {
    (void)state;
    encl_test_on_devices(bad_options_on);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_graphs_are_refused),        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(widths_need_be_no_multiples),     cmocka_unit_test(activations_and_sums_stand_alone),
        cmocka_unit_test(fused_and_shared_products_agree), cmocka_unit_test(wide_rows_agree),
        cmocka_unit_test(layers_may_differ_in_head_size),
    };
    return encl_test_main(tests);
}
