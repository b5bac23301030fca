// The goldens of Hugging Face transformers through the real graphs, on every device: hidden states, pooling, pooler and
// each folder's own embedding. Layout of the goldens: tests/golden/make_model_goldens.py.
// ENCL_MINILM names a folder of all-MiniLM-L6-v2.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/model/model.h"
#include "runtime/base/json.h"
#include "test.h"

static const double tolerance = 5e-5;

enum { MOST_TOKENS = 512, MOST_SEQUENCES = 16, GOLDEN_BYTES = 1 << 20 };

static const encl_pooling modes[] = {ENCL_POOLING_CLS,           ENCL_POOLING_MAX,           ENCL_POOLING_MEAN,
                                     ENCL_POOLING_MEAN_SQRT_LEN, ENCL_POOLING_WEIGHTED_MEAN, ENCL_POOLING_LAST};
enum { MODES = sizeof modes / sizeof modes[0] };
// The outputs of the graph that everything is compared on.
enum { HIDDEN_STATE, POOLED, POOLER };

static const cJSON *get(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    if (item == NULL) {
        fail_msg("the golden has no '%s'", key);
    }
    return item;
}

static void compare(const char *what, const cJSON *expected, const float *found, int64_t count) {
    int64_t i = 0;
    const cJSON *item;
    assert_int_equal(cJSON_GetArraySize(expected), count);
    cJSON_ArrayForEach(item, expected) {
        if (!(fabs((double)found[i] - item->valuedouble) <= tolerance)) {
            fail_msg("%s[%d]: found %.9g, expected %.9g", what, (int)i, (double)found[i], item->valuedouble);
        }
        i++;
    }
}

// A golden's batch, packed.
typedef struct packed {
    int32_t ids[MOST_TOKENS], types[MOST_TOKENS], offsets[MOST_SEQUENCES + 1];
    encl_batch batch;
} packed;

static void pack(const cJSON *batch, packed *p) {
    const cJSON *sequence;
    const cJSON *item;
    memset(p, 0, sizeof *p);
    p->batch = (encl_batch){.ids = p->ids, .types = p->types, .offsets = p->offsets};
    cJSON_ArrayForEach(sequence, get(batch, "sequences")) {
        int32_t at = p->batch.tokens;
        assert_in_range(p->batch.tokens + cJSON_GetArraySize(get(sequence, "ids")), 1, MOST_TOKENS);
        cJSON_ArrayForEach(item, get(sequence, "ids")) {
            p->ids[p->batch.tokens++] = item->valueint;
        }
        cJSON_ArrayForEach(item, get(sequence, "types")) {
            p->types[at++] = item->valueint;
        }
        assert_int_equal(at, p->batch.tokens);
        assert_in_range(p->batch.sequences, 0, MOST_SEQUENCES - 1);
        p->offsets[++p->batch.sequences] = p->batch.tokens;
    }
}

typedef void (*check_sequence)(const cJSON *sequence, encl_event *event, const packed *p, int32_t index);

static void run_batches(encl_executable *executable, const cJSON *golden, check_sequence check) {
    static packed p;
    const cJSON *batch;
    const cJSON *sequence;
    cJSON_ArrayForEach(batch, get(golden, "batches")) {
        encl_event *event = NULL;
        int32_t index = 0;
        pack(batch, &p);
        assert_ok(encl_executable_run(executable, &p.batch, false, &event));
        assert_ok(encl_event_wait(event, -1));
        cJSON_ArrayForEach(sequence, get(batch, "sequences")) {
            check(sequence, event, &p, index++);
        }
        encl_event_release(event);
    }
}

static const float *row_of(encl_event *event, size_t output, int32_t row, int64_t *columns) {
    const float *data = NULL;
    int64_t rows = 0;
    assert_ok(encl_event_output(event, output, &data, &rows, columns));
    assert_in_range(row, 0, rows - 1);
    return data + row * *columns;
}

