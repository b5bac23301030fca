// --precision, --exact-layers and --calibration: what they do to results, what is said of them, and wrong uses.
#include <math.h>

#include "cli/program.h"

static const char model[] = "tests/fixtures/tiny-bert";

// The embedding of one text with these options.
static void embed(const char *precision, const char *layers, double *values, size_t width) {
    const char *arguments[] = {"embed", model, "one two three", "--json", "--precision", precision, NULL, NULL, NULL};
    if (layers != NULL) {
        arguments[6] = "--exact-layers";
        arguments[7] = layers;
    }
    outcome result = run_program("", arguments);
    parse_lines(&result);
    const cJSON *numbers = array_of(result.lines[0], "embedding");
    assert_int_equal(cJSON_GetArraySize(numbers), width);
    for (size_t i = 0; i < width; i++) {
        values[i] = cJSON_GetArrayItem(numbers, (int)i)->valuedouble;
    }
    free_outcome(&result);
}

enum { WIDTH = 32 };

static double cosine(const double *a, const double *b) { // of embeddings, which have the length 1
    double product = 0;
    for (size_t i = 0; i < WIDTH; i++) {
        product += a[i] * b[i];
    }
    return product;
}

static void test_results(void **state) {
    (void)state;
    need_device();
    static const char *const names[] = {"bf16", "int8"};
    double exact[WIDTH];
    double found[WIDTH];
    embed("fp32", NULL, exact, WIDTH);
    for (size_t i = 0; i < 2; i++) {
        embed(names[i], NULL, found, WIDTH);
        assert_true(memcmp(exact, found, sizeof exact) != 0);
        const double all = cosine(exact, found);
        assert_true(all > (i == 0 ? 0.9995 : 0.99));
        embed(names[i], "1", found, WIDTH);
        assert_true(memcmp(exact, found, sizeof exact) != 0);
        embed(names[i], "2,1", found, WIDTH);
        assert_true(cosine(exact, found) > all && cosine(exact, found) > 1 - 1e-6);
    }
    embed("auto", NULL, found, WIDTH);
    assert_true(cosine(exact, found) > 0.99);
}

static void expect_layers(const cJSON *line, const char *precision, int count) {
    assert_string_equal(text_of(line, "precision"), precision);
    const cJSON *layers = array_of(line, "exact_layers");
    assert_int_equal(cJSON_GetArraySize(layers), count);
    for (int i = 0; i < count; i++) {
        assert_int_equal(cJSON_GetArrayItem(layers, i)->valueint, i + 1);
    }
}

static void test_profile(void **state) {
    (void)state;
    need_device();
    outcome result = RUN("", "profile", model, "one two", "--json", "--repeat", "1", "--no-peaks", "--precision",
                         "int8", "--exact-layers", "1", "--csv", in_folder("int8.csv"), "--quiet");
    char *csv = NULL;
    size_t length = 0;
    parse_lines(&result);
    expect_layers(result.lines[1], "int8", 1);
    bool quantized = false;
    for (const cJSON *op = array_of(result.lines[1], "operators")->child; op != NULL; op = op->next) {
        quantized = quantized || strcmp(text_of(op, "op"), "quantize") == 0;
    }
    assert_true(quantized);
    free_outcome(&result);
    assert_ok(read_result("int8.csv", &csv, &length));
    assert_non_null(strstr(csv, ",int8,"));
    assert_non_null(strstr(csv, ",fp32,"));
    free(csv);
    result = RUN("", "profile", model, "one two", "--repeat", "1", "--no-peaks", "--precision", "bf16",
                 "--exact-layers", "1,2");
    expect_exit(&result, 0);
    assert_non_null(strstr(result.out, "in bf16, layers 1,2 in fp32"));
    free_outcome(&result);
}

static void test_bench(void **state) {
    (void)state;
    need_device();
    outcome result = RUN("", "bench", "model", model, "--seq", "8", "--batch", "1", "--precision", "int8",
                         "--exact-layers", "2", "--json", "--min-ms", "1", "--max-ms", "5");
    parse_lines(&result);
    assert_string_equal(text_of(result.lines[1], "dtype"), "int8");
    assert_string_equal(text_of(result.lines[1], "exact_layers"), "2");
    free_outcome(&result);
}

// The second time, the choice is remembered, and the same.
static void test_auto(void **state) {
    (void)state;
    need_device();
    const char *texts = write_text("texts.txt", "one two\nthree four five\n");
    char *before = strdup(getenv("ENCL_CACHE_DIR"));
    assert_non_null(before);
    setenv("ENCL_CACHE_DIR", in_folder("first"), 1); // an earlier run of this test may have chosen
    for (int turn = 0; turn < 2; turn++) {
        outcome result = RUN("", "embed", model, "a", "--precision", "auto", "--calibration", texts, "-v");
        expect_exit(&result, 0);
        assert_non_null(strstr(result.err, "precision "));
        assert_int_equal(strstr(result.err, "(remembered)") != NULL, turn == 1);
        free_outcome(&result);
    }
    setenv("ENCL_CACHE_DIR", before, 1);
    free(before);
}

static void test_failures(void **state) {
    (void)state;
    need_device();
    expect_bad(RUN("", "embed", model, "a", "--precision", "fp16"), "--precision fp16: no kernels of this precision");
    expect_bad(RUN("", "embed", model, "a", "--precision", "int8", "--gemm", "clblast"), "cannot serve precision int8");
    expect_bad(RUN("", "embed", model, "a", "--precision", "int8", "--exact-layers", "3"),
               "--exact-layers: found '3', expected a whole number from 1 to 2");
    expect_bad(RUN("", "embed", model, "a", "--precision", "auto", "--calibration", in_folder("none.txt")), "none.txt");
    expect_bad(RUN("", "embed", model, "a", "--precision", "auto", "--calibration", write_text("empty.txt", "")),
               "found no text");
    expect_bad(
        RUN("", "embed", model, "a", "--precision", "auto", "--calibration", write_text("bad.txt", "a\nb\xff\n")),
        "bad.txt: line 2, byte 2");
    expect_misuse(RUN("", "embed", model, "a", "--precision", "int4"), "'int4'");
    expect_misuse(RUN("", "embed", model, "a", "--exact-layers", "1,1"), "--exact-layers: found 1 twice");
    expect_misuse(RUN("", "embed", model, "a", "--exact-layers", "0"), "--exact-layers: found '0'");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results), cmocka_unit_test(test_profile),  cmocka_unit_test(test_bench),
        cmocka_unit_test(test_auto),    cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
