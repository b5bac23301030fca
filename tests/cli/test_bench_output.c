// What bench commands write: every column and key is in a golden file, because others read them; and all that holds
// whatever is measured.
#include <math.h>

#include "cli/bench_file.h"

static const char model[] = "tests/fixtures/tiny-bert";
#define QUICK "--samples", "3", "--min-ms", "1"

// ---- Keys -------------------------------------------------------------------------------------------------

// "a,b{c,d},e[]": the keys of an object, of objects in it, and of the first object of arrays.
static void describe(const cJSON *object, encl_string *text) {
    for (const cJSON *item = object->child; item != NULL; item = item->next) {
        assert_ok(encl_string_format(text, "%s%s", item == object->child ? "" : ",", item->string));
        const bool list = cJSON_IsArray(item);
        const cJSON *inner = list && item->child != NULL ? item->child : item;
        assert_ok(encl_string_format(text, "%s", list ? "[" : ""));
        const bool varies = strcmp(item->string, "environment") == 0 || strcmp(item->string, "peaks") == 0;
        if (cJSON_IsObject(inner) && !varies) {
            assert_ok(encl_string_format(text, "{"));
            describe(inner, text);
            assert_ok(encl_string_format(text, "}"));
        }
        assert_ok(encl_string_format(text, "%s", list ? "]" : ""));
    }
}

static void add_description(const char *name, const cJSON *object, encl_string *text) {
    assert_ok(encl_string_format(text, "%s: ", name));
    describe(object, text);
    assert_ok(encl_string_format(text, "\n"));
}

static void expect_golden(const char *name, const char *found) {
    char path[PATH_LENGTH];
    char *expected = NULL;
    size_t length = 0;
    snprintf(path, sizeof path, "tests/golden/bench/%s.txt", name);
    if (encl_file_read(path, 1 << 20, &expected, &length) != ENCL_OK || strcmp(expected, found) != 0) {
        fail_msg("%s does not hold these keys; keys may be added within a schema's version, never renamed or removed. "
                 "Found:\n%s",
                 path, found);
    }
    free(expected);
}

// The names in CSV, and the keys of header, first result and footer.
static void expect_keys_of(const char *name, const outcome *csv, outcome *jsonl) {
    encl_string text = {0};
    expect_exit(csv, 0);
    parse_lines(jsonl);
    assert_true(jsonl->line_count >= 3);
    assert_ok(encl_string_format(&text, "csv: %.*s\n", (int)strcspn(csv->out, "\n"), csv->out));
    add_description("header", jsonl->lines[0], &text);
    size_t result = 1; // with times: what is unsupported has no samples
    while (result + 2 < jsonl->line_count && cJSON_GetObjectItem(jsonl->lines[result], "samples_ns") == NULL &&
           cJSON_GetObjectItem(jsonl->lines[result], "verdict") == NULL) {
        result++;
    }
    add_description("result", jsonl->lines[result], &text);
    add_description("footer", jsonl->lines[jsonl->line_count - 1], &text);
    expect_golden(name, text.text);
    encl_string_free(&text);
}

static void test_model_keys(void **state) {
    (void)state;
    need_device();
    outcome csv = RUN("", "bench", "model", model, QUICK, "--batch", "1", "--seq", "8", "-o", "csv");
    outcome jsonl = RUN("", "bench", "model", model, QUICK, "--batch", "1", "--seq", "8", "--json");
    expect_keys_of("model", &csv, &jsonl);
    assert_string_equal(text_of(jsonl.lines[0], "schema"), "encl.bench/1");
    free_outcome(&csv);
    free_outcome(&jsonl);
}

