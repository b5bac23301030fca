// From made-up logits to answers: probabilities, lengths, words, equal texts, "no answer", worked out by hand.
#include "test.h"

#include <math.h>
#include <string.h>

#include "host/task/answers.h"

enum { CLS = 2, SEP = 3, WORD = 9, TOKENS = 4, COUNT = 8, FIRST = 3 };

// [CLS] q [SEP] c0 c1 c2 c3 [SEP], or without c3, with a context of one character a token.
static const int32_t ids[COUNT] = {CLS, WORD, SEP, WORD, WORD, WORD, WORD, SEP};
static const int32_t starts[TOKENS] = {0, 1, 2, 3};
static const int32_t ends[TOKENS] = {1, 2, 3, 4};
static const uint8_t apart[TOKENS] = {0, 0, 0, 0};

static encl_answer_window window_of(const float *logits) {
    return (encl_answer_window){.logits = logits,
                                .ids = ids,
                                .count = COUNT,
                                .first = FIRST,
                                .tokens = TOKENS,
                                .starts = starts,
                                .ends = ends,
                                .continues = apart};
}

// Probabilities of [CLS] and the context; question and [SEP] have logits that would beat all.
static void logits_of(const double start[TOKENS + 1], const double end[TOKENS + 1], float logits[2 * COUNT]) {
    for (size_t i = 0; i < COUNT; i++) {
        const bool context = i >= FIRST && i < FIRST + TOKENS;
        const size_t at = i == 0 ? 0 : i - FIRST + 1;
        logits[2 * i] = context || i == 0 ? (float)log(start[at]) : 50;
        logits[2 * i + 1] = context || i == 0 ? (float)log(end[at]) : 50;
    }
}

static const double start_scores[] = {0.1, 0.5, 0.2, 0.1, 0.1};
static const double end_scores[] = {0.2, 0.1, 0.3, 0.1, 0.3};

typedef struct expected {
    int32_t start, end;
    double score;
} expected;

static void expect(const encl_answer_list *list, size_t found, const expected *wanted, size_t count) {
    assert_int_equal(found, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(list->answers[i].start, wanted[i].start);
        assert_int_equal(list->answers[i].end, wanted[i].end);
        assert_true(fabs(list->answers[i].score - wanted[i].score) < 1e-6);
    }
}
#define EXPECT(list, found, ...)                                              \
    do {                                                                      \
        const expected wanted_[] = {__VA_ARGS__};                             \
        expect((list), (found), wanted_, sizeof wanted_ / sizeof wanted_[0]); \
    } while (0)

static void best_spans_come_first(void **state) {
    (void)state;
    encl_answer_list list;
    float logits[2 * COUNT];
    logits_of(start_scores, end_scores, logits);
    const encl_answer_window window = window_of(logits);
    assert_ok(encl_answer_list_init(&(encl_qa_options){.top_k = 4}, CLS, COUNT, &list));
    assert_ok(encl_answer_list_add(&list, &window));
    size_t found = encl_answer_list_finish(&list, "abcd", 4);
    // Of the equal 0.15 the one that begins, then ends, first.
    EXPECT(&list, found, {0, 2, 0.15}, {0, 4, 0.15}, {1, 2, 0.06}, {1, 4, 0.06});
    assert_int_equal(list.answers[1].byte_end, 4);
    encl_answer_list_free(&list);
    // The longest answer has two tokens.
    assert_ok(encl_answer_list_init(&(encl_qa_options){.top_k = 3, .max_answer_length = 2}, CLS, COUNT, &list));
    for (int turn = 0; turn < 2; turn++) { // a list serves many questions
        encl_answer_list_start(&list);
        assert_ok(encl_answer_list_add(&list, &window));
        found = encl_answer_list_finish(&list, "abcd", 4);
        EXPECT(&list, found, {0, 2, 0.15}, {1, 2, 0.06}, {0, 1, 0.05});
    }
    encl_answer_list_free(&list);
}

static void no_answer_is_one_on_request(void **state) {
    (void)state;
    static const double unsure_start[] = {0.6, 0.1, 0.1, 0.1, 0.1};
    static const double unsure_end[] = {0.7, 0.1, 0.1, 0.05, 0.05};
    encl_answer_list list;
    float sure[2 * COUNT];
    float unsure[2 * COUNT];
    logits_of(unsure_start, unsure_end, unsure);
    logits_of(start_scores, end_scores, sure);
    const encl_answer_window windows[] = {window_of(unsure), window_of(sure)};
    assert_ok(encl_answer_list_init(&(encl_qa_options){.top_k = 2, .handle_impossible = true}, CLS, COUNT, &list));
    assert_ok(encl_answer_list_add(&list, &windows[0]));
    size_t found = encl_answer_list_finish(&list, "abcd", 4);
    EXPECT(&list, found, {0, 0, 0.42}, {0, 1, 0.01});
    assert_int_equal(list.answers[0].byte_end, 0);
    // The window that is surest of an answer counts. Equal texts of both add up: "ab" 0.15 + 0.01.
    encl_answer_list_start(&list);
    assert_ok(encl_answer_list_add(&list, &windows[0]));
    assert_ok(encl_answer_list_add(&list, &windows[1]));
    found = encl_answer_list_finish(&list, "abcd", 4);
    EXPECT(&list, found, {0, 2, 0.16}, {0, 4, 0.155});
    assert_true(fabs(list.null_score - 0.02) < 1e-6);
    encl_answer_list_free(&list);
    // An empty context: [CLS] takes all, and there is nothing else.
    const encl_answer_window empty = {.logits = sure, .ids = ids, .count = 4, .first = 3, .tokens = 0};
    for (int impossible = 0; impossible < 2; impossible++) {
        const encl_qa_options options = {.top_k = 2, .handle_impossible = impossible != 0};
        assert_ok(encl_answer_list_init(&options, CLS, COUNT, &list));
        assert_ok(encl_answer_list_add(&list, &empty));
        found = encl_answer_list_finish(&list, "", 0);
        assert_int_equal(found, impossible);
        assert_true(impossible == 0 || list.answers[0].score == 1);
        encl_answer_list_free(&list);
    }
}

