// What a model says of itself, and what opening it looks at.
#include "model/edit.h"

#include "host/model/model.h"

static const char fixture[] = "tests/fixtures/tiny-pretraining";
#define SIZES                                                                                                       \
    "\"hidden_size\":32,\"num_hidden_layers\":2,\"num_attention_heads\":2,\"intermediate_size\":64,\"vocab_size\":" \
    "341,\"type_vocab_size\":2"
#define WITH_SIZES(keys) "{" SIZES ",\"max_position_embeddings\":80," keys "}"

static encl_model *open_model(const char *path) {
    encl_model *model = NULL;
    assert_ok(encl_model_open(path, &model));
    return model;
}

static void expect_texts(const char *const *texts, size_t count, const char *expected) {
    char joined[1024] = "";
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        used += (size_t)snprintf(joined + used, sizeof joined - used, "%s%s", i > 0 ? " " : "", texts[i]);
        assert_true(used < sizeof joined);
    }
    assert_string_equal(joined, expected);
}
#define EXPECT_TEXTS(info, member, expected) expect_texts((info)->member, (info)->member##_count, (expected))
#define EXPECT_HEADS(info, expected) expect_texts((info)->head_names, (info)->head_count, (expected))

static void knows_a_fixture(void **state) {
    (void)state;
    encl_model *model = open_model(fixture);
    const encl_model_info *info = encl_model_get_info(model);
    assert_string_equal(info->head, "fill-mask");
    EXPECT_HEADS(info, "fill-mask next-sentence");
    assert_string_equal(info->file, "model.safetensors");
    assert_int_equal(info->tensors, 46);
    assert_int_equal(info->parameters, 33271);
    assert_int_equal(info->bytes, 4 * 33271);
    assert_int_equal(info->missing_count, 0);
    assert_int_equal(info->unused_count, 0);
    assert_int_equal(info->ignored, 0);
    assert_int_equal(info->note_count, 0);
    assert_int_equal(info->label_count, 0);
    assert_false(info->mlm_untrained);
    assert_true(info->lowercase);
    encl_model_close(model);

    assert_ok(encl_model_open_shape("minilm", 1, &model));
    info = encl_model_get_info(model);
    assert_string_equal(info->head, "none");
    assert_string_equal(info->file, "");
    assert_string_equal(info->format, "random");
    assert_string_equal(info->architecture, "BertModel");
    assert_int_equal(info->head_count, 0);
    for (int head = 0; head < ENCL_HEADS; head++) {
        assert_fails(encl_head_require(model, (encl_head)head), ENCL_UNSUPPORTED, "minilm: this checkpoint has no");
    }
    encl_model_close(model);
}

static void lists_what_is_missing(void **state) {
    static const edit no_heads[] = {{"cls.*", NULL}, {"bert.pooler.*", NULL}};
    static const struct {
        const char *config;
        const char *missing;
    } rows[] = {
        {WITH_SIZES("\"architectures\":[\"BertForMaskedLM\"]"),
         "cls.predictions.transform.dense.weight cls.predictions.transform.dense.bias "
         "cls.predictions.transform.LayerNorm.weight cls.predictions.transform.LayerNorm.bias cls.predictions.bias"},
        {WITH_SIZES("\"architectures\":[\"BertForSequenceClassification\"]"),
         "pooler.dense.weight pooler.dense.bias classifier.weight classifier.bias"},
        {WITH_SIZES("\"architectures\":[\"BertForTokenClassification\"]"), "classifier.weight classifier.bias"},
        {WITH_SIZES("\"architectures\":[\"BertForQuestionAnswering\"]"), "qa_outputs.weight qa_outputs.bias"},
        {WITH_SIZES("\"architectures\":[\"BertForNextSentencePrediction\"]"),
         "pooler.dense.weight pooler.dense.bias cls.seq_relationship.weight cls.seq_relationship.bias"},
        {WITH_SIZES("\"architectures\":[\"BertModel\"]"), "pooler.dense.weight pooler.dense.bias"},
        {WITH_SIZES("\"architectures\":[]"), ""},
    };
    encl_scratch *scratch = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_edited(scratch, fixture, rows[i].config, no_heads, 2, NULL, 0);
        encl_model *model = open_model(scratch->folder);
        const encl_model_info *info = encl_model_get_info(model);
        EXPECT_TEXTS(info, missing, rows[i].missing);
        EXPECT_HEADS(info, "");
        assert_string_equal(info->head, "none");
        encl_model_close(model);
    }
}

static void lists_what_is_unused(void **state) {
    encl_scratch *scratch = *state;
    static const float zeros[64] = {0};
    const encl_tensor more[] = {
        constant_tensor("lm_head.bias", 64, 0, zeros),
        constant_tensor("bert.embeddings.position_ids", 1, 64, zeros),
        constant_tensor("crf.transitions", 8, 8, zeros),
    };
    // Old names, and the decoder's bias instead of the head's own.
    static const edit edits[] = {{"bert.embeddings.LayerNorm.weight", "bert.embeddings.LayerNorm.gamma"},
                                 {"cls.seq_relationship.bias", NULL}};
    write_edited(scratch, fixture, NULL, edits, 2, more, 3);
    encl_model *model = open_model(scratch->folder);
    const encl_model_info *info = encl_model_get_info(model);
    EXPECT_TEXTS(info, unused, "cls.seq_relationship.weight crf.transitions lm_head.bias");
    EXPECT_TEXTS(info, missing, "cls.seq_relationship.bias");
    EXPECT_HEADS(info, "fill-mask");
    assert_int_equal(info->ignored, 1);
    assert_int_equal(info->tensors, 48);
    encl_model_close(model);
}

