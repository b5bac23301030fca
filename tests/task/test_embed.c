// Embedding streams of texts: order, batches, truncation, prompts, token states, and failures in the middle.
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/encl_model.h"
#include "runtime/base/json.h"

static const char bert[] = "tests/fixtures/tiny-bert";
static const char sentence[] = "tests/fixtures/tiny-sentence";

enum { HIDDEN = 32, MOST_TOKENS = 80, MOST_TEXTS = 200, GOLDEN_BYTES = 1 << 20 };

// ---- Streams ----------------------------------------------------------------------------------------------

// A text of its own for every index, of 0 to 31 words; the 5th of ten is empty.
static size_t make_text(int64_t index, char *text, size_t size) {
    static const char *const words[] = {"hello", "world", "the", "river", "天气", "fox", "walked", "42!"};
    size_t length = 0;
    text[0] = '\0';
    for (int64_t i = 0; index % 10 != 4 && i <= index * 7 % 31; i++) {
        length += (size_t)snprintf(text + length, size - length, "%s ", words[(index + i * i) % 8]);
    }
    return length;
}

typedef struct stream {
    int64_t count, at;
    int64_t fail_at; // next() fails at this text; −1: never
    int64_t stop_at; // sink() fails at this result; −1: never
    int64_t results;
    bool tokens;
    char text[512];
    float values[MOST_TEXTS][HIDDEN]; // of each text: its embedding, or its first token's state
    int64_t rows[MOST_TEXTS];
} stream;

static encl_status next_text(void *context, encl_text *text) {
    stream *s = context;
    if (s->at == s->fail_at) {
        return encl_fail(ENCL_IO, "the reader is gone");
    }
    if (s->at < s->count) {
        text->length = make_text(s->at++, s->text, sizeof s->text);
        text->text = s->text;
    }
    return ENCL_OK;
}

static encl_status take(void *context, const encl_embedding *embedding) {
    stream *s = context;
    if (s->results == s->stop_at) {
        return encl_fail(ENCL_INTERRUPTED, "enough");
    }
    assert_int_equal(embedding->index, s->results);
    assert_int_equal(embedding->columns, HIDDEN);
    assert_int_equal(embedding->rows, s->tokens ? (int64_t)embedding->token_count : 1);
    assert_true(embedding->token_count >= 2);
    assert_int_equal(embedding->ids[0], 2);                          // [CLS]
    assert_int_equal(embedding->ids[embedding->token_count - 1], 3); // [SEP]
    memcpy(s->values[s->results], embedding->values, sizeof s->values[0]);
    s->rows[s->results] = (int64_t)embedding->token_count;
    s->results++;
    return ENCL_OK;
}

static void start(stream *s, int64_t count) {
    memset(s, 0, sizeof *s);
    s->count = count;
    s->fail_at = -1;
    s->stop_at = -1;
}

static void assert_detail(const char *part) {
    if (strstr(encl_status_detail(), part) == NULL) {
        fail_msg("'%s' does not say '%s'", encl_status_detail(), part);
    }
}

static encl_model *open_model(const char *folder) {
    encl_model *model = NULL;
    assert_ok(encl_model_open(folder, &model));
    return model;
}

// ---- Order and batches ------------------------------------------------------------------------------------

// What a text gives does not depend on how the stream was cut into batches. Elsewhere than on CPUs only nearly.
static void assert_same_results(const encl_device *device, const stream *a, const stream *b) {
    assert_int_equal(a->results, b->results);
    for (int64_t i = 0; i < a->results; i++) {
        assert_int_equal(a->rows[i], b->rows[i]);
        for (size_t h = 0; h < HIDDEN; h++) {
            const bool same = encl_device_get_info(device)->type == ENCL_DEVICE_CPU
                                  ? memcmp(&a->values[i][h], &b->values[i][h], sizeof(float)) == 0
                                  : fabsf(a->values[i][h] - b->values[i][h]) < 1e-5f;
            assert_true(same);
        }
    }
}

