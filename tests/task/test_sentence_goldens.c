// What sentence-transformers answers, through the real graphs, on every device: Dense and Normalize after pooling,
// every pooling, prompts that are pooled or left out. Layout of the goldens: tests/golden/make_sentence_goldens.py.
#include <math.h>

#include "checkpoint/scratch.h"
#include "host/encl_model.h"
#include "runtime/base/json.h"

enum { GOLDEN_BYTES = 1 << 20, MOST_NUMBERS = 256, MOST_BYTES = 1 << 20 };

static const double tolerance = 1e-5;

static encl_scratch *scratch;

static const cJSON *get(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    if (item == NULL) {
        fail_msg("the golden has no '%s'", key);
    }
    return item;
}

static void copy_file(const char *fixture, const char *name) {
    static char bytes[MOST_BYTES];
    char path[256];
    snprintf(path, sizeof path, "tests/fixtures/%s/%s", fixture, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t length = fread(bytes, 1, sizeof bytes, file);
    assert_in_range(length, 1, sizeof bytes - 1);
    assert_int_equal(fclose(file), 0);
    scratch_write(scratch, name, bytes, length);
}

// The fixture with another Pooling and nothing after it.
static void write_folder(const char *fixture, const cJSON *pooling) {
    static const char *const files[] = {"config.json",
                                        "vocab.txt",
                                        "tokenizer_config.json",
                                        "model.safetensors",
                                        "sentence_bert_config.json",
                                        "config_sentence_transformers.json"};
    char *text = cJSON_PrintUnformatted(pooling);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        copy_file(fixture, files[i]);
    }
    mkdir(scratch_path(scratch, "1_Pooling"), 0700); // may be there already
    scratch_write_text(scratch, "1_Pooling/config.json", text);
    scratch_write_text(scratch, "modules.json",
                       "[{\"path\":\"\",\"type\":\"a.Transformer\"},{\"path\":\"1_Pooling\",\"type\":\"a.Pooling\"}]");
    cJSON_free(text);
}

static encl_model *open_model(const cJSON *test) {
    char path[256];
    encl_model *model = NULL;
    const char *fixture = get(test, "fixture")->valuestring;
    if (cJSON_IsNull(get(test, "pooling"))) {
        snprintf(path, sizeof path, "tests/fixtures/%s", fixture);
        assert_ok(encl_model_open(path, &model));
    } else {
        write_folder(fixture, get(test, "pooling"));
        assert_ok(encl_model_open(scratch->folder, &model));
    }
    return model;
}

static void check_case(const encl_device *device, const encl_model *model, const cJSON *test) {
    float found[MOST_NUMBERS];
    const cJSON *prompt = get(test, "prompt");
    const cJSON *expected = get(test, "embedding");
    const char *text = get(test, "text")->valuestring;
    const encl_embed_options options = {.prompt = cJSON_IsNull(prompt) ? "" : prompt->valuestring};
    encl_embedder *embedder = NULL;
    assert_ok(encl_embedder_create(model, device, &options, &embedder));
    assert_in_range(cJSON_GetArraySize(expected), 1, MOST_NUMBERS);
    assert_int_equal(encl_embedder_width(embedder), cJSON_GetArraySize(expected));
    assert_ok(encl_embedder_embed(embedder, &text, 1, found));
    int i = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, expected) {
        if (!(fabs((double)found[i] - item->valuedouble) <= tolerance * fmax(1, fabs(item->valuedouble)))) {
            char *pooling = cJSON_PrintUnformatted(get(test, "pooling"));
            fail_msg("'%s' after prompt '%s', pooling %s: number %d: found %.9g, expected %.9g", text, options.prompt,
                     pooling, i, (double)found[i], item->valuedouble);
        }
        i++;
    }
    encl_embedder_destroy(embedder);
}

static void goldens_on(const encl_device *device) {
    cJSON *golden = NULL;
    size_t count = 0;
    const cJSON *test;
    assert_ok(encl_json_read("tests/golden/task/sentence.json", GOLDEN_BYTES, &golden));
    cJSON_ArrayForEach(test, get(golden, "cases")) {
        encl_model *model = open_model(test);
        check_case(device, model, test);
        encl_model_close(model);
        count++;
    }
    assert_true(count > 40);
    cJSON_Delete(golden);
}

