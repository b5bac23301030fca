// encl bench compare on hand-made files: verdicts that are known, and every kind of bad input.
#include <math.h>

#include "cli/bench_file.h"

typedef struct two_files {
    encl_string a, b;
} two_files;

static two_files begin(void) {
    two_files files = {{0}, {0}};
    bench_header(&files.a, "d", "1");
    bench_header(&files.b, "d", "1");
    return files;
}

static void finish(two_files *files) {
    bench_footer(&files->a, true);
    bench_footer(&files->b, true);
    write_text("a.jsonl", files->a.text);
    write_text("b.jsonl", files->b.text);
    encl_string_free(&files->a);
    encl_string_free(&files->b);
}

#define COMPARE(...) RUN("", "bench", "compare", in_folder("a.jsonl"), in_folder("b.jsonl"), __VA_ARGS__)

// Eleven samples 0.1 % apart: the median is known to 1 %, so 5 % more is slower and 0.2 % more is the same.
static two_files known(void) {
    two_files files = begin();
    bench_result(&files.a, "slower", 1000000, 1000, 11);
    bench_result(&files.b, "slower", 1050000, 1000, 11);
    bench_result(&files.a, "faster", 1000000, 1000, 11);
    bench_result(&files.b, "faster", 500000, 1000, 11);
    bench_result(&files.a, "same", 1000000, 1000, 11);
    bench_result(&files.b, "same", 1002000, 1000, 11);
    bench_result(&files.a, "unclear", 1000000, 50000, 11); // samples 5 % apart
    bench_result(&files.b, "unclear", 1030000, 50000, 11);
    bench_result(&files.a, "few", 1000000, 1000, 3); // too few for an interval
    bench_result(&files.b, "few", 2000000, 1000, 3);
    bench_result(&files.a, "missing", 1000000, 1000, 11);
    bench_result(&files.b, "new", 1000000, 1000, 11);
    return files;
}

static void test_verdicts(void **state) {
    (void)state;
    static const struct {
        const char *case_id, *verdict;
        double ratio; // 0: none
    } rows[] = {
        {"slower", "slower", 1.05}, {"faster", "faster", 0.5}, {"same", "same", 1.002}, {"unclear", "unclear", 1.03},
        {"few", "unclear", 2},      {"missing", "missing", 0}, {"new", "new", 0},
    };
    two_files files = known();
    finish(&files);
    outcome result = COMPARE("--json");
    parse_lines(&result);
    assert_int_equal(result.line_count, 2 + 8); // the geometric mean is a row too
    double product = 1;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const cJSON *row = bench_row(&result, rows[i].case_id);
        assert_string_equal(text_of(row, "verdict"), rows[i].verdict);
        assert_string_equal(text_of(row, "device"), "d");
        if (rows[i].ratio > 0) {
            assert_true(fabs(number_of(row, "ratio") - rows[i].ratio) < 1e-4);
            product *= rows[i].ratio;
        } else {
            assert_true(cJSON_IsNull(cJSON_GetObjectItem(row, "ratio")));
        }
    }
    assert_true(fabs(number_of(bench_row(&result, "slower"), "a_p50_us") - 1000) < 1e-6);
    assert_true(fabs(number_of(bench_row(&result, "slower"), "b_p50_us") - 1050) < 1e-6);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(bench_row(&result, "few"), "ci_lo")));
    assert_true(number_of(bench_row(&result, "slower"), "ci_lo") > 1.02);
    assert_true(fabs(number_of(bench_row(&result, "(geometric mean)"), "ratio") - pow(product, 0.2)) < 1e-3);
    const char *notes = text_of(result.lines[result.line_count - 1], "notes");
    assert_non_null(strstr(notes, "within-run only"));
    assert_non_null(strstr(notes, "1 faster, 1 slower, 1 same, 2 unclear, 2 missing or new"));
    assert_string_equal(result.err, ""); // nothing differs
    free_outcome(&result);
}

