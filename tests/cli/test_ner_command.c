// encl ner: lines, tables, windows, every aggregation, and wrong usage.
#include <math.h>

#include "cli/program.h"

static const char model[] = "tests/fixtures/tiny-ner";

// What the reference says of a short text, one line a text.
static bool is_wanted(const cJSON *golden, const char *strategy) {
    return strcmp(text_of(golden, "fixture"), "tiny-ner") == 0 && strcmp(text_of(golden, "strategy"), strategy) == 0 &&
           cJSON_IsNull(cJSON_GetObjectItem(golden, "stride")) && strlen(text_of(golden, "text")) < 80;
}

static void expect_entities(const cJSON *line, const cJSON *golden) {
    const cJSON *found = array_of(line, "entities");
    const cJSON *wanted = array_of(golden, "entities");
    expect_keys(line, "index,entities");
    assert_int_equal(cJSON_GetArraySize(found), cJSON_GetArraySize(wanted));
    const cJSON *expected = wanted->child;
    for (const cJSON *entity = found->child; entity != NULL; entity = entity->next, expected = expected->next) {
        const bool token = cJSON_HasObjectItem(expected, "entity");
        expect_keys(entity, token ? "type,text,start,end,score,index,token" : "type,text,start,end,score");
        assert_string_equal(text_of(entity, "type"), text_of(expected, token ? "entity" : "entity_group"));
        assert_true(number_of(entity, "start") == number_of(expected, "start"));
        assert_true(number_of(entity, "end") == number_of(expected, "end"));
        assert_true(fabs(number_of(entity, "score") - number_of(expected, "score")) < 1e-4);
        assert_non_null(strstr(text_of(golden, "text"), text_of(entity, "text")));
        assert_true(!token || number_of(entity, "index") == number_of(expected, "index"));
    }
}

static void check_strategy(const cJSON *goldens, const char *strategy, bool is_default) {
    const cJSON *wanted[LINE_LIMIT];
    size_t count = 0;
    encl_string lines = {0};
    for (const cJSON *golden = array_of(goldens, "cases")->child; golden != NULL; golden = golden->next) {
        if (is_wanted(golden, strategy)) {
            assert_ok(encl_string_format(&lines, "%s\n", text_of(golden, "text")));
            wanted[count++] = golden;
        }
    }
    assert_true(count > 5);
    outcome result = is_default ? RUN(lines.text, "ner", model, "--json")
                                : RUN(lines.text, "ner", model, "--json", "--aggregation", strategy);
    parse_lines(&result);
    assert_string_equal(result.err, "");
    assert_int_equal(result.line_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(number_of(result.lines[i], "index"), (double)i);
        expect_entities(result.lines[i], wanted[i]);
    }
    free_outcome(&result);
    encl_string_free(&lines);
}

static void test_golden(void **state) {
    (void)state;
    static const char *const strategies[] = {"none", "simple", "first", "average", "max"};
    need_device();
    cJSON *goldens = NULL;
    assert_ok(encl_json_read("tests/golden/task/ner.json", 1 << 24, &goldens));
    for (size_t i = 0; i < sizeof strategies / sizeof strategies[0]; i++) {
        check_strategy(goldens, strategies[i], false);
    }
    check_strategy(goldens, "simple", true);
    cJSON_Delete(goldens);
}

