// A model whose numbers overflow: every task ends its run with NOT_FINITE, and no result of that text is handed out.
#include "task/fixture.h"

#include "model/edit.h"

static const encl_text texts[] = {{.text = "the cat", .length = 7, .pair = "a [MASK] sat here", .pair_length = 17},
                                  {.text = "a", .length = 1, .pair = "b [MASK]", .pair_length = 8}};

static encl_status unwanted(void) {
    return encl_fail(ENCL_INVALID, "found a result, expected none");
}

// ---- One run of every task --------------------------------------------------------------------------------

static encl_status take_embedding(void *context, const encl_embedding *result) {
    (void)context;
    (void)result;
    return unwanted();
}

static encl_status embed(const encl_model *model, const encl_device *device) {
    encl_text_list list = {.texts = texts, .count = 2};
    encl_embedder *embedder = NULL;
    assert_ok(encl_embedder_create(model, device, NULL, &embedder));
    const encl_status status = encl_embedder_run(embedder, encl_text_list_next, &list, take_embedding, NULL, NULL);
    encl_embedder_destroy(embedder);
    return status;
}

static encl_status take_masks(void *context, const encl_filled_text *result) {
    (void)context;
    (void)result;
    return unwanted();
}

static encl_status fill_mask(const encl_model *model, const encl_device *device) {
    encl_text_list list = {.texts = texts, .count = 2};
    encl_mask_filler *filler = NULL;
    assert_ok(encl_mask_filler_create(model, device, NULL, &filler));
    const encl_status status = encl_mask_filler_run(filler, encl_text_list_next, &list, take_masks, NULL, NULL);
    encl_mask_filler_destroy(filler);
    return status;
}

static encl_status take_classification(void *context, const encl_classification *result) {
    (void)context;
    (void)result;
    return unwanted();
}

static encl_status classify(const encl_model *model, const encl_device *device) {
    encl_text_list list = {.texts = texts, .count = 2};
    encl_classifier *classifier = NULL;
    assert_ok(encl_classifier_create(model, device, NULL, &classifier));
    const encl_status status =
        encl_classifier_run(classifier, encl_text_list_next, &list, take_classification, NULL, NULL);
    encl_classifier_destroy(classifier);
    return status;
}

static encl_status take_entities(void *context, const encl_entities *result) {
    (void)context;
    (void)result;
    return unwanted();
}

static encl_status ner(const encl_model *model, const encl_device *device) {
    encl_text_list list = {.texts = texts, .count = 2};
    encl_ner *finder = NULL;
    assert_ok(encl_ner_create(model, device, NULL, &finder));
    const encl_status status = encl_ner_run(finder, encl_text_list_next, &list, take_entities, NULL, NULL);
    encl_ner_destroy(finder);
    return status;
}

static encl_status next_words(void *context, encl_words *words) {
    static const char *const sentence[] = {"the", "cat", "sat", "here"};
    bool *given = context;
    if (!*given) {
        *words = (encl_words){sentence, 4};
    }
    *given = true;
    return ENCL_OK;
}

static encl_status take_labels(void *context, const encl_word_labels *result) {
    (void)context;
    (void)result;
    return unwanted();
}

static encl_status label_words(const encl_model *model, const encl_device *device) {
    bool given = false;
    encl_ner *labeller = NULL;
    assert_ok(encl_ner_create(model, device, NULL, &labeller));
    const encl_status status = encl_ner_label_words(labeller, next_words, &given, take_labels, NULL);
    encl_ner_destroy(labeller);
    return status;
}

static encl_status take_answers(void *context, const encl_answers *result) {
    (void)context;
    (void)result;
    return unwanted();
}

static encl_status answer(const encl_model *model, const encl_device *device) {
    encl_text_list list = {.texts = texts, .count = 2};
    encl_qa *qa = NULL;
    assert_ok(encl_qa_create(model, device, NULL, &qa));
    const encl_status status = encl_qa_run(qa, encl_text_list_next, &list, take_answers, NULL, NULL);
    encl_qa_destroy(qa);
    return status;
}

// ---- All of them ------------------------------------------------------------------------------------------

// Finite weights that make sums too large for a float.
static const struct {
    const char *fixture;
    const char *tensor;
    int64_t rows, columns;
    encl_status (*run)(const encl_model *model, const encl_device *device);
} cases[] = {
    {"tests/fixtures/tiny-bert", "bert.encoder.layer.1.output.LayerNorm.weight", 32, 0, embed},
    {"tests/fixtures/tiny-bert", "cls.predictions.transform.LayerNorm.weight", 32, 0, fill_mask},
    {"tests/fixtures/tiny-bert-bf16", "classifier.weight", 3, 32, classify},
    {"tests/fixtures/tiny-ner", "classifier.weight", 5, 32, ner},
    {"tests/fixtures/tiny-ner", "classifier.weight", 5, 32, label_words},
    {"tests/fixtures/tiny-qa", "qa_outputs.weight", 2, 32, answer},
};

static encl_model *model;
static size_t current;

static void run_on(const encl_device *device) {
    const encl_status status = cases[current].run(model, device);
    if (status != ENCL_NOT_FINITE) {
        fail_msg("case %zu: found %s (%s), expected NOT_FINITE", current, encl_status_name(status),
                 encl_status_detail());
    }
    assert_detail("text 1: ");
}

static void every_task_says_what_is_not_finite(void **state) {
    encl_scratch *scratch = *state;
    float values[5 * 32];
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        values[i] = 3e38f;
    }
    for (current = 0; current < sizeof cases / sizeof cases[0]; current++) {
        const edit without = {cases[current].tensor, NULL};
        const encl_tensor large =
            constant_tensor(cases[current].tensor, cases[current].rows, cases[current].columns, values);
        write_edited(scratch, cases[current].fixture, NULL, &without, 1, &large, 1);
        model = open_model(scratch->folder);
        encl_test_on_devices(run_on);
        encl_model_close(model);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_task_says_what_is_not_finite, scratch_setup, scratch_teardown),
    };
    return encl_test_main(tests);
}
