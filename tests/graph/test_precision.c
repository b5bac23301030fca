// Precisions: which products compute in them, how their operands are made, and how near the results stay.
#include "fixture.h"

#include "../device/fixture.h"
#include "runtime/graph/schedule.h"

static const fixture_shape shape = {
    .layers = 3, .hidden = 64, .heads = 4, .intermediate = 160, .vocabulary = 120, .positions = 60};
enum { LAYERS = 3, HIDDEN = 64, TOKENS = 90 };
static const encl_precision low[] = {ENCL_PRECISION_BF16, ENCL_PRECISION_INT8};
enum { LOW = sizeof low / sizeof low[0] };

static fixture_weights weights;

// An encoder and an exact head over its first rows.
static encl_graph *make_graph(void) {
    encl_graph *graph = NULL;
    encl_value value = 0;
    memset(&weights, 0, sizeof weights);
    assert_ok(encl_graph_create(&graph));
    const encl_value hidden = fixture_encoder(&weights, graph, &shape);
    encl_graph_keep_exact(graph, true);
    assert_ok(encl_graph_output(graph, hidden));
    assert_ok(encl_graph_select(graph, hidden, ENCL_SELECT_FIRST, &value));
    assert_ok(encl_graph_output(graph, fixture_linear(&weights, graph, value, HIDDEN, 33)));
    return graph;
}

// ---- Schedules --------------------------------------------------------------------------------------------

typedef struct tally {
    int products, low, quantized;
} tally;

static tally count_steps(const encl_graph *graph, const encl_lowering *lowering) {
    encl_schedule *schedule = NULL;
    tally found = {0};
    assert_ok(encl_schedule_create(graph, lowering, &schedule));
    for (size_t i = 0; i < schedule->step_count; i++) {
        const encl_step *step = &schedule->steps[i];
        found.products += step->op == ENCL_OP_LINEAR;
        found.quantized += step->op == ENCL_OP_QUANTIZE;
        if (step->op != ENCL_OP_LINEAR || step->shape.precision == ENCL_PRECISION_FP32) {
            continue;
        }
        found.low++;
        assert_false(step->library);
        const encl_weight_plan *weight = &schedule->weights[step->operands[1].index];
        for (size_t r = 0; r < step->row_count; r++) {
            assert_int_equal(step->rows[r]->format.precision, lowering->precision);
            assert_memory_equal(&step->rows[r]->format, &weight->format, sizeof weight->format);
        }
        assert_int_equal(weight->pack->format.precision, lowering->precision);
        // Its x is as wide as its rows say.
        assert_int_equal(step->shape.x_stride, schedule->tensors[step->operands[0].index].width);
    }
    assert_int_equal(schedule->low_products, found.low);
    encl_schedule_destroy(schedule);
    return found;
}

static void operands_are_made_once(void **state) {
    (void)state;
    encl_graph *graph = make_graph();
    encl_lowering lowering = {.family = ENCL_FAMILY_PLAIN, .one_order = true, .precision = ENCL_PRECISION_INT8};
    tally found = count_steps(graph, &lowering);
    // Query, key and value, which are one product; the projection behind attention; up; down. And the exact head.
    assert_int_equal(found.products, 4 * LAYERS + 1);
    assert_int_equal(found.low, 4 * LAYERS);
    assert_int_equal(found.quantized, 4 * LAYERS);
    lowering.precision = ENCL_PRECISION_FP32;
    found = count_steps(graph, &lowering);
    assert_int_equal(found.products, 4 * LAYERS + 1);
    assert_int_equal(found.low, 0);
    assert_int_equal(found.quantized, 0);
    encl_graph_destroy(graph);
}

// Two products of one value, which nothing puts side by side.
static void products_share_an_operand(void **state) {
    (void)state;
    const encl_lowering lowering = {.family = ENCL_FAMILY_PLAIN, .precision = ENCL_PRECISION_INT8};
    encl_graph *graph = NULL;
    memset(&weights, 0, sizeof weights);
    assert_ok(encl_graph_create(&graph));
    const encl_value x = fixture_embed(&weights, graph, &shape);
    assert_ok(encl_graph_output(graph, fixture_linear(&weights, graph, x, HIDDEN, 40)));
    assert_ok(encl_graph_output(graph, fixture_linear(&weights, graph, x, HIDDEN, 41)));
    const tally found = count_steps(graph, &lowering);
    assert_int_equal(found.low, 2);
    assert_int_equal(found.quantized, 1);
    encl_graph_destroy(graph);
}