static void test_exit_codes(void **state) {
    (void)state;
    two_files files = known();
    finish(&files);
    outcome plain = COMPARE("-q");
    expect_exit(&plain, 0);
    outcome failing = COMPARE("--fail-on", "slower");
    expect_exit(&failing, 3);
    outcome wide = COMPARE("--fail-on", "slower", "--threshold", "10", "--json");
    expect_exit(&wide, 0);
    parse_lines(&wide);
    assert_string_equal(text_of(bench_row(&wide, "slower"), "verdict"), "same");
    free_outcome(&plain);
    free_outcome(&failing);
    free_outcome(&wide);
}

// For people: a table of Markdown, and what the numbers mean.
static void test_table(void **state) {
    (void)state;
    two_files files = known();
    finish(&files);
    outcome result = COMPARE("-q");
    expect_exit(&result, 0);
    assert_non_null(strstr(result.out, "| slower "));
    assert_non_null(strstr(result.out, "| 1.0500 |"));
    assert_non_null(strstr(result.out, "one process each: within-run only"));
    assert_non_null(strstr(result.out, "(geometric mean)"));
    free_outcome(&result);
}

// What could not be measured on one side is no verdict of time.
static void test_failed_rows(void **state) {
    (void)state;
    two_files files = begin();
    static const char error[] = "{\"case_id\":\"%s\",\"device_id\":0,\"status\":\"error\",\"reason\":\"no room\"}\n";
    bench_result(&files.a, "broke", 1000, 1, 11);
    assert_ok(encl_string_format(&files.b, error, "broke"));
    assert_ok(encl_string_format(&files.a, error, "mended"));
    bench_result(&files.b, "mended", 1000, 1, 11);
    assert_ok(encl_string_format(&files.a, error, "never"));
    assert_ok(encl_string_format(&files.b, error, "never"));
    finish(&files);
    outcome result = COMPARE("--json", "--fail-on", "slower");
    parse_lines(&result);
    assert_string_equal(text_of(bench_row(&result, "broke"), "verdict"), "missing");
    assert_string_equal(text_of(bench_row(&result, "broke"), "reason"), "B is error: no room");
    assert_string_equal(text_of(bench_row(&result, "mended"), "verdict"), "new");
    assert_string_equal(text_of(bench_row(&result, "never"), "verdict"), "missing");
    assert_int_equal(result.line_count, 5); // no mean of nothing
    free_outcome(&result);
}

// Files of one device each match by case; the difference is told.
static void test_other_device(void **state) {
    (void)state;
    two_files files = {{0}, {0}};
    bench_header(&files.a, "first", "1");
    bench_header(&files.b, "second", "2");
    bench_result(&files.a, "x", 1000000, 10, 11);
    bench_result(&files.b, "x", 1000000, 10, 11);
    bench_result(&files.a, "y", 1000000, 10, 11);
    assert_ok(encl_string_format(&files.b, "{\"case_id\":\"y\",\"device_id\":0,\"status\":\"ok\",\"sha256\":\"other\","
                                           "\"samples_ns\":[5,5,5,5,5,5,5]}\n"));
    bench_footer(&files.a, true);
    bench_footer(&files.b, false);
    write_text("a.jsonl", files.a.text);
    write_text("b.jsonl", files.b.text);
    outcome result = COMPARE("--json");
    parse_lines(&result);
    assert_string_equal(text_of(bench_row(&result, "x"), "verdict"), "same");
    assert_string_equal(text_of(bench_row(&result, "y"), "verdict"), "faster");
    assert_non_null(strstr(result.err, "different devices: 'first' and 'second'"));
    assert_non_null(strstr(result.err, "different drivers: '1' and '2'"));
    assert_non_null(strstr(result.err, "y: the two have different models"));
    assert_non_null(strstr(result.err, "b.jsonl: ended before its last case"));
    assert_int_equal(count_lines(result.err), 4);
    free_outcome(&result);
    encl_string_free(&files.a);
    encl_string_free(&files.b);
}