// A head as it is before training; a single other number makes it a trained one.
static void knows_an_untrained_head(void **state) {
    encl_scratch *scratch = *state;
    static float ones[32];
    static float shifts[32];
    static float zeros[341];
    static const edit edits[] = {{"cls.predictions.transform.LayerNorm.*", NULL}, {"cls.predictions.bias", NULL}};
    for (size_t i = 0; i < 32; i++) {
        ones[i] = 1;
    }
    const encl_tensor more[] = {
        constant_tensor("cls.predictions.transform.LayerNorm.weight", 32, 0, ones),
        constant_tensor("cls.predictions.transform.LayerNorm.bias", 32, 0, shifts),
        constant_tensor("cls.predictions.bias", 341, 0, zeros),
    };
    float *const places[] = {NULL, &ones[31], &shifts[31], &zeros[340]};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        float before = 0;
        if (places[i] != NULL) {
            before = *places[i];
            *places[i] = 1e-30f;
        }
        write_edited(scratch, fixture, NULL, edits, 2, more, 3);
        encl_model *model = open_model(scratch->folder);
        const encl_model_info *info = encl_model_get_info(model);
        assert_int_equal(info->mlm_untrained, places[i] == NULL);
        assert_int_equal(info->note_count, places[i] == NULL ? 1 : 0);
        EXPECT_HEADS(info, "fill-mask next-sentence");
        encl_model_close(model);
        if (places[i] != NULL) {
            *places[i] = before;
        }
    }
}

// Where nothing names labels, the classifier counts them.
static void counts_labels(void **state) {
    encl_scratch *scratch = *state;
    static const float zeros[5 * 32] = {0};
    static const edit edits[] = {{"cls.*", NULL}};
    const encl_tensor more[] = {constant_tensor("classifier.weight", 5, 32, zeros),
                                constant_tensor("classifier.bias", 5, 0, zeros)};
    static const char *const configs[] = {
        WITH_SIZES("\"architectures\":[\"BertForSequenceClassification\"]"),
        WITH_SIZES("\"architectures\":[\"BertForTokenClassification\"],\"num_labels\":3"),
        WITH_SIZES("\"pad_token_id\":0"),
    };
    static const char *const heads[] = {"classify", "ner", "ner classify"};
    for (size_t i = 0; i < sizeof configs / sizeof configs[0]; i++) {
        write_edited(scratch, fixture, configs[i], edits, 1, more, 2);
        encl_model *model = open_model(scratch->folder);
        const encl_model_info *info = encl_model_get_info(model);
        EXPECT_HEADS(info, heads[i]);
        assert_int_equal(info->label_count, 5);
        assert_string_equal(info->labels[4], "LABEL_4");
        encl_model_close(model);
    }
    encl_model *model = NULL;
    write_edited(
        scratch, fixture,
        WITH_SIZES("\"architectures\":[\"BertForTokenClassification\"],\"id2label\":{\"0\":\"a\",\"1\":\"b\"}"), edits,
        1, more, 2);
    assert_fails(encl_model_open(scratch->folder, &model), ENCL_FORMAT,
                 "tensor classifier.weight has 5 rows, config.json names 2 labels");
    assert_null(model);
}

// ERNIE adds the first row of its tasks to every token type.
static void adds_tasks(void **state) {
    encl_scratch *scratch = *state;
    static float tasks[3 * 32];
    for (size_t i = 0; i < 3 * 32; i++) {
        tasks[i] = (float)i;
    }
    const encl_tensor more[] = {constant_tensor("bert.embeddings.task_type_embeddings.weight", 3, 32, tasks)};
    static const char config[] = WITH_SIZES("\"model_type\":\"ernie\",\"use_task_id\":true");
    write_edited(scratch, fixture, config, NULL, 0, more, 1);
    encl_model *model = open_model(scratch->folder);
    encl_model *plain = open_model(fixture);
    assert_string_equal(encl_model_get_info(model)->model_type, "ernie");
    assert_int_equal(encl_model_get_info(model)->unused_count, 0);
    float found[2 * 32];
    float expected[2 * 32];
    const encl_weight *types = &model->bert.embeddings[2];
    const encl_weight *plain_types = &plain->bert.embeddings[2];
    assert_int_equal(types->rows, 2);
    assert_ok(types->read(types->context, 0, 2, found));
    assert_ok(plain_types->read(plain_types->context, 0, 2, expected));
    for (size_t i = 0; i < 2 * 32; i++) {
        assert_true(found[i] == expected[i] + (float)(i % 32));
    }
    assert_ok(types->read(types->context, 1, 1, found));
    assert_true(found[31] == expected[63] + 31);
    encl_model_close(plain);
    encl_model_close(model);

    // Tasks that are not used, and tasks that are not there.
    write_edited(scratch, fixture, WITH_SIZES("\"model_type\":\"ernie\""), NULL, 0, more, 1);
    model = open_model(scratch->folder);
    EXPECT_TEXTS(encl_model_get_info(model), unused, "bert.embeddings.task_type_embeddings.weight");
    encl_model_close(model);
    write_edited(scratch, fixture, config, NULL, 0, NULL, 0);
    assert_fails(encl_model_open(scratch->folder, &model), ENCL_FORMAT, "task_type_embeddings.weight");
    write_edited(scratch, fixture,
                 WITH_SIZES("\"model_type\":\"ernie\",\"use_task_id\":true,\"task_type_vocab_size\":4"), NULL, 0, more,
                 1);
    assert_fails(encl_model_open(scratch->folder, &model), ENCL_FORMAT, "float [4, 32]");
}

