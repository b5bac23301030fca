// encl info: its table and its JSON, for every format.
#include "cli/program.h"

static const char json_keys[] =
    "architecture,layers,hidden,heads,intermediate,vocab,max_position,parameters,dtype,format,head,labels,pooling,"
    "model_type,file,tensors,bytes,head_names,mlm_untrained,lowercase,missing,unused,ignored,notes,packed";

static outcome info(const char *model) {
    outcome result = RUN("", "info", model, "--json");
    parse_lines(&result);
    assert_int_equal(result.line_count, 1);
    expect_keys(result.lines[0], json_keys);
    return result;
}

static bool flag_of(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    assert_true(cJSON_IsBool(item));
    return cJSON_IsTrue(item);
}

static void expect_heads(const cJSON *line, const char *expected) {
    char joined[128] = "";
    size_t used = 0;
    for (const cJSON *item = array_of(line, "head_names")->child; item != NULL; item = item->next) {
        used += (size_t)snprintf(joined + used, sizeof joined - used, "%s%s", used > 0 ? " " : "", item->valuestring);
        assert_true(used < sizeof joined);
    }
    assert_string_equal(joined, expected);
}

// The same weights in every format.
static void test_formats(void **state) {
    (void)state;
    static const struct {
        const char *path, *format, *file, *architecture, *dtype;
        int tensors, ignored;
        bool untrained;
    } rows[] = {
        {"tiny-pretraining", "safetensors", "model.safetensors", "BertForPreTraining", "F32", 46, 0, false},
        {"tiny-pretraining/model.safetensors", "safetensors", "model.safetensors", "BertForPreTraining", "F32", 46, 0,
         false},
        {"tiny-torch-zip", "pytorch", "pytorch_model.bin", "BertForPreTraining", "F32", 46, 0, false},
        {"tiny-torch-legacy", "pytorch", "pytorch_model.bin", "BertForPreTraining", "F32", 46, 0, false},
        {"tiny-torch-sharded", "pytorch", "pytorch_model.bin.index.json", "BertForPreTraining", "F32", 46, 0, false},
        {"tiny-torch-strided", "pytorch", "pytorch_model.bin", "BertForPreTraining", "mixed", 49, 1, false},
        {"tiny-tf1", "tensorflow", "bert_model.ckpt.index", "", "F32", 53, 7, false},
        {"tiny-tf1/bert_model.ckpt", "tensorflow", "bert_model.ckpt.index", "", "F32", 53, 7, false},
        {"tiny-tf1-partitioned", "tensorflow", "bert_model.ckpt.index", "", "mixed", 46, 0, false},
        {"tiny-tf1-untrained", "tensorflow", "bert_model.ckpt.index", "", "F32", 46, 0, true},
        {"tiny-paddle", "paddle", "model_state.pdparams", "BertForPretraining", "F32", 47, 0, false},
        {"tiny-paddle-2", "paddle", "model_state.pdparams", "BertForPretraining", "F32", 46, 0, false},
        {"tiny-zip/deflated.zip", "tensorflow", "bert_model.ckpt.index", "", "F32", 53, 7, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "tests/fixtures/%s", rows[i].path);
        outcome result = info(path);
        const cJSON *line = result.lines[0];
        assert_string_equal(text_of(line, "format"), rows[i].format);
        assert_string_equal(text_of(line, "file"), rows[i].file);
        assert_string_equal(text_of(line, "architecture"), rows[i].architecture);
        assert_string_equal(text_of(line, "model_type"), "bert");
        assert_string_equal(text_of(line, "dtype"), rows[i].dtype);
        assert_string_equal(text_of(line, "head"), "fill-mask");
        expect_heads(line, "fill-mask next-sentence");
        assert_int_equal(number_of(line, "tensors"), rows[i].tensors);
        assert_int_equal(number_of(line, "ignored"), rows[i].ignored);
        assert_int_equal(flag_of(line, "mlm_untrained"), rows[i].untrained);
        assert_true(flag_of(line, "lowercase"));
        assert_int_equal(cJSON_GetArraySize(array_of(line, "missing")), 0);
        assert_int_equal(cJSON_GetArraySize(array_of(line, "unused")), 0);
        assert_int_equal(cJSON_GetArraySize(array_of(line, "labels")), 0);
        assert_int_equal(number_of(line, "heads"), 2);
        free_outcome(&result);
    }
}

static void test_heads(void **state) {
    (void)state;
    outcome result = info("tests/fixtures/tiny-bert-bf16");
    expect_heads(result.lines[0], "classify");
    assert_int_equal(cJSON_GetArraySize(array_of(result.lines[0], "labels")), 3);
    free_outcome(&result);
    static const char *const questions[] = {"tests/fixtures/tiny-qa", "tests/fixtures/tiny-tf1-qa",
                                            "tests/fixtures/tiny-paddle-qa"};
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        result = info(questions[i]);
        expect_heads(result.lines[0], "qa");
        assert_int_equal(cJSON_GetArraySize(array_of(result.lines[0], "notes")), i == 2 ? 1 : 0); // a RoBERTa
        free_outcome(&result);
    }
    result = info("tests/fixtures/tiny-sentence");
    expect_heads(result.lines[0], "");
    assert_string_equal(text_of(result.lines[0], "head"), "none");
    free_outcome(&result);
}

static void test_table(void **state) {
    (void)state;
    outcome result = RUN("", "info", "tests/fixtures/tiny-tf1-untrained");
    expect_exit(&result, 0);
    static const char *const parts[] = {"not said (bert)",
                                        "fill-mask (untrained), next-sentence",
                                        "bert_model.ckpt.index",
                                        "46 tensors, 33271 parameters, 130.0 KiB",
                                        "texts are lowercased",
                                        "attention heads",
                                        "untrained: what it predicts is noise"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strstr(result.out, parts[i]) == NULL) {
            fail_msg("found no '%s' in\n%s", parts[i], result.out);
        }
    }
    assert_string_equal(result.err, "");
    free_outcome(&result);
    // With -v, a note is logged too.
    result = RUN("", "info", "-v", "tests/fixtures/tiny-tf1-untrained");
    assert_non_null(strstr(result.err, "head is untrained"));
    free_outcome(&result);
}

// A folder without weights, and an argument too many.
static void test_errors(void **state) {
    (void)state;
    outcome result = RUN("", "info", folder);
    expect_exit(&result, 1);
    assert_non_null(strstr(result.err, "no weights found"));
    free_outcome(&result);
    result = RUN("", "info", "tests/fixtures/tiny-bert", "tests/fixtures/tiny-bert");
    expect_exit(&result, 2);
    free_outcome(&result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