static void batches_on(const encl_device *device) {
    static const encl_embed_options cases[] = {
        {.executable.capacity.tokens = MOST_TOKENS},
        {.executable.capacity = {.tokens = MOST_TOKENS + 1, .sequences = 100}},
        {.executable.capacity.tokens = MOST_TOKENS, .executable.depth = 1},
        {.executable.capacity = {.tokens = 400, .sequences = 1}},
        {.executable.capacity = {.tokens = 1000, .sequences = 100, .panels = 3}},
    };
    static stream whole;
    static stream s;
    encl_model *model = open_model(bert);
    encl_embedder *embedder = NULL;
    assert_ok(encl_embedder_create(model, device, NULL, &embedder));
    assert_int_equal(encl_embedder_width(embedder), HIDDEN);
    start(&whole, MOST_TEXTS);
    int64_t truncated = -1;
    assert_ok(encl_embedder_run(embedder, next_text, &whole, take, &whole, &truncated));
    assert_int_equal(whole.results, MOST_TEXTS);
    assert_int_equal(truncated, 0);
    encl_embedder_destroy(embedder);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_ok(encl_embedder_create(model, device, &cases[i], &embedder));
        start(&s, MOST_TEXTS);
        assert_ok(encl_embedder_run(embedder, next_text, &s, take, &s, NULL));
        assert_same_results(device, &whole, &s);
        // An embedder serves many runs, an empty one among them.
        start(&s, 0);
        assert_ok(encl_embedder_run(embedder, next_text, &s, take, &s, &truncated));
        assert_int_equal(s.results, 0);
        assert_int_equal(truncated, 0);
        encl_embedder_destroy(embedder);
    }
    encl_model_close(model);
}

static void batches_do_not_matter(void **state) {
    (void)state;
    encl_test_on_devices(batches_on);
}

static void small_capacities_on(const encl_device *device) {
    static const encl_embed_options cases[] = {
        {.executable.capacity.tokens = MOST_TOKENS - 1},
        {.executable.capacity = {.tokens = 200, .panels = 2}},
        {.executable.capacity.tokens = 20, .max_length = 21},
    };
    encl_model *model = open_model(bert);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        encl_embedder *embedder = (encl_embedder *)model;
        assert_int_equal(encl_embedder_create(model, device, &cases[i], &embedder), ENCL_INVALID);
        assert_null(embedder);
        assert_detail("cannot hold a text of");
    }
    encl_model_close(model);
}

static void a_batch_must_hold_the_longest_text(void **state) {
    (void)state;
    encl_test_on_devices(small_capacities_on);
}

// ---- Token states -----------------------------------------------------------------------------------------

static void tokens_on(const encl_device *device) {
    static stream states;
    static stream first;
    static const encl_pooling cls = ENCL_POOLING_CLS;
    const encl_embed_options with_tokens = {.tokens = true, .executable.capacity.tokens = 100};
    const encl_embed_options with_first = {.pooling = &cls, .pooling_count = 1, .normalize = ENCL_CHOICE_NO};
    const char *const texts[] = {"hello"};
    float embedding[HIDDEN];
    encl_model *model = open_model(bert);
    encl_embedder *embedder = NULL;
    assert_ok(encl_embedder_create(model, device, &with_tokens, &embedder));
    start(&states, 50);
    states.tokens = true;
    assert_ok(encl_embedder_run(embedder, next_text, &states, take, &states, NULL));
    assert_int_equal(encl_embedder_embed(embedder, texts, 1, embedding), ENCL_INVALID);
    encl_embedder_destroy(embedder);
    assert_ok(encl_embedder_create(model, device, &with_first, &embedder));
    start(&first, 50);
    assert_ok(encl_embedder_run(embedder, next_text, &first, take, &first, NULL));
    assert_same_results(device, &states, &first);
    encl_embedder_destroy(embedder);
    encl_model_close(model);
}

static void token_states_come_in_order(void **state) {
    (void)state;
    encl_test_on_devices(tokens_on);
}

// ---- Truncation -------------------------------------------------------------------------------------------

static void truncation_on(const encl_device *device) {
    static stream s;
    encl_embed_options options = {.max_length = 12};
    encl_model *model = open_model(bert);
    encl_embedder *embedder = NULL;
    int64_t truncated = -1;
    int64_t longer = 0;
    // How long the texts are without a limit of 12.
    assert_ok(encl_embedder_create(model, device, NULL, &embedder));
    start(&s, 30);
    assert_ok(encl_embedder_run(embedder, next_text, &s, take, &s, NULL));
    encl_embedder_destroy(embedder);
    int64_t first_longer = -1;
    int64_t tokens = 0;
    for (int64_t i = 0; i < 30; i++) {
        longer += s.rows[i] > 12;
        if (s.rows[i] > 12 && first_longer < 0) {
            first_longer = i;
            tokens = s.rows[i];
        }
    }
    assert_in_range(longer, 1, 29);
    assert_ok(encl_embedder_create(model, device, &options, &embedder));
    start(&s, 30);
    assert_ok(encl_embedder_run(embedder, next_text, &s, take, &s, &truncated));
    assert_int_equal(truncated, longer);
    for (int64_t i = 0; i < 30; i++) {
        assert_true(s.rows[i] <= 12);
    }
    encl_embedder_destroy(embedder);
    options.refuse_long = true;
    assert_ok(encl_embedder_create(model, device, &options, &embedder));
    start(&s, 30);
    assert_int_equal(encl_embedder_run(embedder, next_text, &s, take, &s, &truncated), ENCL_INVALID);
    char part[96];
    snprintf(part, sizeof part, "text %d has %d tokens, expected at most 12", (int)first_longer + 1, (int)tokens);
    assert_detail(part);
    assert_int_equal(truncated, 0);
    encl_embedder_destroy(embedder);
    static const int64_t lengths[] = {1, -1, MOST_TOKENS + 1, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        options.max_length = lengths[i];
        assert_int_equal(encl_embedder_create(model, device, &options, &embedder), ENCL_INVALID);
        assert_null(embedder);
        assert_detail("the model takes 2 … 80 tokens");
    }
    encl_model_close(model);
}