// Where only first rows are needed, query and the rest of the last layer read other rows than keys and values.
static void gathered_rows_have_operands_of_their_own(void **state) {
    (void)state;
    const encl_lowering lowering = {.family = ENCL_FAMILY_PLAIN, .precision = ENCL_PRECISION_INT8};
    encl_graph *graph = NULL;
    encl_value value = 0;
    memset(&weights, 0, sizeof weights);
    assert_ok(encl_graph_create(&graph));
    assert_ok(encl_graph_select(graph, fixture_encoder(&weights, graph, &shape), ENCL_SELECT_FIRST, &value));
    assert_ok(encl_graph_output(graph, value));
    const tally found = count_steps(graph, &lowering);
    assert_int_equal(found.low, 4 * LAYERS + 1);
    assert_int_equal(found.quantized, 4 * LAYERS + 1);
    encl_graph_destroy(graph);
}

static void exact_layers_are_left_alone(void **state) {
    (void)state;
    encl_graph *graph = make_graph();
    const bool exact[] = {false, false, true};
    encl_lowering lowering = {.family = ENCL_FAMILY_PLAIN,
                              .precision = ENCL_PRECISION_BF16,
                              .exact_layers = exact,
                              .exact_layer_count = sizeof exact};
    assert_int_equal(count_steps(graph, &lowering).low, 4 * (LAYERS - 1));
    // The library multiplies what is exact.
    lowering.library = true;
    assert_int_equal(count_steps(graph, &lowering).low, 4 * (LAYERS - 1));
    encl_graph_destroy(graph);
}

// Marks every row of an operator and a precision as failed.
static void quarantine(bool *quarantined, encl_operator op, encl_precision precision) {
    for (size_t i = 0; i < encl_kernel_row_count; i++) {
        quarantined[i] =
            quarantined[i] || (encl_kernel_rows[i].op == op && encl_kernel_rows[i].format.precision == precision);
    }
}

// A product is of no use where its rows, or what makes its operands, do not work.
static void missing_rows_are_told(void **state) {
    (void)state;
    static const encl_operator parts[] = {ENCL_OP_LINEAR, ENCL_OP_PACK, ENCL_OP_QUANTIZE};
    encl_graph *graph = make_graph();
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        bool quarantined[256] = {false};
        encl_schedule *schedule = NULL;
        const encl_lowering lowering = {
            .family = ENCL_FAMILY_TILE, .precision = ENCL_PRECISION_INT8, .quarantined = quarantined};
        assert_in_range(encl_kernel_row_count, 1, 256);
        quarantine(quarantined, parts[i], ENCL_PRECISION_INT8);
        assert_int_equal(encl_schedule_create(graph, &lowering, &schedule), ENCL_UNSUPPORTED);
        assert_null(schedule);
        assert_non_null(strstr(encl_status_detail(), "precision int8: no kernel serves linear"));
    }
    encl_graph_destroy(graph);
}

// ---- Executables ------------------------------------------------------------------------------------------

// Hidden states of a fixed batch; gives what the executable says of itself.
static encl_executable_info run(const encl_device *device, const encl_executable_options *options, float *hidden) {
    static fixture_batch batch;
    encl_graph *graph = make_graph();
    encl_executable *executable = NULL;
    memset(&batch, 0, sizeof batch);
    fixture_add(&batch, 1, 50, shape.vocabulary);
    fixture_add(&batch, 2, 1, shape.vocabulary);
    fixture_add(&batch, 3, 39, shape.vocabulary);
    assert_int_equal(batch.tokens, TOKENS);
    assert_ok(encl_executable_create(device, graph, options, &executable));
    encl_event *event = fixture_run(executable, &batch, false);
    memcpy(hidden, fixture_output(event, 0, TOKENS, HIDDEN), sizeof(float) * TOKENS * HIDDEN);
    encl_event_release(event);
    const encl_executable_info info = *encl_executable_get_info(executable);
    encl_executable_destroy(executable);
    encl_graph_destroy(graph);
    return info;
}

