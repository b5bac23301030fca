// Masked tokens: against the Hugging Face pipeline, in pairs, cut off, and where there are none.
#include "task/fixture.h"

enum { MOST_CASES = 32, TOP = 5 };

// ---- Goldens ----------------------------------------------------------------------------------------------

typedef struct expectation {
    const cJSON *cases[MOST_CASES];
    size_t count, seen;
} expectation;

// Where the masks of a text stand, in code points.
static void assert_place(const char *text, size_t which, const encl_mask *mask) {
    const char *at = text;
    int32_t start = 0;
    for (size_t i = 0;; i++) {
        const char *found = strstr(at, "[MASK]");
        assert_non_null(found);
        for (; at < found; at++) {
            start += ((unsigned char)*at & 0xc0) != 0x80;
        }
        if (i == which) {
            break;
        }
        at += strlen("[MASK]");
        start += (int32_t)strlen("[MASK]");
    }
    assert_int_equal(mask->start, start);
    assert_int_equal(mask->end, start + (int32_t)strlen("[MASK]"));
    assert_false(mask->in_pair);
}

static void assert_predictions(const encl_mask *mask, const cJSON *expected) {
    assert_int_equal(mask->prediction_count, TOP);
    size_t i = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, expected) {
        const encl_prediction *found = &mask->predictions[i++];
        assert_int_equal(found->id, get_number(item, "token"));
        assert_string_equal(found->token, get_text(item, "token_str"));
        assert_string_equal(found->text, get_text(item, "sequence"));
        assert_close((double)found->score, get_number(item, "score"));
    }
    for (i = 1; i < mask->prediction_count; i++) {
        assert_true(mask->predictions[i].score <= mask->predictions[i - 1].score);
    }
}

static encl_status compare(void *context, const encl_filled_text *filled) {
    expectation *expected = context;
    assert_int_equal(filled->index, expected->seen);
    const cJSON *masks = get(expected->cases[expected->seen], "masks");
    const char *text = get_text(expected->cases[expected->seen], "text");
    assert_int_equal(filled->mask_count, cJSON_GetArraySize(masks));
    for (size_t i = 0; i < filled->mask_count; i++) {
        assert_place(text, i, &filled->masks[i]);
        assert_predictions(&filled->masks[i], cJSON_GetArrayItem(masks, (int)i));
    }
    expected->seen++;
    return ENCL_OK;
}

// All texts in one stream, with room for several, few or one of them in a batch.
static void check_fixture(const encl_device *device, expectation *expected) {
    static const encl_capacity capacities[] = {{.tokens = 0}, {.tokens = 80}, {.tokens = 160, .selected = 3}};
    encl_text texts[MOST_CASES];
    encl_model *model = open_fixture(get_text(expected->cases[0], "fixture"));
    int64_t truncated = -1;
    for (size_t i = 0; i < expected->count; i++) {
        texts[i] = make_text(get_text(expected->cases[i], "text"), NULL);
    }
    for (size_t i = 0; i < sizeof capacities / sizeof capacities[0]; i++) {
        const encl_fill_mask_options options = {.executable.capacity = capacities[i], .top_k = TOP};
        encl_text_list list = {.texts = texts, .count = expected->count};
        encl_mask_filler *filler = NULL;
        assert_ok(encl_mask_filler_create(model, device, &options, &filler));
        expected->seen = 0;
        assert_ok(encl_mask_filler_run(filler, encl_text_list_next, &list, compare, expected, &truncated));
        assert_int_equal(expected->seen, expected->count);
        encl_mask_filler_destroy(filler);
    }
    encl_model_close(model);
}

static void goldens_on(const encl_device *device) {
    cJSON *golden = read_golden("fill_mask.json");
    const cJSON *first = get(golden, "cases")->child;
    size_t fixtures = 0;
    while (first != NULL) {
        expectation expected = {.count = 0};
        expected.count = collect_cases(first, expected.cases, MOST_CASES);
        check_fixture(device, &expected);
        first = expected.cases[expected.count - 1]->next;
        fixtures++;
    }
    assert_int_equal(fixtures, 3); // one with a decoder of its own, one with a next-sentence head beside it
    cJSON_Delete(golden);
}

static void predictions_equal_the_goldens(void **state) {
    (void)state;
    encl_log_set_level(ENCL_LOG_ERROR); // a mask that is cut off is a warning
    encl_test_on_devices(goldens_on);
    encl_log_set_level(ENCL_LOG_WARNING);
}

// ---- Options and pairs ------------------------------------------------------------------------------------

typedef struct mask_record {
    int32_t start, end;
    bool in_pair;
    size_t predictions;
    double sum; // of the scores
} mask_record;

typedef struct recorder {
    mask_record masks[16];
    size_t count;
    int64_t texts;
} recorder;

static encl_status record(void *context, const encl_filled_text *filled) {
    recorder *all = context;
    assert_int_equal(filled->index, all->texts++);
    for (size_t i = 0; i < filled->mask_count; i++) {
        const encl_mask *mask = &filled->masks[i];
        mask_record *kept = &all->masks[all->count++];
        *kept = (mask_record){mask->start, mask->end, mask->in_pair, mask->prediction_count, 0};
        for (size_t k = 0; k < mask->prediction_count; k++) {
            kept->sum += (double)mask->predictions[k].score;
        }
    }
    return ENCL_OK;
}

