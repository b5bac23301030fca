// encl qa: answers as lines and tables, contexts from files, and wrong usage.
#include <math.h>

#include "cli/program.h"

static const char model[] = "tests/fixtures/tiny-qa";
static const char question[] = "他在哪里？";
static const char context[] = "他在北海上学，她去了西山。";

static void expect_answers(const outcome *result, const cJSON *golden) {
    assert_int_equal(result->line_count, 1);
    expect_keys(result->lines[0], "answers");
    const cJSON *found = array_of(result->lines[0], "answers");
    const cJSON *wanted = array_of(golden, "answers");
    assert_int_equal(cJSON_GetArraySize(found), cJSON_GetArraySize(wanted));
    const cJSON *expected = wanted->child;
    for (const cJSON *answer = found->child; answer != NULL; answer = answer->next, expected = expected->next) {
        expect_keys(answer, "text,start,end,score");
        assert_string_equal(text_of(answer, "text"), text_of(expected, "answer"));
        assert_true(number_of(answer, "start") == number_of(expected, "start"));
        assert_true(number_of(answer, "end") == number_of(expected, "end"));
        assert_true(fabs(number_of(answer, "score") - number_of(expected, "score")) < 1e-4);
    }
}

static const char *number_text(const cJSON *object, const char *key, char text[24]) {
    snprintf(text, 24, "%d", (int)number_of(object, key));
    return text;
}

// Against the question-answering pipeline of transformers.
static void test_golden(void **state) {
    (void)state;
    need_device();
    cJSON *goldens = NULL;
    size_t aligned = 0;
    size_t checked = 0;
    assert_ok(encl_json_read("tests/golden/task/qa.json", 1 << 24, &goldens));
    for (const cJSON *golden = array_of(goldens, "cases")->child; golden != NULL; golden = golden->next) {
        char length[24];
        char stride[24];
        char top[24];
        char longest[24];
        // The command always aligns; and a quarter of the cases is enough for its options.
        if (!cJSON_IsTrue(cJSON_GetObjectItem(golden, "align_to_words")) || aligned++ % 4 != 0) {
            continue;
        }
        // A last option that changes nothing stands where --null does not.
        const char *last = cJSON_IsTrue(cJSON_GetObjectItem(golden, "handle_impossible_answer")) ? "--null" : "--json";
        outcome result =
            RUN("", "qa", model, "--json", "--question", text_of(golden, "question"), "--context",
                text_of(golden, "context"), "--max-length", number_text(golden, "max_seq_len", length), "--stride",
                number_text(golden, "doc_stride", stride), "--top", number_text(golden, "top_k", top),
                "--max-answer-length", number_text(golden, "max_answer_len", longest), last);
        parse_lines(&result);
        expect_answers(&result, golden);
        free_outcome(&result);
        checked++;
    }
    assert_true(checked > 7);
    cJSON_Delete(goldens);
}

// From a file, with or without a byte order mark, the answer is the same.
static void test_files(void **state) {
    (void)state;
    need_device();
    char text[256];
    outcome given = RUN("", "qa", model, "--json", "--top", "3", "--question", question, "--context", context);
    const char *plain = write_text("context.txt", context);
    snprintf(text, sizeof text, "\xef\xbb\xbf%s\n", context);
    const char *marked = write_text("marked.txt", text);
    const char *const files[] = {plain, marked};
    for (size_t i = 0; i < 2; i++) {
        outcome read = RUN("", "qa", model, "--json", "--top", "3", "--question", question, "--context-file", files[i]);
        expect_exit(&read, 0);
        assert_string_equal(read.out, given.out);
        free_outcome(&read);
    }
    free_outcome(&given);
}

