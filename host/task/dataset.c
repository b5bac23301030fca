// Which data sets there are, and opening one.
#include "host/task/dataset.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "host/task/dataset_table.h"
#include "runtime/base/file.h"
#include "runtime/base/json.h"

enum { FILE_LIMIT = 1 << 30 };

// ---- The list ---------------------------------------------------------------------------------------------

static const encl_dataset_label sentiment[] = {{"0", "negative"}, {"1", "positive"}};
static const encl_dataset_label same_meaning[] = {{"0", NULL}, {"1", NULL}};
static const encl_dataset_label inference[] = {
    {"entailment", NULL}, {"neutral", NULL}, {"contradiction", "contradictory"}};
static const encl_dataset_label news[] = {
    {"体育", NULL}, {"财经", NULL}, {"房产", NULL}, {"家居", NULL}, {"教育", NULL},
    {"科技", NULL}, {"时尚", NULL}, {"时政", NULL}, {"游戏", NULL}, {"娱乐", NULL},
};

static const encl_table_form sentiment_forms[] = {
    {.separator = "\t", .names = {"text_a", "", "label", ""}},
};
static const encl_table_form lcqmc_forms[] = {
    {.separator = "\t", .names = {"text_a", "text_b", "label", ""}},
    {.separator = "\t", .places = {0, 1, 2, -1}},
};
static const encl_table_form bq_forms[] = {
    {.separator = ",", .quoted = true, .names = {"sentence1", "sentence2", "label", ""}},
};
static const encl_table_form xnli_forms[] = {
    {.separator = "\t", .names = {"premise", "hypo", "label", ""}},
    {.separator = "\t", .names = {"sentence1", "sentence2", "gold_label", "language"}, .kept = "zh"},
};
static const encl_table_form news_forms[] = {
    {.separator = "\t", .places = {1, -1, 0, -1}},
};
static const encl_table_form similarity_forms[] = {
    {.separator = "\t", .names = {"sentence1", "sentence2", "score", ""}},
    {.separator = "\t", .names = {"sentence1", "sentence2", "similarity_score", ""}},
    {.separator = "\t", .names = {"sentence1", "sentence2", "label", ""}},
    {.separator = ",", .quoted = true, .names = {"sentence1", "sentence2", "score", ""}},
    {.separator = ",", .quoted = true, .names = {"sentence1", "sentence2", "similarity_score", ""}},
    {.separator = ",", .quoted = true, .names = {"sentence1", "sentence2", "label", ""}},
    {.separator = "||", .places = {1, 2, 3, -1}},
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define CLASSES(title, list, both, ways)                                                                              \
    {                                                                                                                 \
        .name = (title), .task = ENCL_DATASET_CLASSES, .labels = (list), .label_count = COUNT(list), .pairs = (both), \
        .forms = (ways), .form_count = COUNT(ways), .read = encl_dataset_read_table                                   \
    }
#define ANSWERS(title, score, by_domain)                                                          \
    {                                                                                             \
        .name = (title), .task = ENCL_DATASET_ANSWERS, .scorer = (score), .domains = (by_domain), \
        .read = encl_dataset_read_answers                                                         \
    }

static const encl_dataset_kind kinds[] = {
    CLASSES("chnsenticorp", sentiment, false, sentiment_forms),
    CLASSES("lcqmc", same_meaning, true, lcqmc_forms),
    CLASSES("bq", same_meaning, true, bq_forms),
    CLASSES("xnli", inference, true, xnli_forms),
    CLASSES("thucnews", news, false, news_forms),
    ANSWERS("cmrc2018", encl_score_cmrc, false),
    ANSWERS("drcd", encl_score_cmrc, false),
    ANSWERS("cjrc", encl_score_cjrc, true),
    {.name = "ner", .task = ENCL_DATASET_TAGS, .read = encl_dataset_read_tags},
    {.name = "sts",
     .task = ENCL_DATASET_SCORES,
     .pairs = true,
     .forms = similarity_forms,
     .form_count = COUNT(similarity_forms),
     .read = encl_dataset_read_table},
};

const encl_dataset_kind *encl_dataset_kinds(size_t *count) {
    *count = COUNT(kinds);
    return kinds;
}

encl_status encl_dataset_find(const char *name, const encl_dataset_kind **kind) {
    encl_string list = {0};
    encl_status status = ENCL_OK;
    *kind = NULL;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            *kind = &kinds[i];
            return ENCL_OK;
        }
    }
    for (size_t i = 0; i < COUNT(kinds) && status == ENCL_OK; i++) {
        status = encl_string_list(&list, kinds[i].name);
    }
    if (status == ENCL_OK) {
        status = encl_fail(ENCL_NOT_FOUND, "found task '%s', expected one of %s", name, list.text);
    }
    encl_string_free(&list);
    return status;
}

// ---- Labels -----------------------------------------------------------------------------------------------

bool encl_span_equals(encl_span span, const char *text) {
    return span.text != NULL && strlen(text) == span.length && memcmp(text, span.text, span.length) == 0;
}

int32_t encl_dataset_label_index(const encl_dataset_kind *kind, encl_span name) {
    for (size_t i = 0; i < kind->label_count; i++) {
        const encl_dataset_label *label = &kind->labels[i];
        if (encl_span_equals(name, label->name) || (label->other != NULL && encl_span_equals(name, label->other))) {
            return (int32_t)i;
        }
    }
    return -1;
}

