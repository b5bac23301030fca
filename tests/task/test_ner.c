// Named entities on every device: against transformers, streams of long and short texts, failures.
#include "task/fixture.h"

static const char fixture[] = "tiny-ner";

enum { POSITIONS = 80, MOST_ENTITIES = 512, MOST_TEXTS = 64 };

// ---- Lists of texts ---------------------------------------------------------------------------------------

typedef struct entity_stream {
    const char *const *texts;
    size_t count, at;
    int64_t results;
    int64_t stop_at; // sink() fails at this result; −1: never
    // Of every text.
    encl_entity entities[MOST_TEXTS][MOST_ENTITIES];
    size_t counts[MOST_TEXTS];
} entity_stream;

static encl_status next_text(void *context, encl_text *text) {
    entity_stream *list = context;
    if (list->at < list->count) {
        text->text = list->texts[list->at++];
        text->length = strlen(text->text);
    }
    return ENCL_OK;
}

static encl_status take(void *context, const encl_entities *entities) {
    entity_stream *list = context;
    if (list->results == list->stop_at) {
        return encl_fail(ENCL_INTERRUPTED, "enough");
    }
    assert_int_equal(entities->index, list->results);
    assert_string_equal(entities->text, list->texts[list->results]);
    assert_int_equal(entities->length, strlen(entities->text));
    assert_true(entities->count <= MOST_ENTITIES);
    for (size_t i = 0; i < entities->count; i++) {
        const encl_entity *entity = &entities->entities[i];
        assert_true(entity->start < entity->end && entity->byte_start < entity->byte_end);
        assert_true(entity->byte_end <= entities->length);
    }
    if (entities->count > 0) {
        memcpy(list->entities[list->results], entities->entities, entities->count * sizeof *entities->entities);
    }
    list->counts[list->results] = entities->count;
    list->results++;
    return ENCL_OK;
}

static encl_status run(encl_ner *ner, const char *const *texts, size_t count, entity_stream *list, int64_t *windowed) {
    list->texts = texts;
    list->count = count;
    list->at = 0;
    list->results = 0;
    list->stop_at = -1;
    return encl_ner_run(ner, next_text, list, take, list, windowed);
}

// ---- Against transformers ---------------------------------------------------------------------------------

static void expect_entity(const encl_model *model, const char *text, const encl_entity *found, const cJSON *expected) {
    const bool token = cJSON_HasObjectItem(expected, "entity");
    assert_string_equal(found->type, get_text(expected, token ? "entity" : "entity_group"));
    assert_close(found->score, get_number(expected, "score"));
    assert_true(found->start == get_number(expected, "start"));
    assert_true(found->end == get_number(expected, "end"));
    if (!token) {
        assert_int_equal(found->token, -1);
        return;
    }
    assert_true(found->token == get_number(expected, "index"));
    const encl_tokenizer *tokenizer = encl_model_tokenizer(model);
    const char *word = get_text(expected, "word");
    if (found->id == encl_tokenizer_get_info(tokenizer)->unk) {
        assert_int_equal(strlen(word), found->byte_end - found->byte_start);
        assert_memory_equal(text + found->byte_start, word, strlen(word));
    } else {
        assert_string_equal(encl_tokenizer_token(tokenizer, found->id), word);
    }
}

// A text that the reference truncated, because it was told no stride, is none for this test.
static bool was_truncated(const encl_model *model, const cJSON *golden, const char *text) {
    encl_encoding encoding = {0};
    assert_ok(encl_tokenizer_append(encl_model_tokenizer(model), text, strlen(text), &encoding));
    const bool is_long = encoding.count > POSITIONS - 2;
    encl_encoding_free(&encoding);
    return is_long && cJSON_IsNull(get(golden, "stride"));
}

// Neighbouring cases share what they are asked of, which takes long to make.
typedef struct asked {
    const cJSON *golden; // the last case; NULL: none
    encl_model *model;
    encl_ner *ner;
} asked;

static void finish(asked *a) {
    encl_ner_destroy(a->ner);
    encl_model_close(a->model);
    *a = (asked){0};
}

static void prepare(asked *a, const encl_device *device, const cJSON *golden) {
    static const char *const keys[] = {"fixture", "strategy", "stride"};
    bool same = a->golden != NULL;
    for (size_t i = 0; i < 3 && same; i++) {
        same = cJSON_Compare(get(golden, keys[i]), get(a->golden, keys[i]), true);
    }
    if (!same) {
        const cJSON *stride = get(golden, "stride"); // null: 0, which is the default
        const bool none = cJSON_IsNumber(stride) && stride->valueint == 0;
        encl_ner_options options = {.stride = none ? ENCL_NO_OVERLAP : stride->valueint};
        finish(a);
        a->model = open_fixture(get_text(golden, "fixture"));
        assert_ok(encl_aggregation_parse(get_text(golden, "strategy"), &options.aggregation));
        assert_ok(encl_ner_create(a->model, device, &options, &a->ner));
    }
    a->golden = golden;
}