static double worst_cosine(const float *a, const float *b) {
    double worst = 1;
    for (int t = 0; t < TOKENS; t++) {
        double product = 0;
        double a_square = 0;
        double b_square = 0;
        for (int i = t * HIDDEN; i < (t + 1) * HIDDEN; i++) {
            product += (double)a[i] * (double)b[i];
            a_square += (double)a[i] * (double)a[i];
            b_square += (double)b[i] * (double)b[i];
        }
        const double cosine = product / sqrt(a_square * b_square);
        worst = cosine >= worst ? worst : cosine; // a NaN is kept
    }
    return worst;
}

static void near_on(const encl_device *device) {
    static float exact[TOKENS * HIDDEN];
    static float found[TOKENS * HIDDEN];
    static const double limits[] = {0.9995, 0.99};
    const encl_capacity capacity = {.tokens = TOKENS, .sequences = 3};
    const encl_executable_info full = run(device, &(encl_executable_options){.capacity = capacity}, exact);
    assert_int_equal(full.low_products, 0);
    for (size_t i = 0; i < LOW; i++) {
        encl_executable_options options = {.capacity = capacity, .precision = low[i]};
        encl_executable_info info = run(device, &options, found);
        assert_int_equal(info.precision, low[i]);
        assert_int_equal(info.low_products, 4 * LAYERS);
        assert_string_equal(info.exact_layers, "");
        // The matrices take a half or about a quarter.
        assert_true(info.weight_bytes < full.weight_bytes * (low[i] == ENCL_PRECISION_BF16 ? 7 : 5) / 10);
        const double worst = worst_cosine(exact, found);
        print_message("    %s: worst cosine %.6f\n", encl_precision_name(low[i]), worst);
        assert_true(worst >= limits[i] && worst < 1);
        // With every layer exact, nothing is left of it.
        const bool all[] = {false, true, true, true};
        options.exact_layers = all;
        options.exact_layer_count = sizeof all;
        info = run(device, &options, found);
        assert_int_equal(info.low_products, 0);
        assert_string_equal(info.exact_layers, "1,2,3");
        assert_int_equal(info.weight_bytes, full.weight_bytes);
        assert_true(fixture_difference(exact, found, (int64_t)TOKENS * HIDDEN) < 1e-5f);
    }
}

static void results_stay_near(void **state) {
    (void)state;
    encl_test_on_devices(near_on);
}

// Numbers that overflow must not be hidden by rounding to integers.
static void overflow_on(const encl_device *device) {
    for (size_t i = 0; i < LOW; i++) {
        const encl_executable_options options = {.capacity = {.tokens = 4, .sequences = 1}, .precision = low[i]};
        static fixture_batch batch;
        encl_graph *graph = NULL;
        encl_executable *executable = NULL;
        bool finite = true;
        memset(&weights, 0, sizeof weights);
        memset(&batch, 0, sizeof batch);
        fixture_add(&batch, 1, 4, shape.vocabulary);
        assert_ok(encl_graph_create(&graph));
        assert_ok(encl_graph_output(graph, fixture_encoder(&weights, graph, &shape)));
        // The gains of the last layer's first LayerNorm, behind which its feed-forward reads infinities.
        weights.sources[weights.count - 8].middle = 3e38f;
        assert_ok(encl_executable_create(device, graph, &options, &executable));
        encl_event *event = fixture_run(executable, &batch, false);
        const float *hidden = fixture_output(event, 0, 4, HIDDEN);
        for (int n = 0; n < 4 * HIDDEN; n++) {
            finite = finite && isfinite(hidden[n]);
        }
        assert_false(finite);
        encl_event_release(event);
        encl_executable_destroy(executable);
        encl_graph_destroy(graph);
    }
}

static void overflow_is_not_hidden(void **state) {
    (void)state;
    encl_test_on_devices(overflow_on);
}

static void refused_on(const encl_device *device) {
    const encl_executable_options options = {.gemm = ENCL_GEMM_CLBLAST, .precision = ENCL_PRECISION_INT8};
    encl_executable *executable = NULL;
    encl_graph *graph = make_graph();
    assert_int_equal(encl_executable_create(device, graph, &options, &executable), ENCL_INVALID);
    assert_null(executable);
    assert_non_null(strstr(encl_status_detail(), "cannot serve precision int8"));
    encl_graph_destroy(graph);
}

static void the_library_is_refused(void **state) {
    (void)state;
    encl_test_on_devices(refused_on);
}

