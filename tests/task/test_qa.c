// Question answering on every device: against transformers, streams of short and long contexts, failures.
#include "task/fixture.h"

static const char fixture[] = "tiny-qa";

enum { POSITIONS = 80, MOST_ANSWERS = 8, MOST_QUESTIONS = 64 };

// ---- Lists of questions -----------------------------------------------------------------------------------

typedef struct question {
    const char *text;
    const char *context; // NULL: none
} question;

typedef struct question_list {
    const question *questions;
    size_t count, at;
    int64_t results;
    int64_t stop_at; // sink() fails at this result; −1: never
    // Of every question.
    encl_answer answers[MOST_QUESTIONS][MOST_ANSWERS];
    size_t counts[MOST_QUESTIONS];
} question_list;

static encl_status next_question(void *context, encl_text *text) {
    question_list *list = context;
    if (list->at < list->count) {
        const question *asked = &list->questions[list->at++];
        *text = make_text(asked->text, asked->context);
    }
    return ENCL_OK;
}

static encl_status take(void *context, const encl_answers *answers) {
    question_list *list = context;
    if (list->results == list->stop_at) {
        return encl_fail(ENCL_INTERRUPTED, "enough");
    }
    assert_int_equal(answers->index, list->results);
    assert_string_equal(answers->context, list->questions[list->results].context);
    assert_int_equal(answers->context_length, strlen(answers->context));
    assert_true(answers->count <= MOST_ANSWERS);
    for (size_t i = 0; i < answers->count; i++) {
        const encl_answer *answer = &answers->answers[i];
        assert_true(answer->byte_start <= answer->byte_end && answer->byte_end <= answers->context_length);
        assert_true(i == 0 || answer->score <= answers->answers[i - 1].score);
        list->answers[list->results][i] = *answer;
    }
    list->counts[list->results] = answers->count;
    list->results++;
    return ENCL_OK;
}

static encl_status run(encl_qa *qa, const question *questions, size_t count, question_list *list, int64_t *windowed) {
    list->questions = questions;
    list->count = count;
    list->at = 0;
    list->results = 0;
    list->stop_at = -1;
    return encl_qa_run(qa, next_question, list, take, list, windowed);
}

// ---- Against transformers ---------------------------------------------------------------------------------

static void expect_answer(const char *context, const encl_answer *found, const cJSON *expected) {
    const char *text = get_text(expected, "answer");
    assert_int_equal(found->start, get(expected, "start")->valueint);
    assert_int_equal(found->end, get(expected, "end")->valueint);
    assert_int_equal(found->byte_end - found->byte_start, strlen(text));
    assert_memory_equal(context + found->byte_start, text, strlen(text));
    assert_close(found->score, get_number(expected, "score"));
}

static void check_case(const encl_model *model, const encl_device *device, const cJSON *golden) {
    static question_list list;
    const encl_qa_options options = {
        .max_length = get(golden, "max_seq_len")->valueint,
        .doc_stride = get(golden, "doc_stride")->valueint,
        .top_k = get(golden, "top_k")->valueint,
        .max_answer_length = get(golden, "max_answer_len")->valueint,
        .handle_impossible = cJSON_IsTrue(get(golden, "handle_impossible_answer")),
        .align_to_words = cJSON_IsTrue(get(golden, "align_to_words")) ? ENCL_CHOICE_YES : ENCL_CHOICE_NO,
    };
    const question asked = {get_text(golden, "question"), get_text(golden, "context")};
    const cJSON *answers = get(golden, "answers");
    encl_qa *qa = NULL;
    int64_t windowed = 0;
    assert_ok(encl_qa_create(model, device, &options, &qa));
    assert_ok(run(qa, &asked, 1, &list, &windowed));
    assert_int_equal(windowed, get(golden, "windows")->valueint > 1);
    assert_int_equal(list.counts[0], cJSON_GetArraySize(answers));
    size_t i = 0;
    for (const cJSON *answer = answers->child; answer != NULL; answer = answer->next) {
        expect_answer(asked.context, &list.answers[0][i++], answer);
    }
    encl_qa_destroy(qa);
}

