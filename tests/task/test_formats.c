// Every head of a model in every format: against transformers, and bit for bit what the same weights answer as
// safetensors. As folders, and two heads as zips of them.
#include "task/fixture.h"

#include "base/zip_writer.h"
#include "checkpoint/scratch.h"
#include "runtime/base/folder.h"
#include "runtime/base/memory.h"

enum { MOST_CASES = 16, MOST_FILES = 16, FILE_BYTES = 1 << 20, TOP = 5 };

// ---- What is found ----------------------------------------------------------------------------------------

typedef struct question {
    const encl_device *device;
    const encl_model *model;
    const cJSON *cases[MOST_CASES];
    size_t count, seen;
    encl_string answers; // all that was found, with every bit of its numbers
} question;

static const cJSON *next_case(question *q, int64_t index) {
    assert_int_equal(index, q->seen);
    assert_true(q->seen < q->count);
    assert_ok(encl_string_format(&q->answers, "\n%d ", (int)index));
    return q->cases[q->seen++];
}

static void note_number(question *q, double found, const cJSON *expected) {
    assert_true(cJSON_IsNumber(expected));
    assert_close(found, expected->valuedouble);
    assert_ok(encl_string_format(&q->answers, "%a ", found));
}

static void note_text(question *q, const char *found, const char *expected) {
    assert_string_equal(found, expected);
    assert_ok(encl_string_format(&q->answers, "%s ", found));
}

static void note_span(question *q, int32_t start, int32_t end, const cJSON *expected) {
    assert_int_equal(start, get_number(expected, "start"));
    assert_int_equal(end, get_number(expected, "end"));
    assert_ok(encl_string_format(&q->answers, "%d-%d ", (int)start, (int)end));
}

// ---- Asking a head ----------------------------------------------------------------------------------------

static encl_status note_embedding(void *context, const encl_embedding *found) {
    question *q = context;
    const cJSON *expected = get(next_case(q, found->index), "embedding");
    assert_int_equal(found->rows, 1);
    assert_int_equal(found->columns, cJSON_GetArraySize(expected));
    for (int64_t i = 0; i < found->columns; i++) {
        note_number(q, (double)found->values[i], cJSON_GetArrayItem(expected, (int)i));
    }
    return ENCL_OK;
}

static encl_status ask_embed(question *q, encl_text_list *texts) {
    encl_embedder *embedder = NULL;
    encl_status status = encl_embedder_create(q->model, q->device, NULL, &embedder);
    if (status == ENCL_OK) {
        status = encl_embedder_run(embedder, encl_text_list_next, texts, note_embedding, q, NULL);
    }
    encl_embedder_destroy(embedder);
    return status;
}

static encl_status note_masks(void *context, const encl_filled_text *found) {
    question *q = context;
    const cJSON *masks = get(next_case(q, found->index), "masks");
    assert_int_equal(found->mask_count, cJSON_GetArraySize(masks));
    for (size_t i = 0; i < found->mask_count; i++) {
        const cJSON *item = cJSON_GetArrayItem(masks, (int)i)->child;
        for (size_t j = 0; item != NULL; item = item->next, j++) {
            const encl_prediction *prediction = &found->masks[i].predictions[j];
            assert_true(j < found->masks[i].prediction_count);
            assert_int_equal(prediction->id, get_number(item, "token"));
            note_text(q, prediction->token, get_text(item, "token_str"));
            note_text(q, prediction->text, get_text(item, "sequence"));
            note_number(q, (double)prediction->score, get(item, "score"));
        }
    }
    return ENCL_OK;
}

static encl_status ask_masks(question *q, encl_text_list *texts) {
    const encl_fill_mask_options options = {.top_k = TOP};
    encl_mask_filler *filler = NULL;
    encl_status status = encl_mask_filler_create(q->model, q->device, &options, &filler);
    if (status == ENCL_OK) {
        status = encl_mask_filler_run(filler, encl_text_list_next, texts, note_masks, q, NULL);
    }
    encl_mask_filler_destroy(filler);
    return status;
}

