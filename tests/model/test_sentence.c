// The settings of sentence-transformers folders.
#include "checkpoint/scratch.h"
#include "host/model/sentence.h"

static encl_status read_sentence(const char *path, const encl_config *encoder, encl_sentence_config *sentence) {
    encl_folder *folder = NULL;
    assert_ok(encl_folder_open(path, &folder));
    const encl_status status = encl_sentence_config_read(folder, encoder, sentence);
    encl_folder_close(folder);
    return status;
}

static const encl_config encoder = {.hidden = 32, .max_position = 80};

#define MODULE(path, type) "{\"idx\":0,\"name\":\"0\",\"path\":\"" path "\",\"type\":\"" type "\"}"
#define TRANSFORMER MODULE("", "sentence_transformers.models.Transformer")
#define POOLING MODULE("1_Pooling", "sentence_transformers.models.Pooling")
#define DENSE MODULE("2_Dense", "sentence_transformers.models.Dense")
#define NORMALIZE MODULE("2_Normalize", "sentence_transformers.models.Normalize")

static void write_modules(encl_scratch *scratch, const char *modules, const char *pooling) {
    scratch_write_text(scratch, "modules.json", modules);
    if (pooling != NULL) {
        mkdir(scratch_path(scratch, "1_Pooling"), 0700); // may be there already
        scratch_write_text(scratch, "1_Pooling/config.json", pooling);
    }
}

static void does_without(void **state) {
    encl_scratch *scratch = *state;
    encl_sentence_config sentence;
    scratch_write_text(scratch, "sentence_bert_config.json", "{\"max_seq_length\":5}"); // belongs to modules.json
    assert_ok(read_sentence(scratch->folder, &encoder, &sentence));
    assert_false(sentence.found);
    assert_string_equal(sentence.transformer, "");
    assert_int_equal(sentence.pooling_count, 1);
    assert_int_equal(sentence.pooling[0], ENCL_POOLING_MEAN);
    assert_true(sentence.normalize);
    assert_true(sentence.include_prompt);
    assert_false(sentence.lower_case);
    assert_int_equal(sentence.max_sequence, -1);
    assert_int_equal(sentence.prompt_count, 0);
    assert_null(sentence.default_prompt);
    encl_sentence_config_free(&sentence);
    encl_sentence_config_free(&sentence);
}

static void reads_a_whole_folder(void **state) {
    (void)state;
    encl_sentence_config sentence;
    assert_ok(read_sentence("tests/fixtures/tiny-sentence", &encoder, &sentence));
    assert_true(sentence.found);
    assert_string_equal(sentence.transformer, "");
    assert_int_equal(sentence.pooling_count, 2);
    assert_int_equal(sentence.pooling[0], ENCL_POOLING_CLS);
    assert_int_equal(sentence.pooling[1], ENCL_POOLING_MEAN);
    assert_true(sentence.normalize);
    assert_true(sentence.include_prompt);
    assert_false(sentence.lower_case);
    assert_int_equal(sentence.max_sequence, 64);
    assert_string_equal(sentence.similarity, "cosine");
    assert_int_equal(sentence.prompt_count, 2);
    assert_string_equal(sentence.prompt_names[0], "query");
    assert_string_equal(sentence.prompts[0], "query: ");
    assert_string_equal(sentence.prompt_names[1], "document");
    assert_string_equal(sentence.prompts[1], "text: ");
    assert_ptr_equal(sentence.default_prompt, sentence.prompt_names[1]);
    encl_sentence_config_free(&sentence);
}