// Rows of a golden that holds only some: {position, first: [8], norm}.
static void check_rows(const cJSON *rows, const float *hidden, int64_t width) {
    const cJSON *row;
    cJSON_ArrayForEach(row, rows) {
        const float *values = hidden + get(row, "position")->valueint * width;
        double sum = 0;
        for (int64_t i = 0; i < width; i++) {
            sum += (double)values[i] * (double)values[i];
        }
        compare("rows.first", get(row, "first"), values, 8);
        assert_true(fabs(sqrt(sum) - get(row, "norm")->valuedouble) <= tolerance);
    }
}

static void check_states(const cJSON *sequence, encl_event *event, const packed *p, int32_t index) {
    int64_t width = 0;
    int64_t columns = 0;
    const int32_t tokens = p->offsets[index + 1] - p->offsets[index];
    const float *hidden = row_of(event, HIDDEN_STATE, p->offsets[index], &width);
    const cJSON *whole = cJSON_GetObjectItemCaseSensitive(sequence, "last_hidden_state");
    const cJSON *pooler = cJSON_GetObjectItemCaseSensitive(sequence, "pooler");
    if (whole != NULL) {
        compare("last_hidden_state", whole, hidden, tokens * width);
    } else {
        check_rows(get(sequence, "rows"), hidden, width);
    }
    const float *pooled = row_of(event, POOLED, index, &columns);
    assert_int_equal(columns, MODES * width);
    for (size_t i = 0; i < MODES; i++) {
        const char *name = encl_pooling_name(modes[i]);
        const cJSON *expected = cJSON_GetObjectItemCaseSensitive(get(sequence, "pooled"), name);
        if (expected != NULL) {
            compare(name, expected, pooled + (int64_t)i * width, width);
        }
    }
    if (pooler != NULL) {
        compare("pooler", pooler, row_of(event, POOLER, index, &columns), width);
    }
}

static void check_embedding(const cJSON *sequence, encl_event *event, const packed *p, int32_t index) {
    (void)p;
    int64_t columns = 0;
    const float *embedding = row_of(event, 0, index, &columns);
    compare("embedding", get(sequence, "embedding"), embedding, columns);
}

// ---- Low precisions ---------------------------------------------------------------------------------------

static encl_precision low_precision;

// The cosine of `count` numbers with those of a golden from `item` on, which moves behind them, against the rule.
static void expect_near(const char *what, const cJSON **item, const float *found, int64_t count) {
    double product = 0;
    double squares[2] = {0, 0};
    for (int64_t i = 0; i < count; i++, *item = (*item)->next) {
        assert_non_null(*item);
        const double expected = (*item)->valuedouble;
        product += (double)found[i] * expected;
        squares[0] += (double)found[i] * (double)found[i];
        squares[1] += expected * expected;
    }
    const double cosine = product / sqrt(squares[0] * squares[1]);
    if (!(cosine >= encl_precision_rule(low_precision))) {
        fail_msg("%s in %s: cosine %.6f, expected at least %g", what, encl_precision_name(low_precision), cosine,
                 encl_precision_rule(low_precision));
    }
}

// Every token of the last hidden state, where the golden holds all of it, and the embedding of the mean.
static void check_near(const cJSON *sequence, encl_event *event, const packed *p, int32_t index) {
    int64_t width = 0;
    const int32_t first = p->offsets[index];
    const cJSON *whole = cJSON_GetObjectItemCaseSensitive(sequence, "last_hidden_state");
    const float *hidden = row_of(event, HIDDEN_STATE, first, &width);
    const cJSON *item = whole != NULL ? whole->child : NULL;
    for (int32_t t = 0; whole != NULL && t < p->offsets[index + 1] - first; t++) {
        expect_near("last_hidden_state", &item, hidden + t * width, width);
    }
    for (size_t i = 0; i < MODES; i++) {
        const char *name = encl_pooling_name(modes[i]);
        const cJSON *pooled = cJSON_GetObjectItemCaseSensitive(get(sequence, "pooled"), name);
        int64_t columns = 0;
        item = pooled != NULL ? pooled->child : NULL;
        if (pooled != NULL) {
            expect_near(name, &item, row_of(event, POOLED, index, &columns) + (int64_t)i * width, width);
        }
    }
}

