// Weights in the layout of a device: read back from one executable and given to another, they give the same bits.
#include "fixture.h"

#include "../device/fixture.h"
#include "runtime/base/crc32.h"
#include "runtime/graph/graph.h"

enum { HIDDEN = 48, INTERMEDIATE = 96, OUT = 1100, VOCABULARY = 1400, LENGTH = 9, PAGE = 4096, WEIGHTS = 256 };

static const fixture_shape shape = {
    .layers = 2, .hidden = HIDDEN, .heads = 2, .intermediate = INTERMEDIATE, .vocabulary = VOCABULARY, .positions = 32};

// Two layers and a head that reads first tokens, so that the last layer's queries are a product of their own, and with
// a product whose bias is none.
static encl_graph *make_graph(fixture_weights *weights) {
    encl_graph *graph = NULL;
    encl_value value = 0;
    memset(weights, 0, sizeof *weights);
    assert_ok(encl_graph_create(&graph));
    const encl_value hidden = fixture_encoder(weights, graph, &shape);
    assert_ok(encl_graph_select(graph, hidden, ENCL_SELECT_FIRST, &value));
    const encl_weight bare = fixture_weight(weights, OUT, HIDDEN, 0, 0.3f);
    assert_ok(encl_graph_linear(graph, value, &bare, NULL, &value));
    assert_ok(encl_graph_output(graph, value));
    return graph;
}

// ---- A store ----------------------------------------------------------------------------------------------

typedef struct store {
    struct {
        char *key;
        void *data; // on a page
        uint64_t bytes;
    } weights[WEIGHTS];
    size_t count;
    size_t asked;
    const char *withheld; // part of a key that is not found; NULL: none
    uint64_t cut;         // bytes that a weight is short of
} store;

static void fill(store *s, const encl_executable *executable) {
    *s = (store){.count = encl_executable_weight_count(executable)};
    assert_in_range(s->count, 1, WEIGHTS);
    for (size_t i = 0; i < s->count; i++) {
        const uint64_t bytes = encl_executable_weight_bytes(executable, i);
        const char *key = encl_executable_weight_key(executable, i);
        s->weights[i].key = strdup(key);
        s->weights[i].bytes = bytes;
        assert_int_equal(posix_memalign(&s->weights[i].data, PAGE, bytes), 0);
        // In pieces that do not divide it.
        for (uint64_t done = 0; done < bytes;) {
            const uint64_t count = bytes - done < 1001 ? bytes - done : 1001;
            assert_ok(encl_executable_weight_read(executable, i, done, count, (uint8_t *)s->weights[i].data + done));
            done += count;
        }
    }
    uint8_t byte = 0;
    assert_int_equal(encl_executable_weight_read(executable, s->count, 0, 1, &byte), ENCL_INVALID);
    assert_int_equal(encl_executable_weight_read(executable, 0, s->weights[0].bytes, 1, &byte), ENCL_INVALID);
    assert_null(encl_executable_weight_key(executable, s->count));
    assert_int_equal(encl_executable_weight_bytes(executable, s->count), 0);
}

static void drop(store *s) {
    for (size_t i = 0; i < s->count; i++) {
        free(s->weights[i].key);
        free(s->weights[i].data);
    }
}

static encl_status find(void *context, const char *key, const void **data, uint64_t *bytes) {
    store *s = context;
    s->asked++;
    for (size_t i = 0; i < s->count; i++) {
        const bool withheld = s->withheld != NULL && strstr(key, s->withheld) != NULL;
        if (strcmp(s->weights[i].key, key) == 0 && !withheld) {
            *data = s->weights[i].data;
            *bytes = s->weights[i].bytes - s->cut;
            return ENCL_OK;
        }
    }
    return encl_fail(ENCL_UNSUPPORTED, "the store has no %s", key);
}

static int count_reads(const fixture_weights *weights) {
    int reads = 0;
    for (size_t i = 0; i < weights->count; i++) {
        reads += weights->sources[i].reads;
    }
    return reads;
}

static void run(encl_executable *executable, float *values) {
    fixture_batch batch = {0};
    for (uint64_t i = 0; i < 3; i++) {
        fixture_add(&batch, i + 1, LENGTH - (int32_t)i, VOCABULARY);
    }
    encl_event *event = fixture_run(executable, &batch, false);
    memcpy(values, fixture_output(event, 0, 3, OUT), 3 * OUT * sizeof *values);
    encl_event_release(event);
}

static const char *const families[] = {NULL, "tile", "plain"};

// ---- The same bits ----------------------------------------------------------------------------------------

static void same_bits_with(const encl_device *device, const encl_executable_options *options) {
    static fixture_weights weights;
    static float direct[3 * OUT];
    static float packed[3 * OUT];
    store s;
    encl_executable *executable = NULL;
    encl_graph *graph = make_graph(&weights);
    const encl_status status = encl_executable_create(device, graph, options, &executable);
    if (status == ENCL_UNSUPPORTED && options->precision != ENCL_PRECISION_FP32) {
        print_message("    %s: %s\n", encl_precision_name(options->precision), encl_status_detail());
        encl_graph_destroy(graph);
        return;
    }
    assert_ok(status);
    run(executable, direct);
    fill(&s, executable);
    const uint64_t bytes = encl_executable_get_info(executable)->weight_bytes;
    encl_executable_destroy(executable);
    encl_graph_destroy(graph);

    graph = make_graph(&weights);
    encl_graph_use_store(graph, &(encl_weight_store){.find = find,
                                                     .context = &s,
                                                     .precision = options->precision,
                                                     .exact_layers = options->exact_layers,
                                                     .exact_layer_count = options->exact_layer_count});
    // The store says the precision.
    encl_executable_options other = *options;
    other.precision = ENCL_PRECISION_FP32;
    other.exact_layers = NULL;
    assert_ok(encl_executable_create(device, graph, &other, &executable));
    encl_graph_destroy(graph);
    assert_int_equal(s.asked, s.count);
    assert_int_equal(count_reads(&weights), 0);
    assert_int_equal(encl_executable_get_info(executable)->weight_bytes, bytes);
    assert_int_equal(encl_executable_get_info(executable)->precision, options->precision);
    run(executable, packed);
    assert_true(fixture_same_bits(direct, packed, 3 * OUT));
    // What was taken can be read back.
    store again;
    fill(&again, executable);
    for (size_t i = 0; i < s.count; i++) {
        assert_string_equal(s.weights[i].key, again.weights[i].key);
        assert_int_equal(s.weights[i].bytes, again.weights[i].bytes);
        assert_memory_equal(s.weights[i].data, again.weights[i].data, s.weights[i].bytes);
    }
    encl_executable_destroy(executable);
    drop(&again);
    drop(&s);
}

