// Classification: against transformers, for every way of scoring, in pairs, and by a next-sentence head.
#include "task/fixture.h"

enum { MOST_CASES = 32, MOST_LABELS = 16 };

// ---- Goldens ----------------------------------------------------------------------------------------------

typedef struct expectation {
    const cJSON *cases[MOST_CASES];
    size_t count, seen;
    void (*compare)(const cJSON *expected, const encl_classification *found);
} expectation;

static void compare_labels(const cJSON *expected, const encl_classification *found) {
    const cJSON *labels = get(expected, "labels");
    assert_int_equal(found->label_count, cJSON_GetArraySize(labels));
    assert_string_equal(found->labels[found->best], get_text(labels->child, "label"));
    const cJSON *item;
    cJSON_ArrayForEach(item, labels) {
        size_t i = 0;
        while (i < found->label_count && strcmp(found->labels[i], get_text(item, "label")) != 0) {
            i++;
        }
        assert_true(i < found->label_count);
        assert_close((double)found->scores[i], get_number(item, "score"));
    }
}

static void compare_next_sentence(const cJSON *expected, const encl_classification *found) {
    assert_int_equal(found->label_count, 2);
    assert_string_equal(found->labels[0], "is_next");
    assert_string_equal(found->labels[1], "not_next");
    assert_int_equal(found->best, found->scores[1] > found->scores[0]);
    for (int i = 0; i < 2; i++) {
        assert_close((double)found->scores[i], cJSON_GetArrayItem(get(expected, "scores"), i)->valuedouble);
    }
}

static encl_status compare(void *context, const encl_classification *found) {
    expectation *expected = context;
    assert_int_equal(found->index, expected->seen);
    expected->compare(expected->cases[expected->seen++], found);
    return ENCL_OK;
}

// All texts in one stream, with room for several or few of them in a batch.
static void check_fixture(const encl_device *device, expectation *expected) {
    static const encl_capacity capacities[] = {{.tokens = 0}, {.tokens = 80}, {.tokens = 300, .sequences = 3}};
    encl_text texts[MOST_CASES];
    encl_model *model = open_fixture(get_text(expected->cases[0], "fixture"));
    for (size_t i = 0; i < expected->count; i++) {
        const cJSON *pair = get(expected->cases[i], "pair");
        texts[i] = make_text(get_text(expected->cases[i], "text"), cJSON_IsString(pair) ? pair->valuestring : NULL);
    }
    for (size_t i = 0; i < sizeof capacities / sizeof capacities[0]; i++) {
        const encl_classify_options options = {.executable.capacity = capacities[i]};
        encl_text_list list = {.texts = texts, .count = expected->count};
        encl_classifier *classifier = NULL;
        int64_t truncated = -1;
        assert_ok(encl_classifier_create(model, device, &options, &classifier));
        expected->seen = 0;
        assert_ok(encl_classifier_run(classifier, encl_text_list_next, &list, compare, expected, &truncated));
        assert_int_equal(expected->seen, expected->count);
        assert_true(truncated > 0);
        assert_ok(
            encl_classifier_run(classifier, encl_text_list_next, &list, compare, expected, &truncated)); // none left
        assert_int_equal(truncated, 0);
        encl_classifier_destroy(classifier);
    }
    encl_model_close(model);
}

static size_t check_file(const encl_device *device, const char *name,
                         void (*compare_case)(const cJSON *expected, const encl_classification *found)) {
    cJSON *golden = read_golden(name);
    const cJSON *first = get(golden, "cases")->child;
    size_t fixtures = 0;
    while (first != NULL) {
        expectation expected = {.compare = compare_case};
        expected.count = collect_cases(first, expected.cases, MOST_CASES);
        check_fixture(device, &expected);
        first = expected.cases[expected.count - 1]->next;
        fixtures++;
    }
    cJSON_Delete(golden);
    return fixtures;
}

static void goldens_on(const encl_device *device) {
    assert_int_equal(check_file(device, "classify.json", compare_labels), 4); // softmax, twice sigmoid, none
    assert_int_equal(check_file(device, "next_sentence.json", compare_next_sentence), 1);
}

static void scores_equal_the_goldens(void **state) {
    (void)state;
    encl_test_on_devices(goldens_on);
}

// ---- What is refused --------------------------------------------------------------------------------------

static encl_status count_result(void *context, const encl_classification *classification) {
    (void)classification;
    ++*(int64_t *)context;
    return ENCL_OK;
}