// c1 c2 are one word: what begins or ends within it is widened, and then the same.
static void answers_are_whole_words(void **state) {
    (void)state;
    static const uint8_t joined[TOKENS] = {1, 0, 1, 0}; // the first would continue what the window does not show
    static const double start[] = {0.15, 0.1, 0.2, 0.45, 0.1};
    static const double end[] = {0.15, 0.1, 0.5, 0.2, 0.05};
    encl_answer_list list;
    float logits[2 * COUNT];
    logits_of(start, end, logits);
    encl_answer_window window = window_of(logits);
    window.continues = joined;
    assert_ok(encl_answer_list_init(&(encl_qa_options){.top_k = 2}, CLS, COUNT, &list));
    assert_int_equal(list.n_best, 14);
    assert_ok(encl_answer_list_add(&list, &window));
    size_t found = encl_answer_list_finish(&list, "abcd", 4);
    // "bc": c1–c1 0.1, c1–c2 0.04, c2–c2 0.09; "abc": c0–c1 0.05, c0–c2 0.02; "bcd": less.
    EXPECT(&list, found, {1, 3, 0.23}, {0, 3, 0.07});
    encl_answer_list_free(&list);
    assert_ok(
        encl_answer_list_init(&(encl_qa_options){.top_k = 2, .align_to_words = ENCL_CHOICE_NO}, CLS, COUNT, &list));
    assert_int_equal(list.n_best, 2);
    assert_ok(encl_answer_list_add(&list, &window));
    found = encl_answer_list_finish(&list, "abcd", 4);
    EXPECT(&list, found, {1, 2, 0.1}, {2, 3, 0.09});
    encl_answer_list_free(&list);
}

static void equal_texts_add_up(void **state) {
    (void)state;
    static const char *const contexts[] = {
        "aXAx",                               // ASCII
        "\xc3\xa9x\xc3\x89x",                 // é É
        "\xce\xa3x\xcf\x82x",                 // Σ and ς
        "\xd0\xb4x\xd0\x94x",                 // д Д
        "\xf0\x90\x90\x80x\xf0\x90\x90\xa8x", // 𐐀 𐐨
    };
    static const double start[] = {0.05, 0.4, 0.05, 0.3, 0.2};
    static const double end[] = {0.05, 0.4, 0.05, 0.3, 0.2};
    encl_answer_list list;
    float logits[2 * COUNT];
    logits_of(start, end, logits);
    const encl_answer_window window = window_of(logits);
    assert_ok(encl_answer_list_init(&(encl_qa_options){.max_answer_length = 1, .top_k = 2}, CLS, COUNT, &list));
    for (size_t i = 0; i < sizeof contexts / sizeof contexts[0]; i++) {
        encl_answer_list_start(&list);
        assert_ok(encl_answer_list_add(&list, &window));
        const size_t found = encl_answer_list_finish(&list, contexts[i], strlen(contexts[i]));
        EXPECT(&list, found, {0, 1, 0.16 + 0.09}, {3, 4, 0.0025 + 0.04}); // where the better one is
    }
    encl_answer_list_start(&list);
    assert_ok(encl_answer_list_add(&list, &window));
    size_t found = encl_answer_list_finish(&list, "\xc4\xb0xix", 5); // İ is i with a dot of its own
    EXPECT(&list, found, {0, 1, 0.16}, {2, 3, 0.09});
    encl_answer_list_free(&list);
}

// A [CLS] that the question holds takes part in the softmax, as in the reference, but is no answer.
static void a_special_token_in_the_question(void **state) {
    (void)state;
    int32_t odd[COUNT];
    float logits[2 * COUNT];
    encl_answer_list list;
    memcpy(odd, ids, sizeof ids);
    odd[1] = CLS;
    logits_of(start_scores, end_scores, logits);
    logits[2] = 0; // as much as all others together
    logits[3] = 0;
    encl_answer_window window = window_of(logits);
    window.ids = odd;
    assert_ok(encl_answer_list_init(&(encl_qa_options){0}, CLS, COUNT, &list));
    assert_ok(encl_answer_list_add(&list, &window));
    const size_t found = encl_answer_list_finish(&list, "abcd", 4);
    EXPECT(&list, found, {0, 2, 0.15 / 4});
    encl_answer_list_free(&list);
}

static void absurd_settings_are_refused(void **state) {
    (void)state;
    static const encl_qa_options cases[] = {
        {.top_k = -1},
        {.top_k = ENCL_MOST_ANSWERS + 1},
        {.n_best = -1},
        {.n_best = ENCL_MOST_SPANS + 1},
        {.max_answer_length = -1},
    };
    encl_answer_list list;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(encl_answer_list_init(&cases[i], CLS, COUNT, &list), ENCL_INVALID);
        assert_non_null(strstr(encl_status_detail(), "expected 1 "));
        encl_answer_list_free(&list);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(best_spans_come_first),           cmocka_unit_test(no_answer_is_one_on_request),
        cmocka_unit_test(answers_are_whole_words),         cmocka_unit_test(equal_texts_add_up),
        cmocka_unit_test(a_special_token_in_the_question), cmocka_unit_test(absurd_settings_are_refused),
    };
    return encl_test_main(tests);
}