static void answers_are_those_of_sentence_transformers(void **state) {
    scratch = *state;
    encl_test_on_devices(goldens_on);
}

// ---- What is refused --------------------------------------------------------------------------------------

// The fixture with modules.json and a Dense module of its own; opening must fail.
static void assert_dense_refused(const char *config, const char *weights_from, encl_status status, const char *part) {
    encl_model *model = NULL;
    scratch_write_text(scratch, "2_Dense/config.json", config);
    if (weights_from != NULL) {
        copy_file(weights_from, "2_Dense/model.safetensors");
    } else {
        remove(scratch_path(scratch, "2_Dense/model.safetensors"));
    }
    assert_fails(encl_model_open(scratch->folder, &model), status, part);
    assert_null(model);
    assert_detail_has("2_Dense");
}

static void wrong_weights_are_refused(void **state) {
    scratch = *state;
    cJSON *pooling = cJSON_Parse("{\"pooling_mode\":[\"mean\",\"cls\"]}");
    write_folder("tiny-sentence-dense", pooling);
    cJSON_Delete(pooling);
    scratch_write_text(scratch, "modules.json",
                       "[{\"path\":\"\",\"type\":\"a.Transformer\"},{\"path\":\"1_Pooling\",\"type\":\"a.Pooling\"},"
                       "{\"path\":\"2_Dense\",\"type\":\"a.Dense\"}]");
    scratch_make_folder(scratch, "2_Dense");
    static const char identity[] = "{\"in_features\":64,\"out_features\":24,\"bias\":false}";
    assert_dense_refused(identity, NULL, ENCL_NOT_FOUND, "2_Dense/pytorch_model.bin");
    // [24, 64] without a bias.
    assert_dense_refused("{\"in_features\":64,\"out_features\":24}", "tiny-sentence-identity", ENCL_FORMAT,
                         "linear.bias");
    assert_dense_refused("{\"in_features\":64,\"out_features\":23,\"bias\":false}", "tiny-sentence-identity",
                         ENCL_FORMAT, "[24, 64]");
    // [16, 192]
    assert_dense_refused(identity, "tiny-sentence-dense", ENCL_FORMAT, "[16, 192]");
    scratch_write_text(scratch, "2_Dense/config.json", identity);
    scratch_write_text(scratch, "2_Dense/model.safetensors", "nothing of the kind");
    encl_model *model = NULL;
    assert_fails(encl_model_open(scratch->folder, &model), ENCL_FORMAT, "2_Dense");
}

// Another pooling than the model's must give as many numbers as its Dense module takes.
static void pooling_must_fit_on(const encl_device *device) {
    static const encl_pooling modes[] = {ENCL_POOLING_MAX, ENCL_POOLING_CLS};
    float found[24];
    const char *text = "hello";
    encl_model *model = NULL;
    encl_embedder *embedder = NULL;
    encl_embed_options options = {.pooling = modes, .pooling_count = 1};
    assert_ok(encl_model_open("tests/fixtures/tiny-sentence-identity", &model));
    assert_fails(encl_embedder_create(model, device, &options, &embedder), ENCL_INVALID,
                 "pooling gives 32 numbers, the model's module 2_Dense takes 64");
    assert_null(embedder);
    options.pooling_count = 2;
    assert_ok(encl_embedder_create(model, device, &options, &embedder));
    assert_int_equal(encl_embedder_width(embedder), 24);
    assert_ok(encl_embedder_embed(embedder, &text, 1, found));
    encl_embedder_destroy(embedder);
    // Tokens are not pooled, so nothing follows.
    options = (encl_embed_options){.tokens = true};
    assert_ok(encl_embedder_create(model, device, &options, &embedder));
    assert_int_equal(encl_embedder_width(embedder), 32);
    encl_embedder_destroy(embedder);
    encl_model_close(model);
}

static void pooling_must_fit(void **state) {
    (void)state;
    encl_test_on_devices(pooling_must_fit_on);
}

#define with_scratch(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_scratch(answers_are_those_of_sentence_transformers),
        with_scratch(wrong_weights_are_refused),
        cmocka_unit_test(pooling_must_fit),
    };
    return encl_test_main(tests);
}
