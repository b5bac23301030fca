// encl bench tokenizer: counts what it says it counts, and its numbers fit each other.
#include <math.h>

#include "cli/program.h"

static const char model[] = "tests/fixtures/tiny-bert";
#define QUICK "--samples", "3", "--min-ms", "1", "--json"

// As many tokens as `encl tokenize` shows for the same texts.
static double tokens_of(const char *input, const char *max_length) {
    outcome result = RUN(input, "tokenize", model, "--max-length", max_length, "--json");
    parse_lines(&result);
    double tokens = 0;
    for (size_t i = 0; i < result.line_count; i++) {
        tokens += cJSON_GetArraySize(array_of(result.lines[i], "ids"));
    }
    free_outcome(&result);
    return tokens;
}

static void expect_row(outcome *result, double texts, double tokens, double bytes) {
    parse_lines(result);
    assert_int_equal(result->line_count, 3);
    const cJSON *row = result->lines[1];
    const double seconds = number_of(row, "p50_us") / 1e6;
    assert_string_equal(text_of(row, "status"), "ok");
    assert_string_equal(text_of(row, "model"), "tiny-bert");
    assert_int_equal(number_of(row, "texts"), texts);
    assert_int_equal(number_of(row, "real_tokens"), tokens);
    assert_int_equal(number_of(row, "text_bytes"), bytes);
    assert_int_equal(cJSON_GetArraySize(array_of(row, "samples_ns")), 3);
    assert_true(seconds > 0 && fabs(number_of(row, "texts_per_s") * seconds / texts - 1) < 0.01);
    assert_true(fabs(number_of(row, "tokens_per_s") * seconds / tokens - 1) < 0.01);
    free_outcome(result);
}

static void test_lines(void **state) {
    (void)state;
    static const char texts[] = "hello world\n\nthe quick brown fox jumps over the lazy dog\n";
    outcome all = RUN(texts, "bench", "tokenizer", model, QUICK);
    expect_row(&all, 3, tokens_of(texts, "1000"), sizeof texts - 1 - 3);
    outcome some = RUN(texts, "bench", "tokenizer", model, QUICK, "--max-length", "4");
    expect_row(&some, 3, tokens_of(texts, "4"), sizeof texts - 1 - 3);
}

static void test_columns(void **state) {
    (void)state;
    const char *path = write_text("texts.tsv", "label\ttext\n1\thello\n0\tworld hello\n");
    outcome result = RUN("", "bench", "tokenizer", model, QUICK, "--input", path, "--column", "text");
    expect_row(&result, 2, tokens_of("hello\nworld hello\n", "1000"), 16);
}

static void test_wrong(void **state) {
    (void)state;
    expect_misuse(RUN("", "bench", "tokenizer"), "MODEL");
    expect_misuse(RUN("", "bench", "tokenizer", model, "a", "--input", "b"), "--input");
    expect_misuse(RUN("", "bench", "tokenizer", model, "a", "--max-length", "none"), "--max-length: found 'none'");
    expect_misuse(RUN("", "bench", "tokenizer", model, "a", "--min-ms", "2", "--max-ms", "1"), "--min-ms: found 2");
    expect_bad(RUN("", "bench", "tokenizer", model), "texts: found none");
    expect_bad(RUN("", "bench", "tokenizer", "no-such-model", "a"), "no-such-model");
    expect_bad(RUN("a\n\xff\n", "bench", "tokenizer", model), "line 2");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_wrong),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
