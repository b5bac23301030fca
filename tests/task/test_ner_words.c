// Labels of ready words on every device: as in a text, over windows, and as many right, wrong and missed entities in
// real sentences as PyTorch finds (which needs ENCL_SHARED).
#include "task/fixture.h"

#include "runtime/base/file.h"
#include "runtime/base/memory.h"

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

// ---- Real sentences ---------------------------------------------------------------------------------------

// The file's lines, "character label" or empty between sentences, cut up in place.
typedef struct corpus {
    char *text;
    const char **words; // of all sentences
    const char **tags;
    size_t *ends; // of sentences, in words
    size_t word_count, sentence_count;
    const char *const *labels; // of the model
    size_t given;              // sentences
    size_t right, wrong, missed;
} corpus;

static void end_sentence(corpus *c) {
    const size_t first = c->sentence_count > 0 ? c->ends[c->sentence_count - 1] : 0;
    if (c->word_count > first) {
        c->ends[c->sentence_count++] = c->word_count;
    }
}

static void read_corpus(const char *path, corpus *c) {
    size_t length = 0;
    assert_ok(encl_file_read(path, 1 << 26, &c->text, &length));
    assert_ok(encl_allocate(length, sizeof *c->words, (void **)&c->words));
    assert_ok(encl_allocate(length, sizeof *c->tags, (void **)&c->tags));
    assert_ok(encl_allocate(length, sizeof *c->ends, (void **)&c->ends));
    char *line = c->text;
    while (line < c->text + length) {
        char *end = line + strcspn(line, "\n");
        *end = '\0';
        char *blank = strchr(line, ' ');
        if (blank == NULL) {
            end_sentence(c);
        } else {
            *blank = '\0';
            c->words[c->word_count] = line;
            c->tags[c->word_count++] = blank + 1;
        }
        line = end + 1;
    }
    end_sentence(c);
}

static encl_status next_of_corpus(void *context, encl_words *words) {
    corpus *c = context;
    if (c->given < c->sentence_count) {
        const size_t first = c->given > 0 ? c->ends[c->given - 1] : 0;
        *words = (encl_words){c->words + first, c->ends[c->given] - first};
        c->given++;
    }
    return ENCL_OK;
}

// Whether an entity begins at a word: B-, or I- after O or another type.
static bool begins(const char *const *tags, size_t i) {
    return tags[i][0] == 'B' ||
           (tags[i][0] == 'I' && (i == 0 || tags[i - 1][0] == 'O' || strcmp(tags[i - 1] + 1, tags[i] + 1) != 0));
}

static size_t end_of(const char *const *tags, size_t count, size_t i) {
    size_t end = i + 1;
    while (end < count && tags[end][0] == 'I' && !begins(tags, end)) {
        end++;
    }
    return end;
}

static encl_status compare(void *context, const encl_word_labels *labels) {
    corpus *c = context;
    const char *found[1024];
    const size_t count = labels->count;
    const size_t first = labels->index > 0 ? c->ends[labels->index - 1] : 0;
    const char *const *expected = c->tags + first;
    assert_true(count <= sizeof found / sizeof found[0]);
    for (size_t i = 0; i < count; i++) {
        found[i] = c->labels[labels->labels[i]];
    }
    for (size_t i = 0; i < count; i++) {
        const bool is_found = begins(found, i);
        const bool is_expected = begins(expected, i);
        const bool same = is_found && is_expected && strcmp(found[i] + 1, expected[i] + 1) == 0 &&
                          end_of(found, count, i) == end_of(expected, count, i);
        c->right += same;
        c->wrong += is_found && !same;
        c->missed += is_expected && !same;
    }
    return ENCL_OK;
}

static void figures_on(const encl_device *device) {
    char path[512];
    const char *folder = getenv("ENCL_SHARED");
    corpus c = {0};
    encl_ner *ner = NULL;
    if (encl_device_get_info(device)->software) {
        print_message("  left out: a software rasterizer takes minutes\n");
        return;
    }
    encl_model *model = open_shared("zh-mini-ner"); // or skips
    snprintf(path, sizeof path, "%s/data/peopledaily_ner_dev.txt", folder != NULL ? folder : "../shared");
    read_corpus(path, &c);
    assert_int_equal(c.sentence_count, 4631);
    c.labels = encl_model_get_info(model)->labels;
    assert_ok(encl_ner_create(model, device, NULL, &ner));
    assert_ok(encl_ner_label_words(ner, next_of_corpus, &c, compare, &c));
    print_message("  %zu right, %zu wrong, %zu missed\n", c.right, c.wrong, c.missed);
    assert_int_equal(c.right, 3853);
    assert_int_equal(c.wrong, 3889);
    assert_int_equal(c.missed, 2339);
    encl_ner_destroy(ner);
    encl_model_close(model);
    free(c.text);
    free(c.words);
    free(c.tags);
    free(c.ends);
}

static void figures(void **state) {
    (void)state;
    encl_test_on_devices(figures_on);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready_words),
        cmocka_unit_test(long_sentences),
        cmocka_unit_test(bad_words),
        cmocka_unit_test(figures),
    };
    return encl_test_main(tests);
}