static void goldens_on(const encl_device *device) {
    cJSON *goldens = read_golden("qa.json");
    int windowed = 0;
    int impossible = 0;
    encl_model *model = open_fixture(fixture);
    for (const cJSON *golden = get(goldens, "cases")->child; golden != NULL; golden = golden->next) {
        assert_string_equal(get_text(golden, "fixture"), "tiny-qa");
        check_case(model, device, golden);
        windowed += get(golden, "windows")->valueint > 1;
        impossible += *get(get(golden, "answers")->child, "answer")->valuestring == '\0';
    }
    assert_true(windowed > 10 && impossible > 1);
    encl_model_close(model);
    cJSON_Delete(goldens);
}

static void goldens(void **state) {
    (void)state;
    encl_test_on_devices(goldens_on);
}

// ---- Streams ----------------------------------------------------------------------------------------------

static void make_questions(char contexts[MOST_QUESTIONS][4096], question questions[MOST_QUESTIONS]) {
    static const char *const words[] = {"hello", "北海", "the", "river", "小王", "walked", "42!", "学校"};
    static const char *const texts[] = {"谁？", "Where is the river?", "", "什么时候的 hello world 42"};
    for (size_t i = 0; i < MOST_QUESTIONS; i++) {
        size_t length = 0;
        contexts[i][0] = '\0';
        for (size_t j = 0; j < i * i * 7 % 150; j++) {
            length +=
                (size_t)snprintf(contexts[i] + length, sizeof contexts[i] - length, "%s ", words[(i + j * j + j) % 8]);
        }
        questions[i] = (question){texts[i % 4], contexts[i]};
    }
}

static void expect_same(const encl_device *device, const question_list *a, const question_list *b) {
    const bool exact = encl_device_get_info(device)->type == ENCL_DEVICE_CPU;
    assert_int_equal(a->results, b->results);
    for (int64_t i = 0; i < a->results; i++) {
        assert_int_equal(a->counts[i], b->counts[i]);
        for (size_t j = 0; j < a->counts[i]; j++) {
            const encl_answer *left = &a->answers[i][j];
            const encl_answer *right = &b->answers[i][j];
            assert_true(fabs(left->score - right->score) <= (exact ? 0 : 1e-5));
            assert_true(!exact || (left->start == right->start && left->byte_end == right->byte_end));
        }
    }
}

static void streams_on(const encl_device *device) {
    static char contexts[MOST_QUESTIONS][4096];
    static question questions[MOST_QUESTIONS];
    static question_list whole;
    static question_list other;
    static const encl_qa_options cases[] = {
        {.executable.capacity.tokens = POSITIONS, .top_k = 3},
        {.executable.capacity = {.tokens = 200, .sequences = 2}, .top_k = 3},
        {.executable.depth = 1, .top_k = 3, .n_best = 16, .doc_stride = POSITIONS / 2, .max_length = POSITIONS},
    };
    encl_model *model = open_fixture(fixture);
    encl_qa *qa = NULL;
    int64_t windowed = 0;
    make_questions(contexts, questions);
    assert_ok(encl_qa_create(model, device, &(encl_qa_options){.top_k = 3}, &qa));
    assert_true(encl_qa_get_info(qa)->capacity.tokens >= POSITIONS);
    assert_ok(run(qa, questions, MOST_QUESTIONS, &whole, &windowed));
    assert_int_equal(whole.results, MOST_QUESTIONS);
    assert_true(windowed > 10 && windowed < MOST_QUESTIONS - 10);
    assert_ok(run(qa, questions, 0, &other, &windowed)); // one serves many runs
    assert_int_equal(other.results, 0);
    assert_int_equal(windowed, 0);
    encl_qa_destroy(qa);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_ok(encl_qa_create(model, device, &cases[i], &qa));
        assert_ok(run(qa, questions, MOST_QUESTIONS, &other, NULL));
        expect_same(device, &whole, &other);
        encl_qa_destroy(qa);
    }
    encl_model_close(model);
}

static void streams(void **state) {
    (void)state;
    encl_test_on_devices(streams_on);
}