static void reads_pooling_of_every_version(void **state) {
    static const struct {
        const char *pooling;
        size_t count;
        encl_pooling modes[6];
        bool include_prompt;
    } rows[] = {
        {"{}", 1, {ENCL_POOLING_MEAN}, true},
        {"{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":false}", 1, {ENCL_POOLING_CLS}, true},
        {"{\"pooling_mode_cls_token\":true}", 2, {ENCL_POOLING_CLS, ENCL_POOLING_MEAN}, true},
        {"{\"pooling_mode_mean_tokens\":false,\"pooling_mode_max_tokens\":true,\"include_prompt\":false}",
         1,
         {ENCL_POOLING_MAX},
         false},
        {"{\"pooling_mode_lasttoken\":true,\"pooling_mode_weightedmean_tokens\":true,\"pooling_mode_max_tokens\":true,"
         "\"pooling_mode_mean_sqrt_len_tokens\":true,\"pooling_mode_cls_token\":true,\"word_embedding_dimension\":32}",
         6,
         {ENCL_POOLING_CLS, ENCL_POOLING_MAX, ENCL_POOLING_MEAN, ENCL_POOLING_MEAN_SQRT_LEN, ENCL_POOLING_WEIGHTED_MEAN,
          ENCL_POOLING_LAST},
         true},
        {"{\"pooling_mode\":\"lasttoken\",\"embedding_dimension\":32}", 1, {ENCL_POOLING_LAST}, true},
        {"{\"pooling_mode\":[\"weightedmean\",\"cls\",\"cls\"]}",
         3,
         {ENCL_POOLING_WEIGHTED_MEAN, ENCL_POOLING_CLS, ENCL_POOLING_CLS},
         true},
        {"{\"pooling_mode\":[\"mean_sqrt_len_tokens\",\"max\",\"mean\"]}",
         3,
         {ENCL_POOLING_MEAN_SQRT_LEN, ENCL_POOLING_MAX, ENCL_POOLING_MEAN},
         true},
    };
    encl_scratch *scratch = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        encl_sentence_config sentence;
        write_modules(scratch, "[" TRANSFORMER "," POOLING "]", rows[i].pooling);
        assert_ok(read_sentence(scratch->folder, &encoder, &sentence));
        assert_int_equal(sentence.pooling_count, rows[i].count);
        for (size_t j = 0; j < rows[i].count; j++) {
            assert_int_equal(sentence.pooling[j], rows[i].modes[j]);
        }
        assert_int_equal(sentence.include_prompt, rows[i].include_prompt);
        assert_false(sentence.normalize);
        encl_sentence_config_free(&sentence);
    }
}

static void follows_the_modules(void **state) {
    static const char modules[] =
        "[" MODULE("sub", "sentence_transformers.base.modules.transformer.Transformer") "," MODULE(
            "1_Pooling", "sentence_transformers.sentence_transformer.modules.pooling.Pooling") "," NORMALIZE "]";
    encl_scratch *scratch = *state;
    encl_sentence_config sentence;
    write_modules(scratch, modules, "{}");
    scratch_make_folder(scratch, "sub");
    scratch_write_text(scratch, "sub/sentence_bert_config.json", "{\"max_seq_length\":512,\"do_lower_case\":true}");
    assert_ok(read_sentence(scratch->folder, &encoder, &sentence));
    assert_string_equal(sentence.transformer, "sub");
    assert_true(sentence.normalize);
    assert_true(sentence.lower_case);
    assert_int_equal(sentence.max_sequence, 80); // no more than the encoder has positions for
    assert_string_equal(sentence.similarity, "");
    encl_sentence_config_free(&sentence);
    scratch_write_text(scratch, "sub/sentence_bert_config.json", "{\"max_seq_length\":null}");
    assert_ok(read_sentence(scratch->folder, &encoder, &sentence));
    assert_int_equal(sentence.max_sequence, -1);
    encl_sentence_config_free(&sentence);
}

static void write_dense(encl_scratch *scratch, const char *folder, const char *config) {
    char name[64];
    mkdir(scratch_path(scratch, folder), 0700); // may be there already
    snprintf(name, sizeof name, "%s/config.json", folder);
    scratch_write_text(scratch, name, config);
}

static void follows_dense_modules(void **state) {
    static const char modules[] = "[" TRANSFORMER "," POOLING "," NORMALIZE "," DENSE
                                  "," MODULE("3_Dense", "sentence_transformers.base.modules.dense.Dense") "]";
    encl_scratch *scratch = *state;
    encl_sentence_config sentence;
    write_modules(scratch, modules, "{\"pooling_mode\":[\"mean\",\"cls\"]}");
    write_dense(scratch, "2_Dense", "{\"in_features\":64,\"out_features\":20,\"bias\":true}");
    write_dense(scratch, "3_Dense",
                "{\"in_features\":20,\"out_features\":7,\"bias\":false,"
                "\"activation_function\":\"torch.nn.modules.linear.Identity\"}");
    assert_ok(read_sentence(scratch->folder, &encoder, &sentence));
    assert_int_equal(sentence.dense_count, 3);
    assert_null(sentence.dense[0].module); // Normalize
    assert_string_equal(sentence.dense[1].module, "2_Dense");
    assert_int_equal(sentence.dense[1].in, 64);
    assert_int_equal(sentence.dense[1].out, 20);
    assert_true(sentence.dense[1].has_bias);
    assert_int_equal(sentence.dense[1].activation, ENCL_ACTIVATION_TANH);
    assert_false(sentence.dense[2].has_bias);
    assert_int_equal(sentence.dense[2].activation, ENCL_ACTIVATION_NONE);
    assert_int_equal(sentence.width, 7);
    assert_false(sentence.normalize);
    encl_sentence_config_free(&sentence);
}