static bool check_case(asked *a, const encl_device *device, const cJSON *golden) {
    static entity_stream list;
    const char *text = get_text(golden, "text");
    const cJSON *entities = get(golden, "entities");
    size_t i = 0;
    prepare(a, device, golden);
    if (was_truncated(a->model, golden, text)) {
        return false;
    }
    assert_ok(run(a->ner, &text, 1, &list, NULL));
    assert_int_equal(list.results, 1);
    assert_int_equal(list.counts[0], cJSON_GetArraySize(entities));
    for (const cJSON *entity = entities->child; entity != NULL; entity = entity->next) {
        expect_entity(a->model, text, &list.entities[0][i++], entity);
    }
    return true;
}

static void goldens_on(const encl_device *device) {
    cJSON *goldens = read_golden("ner.json");
    asked a = {0};
    int checked = 0;
    int windowed = 0;
    for (const cJSON *golden = get(goldens, "cases")->child; golden != NULL; golden = golden->next) {
        if (check_case(&a, device, golden)) {
            checked++;
            windowed += !cJSON_IsNull(get(golden, "stride"));
        }
    }
    assert_true(checked > 90 && windowed > 10);
    finish(&a);
    cJSON_Delete(goldens);
}

static void goldens(void **state) {
    (void)state;
    encl_test_on_devices(goldens_on);
}

// ---- Streams ----------------------------------------------------------------------------------------------

// Words by number, so that every text is another; some have several windows.
static void make_texts(char texts[MOST_TEXTS][4096], const char *pointers[MOST_TEXTS]) {
    static const char *const words[] = {"hello", "北海", "the", "river", "小王", "walked", "42!", "学校"};
    for (size_t i = 0; i < MOST_TEXTS; i++) {
        size_t length = 0;
        texts[i][0] = '\0';
        for (size_t j = 0; j < i * i * 7 % 150; j++) {
            length += (size_t)snprintf(texts[i] + length, sizeof texts[i] - length, "%s ", words[(i + j * j + j) % 8]);
        }
        pointers[i] = texts[i];
    }
}

static void expect_same(const encl_device *device, const entity_stream *a, const entity_stream *b) {
    const bool exact = encl_device_get_info(device)->type == ENCL_DEVICE_CPU;
    assert_int_equal(a->results, b->results);
    for (int64_t i = 0; i < a->results; i++) {
        assert_int_equal(a->counts[i], b->counts[i]);
        for (size_t j = 0; j < a->counts[i]; j++) {
            const encl_entity *left = &a->entities[i][j];
            const encl_entity *right = &b->entities[i][j];
            assert_string_equal(left->type, right->type);
            assert_int_equal(left->start, right->start);
            assert_int_equal(left->byte_end, right->byte_end);
            assert_true(exact ? left->score == right->score : fabs(left->score - right->score) < 1e-5);
        }
    }
}

static void streams_on(const encl_device *device) {
    static char texts[MOST_TEXTS][4096];
    static const char *pointers[MOST_TEXTS];
    static entity_stream whole;
    static entity_stream other;
    static const encl_ner_options cases[] = {
        {.executable.capacity.tokens = POSITIONS, .aggregation = ENCL_AGGREGATION_SIMPLE},
        {.executable.capacity = {.tokens = 200, .sequences = 2}, .aggregation = ENCL_AGGREGATION_SIMPLE},
        {.executable.depth = 1, .aggregation = ENCL_AGGREGATION_SIMPLE, .stride = POSITIONS / 4},
    };
    encl_model *model = open_fixture(fixture);
    encl_ner *ner = NULL;
    int64_t windowed = 0;
    make_texts(texts, pointers);
    assert_ok(encl_ner_create(model, device, &(encl_ner_options){.aggregation = ENCL_AGGREGATION_SIMPLE}, &ner));
    assert_true(encl_ner_get_info(ner)->capacity.tokens >= POSITIONS);
    assert_ok(run(ner, pointers, MOST_TEXTS, &whole, &windowed));
    assert_int_equal(whole.results, MOST_TEXTS);
    assert_true(windowed > 10 && windowed < MOST_TEXTS - 10);
    assert_ok(run(ner, pointers, 0, &other, &windowed)); // one serves many runs
    assert_int_equal(other.results, 0);
    assert_int_equal(windowed, 0);
    for (size_t i = 0; i < MOST_TEXTS; i += 9) { // a text alone
        assert_ok(run(ner, pointers + i, 1, &other, NULL));
        assert_int_equal(other.counts[0], whole.counts[i]);
    }
    encl_ner_destroy(ner);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_ok(encl_ner_create(model, device, &cases[i], &ner));
        assert_ok(run(ner, pointers, MOST_TEXTS, &other, NULL));
        expect_same(device, &whole, &other);
        encl_ner_destroy(ner);
    }
    encl_model_close(model);
}