static encl_status run_classifier(question *q, encl_text_list *texts,
                                  encl_status (*note)(void *context, const encl_classification *found)) {
    encl_classifier *classifier = NULL;
    encl_status status = encl_classifier_create(q->model, q->device, NULL, &classifier);
    if (status == ENCL_OK) {
        status = encl_classifier_run(classifier, encl_text_list_next, texts, note, q, NULL);
    }
    encl_classifier_destroy(classifier);
    return status;
}

static encl_status note_next_sentence(void *context, const encl_classification *found) {
    question *q = context;
    const cJSON *scores = get(next_case(q, found->index), "scores");
    assert_int_equal(found->label_count, 2);
    note_text(q, found->labels[0], "is_next");
    note_text(q, found->labels[1], "not_next");
    for (int i = 0; i < 2; i++) {
        note_number(q, (double)found->scores[i], cJSON_GetArrayItem(scores, i));
    }
    return ENCL_OK;
}

static encl_status ask_next_sentence(question *q, encl_text_list *texts) {
    return run_classifier(q, texts, note_next_sentence);
}

static encl_status note_labels(void *context, const encl_classification *found) {
    question *q = context;
    const cJSON *labels = get(next_case(q, found->index), "labels");
    assert_int_equal(found->label_count, cJSON_GetArraySize(labels));
    assert_string_equal(found->labels[found->best], get_text(labels->child, "label"));
    for (size_t i = 0; i < found->label_count; i++) {
        const cJSON *item = labels->child;
        while (item != NULL && strcmp(get_text(item, "label"), found->labels[i]) != 0) {
            item = item->next;
        }
        assert_non_null(item);
        note_text(q, found->labels[i], get_text(item, "label"));
        note_number(q, (double)found->scores[i], get(item, "score"));
    }
    return ENCL_OK;
}

static encl_status ask_labels(question *q, encl_text_list *texts) {
    return run_classifier(q, texts, note_labels);
}

static encl_status note_entities(void *context, const encl_entities *found) {
    question *q = context;
    const cJSON *one = next_case(q, found->index);
    const char *type = strcmp(get_text(one, "strategy"), "none") == 0 ? "entity" : "entity_group";
    const cJSON *item = get(one, "entities")->child;
    for (size_t i = 0; i < found->count; i++, item = item->next) {
        assert_non_null(item);
        note_text(q, found->entities[i].type, get_text(item, type));
        note_span(q, found->entities[i].start, found->entities[i].end, item);
        note_number(q, found->entities[i].score, get(item, "score"));
    }
    assert_null(item);
    return ENCL_OK;
}

static encl_status run_ner(question *q, encl_text_list *texts, encl_aggregation aggregation) {
    const encl_ner_options options = {.aggregation = aggregation};
    encl_ner *ner = NULL;
    encl_status status = encl_ner_create(q->model, q->device, &options, &ner);
    if (status == ENCL_OK) {
        status = encl_ner_run(ner, encl_text_list_next, texts, note_entities, q, NULL);
    }
    encl_ner_destroy(ner);
    return status;
}

static encl_status ask_tokens(question *q, encl_text_list *texts) {
    return run_ner(q, texts, ENCL_AGGREGATION_NONE);
}

static encl_status ask_entities(question *q, encl_text_list *texts) {
    return run_ner(q, texts, ENCL_AGGREGATION_SIMPLE);
}

static encl_status note_answers(void *context, const encl_answers *found) {
    question *q = context;
    const cJSON *item = get(next_case(q, found->index), "answers")->child;
    for (size_t i = 0; i < found->count; i++, item = item->next) {
        assert_non_null(item);
        note_span(q, found->answers[i].start, found->answers[i].end, item);
        note_number(q, found->answers[i].score, get(item, "score"));
    }
    assert_null(item);
    return ENCL_OK;
}

