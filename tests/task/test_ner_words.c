// Labels of ready words on every device: as in a text, and over windows. (Real sentences: cli/test_eval_command.)
#include "task/fixture.h"

enum { MOST_SENTENCES = 4, MOST_WORDS = 64 };

// ---- Sentences --------------------------------------------------------------------------------------------

typedef struct sentence_list {
    const encl_words *sentences;
    size_t count, at;
    int64_t results;
    int32_t labels[MOST_SENTENCES][MOST_WORDS];
} sentence_list;

static encl_status next_sentence(void *context, encl_words *words) {
    sentence_list *list = context;
    if (list->at < list->count) {
        *words = list->sentences[list->at++];
    }
    return ENCL_OK;
}

static encl_status take_labels(void *context, const encl_word_labels *labels) {
    sentence_list *list = context;
    assert_int_equal(labels->index, list->results);
    assert_int_equal(labels->count, list->sentences[list->results].count);
    if (labels->count > 0) {
        memcpy(list->labels[list->results], labels->labels, labels->count * sizeof *labels->labels);
    }
    list->results++;
    return ENCL_OK;
}

static encl_status label(encl_ner *ner, const encl_words *sentences, size_t count, sentence_list *list) {
    list->sentences = sentences;
    list->count = count;
    list->at = 0;
    list->results = 0;
    return encl_ner_label_words(ner, next_sentence, list, take_labels, list);
}

static int32_t label_index(const encl_model *model, const char *name) {
    const encl_model_info *info = encl_model_get_info(model);
    for (size_t i = 0; i < info->label_count; i++) {
        if (strcmp(info->labels[i], name) == 0) {
            return (int32_t)i;
        }
    }
    fail_msg("no label %s", name);
    return -1;
}

// What a text's tokens that begin at certain code points are labelled.
typedef struct start_list {
    const encl_model *model;
    const int32_t *starts; // [count]
    size_t count;
    int32_t labels[MOST_WORDS];
} start_list;

static encl_status take_starts(void *context, const encl_entities *entities) {
    start_list *list = context;
    for (size_t i = 0; i < list->count; i++) {
        list->labels[i] = label_index(list->model, "O");
        for (size_t j = 0; j < entities->count; j++) {
            if (entities->entities[j].start == list->starts[i]) {
                list->labels[i] = label_index(list->model, entities->entities[j].type);
            }
        }
    }
    return ENCL_OK;
}

// Words get the labels of the first of the tokens that they have in a text; words without a token are read as [UNK].
static void words_on(const encl_device *device) {
    static sentence_list list;
    static const char *const words[] = {"The", "riverstone", "北", "海", "\xe2\x80\x8b", "walked", "", "hello"};
    const encl_text text = make_text("The riverstone北海 [UNK] walked [UNK] hello", NULL);
    static const int32_t starts[] = {0, 4, 14, 15, 17, 23, 30, 36};
    enum { COUNT = sizeof words / sizeof words[0] };
    const encl_words sentences[] = {{words, COUNT}, {words, 0}, {words, 1}, {words, COUNT}};
    encl_model *model = open_fixture("tiny-ner");
    encl_ner *ner = NULL;
    start_list expected = {.model = model, .starts = starts, .count = COUNT};
    assert_ok(encl_ner_create(model, device, NULL, &ner));
    assert_ok(encl_ner_run(ner, encl_text_list_next, &(encl_text_list){&text, 1, 0}, take_starts, &expected, NULL));
    assert_ok(label(ner, sentences, 4, &list));
    assert_int_equal(list.results, 4);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(list.labels[0][i], expected.labels[i]);
        assert_int_equal(list.labels[3][i], expected.labels[i]);
    }
    encl_ner_destroy(ner);
    encl_model_close(model);
}

static void ready_words(void **state) {
    (void)state;
    encl_test_on_devices(words_on);
}

// Of a long sentence, a word takes its label from the window in which it stands farthest from the ends: that is where a
// sentence that is this window puts it.
static void long_sentences_on(const encl_device *device) {
    static sentence_list list;
    static sentence_list parts;
    static const char *const cycle[] = {"北", "the", "海", "river", "小", "hello", "王"};
    enum { WORDS = 26, ROOM = 10, STEP = 6 };
    const char *words[WORDS];
    const int64_t stride = ROOM - STEP;
    encl_model *model = open_fixture("tiny-ner");
    encl_ner *ner = NULL;
    for (size_t i = 0; i < WORDS; i++) {
        words[i] = cycle[(i * i + i / 3) % 7];
    }
    // Windows [0, 10), [6, 16), [12, 22), [18, 26)
    const encl_words whole = {words, WORDS};
    const encl_words windows[] = {{words, 10}, {words + 6, 10}, {words + 12, 10}, {words + 18, 8}};
    assert_ok(encl_ner_create(model, device, &(encl_ner_options){.max_length = ROOM + 2, .stride = stride}, &ner));
    assert_ok(label(ner, &whole, 1, &list));
    assert_ok(label(ner, windows, 4, &parts));
    for (int32_t i = 0; i < WORDS; i++) {
        int32_t best = -1;
        int32_t expected = -1;
        for (int32_t w = 0; w < 4; w++) {
            const int32_t at = i - w * STEP;
            const int32_t left = (int32_t)windows[w].count - 1 - at;
            const int32_t reach = at < left ? at : left;
            if (reach > best) {
                best = reach;
                expected = parts.labels[w][at];
            }
        }
        assert_int_equal(list.labels[0][i], expected);
    }
    encl_ner_destroy(ner);
    encl_model_close(model);
}

static void long_sentences(void **state) {
    (void)state;
    encl_test_on_devices(long_sentences_on);
}

static void bad_words_on(const encl_device *device) {
    static sentence_list list;
    static const char *const words[] = {"fine", "\xc3"};
    const encl_words sentences[] = {{words, 1}, {words, 2}, {words, 1}};
    encl_model *model = open_fixture("tiny-ner");
    encl_ner *ner = NULL;
    assert_ok(encl_ner_create(model, device, NULL, &ner));
    assert_int_equal(label(ner, sentences, 3, &list), ENCL_FORMAT);
    assert_detail("sentence 2, word 2: text: byte 1");
    assert_ok(label(ner, sentences, 1, &list)); // it goes on after a failure
    encl_ner_destroy(ner);
    encl_model_close(model);
}

static void bad_words(void **state) {
    (void)state;
    encl_test_on_devices(bad_words_on);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready_words),
        cmocka_unit_test(long_sentences),
        cmocka_unit_test(bad_words),
    };
    return encl_test_main(tests);
}
