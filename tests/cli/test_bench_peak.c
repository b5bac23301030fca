// encl bench peak from outside: its three forms of output, what is kept, and wrong uses.
#include "program.h"

#define BRIEF "--quick", "--max-bytes", "131072", "--samples", "3", "--min-ms", "1", "--max-ms", "50"

static size_t count_devices(void) {
    outcome result = RUN("", "devices", "--json");
    parse_lines(&result);
    const size_t count = result.line_count;
    free_outcome(&result);
    return count;
}

// The first line is the header, the last the footer; between them is a figure a line.
static void test_json_lines(void **state) {
    (void)state;
    need_device();
    outcome result = RUN("", "bench", "peak", BRIEF, "-o", "jsonl");
    parse_lines(&result);
    assert_string_equal(text_of(result.lines[0], "schema"), "encl.bench/1");
    assert_string_equal(text_of(result.lines[0], "kind"), "peak");
    size_t good = 0;
    for (size_t i = 1; i + 1 < result.line_count; i++) {
        const cJSON *line = result.lines[i];
        const char *status = text_of(line, "status");
        assert_int_equal(strncmp(text_of(line, "case_id"), "peak ", 5), 0);
        if (strcmp(status, "ok") == 0) {
            assert_true(number_of(line, "value") > 0.0);
            assert_true(number_of(line, "p50_us") > 0.0);
            assert_in_range((int)number_of(line, "n"), 1, 3);
            const cJSON *samples = cJSON_GetObjectItemCaseSensitive(line, "samples_ns");
            assert_int_equal(cJSON_GetArraySize(samples), (int)number_of(line, "n"));
            good++;
        } else {
            assert_string_equal(status, "unsupported");
            assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(line, "value")));
            assert_true(strlen(text_of(line, "reason")) > 0);
        }
    }
    assert_true(good >= 3 + 1 + 3 + 4); // memory, fp32, launches, transfers
    free_outcome(&result);

    outcome same = RUN("", "--json", "bench", "peak", BRIEF);
    parse_lines(&same);
    assert_string_equal(text_of(same.lines[0], "schema"), "encl.bench/1");
    free_outcome(&same);
}

static void test_csv(void **state) {
    (void)state;
    need_device();
    outcome result = RUN("", "bench", "peak", BRIEF, "-o", "csv", "--jsonl", in_folder("peak.jsonl"));
    expect_exit(&result, 0);
    assert_non_null(strstr(result.out, "case_id,"));
    assert_non_null(strstr(result.out, "\npeak fp32_fma,"));
    assert_non_null(strstr(result.out, "\npeak copy 128 KiB,"));
    assert_non_null(strstr(result.out, "\npeak upload_latency 64 B,"));
    assert_null(strcasestr(result.out, "nan,"));
    assert_null(strcasestr(result.out, "inf,"));
    char *lines = NULL;
    size_t length = 0;
    assert_ok(read_result("peak.jsonl", &lines, &length));
    assert_non_null(strstr(lines, "\"samples_ns\":["));
    free(lines);
    free_outcome(&result);
}

// Every device that is chosen has its rows.
static void test_table(void **state) {
    (void)state;
    need_device();
    outcome result = RUN("", "bench", "peak", BRIEF, "--device", "all");
    expect_exit(&result, 0);
    size_t found = 0;
    for (const char *at = result.out; (at = strstr(at, "| peak fp32_fma ")) != NULL; at++) {
        found++;
    }
    assert_int_equal(found, count_devices());
    free_outcome(&result);
}

// What a small buffer gave is no peak; what was measured in full is kept.
static void test_kept(void **state) {
    (void)state;
    need_device();
    char peaks[PATH_LENGTH];
    snprintf(peaks, sizeof peaks, "%s/kept", folder);
    const char *before = getenv("ENCL_CACHE_DIR");
    char *restored = before != NULL ? strdup(before) : NULL;
    setenv("ENCL_CACHE_DIR", peaks, 1);
    snprintf(peaks, sizeof peaks, "%s/kept/peaks", folder);

    outcome small = RUN("", "bench", "peak", BRIEF);
    expect_exit(&small, 0);
    free_outcome(&small);
    assert_false(encl_path_exists(peaks));

    // An allocation of at most 1 MiB, so that this is quick on any device.
    setenv("ENCL_MAX_ALLOCATION", "1048576", 1);
    outcome whole = RUN("", "bench", "peak", "--quick", "--samples", "1", "--max-ms", "5");
    unsetenv("ENCL_MAX_ALLOCATION");
    expect_exit(&whole, 0);
    free_outcome(&whole);
    assert_true(encl_path_exists(peaks));
    if (restored != NULL) {
        setenv("ENCL_CACHE_DIR", restored, 1);
    } else {
        unsetenv("ENCL_CACHE_DIR");
    }
    free(restored);
}

static void test_misuse(void **state) {
    (void)state;
    expect_misuse(RUN("", "bench", "peak", "--max-bytes", "100"), "--max-bytes: found '100'");
    expect_misuse(RUN("", "bench", "peak", "--max-bytes", "much"), "--max-bytes: found 'much'");
    expect_misuse(RUN("", "bench", "peak", "--min-ms", "50", "--max-ms", "5"), "--min-ms: found 50");
    expect_misuse(RUN("", "bench", "peak", "--samples", "0"), "--samples: found '0'");
    expect_misuse(RUN("", "bench", "peak", "-o", "xml"), "--output: found 'xml', expected md, csv or jsonl");
    expect_misuse(RUN("", "bench", "peak", "--hot"), "--hot");
    expect_misuse(RUN("", "bench", "peak", "model"), "model");
    outcome help = RUN("", "bench", "peak", "--help");
    expect_exit(&help, 0);
    assert_non_null(strstr(help.out, "--max-bytes"));
    free_outcome(&help);
}

static void test_bad_places(void **state) {
    (void)state;
    need_device();
    outcome nowhere = RUN("", "bench", "peak", BRIEF, "--device", "nosuchdevice");
    assert_int_not_equal(nowhere.exit_code, 0);
    assert_int_equal(count_lines(nowhere.err), 1);
    assert_string_equal(nowhere.out, "");
    free_outcome(&nowhere);
    expect_bad(RUN("", "bench", "peak", BRIEF, "--csv", in_folder("in.txt/peak.csv")), "in.txt"); // in.txt is a file
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_lines), cmocka_unit_test(test_csv),    cmocka_unit_test(test_table),
        cmocka_unit_test(test_kept),       cmocka_unit_test(test_misuse), cmocka_unit_test(test_bad_places),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
