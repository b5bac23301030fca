// Weights on their way to the device: refused where they are not finite, several buffers where one is too small, and
// what the source says when reading fails.
#include "fixture.h"

#include "../device/fixture.h"
#include "runtime/device/command.h"
#include "runtime/graph/graph.h"

enum { HIDDEN = 32, TOKENS = 4, OUT = 1100, VOCABULARY = 4000 };

// A word table and a product that must be split where the largest allocation is 131072 bytes (4 parts of 1024 rows,
// 2 parts of 1024 columns), while every activation still fits.
static const fixture_shape shape = {
    .layers = 1, .hidden = HIDDEN, .heads = 2, .intermediate = 64, .vocabulary = VOCABULARY, .positions = 4};
static const char small_allocation[] = "ENCL_MAX_ALLOCATION=131072";

static encl_graph *make_graph(fixture_weights *weights) {
    encl_graph *graph = NULL;
    encl_value value = 0;
    memset(weights, 0, sizeof *weights);
    assert_ok(encl_graph_create(&graph));
    const encl_value hidden = fixture_encoder(weights, graph, &shape);
    assert_ok(encl_graph_select(graph, hidden, ENCL_SELECT_FIRST, &value));
    value = fixture_linear(weights, graph, value, HIDDEN, OUT);
    assert_ok(encl_graph_activation(graph, value, ENCL_ACTIVATION_GELU, &value));
    assert_ok(encl_graph_output(graph, value));
    return graph;
}

// Where the numbers of a weight lie, which is no more aligned than numbers must be.
static float memory[1 + VOCABULARY * HIDDEN];
static void place(encl_graph *graph, size_t weight) {
    encl_weight *placed = &graph->weights[weight];
    assert_true((placed->rows * placed->columns + 1) * (int64_t)sizeof(float) <= (int64_t)sizeof memory);
    assert_ok(placed->read(placed->context, 0, placed->rows, memory + 1));
    placed->values = memory + 1;
}

enum { WORD_TABLE, LAST_MATRIX = 21 }; // in the order of make_graph

static const encl_executable_options options = {.capacity = {.tokens = TOKENS, .sequences = 3, .selected = 1}};

// ---- Not finite -------------------------------------------------------------------------------------------