// Windows that begin `stride` apart are those that share the rest; as the room is a question's, only for one question.
static void strides_on(const encl_device *device) {
    static question_list shared;
    static question_list apart;
    static const question asked = {"他在哪里？",
                                   "他在北海上学，她去了西山。小王走了，他们在学校里见到了先生，后来也到了。"};
    enum { LENGTH = 20, QUESTION = 5, ROOM = LENGTH - 3 - QUESTION };
    encl_model *model = open_fixture(fixture);
    encl_encoding encoding = {0};
    assert_ok(encl_tokenizer_append(encl_model_tokenizer(model), asked.text, strlen(asked.text), &encoding));
    assert_int_equal(encoding.count, QUESTION);
    encl_encoding_free(&encoding);
    for (int64_t step = 1; step <= ROOM + 5; step += 3) {
        // A step beyond the room would lose text, and is taken as the room.
        const int64_t overlap = step < ROOM ? ROOM - step : ENCL_NO_OVERLAP;
        encl_qa *qa = NULL;
        encl_qa_options options = {.max_length = LENGTH, .doc_stride = overlap, .top_k = 4};
        assert_ok(encl_qa_create(model, device, &options, &qa));
        assert_ok(run(qa, &asked, 1, &shared, NULL));
        encl_qa_destroy(qa);
        options.doc_stride = step;
        options.stride_is_step = true;
        assert_ok(encl_qa_create(model, device, &options, &qa));
        assert_ok(run(qa, &asked, 1, &apart, NULL));
        encl_qa_destroy(qa);
        expect_same(device, &shared, &apart);
    }
    encl_model_close(model);
}

static void strides(void **state) {
    (void)state;
    encl_test_on_devices(strides_on);
}

static void odd_contexts_on(const encl_device *device) {
    static question_list list;
    static const question questions[] = {
        {"谁？", ""},       {"谁？", " \n\t "}, {"谁？", "\xe2\x80\x8b"},         {"", "hello"},
        {"谁？", "[MASK]"}, {"", ""},           {"[CLS] who?", "他[CLS]海[SEP]"}, {"谁？", "😀"},
    };
    enum { COUNT = sizeof questions / sizeof questions[0] };
    static const size_t without[COUNT] = {0, 0, 0, 1, 1, 0, 1, 1};
    encl_model *model = open_fixture(fixture);
    for (int impossible = 0; impossible < 2; impossible++) {
        const encl_qa_options options = {.handle_impossible = impossible != 0};
        encl_qa *qa = NULL;
        int64_t windowed = 0;
        assert_ok(encl_qa_create(model, device, &options, &qa));
        assert_ok(run(qa, questions, COUNT, &list, &windowed));
        assert_int_equal(list.results, COUNT);
        assert_int_equal(windowed, 0);
        for (size_t i = 0; i < COUNT; i++) {
            assert_int_equal(list.counts[i], impossible != 0 ? 1 : without[i]);
            if (without[i] == 0 && impossible != 0) { // where there is nothing, that is sure
                assert_int_equal(list.answers[i][0].byte_end, 0);
                assert_true(list.answers[i][0].score == 1);
            }
        }
        encl_qa_destroy(qa);
    }
    encl_model_close(model);
}

static void odd_contexts(void **state) {
    (void)state;
    encl_test_on_devices(odd_contexts_on);
}

// ---- Failures ---------------------------------------------------------------------------------------------

static void bad_options_on(const encl_device *device) {
    static const struct {
        encl_qa_options options;
        const char *detail;
    } cases[] = {
        {{.max_length = 1}, "the model takes"},
        {{.max_length = 3}, "hold at most 0"},
        {{.max_length = POSITIONS + 1}, "the model takes"},
        {{.max_length = 10, .doc_stride = 7}, "stride 7, windows of 10 tokens hold at most 7"},
        {{.doc_stride = -2}, "stride -2, expected at least 0"},
        {{.doc_stride = ENCL_NO_OVERLAP, .stride_is_step = true}, "expected at least 1"},
        {{.top_k = -1}, "answers to a question: found -1"},
        {{.executable.capacity.tokens = POSITIONS - 1}, "cannot hold"},
    };
    encl_model *model = open_fixture(fixture);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        encl_qa *qa = (encl_qa *)1;
        assert_int_equal(encl_qa_create(model, device, &cases[i].options, &qa), ENCL_INVALID);
        assert_null(qa);
        assert_detail(cases[i].detail);
    }
    encl_model_close(model);
    model = open_fixture("tiny-ner");
    encl_qa *qa = NULL;
    assert_int_equal(encl_qa_create(model, device, NULL, &qa), ENCL_UNSUPPORTED);
    assert_detail("no question-answering head");
    encl_model_close(model);
}