static encl_status ask_answers(question *q, encl_text_list *texts) {
    const encl_qa_options options = {.max_length = 80, .doc_stride = 20};
    encl_qa *qa = NULL;
    encl_status status = encl_qa_create(q->model, q->device, &options, &qa);
    if (status == ENCL_OK) {
        status = encl_qa_run(qa, encl_text_list_next, texts, note_answers, q, NULL);
    }
    encl_qa_destroy(qa);
    return status;
}

// ---- The cells --------------------------------------------------------------------------------------------

enum { EMBED, FILL_MASK, NEXT_SENTENCE, CLASSIFY, TOKENS, ENTITIES, QA, HEADS };

static const struct {
    const char *name;     // in the golden
    const char *strategy; // of named entities; NULL: of others
    const char *text, *pair;
    // Where a model has a classifier, too, only its architecture says that the next sentence is meant.
    const char *architecture;
    encl_status (*ask)(question *q, encl_text_list *texts);
    const char *refusal; // where the weights are not there
} heads[HEADS] = {
    [EMBED] = {"embed", NULL, "text", "pair", NULL, ask_embed, NULL},
    [FILL_MASK] = {"fill-mask", NULL, "text", NULL, NULL, ask_masks,
                   "this checkpoint has no MLM head: found no tensor cls.predictions.transform.dense.weight"},
    [NEXT_SENTENCE] = {"next-sentence", NULL, "text", "pair", "BertForPreTraining", ask_next_sentence,
                       "this checkpoint has no classification head: found no tensor classifier.weight"},
    [CLASSIFY] = {"classify", NULL, "text", "pair", NULL, ask_labels,
                  "this checkpoint has no classification head: found no tensor classifier.weight"},
    [TOKENS] = {"ner", "none", "text", NULL, NULL, ask_tokens,
                "this checkpoint has no token classification head: found no tensor classifier.weight"},
    [ENTITIES] = {"ner", "simple", "text", NULL, NULL, ask_entities,
                  "this checkpoint has no token classification head: found no tensor classifier.weight"},
    [QA] = {"qa", NULL, "question", "context", NULL, ask_answers,
            "this checkpoint has no question-answering head: found no tensor qa_outputs.weight"},
};

#define ALL_HEADS ((1U << HEADS) - 1)
#define ONLY_QA (1U << EMBED | 1U << QA)
// What zips are asked: between them, these read every tensor of the encoder, a tied one, and a head's.
#define IN_ZIPS (1U << FILL_MASK | 1U << QA)

static const struct {
    const char *name;
    const char *base; // whose weights it has, as safetensors
    const char *format;
    unsigned heads;
} folders[] = {
    {"tiny-heads", "tiny-heads", "safetensors", ALL_HEADS},
    {"tiny-heads-sharded", "tiny-heads", "safetensors", ALL_HEADS},
    {"tiny-heads-torch", "tiny-heads", "pytorch", ALL_HEADS},
    {"tiny-heads-torch-legacy", "tiny-heads", "pytorch", ALL_HEADS},
    {"tiny-heads-torch-sharded", "tiny-heads", "pytorch", ALL_HEADS},
    {"tiny-heads-tf1", "tiny-heads", "tensorflow", ALL_HEADS},
    {"tiny-heads-paddle", "tiny-heads", "paddle", ALL_HEADS & ~(1U << QA)},
    {"tiny-qa", "tiny-qa", "safetensors", ONLY_QA},
    {"tiny-tf1-qa", "tiny-qa", "tensorflow", ONLY_QA},
    {"tiny-paddle-qa", "tiny-qa", "paddle", ONLY_QA},
};
enum { FOLDERS = sizeof folders / sizeof folders[0] };

// ---- Folders and zips -------------------------------------------------------------------------------------

typedef enum packing { PACKING_FOLDER, PACKING_STORED, PACKING_DEFLATED, PACKINGS } packing;
static const char *const packings[PACKINGS] = {"folder", "stored zip", "deflated zip"};