static void not_finite_on(const encl_device *device) {
    static fixture_weights weights;
    static const struct {
        size_t weight; // in the order of fixture_encoder
        int64_t row, column;
        float value;
        const char *text;
    } cases[] = {
        {0, 3999, 31, INFINITY, "inf"}, {3, 7, 0, NAN, "nan"},        {5, 31, 5, -INFINITY, "-inf"},
        {9, 0, 31, NAN, "nan"},         {10, 31, 0, INFINITY, "inf"}, {13, 16, 0, NAN, "nan"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char part[96];
        encl_executable *executable = NULL;
        encl_graph *graph = make_graph(&weights);
        fixture_source *source = &weights.sources[cases[i].weight];
        source->odd_element = cases[i].row * source->width + cases[i].column;
        source->odd_value = cases[i].value;
        snprintf(part, sizeof part, "weight %s: row %d, column %d is %s", source->name, (int)cases[i].row,
                 (int)cases[i].column, cases[i].text);
        assert_int_equal(encl_executable_create(device, graph, &options, &executable), ENCL_NOT_FINITE);
        assert_null(executable);
        // A NaN may print with a sign.
        if (strstr(encl_status_detail(), part) == NULL && strstr(encl_status_detail(), "-nan") == NULL) {
            fail_msg("'%s' does not say '%s'", encl_status_detail(), part);
        }
        if (i == 0) {
            place(graph, WORD_TABLE);
            assert_int_equal(encl_executable_create(device, graph, &options, &executable), ENCL_NOT_FINITE);
            assert_non_null(strstr(encl_status_detail(), part));
            graph->weights[WORD_TABLE].values = NULL;
            // The largest float is one.
            source->odd_value = 3.4028235e38f;
            assert_ok(encl_executable_create(device, graph, &options, &executable));
            encl_executable_destroy(executable);
        }
        encl_graph_destroy(graph);
    }
}

static void weights_must_be_finite(void **state) {
    (void)state;
    encl_test_on_devices(not_finite_on);
}

static encl_status fail_to_read(void *context, int64_t row, int64_t count, float *destination) {
    (void)context;
    (void)row;
    (void)count;
    (void)destination;
    return encl_fail(ENCL_IO, "the disk is on fire");
}

static void failing_read_on(const encl_device *device) {
    static fixture_weights weights;
    encl_executable *executable = NULL;
    encl_value value = 0;
    encl_graph *graph = make_graph(&weights);
    encl_weight bad = fixture_weight(&weights, 8, OUT, 0, 1);
    bad.read = fail_to_read;
    assert_ok(encl_graph_linear(graph, graph->outputs[0], &bad, NULL, &value));
    assert_ok(encl_graph_output(graph, value));
    assert_int_equal(encl_executable_create(device, graph, &options, &executable), ENCL_IO);
    assert_null(executable);
    assert_non_null(strstr(encl_status_detail(), "the disk is on fire"));
    encl_graph_destroy(graph);
}

static void a_failing_source_says_why(void **state) {
    (void)state;
    encl_test_on_devices(failing_read_on);
}

// ---- Where they lie ---------------------------------------------------------------------------------------

// Whether the device has a weight where the host has it: what changes there, changes for the device.
static bool is_in_place(const encl_device *device, encl_gemm gemm, size_t weight) {
    static fixture_weights weights;
    enum { ROW = 900 };
    float before[HIDDEN];
    float found[HIDDEN];
    char key[64];
    size_t index = 0;
    encl_executable *executable = NULL;
    encl_graph *graph = make_graph(&weights);
    encl_executable_options how = options;
    how.gemm = gemm;
    place(graph, weight);
    float *row = memory + 1 + ROW * HIDDEN;
    memcpy(before, row, sizeof before);
    const int reads = weights.sources[weight].reads;
    assert_ok(encl_executable_create(device, graph, &how, &executable));
    assert_true(weights.sources[weight].reads > reads); // its numbers were looked at in any case
    snprintf(key, sizeof key, "rows fp32: %s", graph->weights[weight].name);
    while (strcmp(encl_executable_weight_key(executable, index), key) != 0) {
        index++;
    }
    row[3] = 123;
    assert_ok(encl_executable_weight_read(executable, index, ROW * sizeof found, sizeof found, found));
    const bool changed = memcmp(found, row, sizeof found) == 0;
    assert_true(changed || memcmp(found, before, sizeof found) == 0);
    encl_executable_destroy(executable);
    encl_graph_destroy(graph);
    return changed;
}

// (Other drivers may copy what is not aligned to their liking.)
static void table_stays_on(const encl_device *device) {
    const bool pocl = strcmp(encl_device_get_info(device)->platform, "Portable Computing Language") == 0;
    if (pocl && encl_device_in_host_memory(device)) {
        assert_true(is_in_place(device, ENCL_GEMM_TILE, WORD_TABLE));
    }
    // CLBlast reads vectors, which must be aligned.
    assert_false(is_in_place(device, ENCL_GEMM_CLBLAST, LAST_MATRIX));
}

static void a_large_table_is_not_copied(void **state) {
    (void)state;
    encl_test_on_devices(table_stays_on);
}

// ---- Several buffers --------------------------------------------------------------------------------------

enum { SEQUENCES = 3, MOST_DEVICES = 8 };

// Runs ids from every part of the word table on one device with one family.
static encl_status run_ids(const encl_device *device, const char *family, bool in_place, float *values) {
    static fixture_weights weights;
    static const int32_t ids[TOKENS] = {0, 1023, 2048, 3999};
    static const int32_t offsets[] = {0, 1, 2, 4};
    const encl_batch batch = {.tokens = TOKENS, .sequences = SEQUENCES, .ids = ids, .offsets = offsets};
    encl_executable *executable = NULL;
    encl_event *event = NULL;
    encl_graph *graph = make_graph(&weights);
    encl_executable_options how = options;
    how.family = family;
    if (in_place) {
        place(graph, WORD_TABLE);
    }
    encl_status status = encl_executable_create(device, graph, &how, &executable);
    if (status == ENCL_OK) {
        assert_ok(encl_executable_run(executable, &batch, false, &event));
        assert_ok(encl_event_wait(event, -1));
        memcpy(values, fixture_output(event, 0, SEQUENCES, OUT), (size_t)SEQUENCES * OUT * sizeof(float));
        encl_event_release(event);
        encl_executable_destroy(executable);
    }
    encl_graph_destroy(graph);
    return status;
}

// All devices' and both families' results, as bytes.
static void write_results(const char *path) {
    static float values[SEQUENCES * OUT];
    static float others[SEQUENCES * OUT];
    const encl_device *const *devices = NULL;
    size_t count = 0;
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_ok(encl_devices(&devices, &count));
    for (size_t i = 0; i < count; i++) {
        for (int f = 0; f < 2; f++) {
            const char *family = f == 0 ? NULL : "plain";
            if (encl_test_usable(devices[i])) {
                assert_ok(run_ids(devices[i], family, false, values));
                assert_ok(run_ids(devices[i], family, true, others));
                assert_memory_equal(values, others, sizeof values);
                assert_int_equal(fwrite(values, sizeof values, 1, file), 1);
            }
        }
    }
    assert_int_equal(fclose(file), 0);
}

static long read_file(const char *path, char *bytes, size_t capacity) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t length = fread(bytes, 1, capacity, file);
    fclose(file);
    return (long)length;
}