// Hidden states, all pooling modes side by side and, where the model has one, the pooler.
static encl_graph *states_graph(const encl_model *model) {
    encl_graph *graph = NULL;
    encl_value hidden = 0;
    encl_value value = 0;
    assert_ok(encl_graph_create(&graph));
    assert_ok(encl_bert_encode(&model->bert, &model->config, graph, &hidden));
    assert_ok(encl_graph_output(graph, hidden));
    assert_ok(encl_graph_pool(graph, hidden, modes, MODES, &value));
    assert_ok(encl_graph_output(graph, value));
    if (model->bert.has_pooler) {
        assert_ok(encl_bert_pool(&model->bert, graph, hidden, &value));
        assert_ok(encl_graph_output(graph, value));
    }
    return graph;
}

static void run_graph(const encl_device *device, encl_graph *graph, const encl_executable_options *how,
                      const cJSON *golden, check_sequence check) {
    encl_executable_options options = *how;
    encl_executable *executable = NULL;
    options.capacity = (encl_capacity){.tokens = MOST_TOKENS, .sequences = MOST_SEQUENCES};
    assert_ok(encl_executable_create(device, graph, &options, &executable));
    if (how->gemm == ENCL_GEMM_CLBLAST) {
        assert_string_equal(encl_executable_get_info(executable)->gemm, "clblast");
    } else if (how->family != NULL && strcmp(how->family, "plain") == 0) {
        assert_string_equal(encl_executable_get_info(executable)->gemm, "plain");
    }
    run_batches(executable, golden, check);
    encl_executable_destroy(executable);
}

// One golden on one device; states only where only_states is set.
static void check_golden(const encl_device *device, const char *path, const char *folder,
                         const encl_executable_options *how, bool only_states) {
    cJSON *golden = NULL;
    encl_model *model = NULL;
    encl_graph *graph = NULL;
    assert_ok(encl_json_read(path, GOLDEN_BYTES, &golden));
    assert_ok(encl_model_open(folder, &model));
    graph = states_graph(model);
    run_graph(device, graph, how, golden, check_states);
    encl_graph_destroy(graph);
    if (!only_states) {
        assert_ok(encl_model_embed_graph(model, NULL, &graph));
        run_graph(device, graph, how, golden, check_embedding);
        encl_graph_destroy(graph);
    }
    encl_model_close(model);
    cJSON_Delete(golden);
}

// The same against the rules of low precisions, by the device's own family.
static void check_low_golden(const encl_device *device, const char *path, const char *folder) {
    static const encl_precision precisions[] = {ENCL_PRECISION_BF16, ENCL_PRECISION_INT8};
    cJSON *golden = NULL;
    encl_model *model = NULL;
    assert_ok(encl_json_read(path, GOLDEN_BYTES, &golden));
    assert_ok(encl_model_open(folder, &model));
    for (size_t i = 0; i < sizeof precisions / sizeof precisions[0]; i++) {
        const encl_executable_options how = {.precision = precisions[i]};
        encl_graph *graph = states_graph(model);
        low_precision = precisions[i];
        run_graph(device, graph, &how, golden, check_near);
        encl_graph_destroy(graph);
    }
    encl_model_close(model);
    cJSON_Delete(golden);
}

static const char *const fixtures[] = {"tiny-bert",          "tiny-bert-f16", "tiny-bert-bf16", "tiny-bert-sharded",
                                       "tiny-bert-gelu-new", "tiny-bert-odd", "tiny-bert-40",   "tiny-sentence"};

static void check_fixture(const encl_device *device, const char *name, const encl_executable_options *how,
                          bool only_states) {
    char path[128];
    char folder[128];
    snprintf(path, sizeof path, "tests/golden/model/%s.json", name);
    snprintf(folder, sizeof folder, "tests/fixtures/%s", name);
    print_message("    %s\n", name);
    check_golden(device, path, folder, how, only_states);
}