static void bad_options(void **state) {
    (void)state;
    encl_test_on_devices(bad_options_on);
}

static void repeat(char *text, const char *word, size_t count) {
    const size_t length = strlen(word);
    for (size_t i = 0; i < count; i++) {
        memcpy(text + i * length, word, length);
    }
    text[count * length] = '\0';
}

static void bad_texts_on(const encl_device *device) {
    static question_list list;
    static char long_question[512];
    static char longer_question[512];
    static char full_question[512];
    static char context[512];
    const struct {
        question question;
        encl_status status;
        const char *detail;
    } cases[] = {
        {{"who", NULL}, ENCL_INVALID, "text 2: found no context"},
        {{"a\xff", "b"}, ENCL_FORMAT, "text 2: text: byte 2"},
        {{"a", "bc\xff"}, ENCL_FORMAT, "text 2: text: byte 3"},
        {{full_question, "海"}, ENCL_INVALID, "text 2: a question of 77 tokens leaves no room for the context in 80"},
        {{longer_question, ""}, ENCL_INVALID, "text 2: a question of 78 tokens leaves no room"},
        // The default: windows share 40.
        {{long_question, context}, ENCL_INVALID, "leaves room for 40 of the context in 80, expected more than the 40"},
    };
    encl_model *model = open_fixture(fixture);
    encl_qa *qa = NULL;
    int64_t windowed = 7;
    repeat(long_question, "山", POSITIONS - 3 - 40);
    repeat(full_question, "山", POSITIONS - 3);
    repeat(longer_question, "山", POSITIONS - 2);
    repeat(context, "海", 100);
    assert_ok(encl_qa_create(model, device, NULL, &qa));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const question asked[] = {{"谁？", "他"}, cases[i].question};
        assert_int_equal(run(qa, asked, 2, &list, &windowed), cases[i].status);
        assert_int_equal(windowed, 0);
        assert_detail(cases[i].detail);
    }
    const question fits[] = {{full_question, ""}, {long_question, "他去了"}, {"谁？", context}};
    list = (question_list){.questions = fits, .count = 3, .stop_at = 2};
    assert_int_equal(encl_qa_run(qa, next_question, &list, take, &list, NULL), ENCL_INTERRUPTED);
    assert_ok(run(qa, fits, 3, &list, &windowed)); // it goes on after a failure
    assert_int_equal(windowed, 1);
    encl_qa_destroy(qa);
    assert_ok(encl_qa_create(model, device, &(encl_qa_options){.refuse_long = true}, &qa));
    assert_int_equal(run(qa, fits, 3, &list, NULL), ENCL_INVALID);
    assert_detail("text 3: found 105 tokens, expected at most 80");
    encl_qa_destroy(qa);
    encl_model_close(model);
}

static void bad_texts(void **state) {
    (void)state;
    encl_test_on_devices(bad_texts_on);
}

// A single context may have many windows: a run can be stopped between them.
static void stops_on(const encl_device *device) {
    static question_list list;
    const question asked = {"谁？", "海海海海海海海海海海海海海海海海海海海海"};
    int checks_left = 0;
    const encl_qa_options options = {
        .max_length = 9, .doc_stride = ENCL_NO_OVERLAP, .check = stop_later, .check_context = &checks_left};
    encl_model *model = open_fixture(fixture);
    encl_qa *qa = NULL;
    assert_ok(encl_qa_create(model, device, &options, &qa));
    checks_left = 3; // of 5 windows
    assert_int_equal(run(qa, &asked, 1, &list, NULL), ENCL_INTERRUPTED);
    assert_detail("stopped");
    assert_int_equal(list.results, 0);
    checks_left = 100;
    assert_ok(run(qa, &asked, 1, &list, NULL));
    assert_int_equal(checks_left, 100 - 5 - 1); // and before there is no more
    encl_qa_destroy(qa);
    encl_model_close(model);
}

static void stops(void **state) {
    (void)state;
    encl_test_on_devices(stops_on);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goldens),      cmocka_unit_test(streams),     cmocka_unit_test(strides),
        cmocka_unit_test(odd_contexts), cmocka_unit_test(bad_options), cmocka_unit_test(bad_texts),
        cmocka_unit_test(stops),
    };
    return encl_test_main(tests);
}