// The devices are read once a process, so another one sees the smaller allocation.
static void split_weights_give_the_same_bits(void **state) {
    (void)state;
    static char whole[MOST_DEVICES * 2 * SEQUENCES * OUT * sizeof(float)];
    static char split[sizeof whole];
    char folder[FIXTURE_PATH];
    char path[FIXTURE_PATH + 16];
    char text[FIXTURE_TEXT];
    fixture_folder(folder);
    snprintf(path, sizeof path, "%s/whole", folder);
    write_results(path);
    const long length = read_file(path, whole, sizeof whole);
    assert_true(length > 0);
    snprintf(path, sizeof path, "%s/split", folder);
    if (fixture_child(small_allocation, path, text) != 0) {
        fail_msg("%s", text);
    }
    assert_int_equal(read_file(path, split, sizeof split), length);
    assert_memory_equal(whole, split, (size_t)length);
    // Less than one activation, or than a quarter of the word table, is an error that says so.
    assert_int_equal(fixture_child("ENCL_MAX_ALLOCATION=1000", path, text), 1);
    assert_non_null(strstr(text, "DEVICE_MEMORY"));
    assert_non_null(strstr(text, "larger than the device's largest allocation"));
    assert_int_equal(fixture_child("ENCL_MAX_ALLOCATION=100000", path, text), 1);
    assert_non_null(strstr(text, "4000 rows of 128 bytes does not fit 4 buffers of at most 100000 bytes"));
    fixture_remove(folder);
}

// In the child, whose devices refuse what does not fit one allocation: a result means that weights lie in parts.
static int run_child(const char *path) {
    static float values[SEQUENCES * OUT];
    const encl_device *const *devices = NULL;
    size_t count = 0;
    if (encl_devices(&devices, &count) != ENCL_OK) {
        return 2;
    }
    for (size_t i = 0; i < count; i++) {
        if (encl_test_usable(devices[i])) {
            const encl_status status = run_ids(devices[i], NULL, false, values);
            if (status != ENCL_OK) {
                printf("%s: %s\n", encl_status_name(status), encl_status_detail());
                return 1;
            }
        }
    }
    write_results(path);
    return 0;
}

int main(int count, char **arguments) {
    if (count > 1) {
        return run_child(arguments[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_must_be_finite),
        cmocka_unit_test(a_failing_source_says_why),
        cmocka_unit_test(a_large_table_is_not_copied),
        cmocka_unit_test(split_weights_give_the_same_bits),
    };
    return encl_test_main(tests);
}