static void streams(void **state) {
    (void)state;
    encl_test_on_devices(streams_on);
}

// With NONE, where a token is one character: the entity that a window, as a text of its own, has for it, or the surer
// one of two windows.
static void expect_union(const entity_stream *whole, const entity_stream *windows, const int32_t *firsts,
                         size_t tokens) {
    size_t next = 0;
    for (int32_t i = 0; i < (int32_t)tokens; i++) {
        const encl_entity *best = NULL;
        for (int64_t w = 0; w < windows->results; w++) {
            for (size_t j = 0; j < windows->counts[w]; j++) {
                const encl_entity *entity = &windows->entities[w][j];
                const bool here = entity->start + firsts[w] == i;
                best = here && (best == NULL || entity->score > best->score) ? entity : best;
            }
        }
        if (best != NULL) {
            assert_true(next < whole->counts[0]);
            const encl_entity *found = &whole->entities[0][next++];
            assert_int_equal(found->start, i);
            assert_int_equal(found->byte_start, (size_t)i * 3);
            assert_string_equal(found->type, best->type);
            assert_int_equal(found->token, best->token);
            assert_true(fabs(found->score - best->score) < 1e-5);
        }
    }
    assert_int_equal(next, whole->counts[0]);
}

// Nothing is lost in a long text, with any overlap: it has what its windows have.
static void every_window_counts_on(const encl_device *device) {
    static entity_stream whole;
    static entity_stream parts;
    static const char *const characters[] = {"北", "海", "小", "王", "学", "校", "他"};
    enum { TOKENS = 43, ROOM = 10 };
    static const int32_t overlaps[] = {0, 1, 3, 7, 9};
    char text[3 * TOKENS + 1] = "";
    char cuts[TOKENS][3 * ROOM + 1];
    int32_t firsts[TOKENS];
    const char *pointers[TOKENS];
    const char *pointer = text;
    encl_model *model = open_fixture(fixture);
    for (size_t i = 0; i < TOKENS; i++) {
        memcpy(text + 3 * i, characters[(i * i + i / 2) % 7], 3);
    }
    for (size_t i = 0; i < sizeof overlaps / sizeof overlaps[0]; i++) {
        // 3 is the default: a quarter of 12
        const int64_t stride = overlaps[i] == 0 ? ENCL_NO_OVERLAP : overlaps[i] == 3 ? 0 : overlaps[i];
        size_t count = 0;
        encl_ner *ner = NULL;
        for (int32_t first = 0; count == 0 || firsts[count - 1] + ROOM < TOKENS; first += ROOM - overlaps[i]) {
            snprintf(cuts[count], sizeof cuts[count], "%.*s", (int)sizeof cuts[count] - 1, text + 3 * (size_t)first);
            pointers[count] = cuts[count];
            firsts[count++] = first;
        }
        assert_ok(encl_ner_create(model, device, &(encl_ner_options){.max_length = ROOM + 2, .stride = stride}, &ner));
        assert_ok(run(ner, &pointer, 1, &whole, NULL));
        assert_ok(run(ner, pointers, count, &parts, NULL));
        assert_true(whole.counts[0] > TOKENS / 2);
        expect_union(&whole, &parts, firsts, TOKENS);
        encl_ner_destroy(ner);
    }
    encl_model_close(model);
}

static void every_window_counts(void **state) {
    (void)state;
    encl_test_on_devices(every_window_counts_on);
}

static void odd_texts_on(const encl_device *device) {
    static entity_stream list;
    static const char *const texts[] = {"", "   \n\t ", "\xe2\x80\x8b\xef\xbb\xbf", "[MASK]", "[CLS][SEP] [PAD]", "😀"};
    enum { COUNT = sizeof texts / sizeof texts[0] };
    encl_model *model = open_fixture(fixture);
    encl_ner *ner = NULL;
    assert_ok(encl_ner_create(model, device, NULL, &ner));
    assert_ok(run(ner, texts, COUNT, &list, NULL));
    assert_int_equal(list.results, COUNT);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(list.counts[i], 0); // no token, no entity
    }
    for (size_t i = 3; i < COUNT; i++) {
        assert_true(list.counts[i] <= 3);
        for (size_t j = 0; j < list.counts[i]; j++) {
            assert_true(list.entities[i][j].byte_end <= strlen(texts[i]));
        }
    }
    encl_ner_destroy(ner);
    encl_model_close(model);
}

