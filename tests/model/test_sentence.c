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
         2,
         {ENCL_POOLING_CLS, ENCL_POOLING_WEIGHTED_MEAN},
         true},
        {"{\"pooling_mode\":[\"mean_sqrt_len_tokens\",\"max\",\"mean\"]}",
         3,
         {ENCL_POOLING_MAX, ENCL_POOLING_MEAN, ENCL_POOLING_MEAN_SQRT_LEN},
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
        {"[" TRANSFORMER "," POOLING "," MODULE("2_Dense", "sentence_transformers.models.Dense") "]", ENCL_UNSUPPORTED,
         "Dense"},
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
        with_scratch(refuses_wrong_texts),
    };
    return encl_test_main(tests);
}