static encl_status run(encl_mask_filler *filler, const encl_text *texts, size_t count, recorder *all,
                       int64_t *truncated) {
    encl_text_list list = {.texts = texts, .count = count};
    *all = (recorder){.count = 0};
    return encl_mask_filler_run(filler, encl_text_list_next, &list, record, all, truncated);
}

static void pairs_on(const encl_device *device) {
    static const int32_t tops[] = {0, 1, 64};
    const encl_text texts[] = {make_text("ab [MASK]", "你好[MASK]"), make_text("a", "[MASK]")};
    encl_model *model = open_fixture("tiny-bert");
    recorder all;
    for (size_t i = 0; i < sizeof tops / sizeof tops[0]; i++) {
        const encl_fill_mask_options options = {.top_k = tops[i]};
        encl_mask_filler *filler = NULL;
        assert_ok(encl_mask_filler_create(model, device, &options, &filler));
        assert_ok(run(filler, texts, 2, &all, NULL));
        assert_int_equal(all.count, 3);
        static const mask_record expected[] = {{3, 9, false, 0, 0}, {2, 8, true, 0, 0}, {0, 6, true, 0, 0}};
        for (size_t m = 0; m < 3; m++) {
            assert_int_equal(all.masks[m].start, expected[m].start);
            assert_int_equal(all.masks[m].end, expected[m].end);
            assert_int_equal(all.masks[m].in_pair, expected[m].in_pair);
            assert_int_equal(all.masks[m].predictions, tops[i] == 0 ? 5 : (size_t)tops[i]);
            assert_true(all.masks[m].sum > 0 && all.masks[m].sum < 1);
        }
        assert_ok(run(filler, texts, 0, &all, NULL));
        assert_int_equal(all.texts, 0);
        encl_mask_filler_destroy(filler);
    }
    encl_mask_filler_destroy(NULL);
    encl_model_close(model);
}

static void pairs_say_which_text(void **state) {
    (void)state;
    encl_test_on_devices(pairs_on);
}

static encl_status expect_text(void *context, const encl_filled_text *filled) {
    const char *const *expected = context;
    for (size_t i = 0; i < filled->mask_count; i++) {
        const encl_prediction *best = &filled->masks[i].predictions[0];
        char text[128];
        snprintf(text, sizeof text, expected[i], best->token);
        assert_string_equal(best->text, text);
    }
    return ENCL_OK;
}

static void padding_on(const encl_device *device) {
    static const char *const expected[] = {"[CLS] a [UNK] %s b [MASK] [SEP]", "[CLS] a [UNK] [MASK] b %s [SEP]"};
    const encl_text text = make_text("a[PAD][UNK][MASK]b[PAD][MASK]", NULL);
    const encl_fill_mask_options options = {.top_k = 1};
    encl_text_list list = {.texts = &text, .count = 1};
    encl_model *model = open_fixture("tiny-untied"); // of what it predicts here nothing is glued to what stands before
    encl_mask_filler *filler = NULL;
    assert_ok(encl_mask_filler_create(model, device, &options, &filler));
    assert_ok(encl_mask_filler_run(filler, encl_text_list_next, &list, expect_text, (void *)expected, NULL));
    assert_int_equal(list.at, 1);
    encl_mask_filler_destroy(filler);
    encl_model_close(model);
}

// Padding that is written in a text is read, as by the pipeline, but is no part of the text that comes out.
static void padding_is_left_out_of_texts(void **state) {
    (void)state;
    encl_test_on_devices(padding_on);
}

// ---- What is refused --------------------------------------------------------------------------------------

static void cut_on(const encl_device *device) {
    encl_fill_mask_options options = {.max_length = 6};
    const encl_text kept[] = {make_text("a [MASK] b c d", NULL), make_text("a b [MASK] c [MASK]", NULL)};
    const encl_text lost[] = {make_text("[MASK]", NULL), make_text("a b c d e [MASK]", NULL)};
    const encl_text none[] = {make_text("[MASK]", NULL), make_text("a [mask]", NULL)};
    encl_model *model = open_fixture("tiny-bert");
    encl_mask_filler *filler = NULL;
    recorder all;
    int64_t truncated = -1;
    assert_ok(encl_mask_filler_create(model, device, &options, &filler));
    encl_log_set_level(ENCL_LOG_ERROR);
    assert_ok(run(filler, kept, 2, &all, &truncated));
    encl_log_set_level(ENCL_LOG_WARNING);
    assert_int_equal(all.count, 2);
    assert_int_equal(truncated, 2);
    assert_int_equal(run(filler, lost, 2, &all, &truncated), ENCL_INVALID);
    assert_detail("text 2: the mask at 10-16 was cut off; found 8 tokens, expected 6");
    assert_int_equal(truncated, 0);
    assert_int_equal(run(filler, none, 2, &all, NULL), ENCL_INVALID);
    assert_detail("text 2: found no [MASK]");
    encl_mask_filler_destroy(filler);
    options.refuse_long = true;
    assert_ok(encl_mask_filler_create(model, device, &options, &filler));
    assert_int_equal(run(filler, kept, 2, &all, NULL), ENCL_INVALID);
    assert_detail("text 1 has 7 tokens, expected at most 6");
    encl_mask_filler_destroy(filler);
    encl_model_close(model);
}