static void long_texts_are_counted_or_refused(void **state) {
    (void)state;
    encl_test_on_devices(truncation_on);
}

// ---- Goldens and prompts ----------------------------------------------------------------------------------

static const cJSON *get(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    assert_non_null(item);
    return item;
}

static bool asks_for(const cJSON *sequence, const char *prompt) {
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(sequence, "prompt");
    return found != NULL &&
           (prompt == NULL ? cJSON_IsNull(found) : cJSON_IsString(found) && strcmp(found->valuestring, prompt) == 0);
}

// Embeds the golden's texts of one prompt (given without it) and compares.
static int check_prompt(const encl_device *device, const char *folder, const char *golden_path, const char *prompt,
                        const char *prefix, bool all) {
    const encl_embed_options options = {.prompt = prompt == NULL ? "" : prompt};
    cJSON *golden = NULL;
    encl_model *model = open_model(folder);
    encl_embedder *embedder = NULL;
    int count = 0;
    assert_ok(encl_json_read(golden_path, GOLDEN_BYTES, &golden));
    assert_ok(encl_embedder_create(model, device, &options, &embedder));
    const int width = encl_embedder_width(embedder);
    float *found = calloc((size_t)width, sizeof *found);
    const cJSON *batch;
    const cJSON *sequence;
    cJSON_ArrayForEach(batch, get(golden, "batches")) {
        cJSON_ArrayForEach(sequence, get(batch, "sequences")) {
            const cJSON *text = get(sequence, "text");
            if (!cJSON_IsString(text) || !cJSON_IsNull(get(sequence, "pair")) ||
                (!all && !asks_for(sequence, prompt))) {
                continue;
            }
            const char *const rest = text->valuestring + strlen(prefix);
            assert_ok(encl_embedder_embed(embedder, &rest, 1, found));
            assert_int_equal(cJSON_GetArraySize(get(sequence, "embedding")), width);
            const cJSON *item;
            int i = 0;
            cJSON_ArrayForEach(item, get(sequence, "embedding")) {
                assert_true(fabs((double)found[i] - item->valuedouble) < 5e-5);
                i++;
            }
            count++;
        }
    }
    free(found);
    encl_embedder_destroy(embedder);
    encl_model_close(model);
    cJSON_Delete(golden);
    return count;
}

static void goldens_on(const encl_device *device) {
    static const char path[] = "tests/golden/model/tiny-sentence.json";
    assert_true(check_prompt(device, bert, "tests/golden/model/tiny-bert.json", NULL, "", true) >= 5);
    assert_int_equal(check_prompt(device, sentence, path, NULL, "", false), 3);
    assert_int_equal(check_prompt(device, sentence, path, "query", "query: ", false), 3);
    assert_int_equal(check_prompt(device, sentence, path, "document", "text: ", false), 3);
}

static void embeddings_equal_the_goldens(void **state) {
    (void)state;
    encl_test_on_devices(goldens_on);
}

static void embed_with(const encl_model *model, const encl_device *device, const char *prompt, float *found) {
    const encl_embed_options options = {.prompt = prompt};
    const char *const text = "hello";
    encl_embedder *embedder = NULL;
    assert_ok(encl_embedder_create(model, device, &options, &embedder));
    assert_int_equal(encl_embedder_width(embedder), 2 * HIDDEN);
    assert_ok(encl_embedder_embed(embedder, &text, 1, found));
    encl_embedder_destroy(embedder);
}