// Files of several devices match by case and device's name.
static void test_devices(void **state) {
    (void)state;
    static const char header[] = "{\"schema\":\"encl.bench/1.7\",\"kind\":\"model\",\"devices\":[{\"index\":%d,"
                                 "\"name\":\"one\"},{\"index\":%d,\"name\":\"two\"}]}\n";
    static const char row[] = "{\"case_id\":\"x\",\"device_id\":%d,\"samples_ns\":[%d,%d,%d,%d,%d,%d]}\n";
    two_files files = {{0}, {0}};
    assert_ok(encl_string_format(&files.a, header, 0, 1));
    assert_ok(encl_string_format(&files.b, header, 5, 3)); // other indices
    assert_ok(encl_string_format(&files.a, row, 0, 100, 100, 100, 100, 100, 100));
    assert_ok(encl_string_format(&files.a, row, 1, 200, 200, 200, 200, 200, 200));
    assert_ok(encl_string_format(&files.b, row, 3, 400, 400, 400, 400, 400, 400));
    assert_ok(encl_string_format(&files.b, row, 5, 300, 300, 300, 300, 300, 300));
    finish(&files);
    outcome result = COMPARE("--json");
    parse_lines(&result);
    assert_string_equal(text_of(result.lines[1], "device"), "one");
    assert_true(fabs(number_of(result.lines[1], "ratio") - 3) < 1e-9);
    assert_string_equal(text_of(result.lines[2], "device"), "two");
    assert_true(fabs(number_of(result.lines[2], "ratio") - 2) < 1e-9);
    free_outcome(&result);
}

// Two cards of one kind.
static void test_twins(void **state) {
    (void)state;
    static const char header[] = "{\"schema\":\"encl.bench/1\",\"kind\":\"model\",\"devices\":[{\"index\":0,"
                                 "\"name\":\"one\"},{\"index\":1,\"name\":\"one\"}]}\n";
    static const char row[] = "{\"case_id\":\"x\",\"device_id\":%d,\"samples_ns\":[%d]}\n";
    two_files files = {{0}, {0}};
    encl_string *texts[] = {&files.a, &files.b};
    for (int i = 0; i < 2; i++) {
        assert_ok(encl_string_append(texts[i], header, strlen(header)));
        assert_ok(encl_string_format(texts[i], row, 0, 100));
        assert_ok(encl_string_format(texts[i], row, 1, i == 0 ? 100 : 300));
    }
    finish(&files);
    outcome result = COMPARE("--json");
    parse_lines(&result);
    assert_string_equal(text_of(result.lines[1], "device"), "one");
    assert_true(fabs(number_of(result.lines[1], "ratio") - 1) < 1e-9);
    assert_string_equal(text_of(result.lines[2], "device"), "one (2)");
    assert_true(fabs(number_of(result.lines[2], "ratio") - 3) < 1e-9);
    free_outcome(&result);
}

// ---- Bad input --------------------------------------------------------------------------------------------

#define HEADER "{\"schema\":\"encl.bench/1\",\"kind\":\"model\",\"devices\":[{\"index\":0,\"name\":\"d\"}]}\n"
#define ROW "{\"case_id\":\"x\",\"device_id\":0,\"samples_ns\":[5,6,7]}\n"
#define FOOTER "{\"complete\":true}\n"