static void notes_a_roberta(void **state) {
    encl_scratch *scratch = *state;
    static float positions[512 * 32];
    static const edit edits[] = {{"bert.embeddings.position_embeddings.weight", NULL}};
    const encl_tensor more[] = {constant_tensor("bert.embeddings.position_embeddings.weight", 512, 32, positions)};
    write_edited(scratch, fixture, "{" SIZES ",\"model_type\":\"roberta\"}", edits, 1, more, 1);
    encl_model *model = open_model(scratch->folder);
    const encl_model_info *info = encl_model_get_info(model);
    assert_string_equal(info->model_type, "roberta");
    assert_int_equal(info->note_count, 1);
    assert_non_null(strstr(info->notes[0], "read as BERT"));
    encl_model_close(model);
}

// Rows that stand for no word are padding where they are few, and another model's vocabulary where they are many.
static void notes_a_short_vocabulary(void **state) {
    encl_scratch *scratch = *state;
    static const int rows[] = {341 + 34, 500};
    static float words[500 * 32];
    static const edit edits[] = {{"bert.embeddings.word_embeddings.weight", NULL},
                                 {"cls.predictions.bias", NULL},
                                 {"cls.predictions.decoder.weight", NULL},
                                 {"cls.predictions.decoder.bias", NULL}};
    for (size_t i = 0; i < 2; i++) {
        char config[512];
        const encl_tensor more[] = {constant_tensor("bert.embeddings.word_embeddings.weight", rows[i], 32, words)};
        snprintf(config, sizeof config,
                 "{\"hidden_size\":32,\"num_hidden_layers\":2,\"num_attention_heads\":2,\"intermediate_size\":64,"
                 "\"max_position_embeddings\":80,\"vocab_size\":%d}",
                 rows[i]);
        write_edited(scratch, fixture, config, edits, 4, more, 1);
        encl_model *model = open_model(scratch->folder);
        const encl_model_info *info = encl_model_get_info(model);
        assert_int_equal(info->note_count, i);
        if (i == 1) {
            assert_non_null(strstr(info->notes[0], "341 tokens and the model rows for 500 words"));
        }
        encl_model_close(model);
    }
}

static void names_what_is_wrong(void **state) {
    encl_scratch *scratch = *state;
    encl_model *model = NULL;
    static const float zeros[64] = {0};
    const encl_tensor odd[] = {constant_tensor("bert.pooler.dense.bias", 8, 8, zeros)};
    static const edit edits[] = {{"bert.pooler.dense.bias", NULL}};
    write_edited(scratch, fixture, NULL, edits, 1, odd, 1);
    assert_fails(encl_model_open(scratch->folder, &model), ENCL_FORMAT,
                 "tensor bert.pooler.dense.bias is F32 [8, 8], config.json makes it a float [32]");
    static const edit gone[] = {{"bert.encoder.layer.1.output.dense.weight", NULL}};
    write_edited(scratch, fixture, NULL, gone, 1, NULL, 0);
    assert_fails(encl_model_open(scratch->folder, &model), ENCL_FORMAT,
                 "has no tensor encoder.layer.1.output.dense.weight (nor bert.encoder.layer.1.output.dense.weight), "
                 "which config.json asks for");
    const encl_tensor twice[] = {constant_tensor("pooler.dense.bias", 32, 0, zeros)};
    write_edited(scratch, fixture, NULL, NULL, 0, twice, 1);
    assert_fails(encl_model_open(scratch->folder, &model), ENCL_FORMAT,
                 "found tensors 'bert.pooler.dense.bias' and 'pooler.dense.bias'");
    assert_null(model);
}

#define with_scratch(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_a_fixture),  with_scratch(lists_what_is_missing),
        with_scratch(lists_what_is_unused), with_scratch(knows_an_untrained_head),
        with_scratch(counts_labels),        with_scratch(adds_tasks),
        with_scratch(notes_a_roberta),      with_scratch(notes_a_short_vocabulary),
        with_scratch(names_what_is_wrong),
    };
    return encl_test_main(tests);
}