static void prompts_on(const encl_device *device) {
    float by_default[2 * HIDDEN];
    float document[2 * HIDDEN];
    float none[2 * HIDDEN];
    encl_model *model = open_model(sentence);
    encl_embedder *embedder = NULL;
    embed_with(model, device, NULL, by_default);
    embed_with(model, device, "document", document);
    embed_with(model, device, "", none);
    assert_memory_equal(by_default, document, sizeof document);
    assert_memory_not_equal(by_default, none, sizeof none);
    const encl_embed_options unknown = {.prompt = "title"};
    assert_int_equal(encl_embedder_create(model, device, &unknown, &embedder), ENCL_NOT_FOUND);
    assert_null(embedder);
    assert_detail("prompt 'title', the model has query, document");
    encl_model_close(model);
    model = open_model(bert);
    assert_int_equal(encl_embedder_create(model, device, &unknown, &embedder), ENCL_NOT_FOUND);
    assert_detail("the model has none");
    encl_model_close(model);
}

static void prompts_are_the_models(void **state) {
    (void)state;
    encl_test_on_devices(prompts_on);
}

// ---- Failures ---------------------------------------------------------------------------------------------

static void failures_on(const encl_device *device) {
    static stream s;
    static stream good;
    const encl_embed_options options = {.executable.capacity.tokens = MOST_TOKENS};
    encl_model *model = open_model(bert);
    encl_embedder *embedder = NULL;
    assert_ok(encl_embedder_create(model, device, &options, &embedder));
    start(&good, 60);
    assert_ok(encl_embedder_run(embedder, next_text, &good, take, &good, NULL));
    static const int64_t places[] = {0, 1, 7, 30, 59};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        start(&s, 60);
        s.fail_at = places[i];
        assert_int_equal(encl_embedder_run(embedder, next_text, &s, take, &s, NULL), ENCL_IO);
        assert_detail("the reader is gone");
        assert_true(s.results <= places[i]);
        start(&s, 60);
        s.stop_at = places[i];
        assert_int_equal(encl_embedder_run(embedder, next_text, &s, take, &s, NULL), ENCL_INTERRUPTED);
        assert_detail("enough");
        assert_int_equal(s.results, places[i]);
        // Nothing of the broken run is left.
        start(&s, 60);
        assert_ok(encl_embedder_run(embedder, next_text, &s, take, &s, NULL));
        assert_same_results(device, &good, &s);
    }
    encl_embedder_destroy(embedder);
    encl_model_close(model);
}

static void a_failing_end_ends_the_run(void **state) {
    (void)state;
    encl_test_on_devices(failures_on);
}

static void bad_text_on(const encl_device *device) {
    const char *const texts[] = {"hello", "world", "river \xff stone"};
    static const encl_pooling both[] = {ENCL_POOLING_POOLER, ENCL_POOLING_MEAN};
    float embeddings[3 * HIDDEN];
    encl_model *model = open_model(bert);
    encl_embedder *embedder = NULL;
    assert_ok(encl_embedder_create(model, device, NULL, &embedder));
    assert_int_equal(encl_embedder_embed(embedder, texts, 3, embeddings), ENCL_FORMAT);
    assert_detail("text 3: ");
    assert_detail("byte 7 (0xff)");
    assert_ok(encl_embedder_embed(embedder, texts, 2, embeddings));
    assert_ok(encl_embedder_embed(embedder, texts, 0, NULL));
    encl_embedder_destroy(embedder);
    encl_embedder_destroy(NULL);
    const encl_embed_options beside = {.pooling = both, .pooling_count = 2};
    assert_int_equal(encl_embedder_create(model, device, &beside, &embedder), ENCL_INVALID);
    assert_null(embedder);
    const encl_embed_options pooler = {.pooling = both, .pooling_count = 1};
    assert_int_equal(encl_embedder_create(model, device, &pooler, &embedder), ENCL_UNSUPPORTED);
    assert_detail("has no pooler");
    encl_model_close(model);
    assert_ok(encl_model_open_shape("rbt3", 1, &model));
    assert_int_equal(encl_embedder_create(model, device, NULL, &embedder), ENCL_INVALID);
    assert_detail("no tokenizer");
    encl_model_close(model);
}

static void bad_texts_are_named(void **state) {
    (void)state;
    encl_test_on_devices(bad_text_on);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_do_not_matter),        cmocka_unit_test(a_batch_must_hold_the_longest_text),
        cmocka_unit_test(token_states_come_in_order),   cmocka_unit_test(long_texts_are_counted_or_refused),
        cmocka_unit_test(embeddings_equal_the_goldens), cmocka_unit_test(prompts_are_the_models),
        cmocka_unit_test(a_failing_end_ends_the_run),   cmocka_unit_test(bad_texts_are_named),
    };
    return encl_test_main(tests);
}