static void test_bad_files(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"", "bad.jsonl: found nothing"},
        {"\n", "bad.jsonl:1: "},
        {"case_id,device_id\n", "bad.jsonl:1: "},
        {"[1]\n", "bad.jsonl:1: "},
        {"{\"a\":1}\n", "bad.jsonl:1: schema: found none, expected 'encl.bench/1'"},
        {"{\"schema\":\"encl.profile/1\"}\n", "bad.jsonl:1: schema: found 'encl.profile/1'"},
        {"{\"schema\":\"encl.bench/2\"}\n", "bad.jsonl:1: schema: found 'encl.bench/2', expected 'encl.bench/1'"},
        {"{\"schema\":\"encl.bench/1x\"}\n", "bad.jsonl:1: schema: found 'encl.bench/1x'"},
        {HEADER, "bad.jsonl:1: found the end"},
        {HEADER FOOTER, "bad.jsonl: found no results"},
        {HEADER ROW, "bad.jsonl:2: found the end, expected a last line with \"complete\""},
        {HEADER "{\"case_id\":\"x\",\"device_id\":0,\"sam", "bad.jsonl:2: "},
        {HEADER ROW ROW FOOTER, "bad.jsonl:3: found case 'x' on 'd' again, expected it only in line 2"},
        {HEADER ROW FOOTER ROW, "bad.jsonl:4: found more after the line with \"complete\""},
        {HEADER "{\"device_id\":0,\"samples_ns\":[5]}\n" FOOTER, "bad.jsonl:2: case_id: found none"},
        {HEADER "{\"case_id\":7,\"device_id\":0,\"samples_ns\":[5]}\n" FOOTER, "bad.jsonl:2: case_id: found"},
        {HEADER "{\"case_id\":\"x\",\"device_id\":1,\"samples_ns\":[5]}\n" FOOTER, "bad.jsonl:2: device_id: found 1"},
        {HEADER "{\"case_id\":\"x\",\"samples_ns\":[5]}\n" FOOTER, "bad.jsonl:2: device_id: found -1"},
        {HEADER "{\"case_id\":\"x\",\"device_id\":0}\n" FOOTER, "bad.jsonl:2: samples_ns: found none"},
        {HEADER "{\"case_id\":\"x\",\"device_id\":0,\"samples_ns\":[]}\n" FOOTER,
         "bad.jsonl:2: samples_ns: found none"},
        {HEADER "{\"case_id\":\"x\",\"device_id\":0,\"samples_ns\":[5,0]}\n" FOOTER,
         "bad.jsonl:2: samples_ns: item 2 is no whole number"},
        {HEADER "{\"case_id\":\"x\",\"device_id\":0,\"samples_ns\":[5.5]}\n" FOOTER,
         "bad.jsonl:2: samples_ns: item 1 is no whole number"},
        {HEADER "{\"case_id\":\"x\",\"device_id\":0,\"samples_ns\":\"5\"}\n" FOOTER,
         "bad.jsonl:2: samples_ns: found none"},
        {HEADER "{\"case_id\":\"\xff\",\"device_id\":0}\n" FOOTER, "bad.jsonl:2: "},
        {"{\"schema\":\"encl.bench/1\",\"kind\":\"gemm\",\"devices\":[{\"index\":0,\"name\":\"d\"}]}\n" ROW FOOTER,
         "expected the same"},
    };
    char good[PATH_LENGTH]; // in_folder's own texts do not last
    snprintf(good, sizeof good, "%s", write_text("good.jsonl", HEADER ROW FOOTER));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *bad = write_text("bad.jsonl", rows[i].text);
        expect_bad(RUN("", "bench", "compare", i % 2 == 0 ? good : bad, i % 2 == 0 ? bad : good), rows[i].message);
    }
    expect_bad(RUN("", "bench", "compare", good, in_folder("none.jsonl")), "none.jsonl");
    expect_bad(RUN("", "bench", "compare", folder, good), folder);
}

// A file cut anywhere is never taken for a whole one.
static void test_cut(void **state) {
    (void)state;
    static const char whole[] = HEADER ROW FOOTER;
    char cut[sizeof whole];
    char good[PATH_LENGTH];
    snprintf(good, sizeof good, "%s", write_text("good.jsonl", whole));
    for (size_t length = 0; length + 2 < sizeof whole; length += 5) { // only the last newline may be missing
        memcpy(cut, whole, length);
        cut[length] = '\0';
        expect_bad(RUN("", "bench", "compare", good, write_text("cut.jsonl", cut)), "cut.jsonl:");
    }
}

static void test_misuse(void **state) {
    (void)state;
    expect_misuse(RUN("", "bench", "compare", "a"), "found 1 argument, expected A B");
    expect_misuse(RUN("", "bench", "compare", "a", "b", "c"), "unexpected argument 'c'");
    expect_misuse(RUN("", "bench", "compare", "a", "b", "--fail-on", "faster"), "--fail-on: found 'faster'");
    expect_misuse(RUN("", "bench", "compare", "a", "b", "--threshold", "0"), "--threshold: found '0'");
    expect_misuse(RUN("", "bench", "compare", "a", "b", "--threshold", "2%"), "--threshold: found '2%'");
    expect_misuse(RUN("", "bench", "compare", "a", "b", "--threshold", "nan"), "--threshold: found 'nan'");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),    cmocka_unit_test(test_exit_codes),   cmocka_unit_test(test_table),
        cmocka_unit_test(test_failed_rows), cmocka_unit_test(test_other_device), cmocka_unit_test(test_devices),
        cmocka_unit_test(test_twins),       cmocka_unit_test(test_bad_files),    cmocka_unit_test(test_cut),
        cmocka_unit_test(test_misuse),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