// ---- Several buffers --------------------------------------------------------------------------------------

// Wide enough for a product of either precision to lie in several buffers where activations fit one.
enum { WIDE = 512, OUT = 1100, SEQUENCES = 2 };
static const fixture_shape wide = {
    .layers = 1, .hidden = WIDE, .heads = 8, .intermediate = 64, .vocabulary = 100, .positions = 4};
static const char small_allocation[] = "ENCL_MAX_ALLOCATION=131072";

// The device without key panels, whose tensor would be the largest.
static void write_wide(FILE *file, const encl_device *device, encl_precision precision) {
    static const int32_t ids[] = {7, 8, 9};
    static const int32_t offsets[] = {0, 1, 3};
    const encl_batch batch = {.tokens = 3, .sequences = SEQUENCES, .ids = ids, .offsets = offsets};
    const encl_executable_options options = {
        .capacity = {.tokens = 3, .sequences = SEQUENCES}, .family = "plain", .precision = precision};
    encl_graph *graph = NULL;
    encl_value value = 0;
    encl_executable *executable = NULL;
    encl_event *event = NULL;
    memset(&weights, 0, sizeof weights);
    assert_ok(encl_graph_create(&graph));
    assert_ok(encl_graph_select(graph, fixture_encoder(&weights, graph, &wide), ENCL_SELECT_FIRST, &value));
    assert_ok(encl_graph_output(graph, fixture_linear(&weights, graph, value, WIDE, OUT)));
    assert_ok(encl_executable_create(device, graph, &options, &executable));
    assert_ok(encl_executable_run(executable, &batch, false, &event));
    assert_ok(encl_event_wait(event, -1));
    const float *out = fixture_output(event, 0, SEQUENCES, OUT);
    assert_int_equal(fwrite(out, sizeof(float), (size_t)SEQUENCES * OUT, file), SEQUENCES * OUT);
    encl_event_release(event);
    encl_executable_destroy(executable);
    encl_graph_destroy(graph);
}

// On the first device, in both precisions.
static void write_results(const char *path) {
    const encl_device *const *devices = NULL;
    size_t count = 0;
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_ok(encl_devices(&devices, &count));
    for (size_t i = 0; i < count; i++) {
        if (encl_test_usable(devices[i])) {
            for (size_t p = 0; p < LOW; p++) {
                write_wide(file, devices[i], low[p]);
            }
            break;
        }
    }
    assert_int_equal(fclose(file), 0);
}

static size_t read_results(const char *path, float *values) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t count = fread(values, sizeof *values, (size_t)LOW * SEQUENCES * OUT, file);
    fclose(file);
    return count;
}

// The devices are read once a process, so another one sees the smaller allocation.
static void split_weights_give_the_same_bits(void **state) {
    (void)state;
    static float whole[LOW * SEQUENCES * OUT];
    static float split[LOW * SEQUENCES * OUT];
    char folder[FIXTURE_PATH];
    char path[FIXTURE_PATH + 16];
    char text[FIXTURE_TEXT];
    const encl_device *const *devices = NULL;
    size_t count = 0;
    if (encl_devices(&devices, &count) == ENCL_NO_DEVICE) {
        skip();
    }
    fixture_folder(folder);
    snprintf(path, sizeof path, "%s/whole", folder);
    write_results(path);
    assert_int_equal(read_results(path, whole), LOW * SEQUENCES * OUT);
    snprintf(path, sizeof path, "%s/split", folder);
    if (fixture_child(small_allocation, path, text) != 0) {
        fail_msg("%s", text);
    }
    assert_int_equal(read_results(path, split), LOW * SEQUENCES * OUT);
    assert_memory_equal(whole, split, sizeof whole);
    fixture_remove(folder);
}

int main(int count, char **arguments) {
    if (count > 1) {
        write_results(arguments[1]);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operands_are_made_once),
        cmocka_unit_test(products_share_an_operand),
        cmocka_unit_test(gathered_rows_have_operands_of_their_own),
        cmocka_unit_test(exact_layers_are_left_alone),
        cmocka_unit_test(missing_rows_are_told),
        cmocka_unit_test(results_stay_near),
        cmocka_unit_test(overflow_is_not_hidden),
        cmocka_unit_test(the_library_is_refused),
        cmocka_unit_test(split_weights_give_the_same_bits),
    };
    return encl_test_main(tests);
}