static void reads_activations(void **state) {
    static const struct {
        const char *name;
        encl_activation activation;
    } rows[] = {
        {"torch.nn.modules.activation.Tanh", ENCL_ACTIVATION_TANH},
        {"torch.nn.modules.activation.ReLU", ENCL_ACTIVATION_RELU},
        {"torch.nn.modules.activation.GELU", ENCL_ACTIVATION_GELU},
        {"torch.nn.modules.activation.SiLU", ENCL_ACTIVATION_SILU},
        {"torch.nn.Identity", ENCL_ACTIVATION_NONE},
    };
    encl_scratch *scratch = *state;
    write_modules(scratch, "[" TRANSFORMER "," POOLING "," DENSE "," NORMALIZE "]", "{}");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char config[160];
        encl_sentence_config sentence;
        snprintf(config, sizeof config, "{\"in_features\":32,\"out_features\":8,\"activation_function\":\"%s\"}",
                 rows[i].name);
        write_dense(scratch, "2_Dense", config);
        assert_ok(read_sentence(scratch->folder, &encoder, &sentence));
        assert_int_equal(sentence.dense[0].activation, rows[i].activation);
        assert_true(sentence.normalize);
        encl_sentence_config_free(&sentence);
    }
}

// ---- Refusals -----------------------------------------------------------------------------------------------

static void assert_refused(encl_scratch *scratch, encl_status status, const char *part) {
    encl_sentence_config sentence;
    memset(&sentence, 0xa5, sizeof sentence);
    assert_fails(read_sentence(scratch->folder, &encoder, &sentence), status, part);
    assert_detail_has(scratch->folder);
    assert_null(sentence.transformer);
    assert_null(sentence.similarity);
    assert_null(sentence.prompts);
    assert_int_equal(sentence.prompt_count, 0);
    assert_int_equal(sentence.pooling_count, 0);
}

static void refuses_wrong_modules(void **state) {
    static const struct {
        const char *modules;
        encl_status status;
        const char *part;
    } rows[] = {
        {"", ENCL_FORMAT, "line 1"},
        {"{}", ENCL_FORMAT, "array"},
        {"[1]", ENCL_FORMAT, "object"},
        {"[]", ENCL_UNSUPPORTED, "Transformer"},
        {"[{}]", ENCL_UNSUPPORTED, "''"},
        {"[{\"type\":1}]", ENCL_FORMAT, "type"},
        {"[{\"type\":\"x.Transformer\",\"path\":1}]", ENCL_FORMAT, "path"},
        {"[" TRANSFORMER "]", ENCL_UNSUPPORTED, "Pooling"},
        {"[" POOLING "]", ENCL_UNSUPPORTED, "Pooling"},
        {"[" TRANSFORMER "," TRANSFORMER "," POOLING "]", ENCL_UNSUPPORTED, "Transformer"},
        {"[" TRANSFORMER "," NORMALIZE "," POOLING "]", ENCL_UNSUPPORTED, "Normalize"},
        {"[" TRANSFORMER "," POOLING "," POOLING "]", ENCL_UNSUPPORTED, "Pooling"},
        {"[" TRANSFORMER "," DENSE "," POOLING "]", ENCL_UNSUPPORTED, "Dense"},
        {"[" TRANSFORMER "," POOLING "," DENSE "]", ENCL_NOT_FOUND, "2_Dense"},
        {"[" TRANSFORMER "," POOLING "," MODULE("2_Dense", "sentence_transformers.models.LSTM") "]", ENCL_UNSUPPORTED,
         "LSTM"},
        {"[" TRANSFORMER "," POOLING "," MODULE("../d", "a.Dense") "]", ENCL_FORMAT, "'../d'"},
        {"[" MODULE("", "sentence_transformers.models.WordEmbeddings") "]", ENCL_UNSUPPORTED, "WordEmbeddings"},
        {"[" TRANSFORMER "," MODULE("absent", "a.Pooling") "]", ENCL_NOT_FOUND, "absent"},
        // Paths
        {"[" TRANSFORMER "," MODULE("..", "a.Pooling") "]", ENCL_FORMAT, "'..'"},
        {"[" TRANSFORMER "," MODULE("../1_Pooling", "a.Pooling") "]", ENCL_FORMAT, "'../1_Pooling'"},
        {"[" TRANSFORMER "," MODULE("1_Pooling/..", "a.Pooling") "]", ENCL_FORMAT, "inside"},
        {"[" TRANSFORMER "," MODULE("1_Pooling/../..//x", "a.Pooling") "]", ENCL_FORMAT, "inside"},
        {"[" TRANSFORMER "," MODULE("a//..", "a.Pooling") "]", ENCL_FORMAT, "inside"},
        {"[" TRANSFORMER "," MODULE("/etc", "a.Pooling") "]", ENCL_FORMAT, "'/etc'"},
        {"[" TRANSFORMER "," MODULE("..\\\\x", "a.Pooling") "]", ENCL_FORMAT, "inside"},
        {"[" MODULE("..", "a.Transformer") "]", ENCL_FORMAT, "'..'"},
    };
    encl_scratch *scratch = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_modules(scratch, rows[i].modules, "{}");
        assert_refused(scratch, rows[i].status, rows[i].part);
    }
}

