// encl pack: every command answers of a packed model as of the model, and what it refuses, it says why.
#include "cli/program.h"

static const char *fixture_path(const char *name) {
    static char path[PATH_LENGTH];
    snprintf(path, sizeof path, "tests/fixtures/%s", name);
    return path;
}

static void pack(const char *fixture, const char *file, const char *precision) {
    outcome result = RUN("", "pack", fixture_path(fixture), in_folder(file), "--precision", precision);
    expect_exit(&result, 0);
    free_outcome(&result);
}

static void test_report(void **state) {
    (void)state;
    need_device();
    outcome result = RUN("", "pack", fixture_path("tiny-heads"), in_folder("report.encl"), "--json");
    parse_lines(&result);
    assert_int_equal(result.line_count, 1);
    const cJSON *line = result.lines[0];
    expect_keys(line, "path,device,precision,exact_layers,low_products,calibration,weights,weight_bytes,file_bytes");
    assert_string_equal(text_of(line, "precision"), "fp32");
    assert_int_equal(number_of(line, "low_products"), 0);
    char *bytes = NULL;
    size_t length = 0;
    assert_ok(read_result("report.encl", &bytes, &length));
    assert_int_equal(number_of(line, "file_bytes"), length);
    outcome info = RUN("", "info", in_folder("report.encl"), "--json", "--verify");
    parse_lines(&info);
    const cJSON *packed = cJSON_GetObjectItemCaseSensitive(info.lines[0], "packed");
    expect_keys(packed, "device,products,precision,exact_layers,weights,bytes,source,version");
    assert_int_equal(number_of(packed, "weights"), number_of(line, "weights"));
    assert_int_equal(number_of(packed, "bytes"), number_of(line, "weight_bytes"));
    assert_string_equal(text_of(packed, "device"), text_of(line, "device"));
    // The model's own files, its weights, and the list of them.
    assert_int_equal(number_of(info.lines[0], "verified"), number_of(line, "weights") + 4);
    free_outcome(&info);
    free_outcome(&result);
    free(bytes);
}

// What was printed of the packed model is what was printed of the model.
static void expect_same(outcome whole, outcome packed) {
    expect_exit(&whole, 0);
    expect_exit(&packed, 0);
    assert_true(whole.out_length > 0);
    assert_string_equal(whole.out, packed.out);
    free_outcome(&packed);
    free_outcome(&whole);
}

static void test_commands(void **state) {
    (void)state;
    static const char *const precisions[] = {"fp32", "bf16", "int8"};
    static const struct {
        const char *fixture, *command, *input;
    } rows[] = {
        {"tiny-bert", "embed", "one two\nthree\n"},
        {"tiny-pretraining", "fill-mask", "one [MASK] three\n"},
        {"tiny-multi-label", "classify", "one two three\n"},
        {"tiny-ner", "ner", "one two three\n"},
    };
    need_device();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t p = 0; p < sizeof precisions / sizeof precisions[0]; p++) {
            char model[PATH_LENGTH];
            snprintf(model, sizeof model, "tests/fixtures/%s", rows[i].fixture);
            // All layers in the precision, so that the model computes as its packed form without being told.
            outcome made = RUN("", "pack", model, in_folder("model.encl"), "--precision", precisions[p]);
            expect_exit(&made, 0);
            free_outcome(&made);
            expect_same(RUN(rows[i].input, rows[i].command, model, "--json", "--precision", precisions[p]),
                        RUN(rows[i].input, rows[i].command, in_folder("model.encl"), "--json"));
        }
    }
}

static void test_other_commands(void **state) {
    (void)state;
    need_device();
    pack("tiny-qa", "qa.encl", "fp32");
    expect_same(RUN("", "qa", fixture_path("tiny-qa"), "--question", "one?", "--context", "one two three", "--json"),
                RUN("", "qa", in_folder("qa.encl"), "--question", "one?", "--context", "one two three", "--json"));
    pack("tiny-bert", "bert.encl", "fp32");
    expect_same(RUN("", "similarity", fixture_path("tiny-bert"), "one", "two", "--json"),
                RUN("", "similarity", in_folder("bert.encl"), "one", "two", "--json"));
    expect_same(RUN("", "tokenize", fixture_path("tiny-bert"), "one two"),
                RUN("", "tokenize", in_folder("bert.encl"), "one two"));
    outcome result = RUN("", "profile", in_folder("bert.encl"), "one two", "--no-peaks");
    expect_exit(&result, 0);
    free_outcome(&result);
    result = RUN("", "bench", "model", in_folder("bert.encl"), "--batch", "1", "--seq", "8", "--samples", "2",
                 "--min-ms", "1", "--json");
    expect_exit(&result, 0);
    free_outcome(&result);
}

// ---- Refusals ---------------------------------------------------------------------------------------------

static void test_refusals(void **state) {
    (void)state;
    need_device();
    pack("tiny-bert", "int8.encl", "int8");
    const char *packed = in_folder("int8.encl");
    expect_bad(RUN("", "embed", packed, "one", "--precision", "fp32"), "was packed for int8");
    expect_bad(RUN("", "embed", packed, "one", "--precision", "bf16"), "--precision bf16");
    expect_bad(RUN("", "embed", packed, "one", "--exact-layers", "1"), "was packed with its own");
    expect_bad(RUN("", "embed", packed, "one", "--gemm", "clblast"), "CLBlast");
    expect_bad(RUN("", "convert", packed, in_folder("converted")), "found a packed model");
    expect_bad(RUN("", "pack", packed, in_folder("again.encl")), "found a packed model");
    expect_bad(RUN("", "pack", fixture_path("tiny-bert"), in_folder("no/where.encl")), "no/where.encl");
    expect_bad(RUN("", "pack", fixture_path("tiny-bert"), in_folder("")), "found a folder");
    expect_bad(RUN("", "pack", in_folder("none"), in_folder("x.encl")), "none");
    expect_misuse(RUN("", "pack", fixture_path("tiny-bert")), "expected MODEL FILE");
    assert_false(encl_path_exists(in_folder("again.encl")));
    assert_false(encl_path_exists(in_folder("converted")));
}

static void test_damage_is_verified(void **state) {
    (void)state;
    need_device();
    char *bytes = NULL;
    size_t length = 0;
    pack("tiny-bert", "sound.encl", "fp32");
    assert_ok(read_result("sound.encl", &bytes, &length));
    bytes[length / 2] ^= 1;
    assert_ok(encl_file_write(in_folder("turned.encl"), bytes, length));
    outcome result = RUN("", "info", in_folder("sound.encl"), "--verify");
    expect_exit(&result, 0);
    assert_non_null(strstr(result.out, "all right"));
    free_outcome(&result);
    expect_bad(RUN("", "info", in_folder("turned.encl"), "--verify"), "the file is damaged");
    assert_ok(encl_file_write(in_folder("cut.encl"), bytes, length - 1));
    expect_bad(RUN("", "info", in_folder("cut.encl")), "cut.encl");
    free(bytes);
    // Formats without checksums say so; TensorFlow's has one for every tensor.
    result = RUN("", "info", fixture_path("tiny-bert"), "--verify");
    expect_exit(&result, 0);
    assert_non_null(strstr(result.out, "none in files of this format"));
    free_outcome(&result);
    result = RUN("", "info", fixture_path("tiny-tf1"), "--verify", "--json");
    parse_lines(&result);
    assert_int_equal(number_of(result.lines[0], "verified"), 53);
    free_outcome(&result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_other_commands),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_damage_is_verified),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
