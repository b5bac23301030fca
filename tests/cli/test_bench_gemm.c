// encl bench gemm: tiny products by own kernels and by the library, on every device.
#include "program.h"

#define QUICK "--samples", "2", "--min-ms", "1", "--max-ms", "1000"

static const cJSON *find_case(const outcome *result, const char *case_id) {
    for (size_t i = 1; i + 1 < result->line_count; i++) {
        if (strcmp(text_of(result->lines[i], "case_id"), case_id) == 0) {
            return result->lines[i];
        }
    }
    fail_msg("no case '%s'", case_id);
    return NULL;
}

static void expect_times(const cJSON *line) {
    assert_string_equal(text_of(line, "status"), "ok");
    assert_true(number_of(line, "p50_us") > 0);
    assert_true(number_of(line, "wall_p50_us") > 0);
    assert_true(number_of(line, "gflops") >= 0); // two digits behind the point
    assert_true(number_of(line, "max_abs_err") < 1e-4);
    if (strcmp(text_of(line, "timer"), "event") == 0) {
        assert_true(number_of(line, "event_p50_us") > 0);
    } else {
        assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(line, "event_p50_us")));
    }
}

// Own kernels on every device; one of them is what the runtime picks where it does not pick the library.
static void check_own(const char *device) {
    size_t picked = 0;
    outcome result = RUN("", "bench", "gemm", "--device", device, "--m", "1,5", "--nk", "33x12,40x16", "--impl", "own",
                         "--same-bits", "--json", QUICK);
    parse_lines(&result);
    assert_string_equal(text_of(result.lines[0], "kind"), "gemm");
    const cJSON *line = find_case(&result, "linear_plain 5x33x12");
    assert_int_equal((int)number_of(line, "gemm_m"), 5);
    assert_int_equal((int)number_of(line, "gemm_n"), 33);
    assert_int_equal((int)number_of(line, "gemm_k"), 12);
    assert_int_equal((int)number_of(line, "flops"), 2 * 5 * 33 * 12);
    assert_int_equal((int)number_of(line, "rows_checked"), 5);
    for (size_t i = 1; i + 1 < result.line_count; i++) {
        expect_times(result.lines[i]);
        assert_string_equal(text_of(result.lines[i], "impl"), "own");
        const bool pick = strcmp(text_of(result.lines[i], "picked"), "yes") == 0;
        const cJSON *gain = cJSON_GetObjectItemCaseSensitive(result.lines[i], "gain");
        picked += pick;
        // Where there is one kernel only, there is nothing to gain.
        assert_true(result.line_count == 4 + 2 || cJSON_IsNumber(gain) == pick);
    }
    assert_int_equal(picked, 4); // one a product
    free_outcome(&result);
}

static void test_own_kernels_on_every_device(void **state) {
    (void)state;
    need_device();
    outcome devices = RUN("", "devices", "--json");
    parse_lines(&devices);
    for (size_t d = 0; d < devices.line_count; d++) {
        char index[16];
        snprintf(index, sizeof index, "%d", (int)number_of(devices.lines[d], "index"));
        check_own(index);
    }
    free_outcome(&devices);
}

// The library's rows beside own ones. On software rasterizers its kernels take minutes to compile.
static void test_the_library(void **state) {
    (void)state;
    need_device();
    outcome devices = RUN("", "devices", "--json");
    parse_lines(&devices);
    for (size_t d = 0; d < devices.line_count; d++) {
        char index[16];
        snprintf(index, sizeof index, "%d", (int)number_of(devices.lines[d], "index"));
        if (strstr(text_of(devices.lines[d], "name"), "llvmpipe") != NULL) {
            continue;
        }
        outcome result = RUN("", "bench", "gemm", "--device", index, "--m", "5", "--nk", "33x12", "--impl",
                             "clblast,own", "--gemm", "clblast", "--hot", "--json", QUICK);
        parse_lines(&result);
        const cJSON *line = find_case(&result, "clblast 5x33x12 hot");
        expect_times(line);
        assert_string_equal(text_of(line, "picked"), "yes");
        assert_string_equal(text_of(line, "epilogue"), "none");
        assert_true(number_of(line, "gain") > 0);
        assert_int_equal((int)number_of(line, "buffer_sets"), 1);
        line = find_case(&result, "linear_plain 5x33x12 hot");
        assert_string_equal(text_of(line, "picked"), "no");
        assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(line, "gain")));
        free_outcome(&result);
    }
    free_outcome(&devices);
}

// Once a small product has told how fast a kernel is, one that cannot be done in time is not begun.
static void test_long_products_are_skipped(void **state) {
    (void)state;
    need_device();
    size_t skipped = 0;
    outcome result = RUN("", "bench", "gemm", "--m", "1,64", "--nk", "64x64,512x512", "--impl", "own", "--same-bits",
                         "--samples", "1", "--max-ms", "1", "--json");
    parse_lines(&result);
    for (size_t i = 1; i + 1 < result.line_count; i++) {
        if (strcmp(text_of(result.lines[i], "status"), "skipped") == 0) {
            assert_non_null(strstr(text_of(result.lines[i], "reason"), "more than --max-ms, 0.001 s"));
            assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(result.lines[i], "p50_us")));
            skipped++;
        } else {
            expect_times(result.lines[i]);
        }
    }
    print_message("%zu skipped\n", skipped);
    free_outcome(&result);
}

static void test_wrong_options(void **state) {
    (void)state;
    static const char *const wrong[] = {"768",         "768x", "x768",    "768x0", "768x768,",
                                        "768x768x768", "-1x2", "1x70000", ""};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        expect_misuse(RUN("", "bench", "gemm", "--nk", wrong[i]),
                      "expected a list such as 768x768,3072x768 of at most");
    }
    expect_misuse(RUN("", "bench", "gemm", "--nk", "8x8,8x9,8x8"), "--nk: found 8x8 twice");
    expect_misuse(RUN("", "bench", "gemm", "--m", "0"), "--m: found '0'");
    expect_misuse(RUN("", "bench", "gemm", "--impl", "own,blas"), "--impl: found 'own,blas', expected a list of own");
    expect_misuse(RUN("", "bench", "gemm", "--impl", ""), "--impl: found '', expected a list of own");
    expect_misuse(RUN("", "bench", "gemm", "--min-ms", "10", "--max-ms", "5"), "--min-ms: found 10");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_kernels_on_every_device),
        cmocka_unit_test(test_the_library),
        cmocka_unit_test(test_long_products_are_skipped),
        cmocka_unit_test(test_wrong_options),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