// The devices that can be used; the test is skipped where there is none.
static size_t find_devices(const encl_device **usable, size_t capacity) {
    const encl_device *const *devices = NULL;
    size_t count = 0;
    size_t found = 0;
    const encl_status status = encl_devices(&devices, &count);
    if (status == ENCL_NO_DEVICE) {
        print_message("skipped: %s\n", encl_status_detail());
        skip();
    }
    assert_ok(status);
    for (size_t i = 0; i < count && found < capacity; i++) {
        if (encl_test_usable(devices[i])) {
            usable[found++] = devices[i];
        }
    }
    assert_true(found > 0);
    return found;
}

enum { MOST_DEVICES = 16 };

static void families_agree(const char *family, bool only_states) {
    const encl_device *devices[MOST_DEVICES];
    const encl_executable_options how = {.family = family};
    const size_t count = find_devices(devices, MOST_DEVICES);
    for (size_t i = 0; i < count; i++) {
        const encl_device_info *info = encl_device_get_info(devices[i]);
        print_message("  on %s\n", info->name);
        if (info->software && family != NULL && strcmp(family, "tile") == 0) {
            print_message("    not tried: a software rasterizer compiles tiles for many minutes\n");
            continue;
        }
        for (size_t f = 0; f < sizeof fixtures / sizeof fixtures[0]; f++) {
            check_fixture(devices[i], fixtures[f], &how, only_states);
        }
    }
}

static void tile_agrees(void **state) {
    (void)state;
    families_agree("tile", true);
}

static void plain_agrees(void **state) {
    (void)state;
    families_agree("plain", true);
}

static void defaults_agree(void **state) {
    (void)state;
    families_agree(NULL, false);
}

// CLBlast's first calls compile for many seconds on CPU devices: one fixture on one device.
static void clblast_agrees(void **state) {
    (void)state;
    const encl_device *devices[1];
    const encl_executable_options how = {.gemm = ENCL_GEMM_CLBLAST};
    find_devices(devices, 1);
    check_fixture(devices[0], "tiny-bert-odd", &how, true);
}

static void minilm_agrees(void **state) {
    (void)state;
    const encl_device *devices[MOST_DEVICES];
    const encl_executable_options how = {0};
    const char *folder = getenv("ENCL_MINILM");
    if (folder == NULL) {
        print_message("skipped: ENCL_MINILM names no folder of all-MiniLM-L6-v2\n");
        skip();
    }
    const size_t count = find_devices(devices, MOST_DEVICES);
    for (size_t i = 0; i < count; i++) {
        print_message("  on %s\n", encl_device_get_info(devices[i])->name);
        check_golden(devices[i], "tests/golden/minilm.json", folder, &how, false);
    }
}

static void low_precisions_stay_near(void **state) {
    (void)state;
    static const char *const names[] = {"tiny-bert", "tiny-bert-odd", "tiny-bert-40"};
    const encl_device *devices[MOST_DEVICES];
    const size_t count = find_devices(devices, MOST_DEVICES);
    const char *minilm = getenv("ENCL_MINILM");
    for (size_t i = 0; i < count; i++) {
        print_message("  on %s\n", encl_device_get_info(devices[i])->name);
        for (size_t f = 0; f < sizeof names / sizeof names[0]; f++) {
            char path[128];
            char folder[128];
            snprintf(path, sizeof path, "tests/golden/model/%s.json", names[f]);
            snprintf(folder, sizeof folder, "tests/fixtures/%s", names[f]);
            check_low_golden(devices[i], path, folder);
        }
        // A software rasterizer takes minutes for plain kernels of this size.
        if (minilm != NULL && !encl_device_get_info(devices[i])->software) {
            check_low_golden(devices[i], "tests/golden/minilm.json", minilm);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tile_agrees),    cmocka_unit_test(plain_agrees),  cmocka_unit_test(defaults_agree),
        cmocka_unit_test(clblast_agrees), cmocka_unit_test(minilm_agrees), cmocka_unit_test(low_precisions_stay_near),
    };
    return encl_test_main(tests);
}