static void test_people(void **state) {
    (void)state;
    need_device();
    outcome people = RUN("", "qa", model, "--top", "3", "--null", "--question", question, "--context", context);
    expect_exit(&people, 0);
    assert_int_equal(count_lines(people.out), 5); // headings, a rule and three rows
    assert_non_null(strstr(people.out, "(no answer)"));
    assert_non_null(strstr(people.out, "上学，她去"));
    free_outcome(&people);
}

// A context without a token has no answer but that there is none.
static void test_empty(void **state) {
    (void)state;
    need_device();
    const char *empty = write_text("empty.txt", "");
    outcome results[] = {
        RUN("", "qa", model, "--json", "--question", question, "--context", " "),
        RUN("", "qa", model, "--json", "--question", question, "--context", ""),
        RUN("", "qa", model, "--json", "--question", question, "--context-file", empty),
        RUN("", "qa", model, "--json", "--question", question, "--context", "", "--null"),
        RUN("", "qa", model, "--question", question, "--context", ""),
    };
    for (size_t i = 0; i < 3; i++) {
        expect_exit(&results[i], 0);
        assert_string_equal(results[i].out, "{\"answers\":[]}\n");
    }
    assert_string_equal(results[3].out, "{\"answers\":[{\"text\":\"\",\"start\":0,\"end\":0,\"score\":1}]}\n");
    expect_exit(&results[4], 0);
    for (size_t i = 0; i < 5; i++) {
        free_outcome(&results[i]);
    }
}

static void test_bad_input(void **state) {
    (void)state;
    need_device();
    const char *broken = write_text("broken.txt", "\xef\xbb\xbf fine\xff");
    char full[512] = "";
    for (size_t i = 0; i < 77; i++) {
        memcpy(full + 3 * i, "山", 3);
    }
    expect_bad(RUN("", "qa", "tests/fixtures/tiny-ner", "--question", "a", "--context", "b"),
               "no question-answering head");
    expect_bad(RUN("", "qa", model, "--question", "a", "--context-file", broken), "broken.txt: byte 9: found 0xff");
    expect_bad(RUN("", "qa", model, "--question", "a", "--context-file", in_folder("absent")), "absent");
    expect_bad(RUN("", "qa", model, "--question", "a", "--context-file", folder), folder);
    expect_bad(RUN("", "qa", model, "--question", full, "--context", "b"), "leaves no room for the context in 80");
    expect_bad(RUN("", "qa", model, "--question", "a", "--context", "b", "--max-length", "3"), "hold at most 0");
    expect_bad(RUN("", "qa", model, "--question", "a", "--context", "b", "--stride", "77"), "stride 77");
    expect_bad(RUN("", "qa", model, "--question", "a", "--context", "b", "--max-length", "81"), "max length 81");
}

static void test_wrong_usage(void **state) {
    (void)state;
    expect_misuse(RUN("", "qa"), "found 0 arguments, expected MODEL");
    expect_misuse(RUN("", "qa", model, "more"), "unexpected argument 'more'");
    expect_misuse(RUN("", "qa", model, "--context", "a"), "found no --question");
    expect_misuse(RUN("", "qa", model, "--question", "a"), "found no context, expected either");
    expect_misuse(RUN("", "qa", model, "--question", "a", "--context", "b", "--context-file", "c"), "found both");
    expect_misuse(RUN("", "qa", model, "--question", "a\xff", "--context", "b"), "--question: byte 2: found 0xff");
    expect_misuse(RUN("", "qa", model, "--question", "a", "--context", "\xff"), "--context: byte 1: found 0xff");
    expect_misuse(RUN("", "qa", model, "--top", "0"), "--top: found '0'");
    expect_misuse(RUN("", "qa", model, "--top", "1001"), "--top: found '1001'");
    expect_misuse(RUN("", "qa", model, "--max-answer-length", "x"), "--max-answer-length: found 'x'");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden), cmocka_unit_test(test_files),     cmocka_unit_test(test_people),
        cmocka_unit_test(test_empty),  cmocka_unit_test(test_bad_input), cmocka_unit_test(test_wrong_usage),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