static void same_bits_on(const encl_device *device) {
    static const encl_precision precisions[] = {ENCL_PRECISION_FP32, ENCL_PRECISION_BF16, ENCL_PRECISION_INT8};
    static const bool exact[] = {false, true, false};
    for (size_t f = 0; f < sizeof families / sizeof families[0]; f++) {
        for (size_t p = 0; p < sizeof precisions / sizeof precisions[0]; p++) {
            const encl_executable_options options = {.family = families[f],
                                                     .precision = precisions[p],
                                                     .exact_layers = f == 0 ? exact : NULL,
                                                     .exact_layer_count = 3};
            if (fixture_takes(device, families[f])) {
                same_bits_with(device, &options);
            }
        }
    }
}

static void a_store_gives_the_same_bits(void **state) {
    (void)state;
    encl_test_on_devices(same_bits_on);
}

// ---- What does not fit ------------------------------------------------------------------------------------

static void refusals_on(const encl_device *device) {
    static fixture_weights weights;
    store s;
    encl_executable *executable = NULL;
    encl_graph *graph = make_graph(&weights);
    assert_ok(encl_executable_create(device, graph, NULL, &executable));
    fill(&s, executable);
    encl_executable_destroy(executable);
    encl_graph_use_store(graph, &(encl_weight_store){.find = find, .context = &s});

    s.withheld = "w7"; // a source of a product
    assert_int_equal(encl_executable_create(device, graph, NULL, &executable), ENCL_UNSUPPORTED);
    assert_null(executable);
    assert_non_null(strstr(encl_status_detail(), "the store has no "));
    assert_non_null(strstr(encl_status_detail(), encl_device_get_info(device)->name));
    s.withheld = NULL;
    s.cut = 4;
    assert_int_equal(encl_executable_create(device, graph, NULL, &executable), ENCL_FORMAT);
    assert_null(executable);
    assert_non_null(strstr(encl_status_detail(), "bytes, expected"));
    s.cut = 0;
    const encl_executable_options low = {.precision = ENCL_PRECISION_INT8};
    assert_int_equal(encl_executable_create(device, graph, &low, &executable), ENCL_INVALID);
    assert_null(executable);
    assert_non_null(strstr(encl_status_detail(), "fp32"));
    assert_non_null(strstr(encl_status_detail(), "int8"));
    assert_ok(encl_executable_create(device, graph, NULL, &executable));
    encl_executable_destroy(executable);
    encl_graph_destroy(graph);
    drop(&s);
}

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    encl_test_on_devices(refusals_on);
}

// ---- Several buffers --------------------------------------------------------------------------------------

enum { MOST_DEVICES = 8 };

// A checksum of every device's weights, as text.
static void sum_weights(char *text, size_t size) {
    static fixture_weights weights;
    const encl_device *const *devices = NULL;
    size_t count = 0;
    size_t used = 0;
    assert_ok(encl_devices(&devices, &count));
    for (size_t i = 0; i < count && encl_test_usable(devices[i]); i++) {
        const encl_executable_options options = {.capacity = {.tokens = 32, .sequences = 3, .selected = 1}};
        encl_executable *executable = NULL;
        encl_graph *graph = make_graph(&weights);
        store s;
        uint32_t crc = 0;
        assert_ok(encl_executable_create(devices[i], graph, &options, &executable));
        fill(&s, executable);
        for (size_t j = 0; j < s.count; j++) {
            crc = encl_crc32(crc, s.weights[j].data, s.weights[j].bytes);
        }
        used += (size_t)snprintf(text + used, size - used, "%08x\n", (unsigned)crc);
        drop(&s);
        encl_executable_destroy(executable);
        encl_graph_destroy(graph);
        same_bits_with(devices[i], &options);
    }
}

// The devices are read once a process, so another one sees a largest allocation that is too small for the word table
// and the head's matrix.
static void split_weights_are_the_same(void **state) {
    (void)state;
    char whole[9 * MOST_DEVICES + 1] = "";
    char split[FIXTURE_TEXT];
    const encl_device *const *devices = NULL;
    size_t count = 0;
    if (encl_devices(&devices, &count) == ENCL_NO_DEVICE) {
        skip();
    }
    assert_in_range(count, 1, MOST_DEVICES);
    sum_weights(whole, sizeof whole);
    if (fixture_child("ENCL_MAX_ALLOCATION=131072", "sum", split) != 0) {
        fail_msg("%s", split);
    }
    assert_string_equal(split, whole);
}

int main(int count, char **arguments) {
    (void)arguments;
    if (count > 1) {
        char text[9 * MOST_DEVICES + 1] = "";
        sum_weights(text, sizeof text);
        printf("%s", text);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_gives_the_same_bits),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(split_weights_are_the_same),
    };
    return encl_test_main(tests);
}
