// encl bench model: every case on every device gives numbers that fit each other.
#include <math.h>

#include "cli/program.h"

static const char model[] = "tests/fixtures/tiny-bert";
#define QUICK "--samples", "3", "--min-ms", "1"

static bool is_near(double found, double expected) {
    return fabs(found - expected) <= 1e-3 * fabs(expected) + 1e-3; // three digits are written
}

// What must hold of a row's numbers, whatever the time that was measured.
static void expect_row(const cJSON *row, double texts, double tokens) {
    assert_string_equal(text_of(row, "status"), "ok");
    const cJSON *samples = array_of(row, "samples_ns");
    const double p50_us = number_of(row, "p50_us");
    assert_int_equal(cJSON_GetArraySize(samples), (int)number_of(row, "n"));
    assert_int_equal(number_of(row, "n"), 3);
    assert_true(number_of(row, "min_us") > 0 && number_of(row, "min_us") <= p50_us);
    assert_true(p50_us <= number_of(row, "max_us"));
    assert_int_equal(number_of(row, "texts"), texts);
    assert_int_equal(number_of(row, "real_tokens"), tokens);
    assert_true(is_near(number_of(row, "tokens_per_s"), tokens * 1e6 / p50_us));
    assert_true(is_near(number_of(row, "seqs_per_s"), texts * 1e6 / p50_us));
    assert_true(number_of(row, "create_us") >= number_of(row, "build_us"));
    assert_true(is_near(number_of(row, "ready_us"), number_of(row, "create_us") + number_of(row, "first_us")));
    assert_true(number_of(row, "weight_bytes") > 0);
    assert_true(number_of(row, "peak_mem_bytes") > 0);
    assert_string_equal(text_of(row, "timer"), "wall");
    assert_int_equal(strlen(text_of(row, "sha256")), 64);
}

// Every case of the lists on every device, once each.
static void test_cases(void **state) {
    (void)state;
    need_device();
    outcome result =
        RUN("", "bench", "model", model, QUICK, "--device", "all", "--batch", "1,3", "--seq", "8,20", "--json");
    parse_lines(&result);
    const int devices = cJSON_GetArraySize(array_of(result.lines[0], "devices"));
    assert_int_equal(result.line_count, 2 + 4 * (size_t)devices);
    for (size_t i = 1; i + 1 < result.line_count; i++) {
        const cJSON *row = result.lines[i];
        const double batch = number_of(row, "batch");
        const double seq = number_of(row, "seq");
        char name[64];
        expect_row(row, batch, batch * seq);
        snprintf(name, sizeof name, "tiny-bert %.0fx%.0f", batch, seq);
        assert_string_equal(text_of(row, "case_id"), name);
        for (size_t j = 1; j < i; j++) {
            assert_true(number_of(result.lines[j], "device_id") != number_of(row, "device_id") ||
                        strcmp(text_of(result.lines[j], "case_id"), name) != 0);
        }
        assert_true(number_of(row, "exec_us") > 0 && number_of(row, "gaps_us") >= 0);
    }
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(result.lines[result.line_count - 1], "complete")));
    free_outcome(&result);
}

// The same seed gives the same order; the order is not that of the lists for every seed.
static void test_order(void **state) {
    (void)state;
    need_device();
    char orders[3][256] = {"", "", ""};
    static const char *const seeds[] = {"3", "3", "4"};
    for (int i = 0; i < 3; i++) {
        outcome result =
            RUN("", "bench", "model", model, QUICK, "--batch", "1,2,3", "--seq", "8,9", "--seed", seeds[i], "--json");
        parse_lines(&result);
        size_t used = 0;
        for (size_t line = 1; line + 1 < result.line_count; line++) {
            used += (size_t)snprintf(orders[i] + used, sizeof orders[i] - used, "%s;",
                                     text_of(result.lines[line], "case_id"));
            assert_true(used < sizeof orders[i]);
        }
        free_outcome(&result);
    }
    assert_string_equal(orders[0], orders[1]);
    assert_string_not_equal(orders[0], orders[2]);
}