// The kinds that measure without a model.
static void test_other_keys(void **state) {
    (void)state;
    need_device();
    char shapes[PATH_LENGTH];
    snprintf(shapes, sizeof shapes, "%s", write_text("shapes.txt", "normalize rows=1 columns=8\n"));
    const struct {
        const char *kind;
        const char *words[7];
    } rows[] = {
        {"peak", {"--quick", "--max-bytes", "65536", "--max-ms", "5"}},
        {"kernels", {"--shapes", shapes, "--kernel", "normalize", "--max-ms", "5"}},
        {"gemm", {"--m", "1", "--nk", "32x32", "--impl", "own"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        outcome results[2];
        for (int j = 0; j < 2; j++) {
            const char *arguments[16] = {"bench", rows[i].kind, QUICK, "-o", j == 0 ? "csv" : "jsonl"};
            memcpy(arguments + 8, rows[i].words, sizeof rows[i].words);
            results[j] = run_program("", arguments);
        }
        expect_keys_of(rows[i].kind, &results[0], &results[1]);
        assert_string_equal(text_of(results[1].lines[0], "kind"), rows[i].kind);
        free_outcome(&results[0]);
        free_outcome(&results[1]);
    }
}

static void test_compare_keys(void **state) {
    (void)state;
    encl_string text = {0};
    bench_header(&text, "d", "1");
    bench_result(&text, "x", 1000, 1, 11);
    bench_footer(&text, true);
    const char *path = write_text("a.jsonl", text.text);
    outcome csv = RUN("", "bench", "compare", path, path, "-o", "csv");
    outcome jsonl = RUN("", "bench", "compare", path, path, "-o", "jsonl");
    expect_keys_of("compare", &csv, &jsonl);
    assert_string_equal(text_of(jsonl.lines[0], "schema"), "encl.compare/1");
    free_outcome(&csv);
    free_outcome(&jsonl);
    encl_string_free(&text);
}

// ---- CSV --------------------------------------------------------------------------------------------------

// Reads one field of RFC 4180; returns what follows it: a comma, a line's end or the text's.
static const char *read_field(const char *at, char *field, size_t size) {
    size_t used = 0;
    const bool quoted = *at == '"';
    at += quoted ? 1 : 0;
    for (; *at != '\0'; at++) {
        if (quoted && *at == '"' && at[1] == '"') {
            at++;
        } else if (quoted ? *at == '"' : *at == ',' || *at == '\n') {
            break;
        }
        assert_true(used + 1 < size);
        field[used++] = *at;
    }
    field[used] = '\0';
    if (quoted) {
        assert_int_equal(*at, '"');
        at++;
    }
    return at;
}

enum { FIELDS = 128, FIELD = 2048 };
static char names[FIELDS][FIELD];
static char fields[FIELDS][FIELD];

static size_t read_line(const char **at, char line[FIELDS][FIELD]) {
    size_t count = 0;
    for (;;) {
        assert_true(count < FIELDS);
        *at = read_field(*at, line[count++], FIELD);
        if (**at != ',') {
            break;
        }
        (*at)++;
    }
    assert_int_equal(**at, '\n');
    (*at)++;
    return count;
}

static const char *field_of(const char *name, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return fields[i];
        }
    }
    fail_msg("no column '%s'", name);
    return NULL;
}

// Every line has a field for every name, also where texts hold commas and quotes, and the numbers of the JSON.
static void test_csv(void **state) {
    (void)state;
    need_device();
    const char *csv = in_folder("r.csv");
    const char *jsonl = in_folder("r.jsonl");
    outcome result = RUN("", "bench", "model", model, QUICK, "--batch", "1,2", "--seq", "8", "--pooling", "cls,mean",
                         "--csv", csv, "--jsonl", jsonl);
    expect_exit(&result, 0);
    char *text = NULL;
    size_t length = 0;
    assert_ok(read_result("r.csv", &text, &length));
    outcome read = {0};
    assert_ok(read_result("r.jsonl", &read.out, &read.out_length));
    parse_lines(&read);
    const char *at = text;
    const size_t count = read_line(&at, names);
    size_t rows = 0;
    for (; *at != '\0'; rows++) {
        assert_int_equal(read_line(&at, fields), count);
        const cJSON *same = read.lines[1 + rows];
        assert_string_equal(field_of("case_id", count), text_of(same, "case_id"));
        assert_non_null(strstr(field_of("case_id", count), "cls,mean"));
        assert_true(fabs(strtod(field_of("p50_us", count), NULL) - number_of(same, "p50_us")) < 1e-9);
        assert_non_null(strstr(field_of("command_line", count), "bench model"));
        assert_string_equal(field_of("p99_us", count), ""); // three samples cannot tell
        assert_true(field_of("device_name", count)[0] != '\0' && field_of("driver", count)[0] != '\0');
    }
    assert_int_equal(rows, 2);
    free(text);
    free_outcome(&read);
    free_outcome(&result);
}

// ---- Markdown ---------------------------------------------------------------------------------------------

static size_t count_bars(const char *line, size_t length) {
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        count += line[i] == '|' && (i == 0 || line[i - 1] != '\\') ? 1 : 0;
    }
    return count;
}