encl_status encl_dataset_label_list(const encl_dataset_kind *kind, char **list) {
    encl_string names = {0};
    encl_status status = encl_string_append(&names, "", 0);
    for (size_t i = 0; i < kind->label_count && status == ENCL_OK; i++) {
        status = encl_string_list(&names, kind->labels[i].name);
    }
    if (status != ENCL_OK) {
        encl_string_free(&names);
    }
    *list = names.text;
    return status;
}

static encl_status fail_labels(const encl_dataset_kind *kind, const char *const *labels, size_t label_count) {
    char *expected = NULL;
    encl_string found = {0};
    encl_status status = encl_string_append(&found, "", 0);
    for (size_t i = 0; i < label_count && status == ENCL_OK; i++) {
        status = encl_string_list(&found, labels[i]);
    }
    status = status == ENCL_OK ? encl_dataset_label_list(kind, &expected) : status;
    if (status == ENCL_OK) {
        status = encl_fail(ENCL_INVALID, "the model's labels: found %s, expected those of %s: %s", found.text,
                           kind->name, expected);
    }
    free(expected);
    encl_string_free(&found);
    return status;
}

encl_status encl_dataset_map_labels(const encl_dataset_kind *kind, const char *const *labels, size_t label_count,
                                    int32_t *classes) {
    size_t named = 0;
    for (size_t i = 0; i < label_count; i++) {
        classes[i] = -1;
    }
    for (size_t c = 0; c < kind->label_count; c++) {
        const encl_dataset_label *label = &kind->labels[c];
        bool found = false;
        for (size_t i = 0; i < label_count; i++) {
            if (strcasecmp(labels[i], label->name) == 0 ||
                (label->other != NULL && strcasecmp(labels[i], label->other) == 0)) {
                classes[i] = (int32_t)c;
                found = true;
            }
        }
        named += found;
    }
    if (named == kind->label_count) {
        return ENCL_OK;
    }
    for (size_t i = 0; i < label_count && named == 0; i++) {
        classes[i] = (int32_t)i;
    }
    return named == 0 && label_count == kind->label_count ? ENCL_OK : fail_labels(kind, labels, label_count);
}

// ---- Lines ------------------------------------------------------------------------------------------------

encl_status encl_lines_next(encl_lines *lines, encl_span *line) {
    *line = (encl_span){0};
    const size_t left = (size_t)(lines->end - lines->at);
    if (left == 0) {
        return ENCL_OK;
    }
    const char *newline = memchr(lines->at, '\n', left);
    size_t length = newline != NULL ? (size_t)(newline - lines->at) : left;
    lines->number++;
    if (length > ENCL_LINE_LIMIT) {
        return encl_fail(ENCL_FORMAT, "%s: line %lld: found %zu bytes, expected at most %d", lines->place,
                         (long long)lines->number, length, ENCL_LINE_LIMIT);
    }
    *line = (encl_span){lines->at, length};
    lines->at += length + (newline != NULL);
    if (newline != NULL && length > 0 && line->text[length - 1] == '\r') {
        line->length--;
    }
    return ENCL_OK;
}

static encl_status check_utf8(const encl_dataset *dataset) {
    const char *text = dataset->text;
    const size_t valid = encl_utf8_valid_prefix(text, dataset->length);
    if (valid == dataset->length) {
        return ENCL_OK;
    }
    int64_t line = 1;
    size_t start = 0;
    for (size_t i = 0; i < valid; i++) {
        if (text[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    return encl_fail(ENCL_FORMAT, "%s: line %lld, byte %zu: found 0x%02x, expected UTF-8", dataset->path,
                     (long long)line, valid - start + 1, (unsigned char)text[valid]);
}

// ---- Opening ----------------------------------------------------------------------------------------------

encl_status encl_dataset_add(encl_dataset *dataset, const encl_example *example) {
    void *examples = dataset->examples;
    encl_status status =
        encl_reserve(&examples, &dataset->example_capacity, dataset->count + 1, sizeof *dataset->examples);
    dataset->examples = examples;
    if (status == ENCL_OK) {
        dataset->examples[dataset->count++] = *example;
    }
    return status;
}

encl_status encl_dataset_open(const encl_dataset_kind *kind, const char *path, encl_dataset **opened) {
    encl_status status = ENCL_OK;
    encl_dataset *dataset = NULL;
    *opened = NULL;
    ENCL_TRY(encl_allocate(1, sizeof *dataset, (void **)&dataset));
    dataset->kind = kind;
    ENCL_TRY(encl_copy_text(path, strlen(path), &dataset->place));
    dataset->path = dataset->place;
    ENCL_TRY(encl_file_read(path, FILE_LIMIT, &dataset->bytes, &dataset->length));
    const size_t mark = dataset->length >= 3 && memcmp(dataset->bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    dataset->text = dataset->bytes + mark;
    dataset->length -= mark;
    ENCL_TRY(check_utf8(dataset));
    ENCL_TRY(kind->read(dataset));
    if (dataset->count == 0) {
        status = encl_fail(ENCL_FORMAT, "%s: found no examples of %s, expected at least one", path, kind->name);
        goto cleanup;
    }
    *opened = dataset;
    dataset = NULL;
cleanup:
    encl_dataset_close(dataset);
    return status;
}

void encl_dataset_close(encl_dataset *dataset) {
    if (dataset == NULL) {
        return;
    }
    free(dataset->examples);
    free((void *)dataset->words);
    free(dataset->tags);
    free((void *)dataset->answers);
    encl_tag_types_free(&dataset->types);
    cJSON_Delete(dataset->json);
    free(dataset->bytes);
    free(dataset->place);
    free(dataset);
}