// Texts by every way in give the same lines.
static void test_inputs(void **state) {
    (void)state;
    need_device();
    const char *tsv = write_text("in.tsv", "label\ttext\n1\tthe river\n0\t他在北海上学\n");
    const char *jsonl = write_text("in.jsonl", "{\"text\":\"the river\"}\n{\"text\":\"他在北海上学\"}\n");
    const char *path = in_folder("out.jsonl");
    outcome texts = RUN("", "ner", model, "--json", "the river", "他在北海上学");
    parse_lines(&texts);
    assert_int_equal(texts.line_count, 2);
    outcome ways[] = {
        RUN("the river\n他在北海上学\n", "ner", model, "--json"),
        RUN("", "ner", model, "--json", "--input", tsv, "--column", "text"),
        RUN("", "ner", model, "--json", "--input", jsonl),
        RUN("", "ner", model, "--json", "--batch-tokens", "80", "the river", "他在北海上学"),
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        expect_exit(&ways[i], 0);
        assert_string_equal(ways[i].out, texts.out);
        free_outcome(&ways[i]);
    }
    outcome file = RUN("", "ner", model, "--output", path, "the river", "他在北海上学");
    expect_exit(&file, 0);
    assert_string_equal(file.out, "");
    char *written = NULL;
    size_t length = 0;
    assert_ok(encl_file_read(path, 1 << 20, &written, &length));
    assert_string_equal(written, texts.out);
    free(written);
    free_outcome(&file);
    free_outcome(&texts);
}

// A long text is read in windows, without a warning: nothing is lost.
static void test_windows(void **state) {
    (void)state;
    need_device();
    encl_string text = {0};
    for (size_t i = 0; i < 60; i++) {
        assert_ok(encl_string_format(&text, "他在北海%s", i % 2 == 0 ? "上" : ""));
    }
    outcome ways[] = {
        RUN(text.text, "ner", model, "--json"),
        RUN(text.text, "ner", model, "--json", "--stride", "0"),
        RUN(text.text, "ner", model, "--json", "--max-length", "10", "--stride", "7"),
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        parse_lines(&ways[i]);
        assert_string_equal(ways[i].err, "");
        const cJSON *entities = array_of(ways[i].lines[0], "entities");
        const cJSON *last = cJSON_GetArrayItem(entities, cJSON_GetArraySize(entities) - 1);
        assert_true(number_of(last, "end") > 240); // of 270: the last of several windows
        free_outcome(&ways[i]);
    }
    encl_string_free(&text);
}

static void test_people(void **state) {
    (void)state;
    need_device();
    outcome people = RUN("", "ner", model, "他在北海上学", "");
    expect_exit(&people, 0);
    assert_non_null(strstr(people.out, "type"));
    assert_non_null(strstr(people.out, "海"));
    free_outcome(&people);
    outcome none = RUN("", "ner", model, "--json");
    expect_exit(&none, 0);
    assert_string_equal(none.out, "");
    free_outcome(&none);
}

static void test_bad_input(void **state) {
    (void)state;
    need_device();
    const char *path = in_folder("failed.jsonl");
    expect_bad(RUN("", "ner", "tests/fixtures/tiny-qa", "a"), "no token classification head");
    expect_bad(RUN("a\n\xff\n", "ner", model, "--output", path), "line 2, byte 1");
    assert_false(encl_path_exists(path));
    expect_bad(RUN("", "ner", model, "a", "--max-length", "2"), "at least 3");
    expect_bad(RUN("", "ner", model, "a", "--max-length", "81"), "max length 81, the model takes 2 … 80");
    expect_bad(RUN("", "ner", model, "a", "--stride", "78"), "share 0 … 77");
    expect_bad(RUN("", "ner", model, "a", "--batch-tokens", "79"), "cannot hold");
    expect_bad(RUN("", "ner", in_folder("absent"), "a"), "absent");
}

static void test_wrong_usage(void **state) {
    (void)state;
    expect_misuse(RUN("", "ner"), "found 0 arguments, expected MODEL [TEXT...]");
    expect_misuse(RUN("", "ner", model, "--aggregation", "mean"), "found 'mean', expected none, simple");
    expect_misuse(RUN("", "ner", model, "--stride", "-1"), "--stride: found '-1'");
    expect_misuse(RUN("", "ner", model, "--output", "a.csv"), "expected a name that ends in .jsonl");
    expect_misuse(RUN("", "ner", model, "--max-length", "0"), "--max-length: found '0'");
    expect_misuse(RUN("", "ner", model, "--no-truncate"), "--no-truncate");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden), cmocka_unit_test(test_inputs),    cmocka_unit_test(test_windows),
        cmocka_unit_test(test_people), cmocka_unit_test(test_bad_input), cmocka_unit_test(test_wrong_usage),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