// Adds the architecture to a configuration, in place of its own.
static void name_architecture(encl_zip_entry *entry, char **text, const char *architecture) {
    cJSON *config = cJSON_Parse(*text);
    assert_non_null(config);
    cJSON_DeleteItemFromObjectCaseSensitive(config, "architectures");
    assert_true(
        cJSON_AddItemToObject(config, "architectures", cJSON_CreateStringArray((const char *[]){architecture}, 1)));
    char *printed = cJSON_PrintUnformatted(config);
    assert_non_null(printed);
    free(*text);
    assert_ok(encl_copy_text(printed, strlen(printed), text));
    *entry = (encl_zip_entry){entry->name, *text, strlen(*text), entry->deflated};
    cJSON_free(printed);
    cJSON_Delete(config);
}

static const char *write_packed(encl_scratch *scratch, packing how, const encl_zip_entry *entries, size_t count) {
    size_t length = 0;
    if (how == PACKING_FOLDER) {
        for (size_t i = 0; i < count; i++) {
            scratch_write(scratch, entries[i].name, entries[i].bytes, entries[i].length);
        }
        return scratch->folder;
    }
    uint8_t *zip = zip_write(entries, count, &length);
    scratch_write(scratch, "model.zip", zip, length);
    free(zip);
    return scratch_path(scratch, "model.zip");
}

// Opens a copy of a fixture in that form; architecture NULL: its own.
static encl_model *open_packed(const char *name, packing how, const char *architecture) {
    char path[256];
    encl_folder *folder = NULL;
    char **names = NULL;
    char *texts[MOST_FILES] = {NULL};
    encl_zip_entry entries[MOST_FILES];
    size_t count = 0;
    void *scratch = NULL;
    snprintf(path, sizeof path, "tests/fixtures/%s", name);
    assert_ok(encl_folder_open(path, &folder));
    assert_ok(encl_folder_list(folder, &names, &count));
    assert_in_range(count, 2, MOST_FILES);
    for (size_t i = 0; i < count; i++) {
        size_t length = 0;
        assert_ok(encl_folder_read(folder, names[i], FILE_BYTES, &texts[i], &length));
        entries[i] = (encl_zip_entry){names[i], texts[i], length, how == PACKING_DEFLATED};
        const size_t ending = strlen("config.json");
        if (architecture != NULL && strcmp(names[i], "tokenizer_config.json") != 0 && strlen(names[i]) >= ending &&
            strcmp(names[i] + strlen(names[i]) - ending, "config.json") == 0) {
            name_architecture(&entries[i], &texts[i], architecture);
        }
    }
    assert_int_equal(scratch_setup(&scratch), 0);
    encl_model *model = open_model(write_packed(scratch, how, entries, count));
    assert_int_equal(scratch_teardown(&scratch), 0); // a mapped file stays
    for (size_t i = 0; i < count; i++) {
        free(texts[i]);
    }
    encl_folder_free_names(names, count);
    encl_folder_close(folder);
    return model;
}

// ---- Comparing --------------------------------------------------------------------------------------------

static void collect(const cJSON *golden, const char *fixture, size_t head, question *q, encl_text *texts) {
    const cJSON *item;
    cJSON_ArrayForEach(item, get(golden, "cases")) {
        if (strcmp(get_text(item, "fixture"), fixture) == 0 && strcmp(get_text(item, "head"), heads[head].name) == 0 &&
            (heads[head].strategy == NULL || strcmp(get_text(item, "strategy"), heads[head].strategy) == 0)) {
            assert_true(q->count < MOST_CASES);
            const cJSON *pair = heads[head].pair != NULL ? get(item, heads[head].pair) : NULL;
            texts[q->count] = make_text(get_text(item, heads[head].text), cJSON_GetStringValue(pair));
            q->cases[q->count++] = item;
        }
    }
    assert_true(q->count > 0);
}

// Asks the model and compares; *expected becomes the answers where it is NULL.
static void check_head(const cJSON *golden, const char *base, size_t head, const encl_device *device,
                       const encl_model *model, char **expected) {
    question q = {.device = device, .model = model};
    encl_text texts[MOST_CASES];
    collect(golden, base, head, &q, texts);
    encl_text_list list = {.texts = texts, .count = q.count};
    assert_ok(heads[head].ask(&q, &list));
    assert_int_equal(q.seen, q.count);
    if (*expected == NULL) {
        *expected = q.answers.text;
        return;
    }
    assert_string_equal(q.answers.text, *expected);
    encl_string_free(&q.answers);
}