// A table whose lines have as many cells as its head, in the order of the cases whatever the order of the runs.
static void test_markdown(void **state) {
    (void)state;
    need_device();
    outcome result = RUN("", "bench", "model", model, QUICK, "--batch", "1,2,3", "--seq", "8", "--seed", "5");
    expect_exit(&result, 0);
    size_t bars = 0;
    size_t lines = 0;
    int batch = 0;
    for (const char *line = result.out; *line != '\0'; line += strcspn(line, "\n") + 1) {
        const size_t length = strcspn(line, "\n");
        if (line[0] != '|') {
            continue;
        }
        bars = lines == 0 ? count_bars(line, length) : bars;
        assert_int_equal(count_bars(line, length), bars);
        assert_int_equal(line[length - 1], '|');
        if (lines == 1) {
            assert_int_equal(strspn(line, "|-: "), length);
        } else if (lines > 1) {
            int found = 0;
            assert_int_equal(sscanf(line, "| tiny-bert %dx8", &found), 1);
            assert_int_equal(found, ++batch);
        }
        lines++;
    }
    assert_int_equal(lines, 5);
    assert_non_null(strstr(result.err, "tiny-bert 1x8: ")); // no terminal: a line for every case
    outcome quiet = RUN("", "bench", "model", model, QUICK, "--batch", "1", "--seq", "8", "-q");
    expect_exit(&quiet, 0);
    assert_string_equal(quiet.err, "");
    free_outcome(&quiet);
    free_outcome(&result);
}

// ---- The end ----------------------------------------------------------------------------------------------

static void wait_for_lines(size_t lines) {
    for (int i = 0; i < 12000; i++) {
        char *text = NULL;
        size_t length = 0;
        const bool there = read_result("out.txt", &text, &length) == ENCL_OK && count_lines(text) >= lines;
        free(text);
        if (there) {
            return;
        }
        usleep(10000);
    }
    fail_msg("no %zu lines after two minutes", lines);
}

// Ctrl-C after the first rows: they are there, the files too, and all say that more was to come.
static void test_interrupt(void **state) {
    (void)state;
    need_device();
    write_text("in.txt", "");
    remove(in_folder("out.txt")); // of the test before
    const char *csv = in_folder("i.csv");
    const char *arguments[] = {"bench",
                               "model",
                               model,
                               "--samples",
                               "3",
                               "--min-ms",
                               "1",
                               "--batch",
                               "1,2,3",
                               "--seq",
                               "8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23",
                               "-o",
                               "jsonl",
                               "--csv",
                               csv,
                               "--max-ms",
                               "100000",
                               NULL};
    pid_t child = start_program(arguments, -1, "out.txt");
    wait_for_lines(3);
    assert_int_equal(kill(child, SIGINT), 0);
    outcome result = finish_program(child);
    assert_int_equal(result.exit_code, 130);
    result.exit_code = 0;
    parse_lines(&result);
    assert_in_range(result.line_count, 4, 49);
    const cJSON *footer = result.lines[result.line_count - 1];
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(footer, "complete")));
    assert_int_equal(number_of(footer, "results"), (double)result.line_count - 2);
    char *text = NULL;
    size_t length = 0;
    assert_ok(read_result("i.csv", &text, &length));
    assert_int_equal(count_lines(text), result.line_count); // header and footer have a line each here too
    const char *at = text;
    const size_t count = read_line(&at, names);
    while (*at != '\0') {
        assert_int_equal(read_line(&at, fields), count);
    }
    assert_string_equal(field_of("status", count), "incomplete");
    free(text);
    free_outcome(&result);
}

static void test_misuse(void **state) {
    (void)state;
    expect_misuse(RUN("", "bench"), "found no command");
    expect_misuse(RUN("", "bench", "nothing"), "unknown command 'nothing'");
    expect_misuse(RUN("", "bench", "model", model, "-o", "xml"), "--output: found 'xml', expected md, csv or jsonl");
    expect_misuse(RUN("", "bench", "model", model, "--min-ms", "0"), "--min-ms: found '0'");
    expect_misuse(RUN("", "bench", "model", model, "--min-ms", "20", "--max-ms", "10"), "--min-ms: found 20");
    expect_misuse(RUN("", "bench", "model", model, "--samples", "x"), "--samples: found 'x'");
    expect_misuse(RUN("", "bench", "model", model, "--seed", "-1"), "--seed: found '-1'");
    outcome help = RUN("", "bench", "--help");
    expect_exit(&help, 0);
    assert_non_null(strstr(help.out, "compare"));
    free_outcome(&help);
}

// A result cannot replace what is no file.
static void test_unwritable(void **state) {
    (void)state;
    need_device();
    expect_bad(RUN("", "bench", "model", model, QUICK, "--csv", folder), "found a folder");
    expect_bad(RUN("", "bench", "model", model, QUICK, "--jsonl", in_folder("no/where.jsonl")), "no/where.jsonl");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model_keys), cmocka_unit_test(test_other_keys), cmocka_unit_test(test_compare_keys),
        cmocka_unit_test(test_csv),        cmocka_unit_test(test_markdown),   cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_misuse),     cmocka_unit_test(test_unwritable),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