static void odd_texts(void **state) {
    (void)state;
    encl_test_on_devices(odd_texts_on);
}

// ---- Failures ---------------------------------------------------------------------------------------------

static void bad_options_on(const encl_device *device) {
    static const struct {
        encl_ner_options options;
        const char *detail;
    } cases[] = {
        {{.max_length = 2}, "at least 3"},
        {{.max_length = POSITIONS + 1}, "the model takes"},
        {{.max_length = 10, .stride = 8}, "share 0 … 7"},
        {{.stride = -2}, "stride -2"},
        {{.aggregation = ENCL_AGGREGATIONS}, "aggregation 5"},
        {{.aggregation = (encl_aggregation)-1}, "aggregation -1"},
        {{.executable.capacity.tokens = POSITIONS - 1}, "cannot hold"},
    };
    encl_model *model = open_fixture(fixture);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        encl_ner *ner = (encl_ner *)1;
        assert_int_equal(encl_ner_create(model, device, &cases[i].options, &ner), ENCL_INVALID);
        assert_null(ner);
        assert_detail(cases[i].detail);
    }
    encl_model_close(model);
    model = open_fixture("tiny-qa");
    encl_ner *ner = NULL;
    assert_int_equal(encl_ner_create(model, device, NULL, &ner), ENCL_UNSUPPORTED);
    assert_detail("no token classification head");
    encl_model_close(model);
}

static void bad_options(void **state) {
    (void)state;
    encl_test_on_devices(bad_options_on);
}

static void bad_texts_on(const encl_device *device) {
    static entity_stream list;
    static const char *const texts[] = {"hello", "a\xff", "world"};
    static char text[1024];
    const char *pointer = text;
    int64_t windowed = 7;
    encl_model *model = open_fixture(fixture);
    encl_ner *ner = NULL;
    for (size_t i = 0; i < 100; i++) {
        memcpy(text + 3 * i, "海", 3);
    }
    assert_ok(encl_ner_create(model, device, NULL, &ner));
    assert_int_equal(run(ner, texts, 3, &list, &windowed), ENCL_FORMAT);
    assert_int_equal(windowed, 0);
    assert_detail("text 2: text: byte 2");
    list = (entity_stream){.texts = &pointer, .count = 1, .stop_at = 0};
    assert_int_equal(encl_ner_run(ner, next_text, &list, take, &list, NULL), ENCL_INTERRUPTED);
    assert_ok(run(ner, &pointer, 1, &list, &windowed)); // it goes on after a failure
    assert_int_equal(windowed, 1);
    encl_ner_destroy(ner);
    assert_ok(encl_ner_create(model, device, &(encl_ner_options){.refuse_long = true}, &ner));
    assert_int_equal(run(ner, &pointer, 1, &list, NULL), ENCL_INVALID);
    assert_detail("text 1 has 102 tokens, expected at most 80");
    encl_ner_destroy(ner);
    encl_model_close(model);
}

static void bad_texts(void **state) {
    (void)state;
    encl_test_on_devices(bad_texts_on);
}

// A single text may have many windows: a run can be stopped between them.
static void stops_on(const encl_device *device) {
    static entity_stream list;
    const char *text = "海海海海海海海海海海海海海海海海海海海海";
    int checks_left = 0;
    const encl_ner_options options = {
        .max_length = 6, .stride = ENCL_NO_OVERLAP, .check = stop_later, .check_context = &checks_left};
    encl_model *model = open_fixture(fixture);
    encl_ner *ner = NULL;
    assert_ok(encl_ner_create(model, device, &options, &ner));
    checks_left = 3; // of 5 windows
    assert_int_equal(run(ner, &text, 1, &list, NULL), ENCL_INTERRUPTED);
    assert_detail("stopped");
    assert_int_equal(list.results, 0);
    checks_left = 100;
    assert_ok(run(ner, &text, 1, &list, NULL));
    assert_int_equal(checks_left, 100 - 5 - 1); // and before there is no more
    encl_ner_destroy(ner);
    encl_model_close(model);
}

static void stops(void **state) {
    (void)state;
    encl_test_on_devices(stops_on);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goldens),   cmocka_unit_test(streams),     cmocka_unit_test(every_window_counts),
        cmocka_unit_test(odd_texts), cmocka_unit_test(bad_options), cmocka_unit_test(bad_texts),
        cmocka_unit_test(stops),
    };
    return encl_test_main(tests);
}