static void check_refusal(size_t head, const encl_device *device, const encl_model *model, const char *refusal) {
    question q = {.device = device, .model = model};
    encl_text_list list = {.count = 0};
    assert_fails(heads[head].ask(&q, &list), ENCL_UNSUPPORTED, refusal);
}

static void check_folder(const cJSON *golden, size_t f, packing how, const encl_device *device, char **expected) {
    encl_model *model = open_packed(folders[f].name, how, NULL);
    assert_string_equal(encl_model_get_info(model)->format, folders[f].format);
    for (size_t head = 0; head < HEADS; head++) {
        if (how != PACKING_FOLDER && (IN_ZIPS >> head & 1) == 0) {
            continue;
        }
        if ((folders[f].heads >> head & 1) == 0) {
            check_refusal(head, device, model, heads[head].refusal);
            continue;
        }
        encl_model *other = NULL;
        if (heads[head].architecture != NULL) {
            other = open_packed(folders[f].name, how, heads[head].architecture);
        }
        check_head(golden, folders[f].base, head, device, other != NULL ? other : model, &expected[head]);
        encl_model_close(other);
    }
    encl_model_close(model);
}

static const encl_device *first_device(void) {
    const encl_device *const *devices = NULL;
    size_t count = 0;
    const encl_status status = encl_devices(&devices, &count);
    if (status == ENCL_NO_DEVICE) {
        print_message("skipped: %s\n", encl_status_detail());
        skip();
    }
    assert_ok(status);
    size_t i = 0;
    while (i < count && !encl_test_usable(devices[i])) {
        i++;
    }
    assert_true(i < count);
    return devices[i];
}

// Other tests hold every device to the goldens; a format is the same to all of them.
static void formats_answer_alike(void **state) {
    (void)state;
    const encl_device *device = first_device();
    char *expected[HEADS] = {NULL};
    cJSON *golden = read_golden("heads.json");
    for (size_t f = 0; f < FOLDERS; f++) {
        if (strcmp(folders[f].name, folders[f].base) == 0) {
            for (size_t head = 0; head < HEADS; head++) {
                free(expected[head]);
                expected[head] = NULL;
            }
        }
        for (packing how = PACKING_FOLDER; how < PACKINGS; how++) {
            print_message("  %s, %s\n", folders[f].name, packings[how]);
            check_folder(golden, f, how, device, expected);
        }
    }
    for (size_t head = 0; head < HEADS; head++) {
        free(expected[head]);
    }
    cJSON_Delete(golden);
}

// A classifier's weights are named alike, whatever it is of: the architecture decides.
static void other_classifiers_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *fixture;
        size_t head;
        const char *refusal;
    } rows[] = {
        {"tiny-multiple-choice", CLASSIFY, "no classification head: its architecture is BertForMultipleChoice"},
        {"tiny-multiple-choice", ENTITIES, "no token classification head: its architecture is BertForMultipleChoice"},
        {"tiny-multiple-choice", FILL_MASK, "no MLM head: found no tensor cls.predictions.transform.dense.weight"},
        {"tiny-multiple-choice", QA, "no question-answering head: found no tensor qa_outputs.weight"},
        {"tiny-ner", CLASSIFY, "no classification head: its architecture is BertForTokenClassification"},
        {"tiny-multi-label", ENTITIES,
         "no token classification head: its architecture is BertForSequenceClassification"},
    };
    const encl_device *device = first_device();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        encl_model *model = open_fixture(rows[i].fixture);
        check_refusal(rows[i].head, device, model, rows[i].refusal);
        encl_model_close(model);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_answer_alike),
        cmocka_unit_test(other_classifiers_are_refused),
    };
    return encl_test_main(tests);
}