// A first process compiles, a second finds it in the cache.
static void test_cache(void **state) {
    (void)state;
    need_device();
    char *before = strdup(getenv("ENCL_CACHE_DIR"));
    assert_non_null(before);
    assert_int_equal(setenv("ENCL_CACHE_DIR", in_folder("cold"), 1), 0);
    static const char *const expected[] = {"cold", "warm"};
    for (int i = 0; i < 2; i++) {
        outcome result = RUN("", "bench", "model", model, QUICK, "--batch", "2", "--seq", "8", "--json");
        parse_lines(&result);
        const cJSON *row = result.lines[1];
        assert_string_equal(text_of(row, "cache"), expected[i]);
        assert_int_equal(number_of(row, "programs_from_cache"), i == 0 ? 0 : number_of(row, "programs"));
        free_outcome(&result);
    }
    setenv("ENCL_CACHE_DIR", before, 1);
    free(before);
}

static void test_settings(void **state) {
    (void)state;
    need_device();
    static const struct {
        const char *words[3];
        const char *name, *task;
        int depth;
    } rows[] = {
        {{"--tokens"}, "tiny-bert 2x8 tokens", "tokens", 1},
        {{"--pooling", "cls"}, "tiny-bert 2x8 cls", "embed", 1},
        {{"--depth", "2"}, "tiny-bert 2x8 depth 2", "embed", 2},
        {{"--gemm", "clblast"}, "tiny-bert 2x8", "embed", 1}, // compared across settings: not part of the name
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *last = rows[i].words[1] != NULL ? rows[i].words[1] : "--json";
        outcome result =
            RUN("", "bench", "model", model, QUICK, "--batch", "2", "--seq", "8", "--json", rows[i].words[0], last);
        parse_lines(&result);
        expect_row(result.lines[1], 2, 16);
        assert_string_equal(text_of(result.lines[1], "case_id"), rows[i].name);
        assert_string_equal(text_of(result.lines[1], "task"), rows[i].task);
        assert_int_equal(number_of(result.lines[1], "depth"), rows[i].depth);
        free_outcome(&result);
    }
}

// Sequences of many lengths, in a stream; empty lines and lines' ends of Windows do not matter.
static void test_lengths(void **state) {
    (void)state;
    need_device();
    const char *path = write_text("mixed.txt", "5\n12\r\n\n80\n1\n");
    outcome result = RUN("", "bench", "model", model, QUICK, "--lengths", path, "--json");
    parse_lines(&result);
    assert_int_equal(result.line_count, 3);
    expect_row(result.lines[1], 4, 98);
    assert_string_equal(text_of(result.lines[1], "case_id"), "tiny-bert mixed.txt");
    assert_int_equal(number_of(result.lines[1], "depth"), 2);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(result.lines[1], "batch")));
    free_outcome(&result);
    outcome tokens = RUN("", "bench", "model", model, QUICK, "--lengths", path, "--json", "--tokens", "--depth", "1");
    parse_lines(&tokens);
    expect_row(tokens.lines[1], 4, 98);
    free_outcome(&tokens);
}

// Fresh processes to their first result.
static void test_start(void **state) {
    (void)state;
    need_device();
    outcome result = RUN("", "bench", "model", model, QUICK, "--batch", "2", "--seq", "8", "--start", "1",
                         "--no-same-bits", "--json");
    parse_lines(&result);
    assert_int_equal(number_of(result.lines[1], "starts"), 1);
    assert_true(number_of(result.lines[1], "start_us") > 0);
    assert_true(number_of(result.lines[1], "cold_start_us") > 0);
    free_outcome(&result);
}

// Shapes have no file of weights; several are measured in one run.
static void test_shapes(void **state) {
    (void)state;
    need_device();
    outcome result = RUN("", "bench", "model", "--shape", "minilm,bge-small-zh", QUICK, "--max-ms", "1", "--batch", "1",
                         "--seq", "4", "--json");
    parse_lines(&result);
    assert_int_equal(result.line_count, 2 + 2);
    static const char *const names[] = {"minilm 1x4", "bge-small-zh 1x4"};
    const size_t first = strcmp(text_of(result.lines[1], "model"), "minilm") == 0 ? 1 : 2; // the order is shuffled
    for (size_t i = 0; i < 2; i++) {
        const cJSON *row = result.lines[i == 0 ? first : 3 - first];
        assert_string_equal(text_of(row, "case_id"), names[i]);
        assert_true(cJSON_IsNull(cJSON_GetObjectItem(row, "sha256")));
        assert_int_equal(number_of(array_of(result.lines[0], "devices")->child, "index"), // on the device it says
                         number_of(row, "device_id"));
    }
    const cJSON *models = array_of(result.lines[0], "models");
    assert_int_equal(cJSON_GetArraySize(models), 2);
    assert_string_equal(text_of(models->child->next, "name"), "bge-small-zh");
    assert_int_equal(number_of(models->child, "hidden"), 384);
    assert_int_equal(number_of(models->child->next, "hidden"), 512);
    free_outcome(&result);
}

