// encl classify: lines, tables, pairs from every source, and wrong usage.
#include <math.h>

#include "cli/program.h"

static const char model[] = "tests/fixtures/tiny-bert-bf16";
static const char pairs[] = "tests/fixtures/tiny-pretraining";

// JSON against what transformers answered.
static void test_golden(void **state) {
    (void)state;
    need_device();
    cJSON *golden = NULL;
    encl_string lines = {0};
    const cJSON *wanted[LINE_LIMIT];
    size_t count = 0;
    assert_ok(encl_json_read("tests/golden/task/classify.json", 1 << 24, &golden));
    for (const cJSON *item = array_of(golden, "cases")->child; item != NULL; item = item->next) {
        if (strstr(model, text_of(item, "fixture")) != NULL && cJSON_IsNull(cJSON_GetObjectItem(item, "pair"))) {
            assert_ok(encl_string_format(&lines, "%s\n", text_of(item, "text")));
            wanted[count++] = item;
        }
    }
    assert_true(count > 4);
    outcome result = RUN(lines.text, "classify", model, "--json", "--quiet");
    parse_lines(&result);
    assert_int_equal(result.line_count, count);
    for (size_t i = 0; i < count; i++) {
        const cJSON *line = result.lines[i];
        const cJSON *scores = cJSON_GetObjectItem(line, "scores");
        const cJSON *labels = array_of(wanted[i], "labels");
        expect_keys(line, "index,label,score,scores");
        expect_keys(scores, "negative,neutral,positive");
        assert_int_equal(number_of(line, "index"), (double)i);
        assert_string_equal(text_of(line, "label"), text_of(labels->child, "label"));
        assert_true(number_of(line, "score") == number_of(scores, text_of(line, "label")));
        for (const cJSON *label = labels->child; label != NULL; label = label->next) {
            assert_true(fabs(number_of(scores, text_of(label, "label")) - number_of(label, "score")) < 2e-5);
        }
    }
    free_outcome(&result);
    encl_string_free(&lines);
    cJSON_Delete(golden);
}

// Pairs by every way in give the same lines.
static void test_pairs(void **state) {
    (void)state;
    need_device();
    const char *tsv = write_text("in.tsv", "label\ta\tb\n1\thello\tworld\n0\t\xe4\xbd\xa0\xe5\xa5\xbd\tworld\n");
    const char *jsonl = write_text("in.jsonl", "{\"q\":\"world\",\"text\":\"hello\"}\n"
                                               "{\"text\":\"\\u4f60\\u597d\",\"q\":\"world\"}\n");
    outcome texts = RUN("", "classify", pairs, "--json", "hello", "\xe4\xbd\xa0\xe5\xa5\xbd", "--pair", "world");
    parse_lines(&texts);
    assert_int_equal(texts.line_count, 2);
    expect_keys(cJSON_GetObjectItem(texts.lines[0], "scores"), "is_next,not_next");
    outcome ways[] = {
        RUN("hello\n\xe4\xbd\xa0\xe5\xa5\xbd\n", "classify", pairs, "--json", "--pair", "world"),
        RUN("", "classify", pairs, "--json", "--input", tsv, "--column", "a", "--pair-column", "b"),
        RUN("", "classify", pairs, "--json", "--input", tsv, "--column", "2", "--pair-column", "3", "--header"),
        RUN("", "classify", pairs, "--json", "--input", tsv, "--column", "2", "--pair-column", "b"),
        RUN("", "classify", pairs, "--json", "--input", jsonl, "--pair-column", "q"),
        RUN("", "classify", pairs, "--json", "--input", jsonl, "--pair", "world"),
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        expect_exit(&ways[i], 0);
        assert_string_equal(ways[i].out, texts.out);
        free_outcome(&ways[i]);
    }
    outcome alone = RUN("", "classify", pairs, "--json", "hello", "\xe4\xbd\xa0\xe5\xa5\xbd");
    expect_exit(&alone, 0);
    assert_string_not_equal(alone.out, texts.out);
    assert_non_null(strstr(alone.err, "encl: warning: the model's head says whether a second text follows"));
    assert_string_equal(texts.err, "");
    free_outcome(&alone);
    free_outcome(&texts);
}

static void test_people(void **state) {
    (void)state;
    need_device();
    outcome people = RUN("one\n\ntwo\n", "classify", model, "--max-length", "2");
    expect_exit(&people, 0);
    assert_int_equal(count_lines(people.out), 5); // headings, a rule and three rows
    assert_non_null(strstr(people.out, "neutral"));
    assert_int_equal(count_lines(people.err), 1);
    assert_non_null(strstr(people.err, "2 of 3 texts"));
    free_outcome(&people);
    outcome none = RUN("", "classify", model, "--json");
    expect_exit(&none, 0);
    assert_string_equal(none.out, "");
    free_outcome(&none);
}

static void test_bad_input(void **state) {
    (void)state;
    need_device();
    const char *tsv = write_text("bad.tsv", "a\tb\n1\t2\n3\n");
    const char *jsonl = write_text("bad.jsonl", "{\"text\":\"a\",\"b\":\"c\"}\n{\"text\":\"a\"}\n");
    expect_bad(RUN("", "classify", model, "--input", tsv, "--pair-column", "2"), "bad.tsv: line 3: found 1");
    expect_bad(RUN("", "classify", model, "--input", tsv, "--pair-column", "c"), "without 'c'");
    expect_bad(RUN("", "classify", model, "--input", jsonl, "--pair-column", "b"), "line 2: found no key 'b'");
    expect_bad(RUN("", "classify", "tests/fixtures/tiny-ner", "a"), "no classification head");
    expect_bad(RUN("a b c\n", "classify", model, "--max-length", "4", "--no-truncate"), "text 1 has 5 tokens");
    const char *path = in_folder("failed.jsonl");
    expect_bad(RUN("a\n\xff\n", "classify", model, "--output", path), "line 2, byte 1");
    assert_false(encl_path_exists(path));
}

static void test_wrong_usage(void **state) {
    (void)state;
    expect_misuse(RUN("", "classify"), "found 0 arguments, expected MODEL [TEXT...]");
    expect_misuse(RUN("", "classify", model, "--pair-column", "2"), "--pair-column: found 'no --input'");
    expect_misuse(RUN("", "classify", model, "--input", "a.txt", "--pair-column", "2"), "--pair-column: found 'a.txt'");
    expect_misuse(RUN("", "classify", model, "--input", "a.tsv", "--pair-column", "0"), "--pair-column: found '0'");
    expect_misuse(RUN("", "classify", model, "--input", "a.tsv", "--pair-column", "2", "--pair", "b"),
                  "found --pair and --pair-column");
    expect_misuse(RUN("", "classify", model, "a", "--pair", "b\xff"), "pair 1, byte 2: found 0xff");
    expect_misuse(RUN("", "classify", model, "--output", "a.csv"), "expected a name that ends in .jsonl");
    expect_misuse(RUN("", "classify", model, "--max-length", "0"), "--max-length: found '0'");
    expect_misuse(RUN("", "classify", model, "--top", "2"), "--top");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),    cmocka_unit_test(test_pairs),       cmocka_unit_test(test_people),
        cmocka_unit_test(test_bad_input), cmocka_unit_test(test_wrong_usage),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