static void allows_dots_in_names(void **state) {
    encl_scratch *scratch = *state;
    encl_sentence_config sentence;
    write_modules(scratch, "[" TRANSFORMER "," MODULE("./..1", "a.Pooling") "]", NULL);
    scratch_make_folder(scratch, "..1");
    scratch_write_text(scratch, "..1/config.json", "{\"pooling_mode\":\"max\"}");
    assert_ok(read_sentence(scratch->folder, &encoder, &sentence));
    assert_int_equal(sentence.pooling[0], ENCL_POOLING_MAX);
    encl_sentence_config_free(&sentence);
}

static void refuses_wrong_pooling(void **state) {
    static const struct {
        const char *pooling;
        encl_status status;
        const char *part;
    } rows[] = {
        {"", ENCL_FORMAT, "line 1"},
        {"[]", ENCL_FORMAT, "object"},
        {"{\"pooling_mode_mean_tokens\":false}", ENCL_FORMAT, "no pooling mode"},
        {"{\"pooling_mode\":[]}", ENCL_FORMAT, "no pooling mode"},
        {"{\"pooling_mode\":\"median\"}", ENCL_UNSUPPORTED, "'median'"},
        {"{\"pooling_mode\":[\"cls\",\"median\"]}", ENCL_UNSUPPORTED, "'median'"},
        {"{\"pooling_mode\":[\"cls\",\"cls\",\"cls\",\"cls\",\"cls\",\"cls\",\"cls\",\"cls\",\"cls\"]}",
         ENCL_UNSUPPORTED, "more than 8"},
        {"{\"pooling_mode\":1}", ENCL_FORMAT, "pooling_mode"},
        {"{\"pooling_mode\":[1]}", ENCL_FORMAT, "pooling_mode"},
        {"{\"pooling_mode_cls_token\":1}", ENCL_FORMAT, "pooling_mode_cls_token"},
        {"{\"include_prompt\":\"yes\"}", ENCL_FORMAT, "include_prompt"},
        {"{\"word_embedding_dimension\":33}", ENCL_FORMAT, "word_embedding_dimension"},
        {"{\"embedding_dimension\":31}", ENCL_FORMAT, "embedding_dimension"},
        {"{\"word_embedding_dimension\":\"32\"}", ENCL_FORMAT, "word_embedding_dimension"},
    };
    encl_scratch *scratch = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_modules(scratch, "[" TRANSFORMER "," POOLING "]", rows[i].pooling);
        assert_refused(scratch, rows[i].status, rows[i].part);
        assert_detail_has("1_Pooling/config.json");
    }
}

