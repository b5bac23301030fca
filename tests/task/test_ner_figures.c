// A trained model on real sentences: as many right, wrong and missed entities as PyTorch finds. Needs ENCL_SHARED.
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "host/encl_model.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"

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

static const char *shared(const char *name, char path[512]) {
    const char *folder = getenv("ENCL_SHARED");
    snprintf(path, 512, "%s/%s", folder != NULL ? folder : "../shared", name);
    return path;
}

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

static encl_status next_sentence(void *context, encl_words *words) {
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
    corpus c = {0};
    encl_model *model = NULL;
    encl_ner *ner = NULL;
    if (encl_device_get_info(device)->software) {
        print_message("  left out: a software rasterizer takes minutes\n");
        return;
    }
    read_corpus(shared("data/peopledaily_ner_dev.txt", path), &c);
    assert_int_equal(c.sentence_count, 4631);
    assert_ok(encl_model_open(shared("models/zh-mini-ner", path), &model));
    c.labels = encl_model_get_info(model)->labels;
    assert_ok(encl_ner_create(model, device, NULL, &ner));
    assert_ok(encl_ner_label_words(ner, next_sentence, &c, compare, &c));
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
    char path[512];
    FILE *file = fopen(shared("models/zh-mini-ner/config.json", path), "rb");
    if (file == NULL) {
        print_message("skipped: no %s; set ENCL_SHARED\n", path);
        skip();
    }
    fclose(file);
    encl_test_on_devices(figures_on);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(figures)};
    return encl_test_main(tests);
}