static encl_status run(encl_classifier *classifier, const encl_text *texts, size_t count, int64_t *results) {
    encl_text_list list = {.texts = texts, .count = count};
    *results = 0;
    return encl_classifier_run(classifier, encl_text_list_next, &list, count_result, results, NULL);
}

static void lengths_on(const encl_device *device) {
    encl_classify_options options = {.max_length = 4, .refuse_long = true};
    const encl_text texts[] = {make_text("a b", NULL), make_text("a", "b")};
    const encl_text bad[] = {make_text("a", "b \xff")};
    encl_model *model = open_fixture("tiny-bert-bf16");
    encl_classifier *classifier = NULL;
    int64_t results = 0;
    assert_ok(encl_classifier_create(model, device, &options, &classifier));
    assert_ok(run(classifier, texts, 1, &results));
    assert_int_equal(results, 1);
    assert_int_equal(run(classifier, texts, 2, &results), ENCL_INVALID);
    assert_detail("text 2 has 5 tokens, expected at most 4");
    assert_int_equal(run(classifier, bad, 1, &results), ENCL_FORMAT);
    assert_detail("text 1: pair");
    encl_classifier_destroy(classifier);
    // [CLS] text [SEP] pair [SEP] does not fit into two tokens, whatever is cut.
    options = (encl_classify_options){.max_length = 2};
    assert_ok(encl_classifier_create(model, device, &options, &classifier));
    assert_ok(run(classifier, texts, 1, &results));
    assert_int_equal(run(classifier, texts + 1, 1, &results), ENCL_INVALID);
    assert_detail("text 1 has 5 tokens, expected at most 2");
    encl_classifier_destroy(classifier);
    options.max_length = 1;
    assert_int_equal(encl_classifier_create(model, device, &options, &classifier), ENCL_INVALID);
    assert_null(classifier);
    encl_classifier_destroy(NULL);
    encl_model_close(model);
}

static void lengths_are_checked(void **state) {
    (void)state;
    encl_test_on_devices(lengths_on);
}

static void heads_on(const encl_device *device) {
    static const char *const others[] = {"tiny-ner", "tiny-qa", "tiny-multiple-choice", "tiny-untied"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        encl_model *model = open_fixture(others[i]);
        encl_classifier *classifier = (encl_classifier *)model;
        assert_int_equal(encl_classifier_create(model, device, NULL, &classifier), ENCL_UNSUPPORTED);
        assert_null(classifier);
        assert_detail("this checkpoint has no classification head");
        encl_model_close(model);
    }
}

static void other_heads_do_not_classify(void **state) {
    (void)state;
    encl_test_on_devices(heads_on);
}

// ---- A trained model --------------------------------------------------------------------------------------

static encl_model *trained;

static encl_status compare_sentiment(void *context, const encl_classification *found) {
    static const double positive[] = {0.99335, 0.00854};
    (void)context;
    assert_int_equal(found->label_count, 2);
    assert_string_equal(found->labels[0], "negative");
    assert_string_equal(found->labels[1], "positive");
    assert_true(fabs((double)found->scores[1] - positive[found->index]) < 6e-6);
    assert_true(fabs((double)found->scores[0] - (1 - positive[found->index])) < 6e-6);
    return ENCL_OK;
}

static void trained_on(const encl_device *device) {
    const encl_text texts[] = {make_text("房间很干净，服务也很好，下次还会来。", NULL),
                               make_text("屏幕有坏点，客服态度极差，后悔买了。", NULL)};
    encl_text_list list = {.texts = texts, .count = 2};
    encl_classifier *classifier = NULL;
    assert_ok(encl_classifier_create(trained, device, NULL, &classifier));
    assert_ok(encl_classifier_run(classifier, encl_text_list_next, &list, compare_sentiment, NULL, NULL));
    assert_int_equal(list.at, 2);
    encl_classifier_destroy(classifier);
}

static void a_trained_model_classifies_as_with_pytorch(void **state) {
    (void)state;
    trained = open_shared("zh-mini-sentiment");
    encl_test_on_devices(trained_on);
    encl_model_close(trained);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_equal_the_goldens),
        cmocka_unit_test(lengths_are_checked),
        cmocka_unit_test(other_heads_do_not_classify),
        cmocka_unit_test(a_trained_model_classifies_as_with_pytorch),
    };
    return encl_test_main(tests);
}