static void refuses_wrong_dense(void **state) {
    static const struct {
        const char *config;
        encl_status status;
        const char *part;
    } rows[] = {
        {"", ENCL_FORMAT, "line 1"},
        {"{}", ENCL_FORMAT, "expected 32 and at least 1"},
        {"{\"in_features\":32}", ENCL_FORMAT, "expected 32 and at least 1"},
        {"{\"in_features\":31,\"out_features\":8}", ENCL_FORMAT, "in_features 31"},
        {"{\"in_features\":32,\"out_features\":0}", ENCL_FORMAT, "out_features"},
        {"{\"in_features\":32,\"out_features\":-8}", ENCL_FORMAT, "out_features"},
        {"{\"in_features\":32,\"out_features\":1e30}", ENCL_FORMAT, "out_features"},
        {"{\"in_features\":\"32\",\"out_features\":8}", ENCL_FORMAT, "in_features"},
        {"{\"in_features\":32,\"out_features\":8,\"bias\":1}", ENCL_FORMAT, "bias"},
        {"{\"in_features\":32,\"out_features\":8,\"activation_function\":1}", ENCL_FORMAT, "activation_function"},
        {"{\"in_features\":32,\"out_features\":8,\"activation_function\":\"torch.nn.modules.activation.Mish\"}",
         ENCL_UNSUPPORTED, "Mish"},
        {"{\"in_features\":32,\"out_features\":8,\"activation_function\":\"mine.Tanh\"}", ENCL_UNSUPPORTED,
         "mine.Tanh"},
        {"{\"in_features\":32,\"out_features\":8,\"activation_function\":\"Tanh\"}", ENCL_UNSUPPORTED, "'Tanh'"},
        {"{\"in_features\":32,\"out_features\":8,\"use_residual\":true}", ENCL_UNSUPPORTED, "use_residual"},
        {"{\"in_features\":32,\"out_features\":8,\"module_input_name\":\"token_embeddings\"}", ENCL_UNSUPPORTED,
         "token_embeddings"},
        {"{\"in_features\":32,\"out_features\":8,\"module_output_name\":\"other\"}", ENCL_UNSUPPORTED, "'other'"},
    };
    encl_scratch *scratch = *state;
    write_modules(scratch, "[" TRANSFORMER "," POOLING "," DENSE "]", "{}");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_dense(scratch, "2_Dense", rows[i].config);
        assert_refused(scratch, rows[i].status, rows[i].part);
        assert_detail_has("2_Dense/config.json");
    }
}

static void refuses_wrong_texts(void **state) {
    static const struct {
        const char *file;
        const char *text;
        const char *part;
    } rows[] = {
        {"sentence_bert_config.json", "[]", "object"},
        {"sentence_bert_config.json", "{\"max_seq_length\":0}", "max_seq_length"},
        {"sentence_bert_config.json", "{\"max_seq_length\":-1}", "max_seq_length"},
        {"sentence_bert_config.json", "{\"max_seq_length\":\"64\"}", "max_seq_length"},
        {"sentence_bert_config.json", "{\"do_lower_case\":\"no\"}", "do_lower_case"},
        {"config_sentence_transformers.json", "{", "line 1"},
        {"config_sentence_transformers.json", "{\"prompts\":[]}", "prompts"},
        {"config_sentence_transformers.json", "{\"prompts\":{\"a\":\"x\",\"query\":1}}", "'query'"},
        {"config_sentence_transformers.json", "{\"prompts\":{\"a\":\"x\"},\"default_prompt_name\":\"b\"}", "'b'"},
        {"config_sentence_transformers.json", "{\"default_prompt_name\":\"b\"}", "'b'"},
        {"config_sentence_transformers.json", "{\"prompts\":{\"a\":\"x\"},\"default_prompt_name\":1}", "default_"},
        {"config_sentence_transformers.json", "{\"similarity_fn_name\":1}", "similarity_fn_name"},
    };
    encl_scratch *scratch = *state;
    write_modules(scratch, "[" TRANSFORMER "," POOLING "]", "{}");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        scratch_write_text(scratch, rows[i].file, rows[i].text);
        assert_refused(scratch, ENCL_FORMAT, rows[i].part);
        assert_detail_has(rows[i].file);
        assert_int_equal(remove(scratch_path(scratch, rows[i].file)), 0);
    }
}

#define with_scratch(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_scratch(does_without),
        cmocka_unit_test(reads_a_whole_folder),
        with_scratch(reads_pooling_of_every_version),
        with_scratch(follows_the_modules),
        with_scratch(refuses_wrong_modules),
        with_scratch(allows_dots_in_names),
        with_scratch(refuses_wrong_pooling),
        with_scratch(follows_dense_modules),
        with_scratch(reads_activations),
        with_scratch(refuses_wrong_dense),
        with_scratch(refuses_wrong_texts),
    };
    return encl_test_main(tests);
}
