// encl fill-mask: lines, tables, files, warnings, and wrong usage.
#include <math.h>

#include "cli/program.h"

static const char model[] = "tests/fixtures/tiny-bert";

// JSON against what the Hugging Face pipeline answered.
static void test_golden(void **state) {
    (void)state;
    need_device();
    cJSON *golden = NULL;
    encl_string lines = {0};
    size_t count = 0;
    assert_ok(encl_json_read("tests/golden/task/fill_mask.json", 1 << 24, &golden));
    const cJSON *cases = array_of(golden, "cases");
    for (const cJSON *item = cases->child; item != NULL && strstr(model, text_of(item, "fixture")) != NULL;
         item = item->next) {
        assert_ok(encl_string_format(&lines, "%s\n", text_of(item, "text")));
        count++;
    }
    assert_true(count > 5);
    outcome result = RUN(lines.text, "fill-mask", model, "--json", "--quiet");
    parse_lines(&result);
    assert_int_equal(result.line_count, count);
    const cJSON *item = cases->child;
    for (size_t i = 0; i < count; i++, item = item->next) {
        expect_keys(result.lines[i], "index,masks");
        assert_int_equal(number_of(result.lines[i], "index"), (double)i);
        const cJSON *mask = array_of(result.lines[i], "masks")->child;
        for (const cJSON *list = array_of(item, "masks")->child; list != NULL; list = list->next, mask = mask->next) {
            assert_non_null(mask);
            expect_keys(mask, "start,end,predictions");
            assert_int_equal(number_of(mask, "end") - number_of(mask, "start"), strlen("[MASK]"));
            const cJSON *found = array_of(mask, "predictions")->child;
            assert_int_equal(cJSON_GetArraySize(array_of(mask, "predictions")), 5);
            for (const cJSON *best = list->child; best != NULL; best = best->next, found = found->next) {
                expect_keys(found, "token,id,score,text");
                assert_string_equal(text_of(found, "token"), text_of(best, "token_str"));
                assert_int_equal(number_of(found, "id"), number_of(best, "token"));
                assert_string_equal(text_of(found, "text"), text_of(best, "sequence"));
                assert_true(fabs(number_of(found, "score") - number_of(best, "score")) < 2e-5);
            }
        }
        assert_null(mask);
    }
    free_outcome(&result);
    encl_string_free(&lines);
    cJSON_Delete(golden);
}

static void test_ways(void **state) {
    (void)state;
    need_device();
    const char *tsv = write_text("in.tsv", "n\tsentence\n1\thello [MASK]!\n2\t[MASK]\n");
    const char *path = in_folder("masks.jsonl");
    outcome texts = RUN("", "fill-mask", model, "--json", "--top", "2", "hello [MASK]!", "[MASK]");
    parse_lines(&texts);
    assert_int_equal(texts.line_count, 2);
    assert_int_equal(number_of(array_of(texts.lines[0], "masks")->child, "start"), 6);
    assert_int_equal(cJSON_GetArraySize(array_of(array_of(texts.lines[1], "masks")->child, "predictions")), 2);
    outcome ways[] = {
        RUN("hello [MASK]!\n[MASK]\n", "fill-mask", model, "--json", "--top", "2"),
        RUN("", "fill-mask", model, "--json", "--top", "2", "--input", tsv, "--column", "sentence"),
        RUN("", "fill-mask", model, "--json", "--top", "2", "--batch-tokens", "96", "hello [MASK]!", "[MASK]"),
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        expect_exit(&ways[i], 0);
        assert_string_equal(ways[i].out, texts.out);
        free_outcome(&ways[i]);
    }
    outcome file = RUN("", "fill-mask", model, "--top", "2", "--output", path, "hello [MASK]!", "[MASK]");
    expect_exit(&file, 0);
    assert_string_equal(file.out, "");
    char *written = NULL;
    size_t length = 0;
    assert_ok(encl_file_read(path, 1 << 20, &written, &length));
    assert_string_equal(written, texts.out);
    free(written);
    free_outcome(&file);
    outcome people = RUN("", "fill-mask", model, "--top", "2", "hello [MASK]!");
    expect_exit(&people, 0);
    assert_int_equal(count_lines(people.out), 4); // headings, a rule and two rows
    assert_non_null(strstr(people.out, "helloi!"));
    assert_non_null(strstr(people.out, "6-12"));
    free_outcome(&people);
    outcome none = RUN("", "fill-mask", model);
    expect_exit(&none, 0);
    assert_string_equal(none.out, "");
    free_outcome(&none);
    free_outcome(&texts);
}

static void test_truncation(void **state) {
    (void)state;
    need_device();
    const char *text = "one [MASK] two three four five six [MASK]";
    outcome warned = RUN("", "fill-mask", model, "--json", "--max-length", "9", text);
    parse_lines(&warned);
    assert_int_equal(cJSON_GetArraySize(array_of(warned.lines[0], "masks")), 1);
    assert_int_equal(count_lines(warned.err), 2);
    assert_non_null(strstr(warned.err, "text 1: the mask at 35-41 was cut off"));
    assert_non_null(strstr(warned.err, "1 of 1 texts"));
    outcome quiet = RUN("", "fill-mask", model, "--json", "--max-length", "9", "--quiet", text);
    assert_string_equal(quiet.err, "");
    assert_string_equal(quiet.out, warned.out);
    expect_bad(RUN("", "fill-mask", model, "--max-length", "9", "--no-truncate", text), "expected at most 9");
    expect_bad(RUN("", "fill-mask", model, "--max-length", "3", text), "the mask at 4-10 was cut off");
    free_outcome(&quiet);
    free_outcome(&warned);
}

static void test_bad_input(void **state) {
    (void)state;
    need_device();
    expect_bad(RUN("[MASK]\nno mask\n", "fill-mask", model, "--json"), "text 2: found no [MASK]");
    expect_bad(RUN("", "fill-mask", "tests/fixtures/tiny-qa", "[MASK]"), "no MLM head");
    expect_bad(RUN("", "fill-mask", model, "--input", in_folder("none.tsv")), "none.tsv: cannot open");
    const char *path = in_folder("failed.jsonl");
    expect_bad(RUN("[MASK]\nno mask\n", "fill-mask", model, "--output", path), "text 2");
    assert_false(encl_path_exists(path));
}

static void test_wrong_usage(void **state) {
    (void)state;
    expect_misuse(RUN("", "fill-mask"), "found 0 arguments, expected MODEL [TEXT...]");
    expect_misuse(RUN("", "fill-mask", model, "--top", "0"), "--top: found '0', expected a whole number from 1 to 64");
    expect_misuse(RUN("", "fill-mask", model, "--top", "65"), "--top: found '65'");
    expect_misuse(RUN("", "fill-mask", model, "--top", "five"), "--top: found 'five'");
    expect_misuse(RUN("", "fill-mask", model, "--output", "a.npy"), "expected a name that ends in .jsonl");
    expect_misuse(RUN("", "fill-mask", model, "--input", "a.tsv", "[MASK]"), "found --input and 1 texts");
    expect_misuse(RUN("", "fill-mask", model, "--column", "2"), "--column: found 'no --input'");
    expect_misuse(RUN("", "fill-mask", model, "--pair", "b"), "--pair");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),    cmocka_unit_test(test_ways),        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_bad_input), cmocka_unit_test(test_wrong_usage),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