static void lost_masks_are_told(void **state) {
    (void)state;
    encl_test_on_devices(cut_on);
}

static void refused_on(const encl_device *device) {
    static const int32_t tops[] = {-1, 65, INT32_MAX, INT32_MIN};
    const encl_text two = make_text("[MASK][MASK]", NULL);
    encl_model *model = open_fixture("tiny-bert");
    encl_mask_filler *filler = (encl_mask_filler *)model;
    recorder all;
    for (size_t i = 0; i < sizeof tops / sizeof tops[0]; i++) {
        const encl_fill_mask_options options = {.top_k = tops[i]};
        assert_int_equal(encl_mask_filler_create(model, device, &options, &filler), ENCL_INVALID);
        assert_null(filler);
        assert_detail("expected 1 … 64");
    }
    const encl_fill_mask_options longer = {.max_length = 81};
    assert_int_equal(encl_mask_filler_create(model, device, &longer, &filler), ENCL_INVALID);
    assert_detail("the model takes 2 … 80 tokens");
    const encl_fill_mask_options one = {.executable.capacity = {.tokens = 80, .selected = 1}};
    assert_ok(encl_mask_filler_create(model, device, &one, &filler));
    assert_int_equal(run(filler, &two, 1, &all, NULL), ENCL_INVALID);
    assert_detail("sequence 1 selects 2 tokens");
    encl_mask_filler_destroy(filler);
    encl_model_close(model);
    model = open_fixture("tiny-qa");
    assert_int_equal(encl_mask_filler_create(model, device, NULL, &filler), ENCL_UNSUPPORTED);
    assert_null(filler);
    assert_detail("no MLM head");
    encl_model_close(model);
    assert_ok(encl_model_open_shape("rbt3", 1, &model));
    assert_int_equal(encl_mask_filler_create(model, device, NULL, &filler), ENCL_INVALID);
    assert_detail("no tokenizer");
    encl_model_close(model);
}

static void nonsense_is_refused(void **state) {
    (void)state;
    encl_test_on_devices(refused_on);
}

// ---- A trained model --------------------------------------------------------------------------------------

typedef struct best {
    const char *token;
    double score;
} best;

static encl_status compare_best(void *context, const encl_filled_text *filled) {
    const best **expected = context;
    for (size_t i = 0; i < filled->mask_count; i++) {
        for (size_t k = 0; k < TOP; k++, (*expected)++) {
            assert_string_equal(filled->masks[i].predictions[k].token, (*expected)->token);
            assert_true(fabs((double)filled->masks[i].predictions[k].score - (*expected)->score) < 6e-6);
        }
    }
    return ENCL_OK;
}

static encl_model *trained;

static void trained_on(const encl_device *device) {
    static const best expected[] = {
        {"，", 0.0682},  {"的", 0.03607}, {"。", 0.02713}, {"是", 0.01871}, {"不", 0.01583},
        {"，", 0.05011}, {"的", 0.03798}, {"。", 0.02249}, {"国", 0.01192}, {"[UNK]", 0.0106},
        {"，", 0.05202}, {"的", 0.04879}, {"。", 0.02281}, {"是", 0.01675}, {"书", 0.01559},
        {"，", 0.05196}, {"的", 0.04951}, {"。", 0.02283}, {"是", 0.01678}, {"书", 0.01614},
    };
    const encl_text texts[] = {make_text("这家酒店的服务很[MASK]。", NULL), make_text("中国的首都是北[MASK]。", NULL),
                               make_text("这本书写得[MASK][MASK]好。", NULL)};
    encl_text_list list = {.texts = texts, .count = 3};
    const best *next = expected;
    encl_mask_filler *filler = NULL;
    assert_ok(encl_mask_filler_create(trained, device, NULL, &filler));
    assert_ok(encl_mask_filler_run(filler, encl_text_list_next, &list, compare_best, (void *)&next, NULL));
    assert_ptr_equal(next, expected + sizeof expected / sizeof expected[0]);
    encl_mask_filler_destroy(filler);
}

static void a_trained_model_predicts_as_with_pytorch(void **state) {
    (void)state;
    trained = open_shared("zh-mini-mlm");
    encl_test_on_devices(trained_on);
    encl_model_close(trained);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predictions_equal_the_goldens), cmocka_unit_test(pairs_say_which_text),
        cmocka_unit_test(padding_is_left_out_of_texts),  cmocka_unit_test(lost_masks_are_told),
        cmocka_unit_test(nonsense_is_refused),           cmocka_unit_test(a_trained_model_predicts_as_with_pytorch),
    };
    return encl_test_main(tests);
}