// A shape with another number of layers.
static void test_layers(void **state) {
    (void)state;
    need_device();
    outcome result = RUN("", "bench", "model", "--shape", "minilm:1", QUICK, "--max-ms", "1", "--batch", "1", "--seq",
                         "4", "--json");
    parse_lines(&result);
    assert_string_equal(text_of(result.lines[1], "case_id"), "minilm:1 1x4");
    const cJSON *described = array_of(result.lines[0], "models")->child;
    assert_string_equal(text_of(described, "name"), "minilm:1");
    assert_int_equal(number_of(described, "layers"), 1);
    assert_int_equal(number_of(described, "hidden"), 384);
    free_outcome(&result);
}

static void test_misuse(void **state) {
    (void)state;
    expect_misuse(RUN("", "bench", "model"), "found neither MODEL nor --shape");
    expect_misuse(RUN("", "bench", "model", model, "--shape", "base"), "beside --shape");
    expect_misuse(RUN("", "bench", "model", model, "--lengths", "x", "--seq", "8"), "--seq: found beside --lengths");
    expect_misuse(RUN("", "bench", "model", model, "--lengths", "x", "--start", "1"),
                  "--start: found beside --lengths");
    expect_misuse(RUN("", "bench", "model", model, "--batch", "1,,2"), "--batch: found ''");
    expect_misuse(RUN("", "bench", "model", model, "--batch", "2,1,2"), "--batch: found 2 twice");
    expect_misuse(RUN("", "bench", "model", model, "--csv", "one", "--jsonl", "one"),
                  "--jsonl: found one, which --csv");
    expect_misuse(RUN("", "bench", "model", model, "--depth", "3"), "--depth: found '3'");
    expect_misuse(RUN("", "bench", "model", model, "--pooling", "sum"), "sum");
}

static void test_bad_input(void **state) {
    (void)state;
    need_device();
    expect_bad(RUN("", "bench", "model", "no-such-model"), "no-such-model");
    expect_bad(RUN("", "bench", "model", "--shape", "base,huge"), "shape 'huge'");
    expect_bad(RUN("", "bench", "model", "--shape", "minilm:0"), "shape 'minilm:0': found '0' layers, expected 1");
    expect_bad(RUN("", "bench", "model", "--shape", "minilm:"), "shape 'minilm:': found '' layers");
    expect_bad(RUN("", "bench", "model", "--shape", "minilm:2x"), "shape 'minilm:2x': found '2x' layers");
    expect_bad(RUN("", "bench", "model", "--shape", "minilm:1000"), "found '1000' layers, expected 1 … 999");
    expect_bad(RUN("", "bench", "model", "--shape", "base,rbt3,base"), "--shape: found base twice");
    expect_bad(RUN("", "bench", "model", "--shape", "minilm,rbt3", "--seq", "513"), "expected at most 512 for minilm");
    expect_bad(RUN("", "bench", "model", model, "--precision", "fp16"), "--precision fp16");
    expect_bad(RUN("", "bench", "kernels", "--precision", "fp16"), "--precision fp16");
    expect_bad(RUN("", "bench", "model", model, "--seq", "81"), "--seq 81: expected at most 80 for tiny-bert");
    expect_bad(RUN("", "bench", "model", model, "--batch", "65536", "--seq", "80"), "--batch 65536, --seq 80: found");
    expect_bad(RUN("", "bench", "model", model, "--lengths", in_folder("none.txt")), "none.txt");
    expect_bad(RUN("", "bench", "model", model, "--lengths", write_text("empty.txt", "\n\n")), "found 0 lengths");
    expect_bad(RUN("", "bench", "model", model, "--lengths", write_text("word.txt", "5\nfive\n")),
               "word.txt:2: found 'five', expected a whole number from 1 to 80");
    expect_bad(RUN("", "bench", "model", model, "--lengths", write_text("long.txt", "81")), "long.txt:1: found '81'");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),     cmocka_unit_test(test_order),   cmocka_unit_test(test_cache),
        cmocka_unit_test(test_settings),  cmocka_unit_test(test_lengths), cmocka_unit_test(test_start),
        cmocka_unit_test(test_shapes),    cmocka_unit_test(test_layers),  cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_bad_input),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
