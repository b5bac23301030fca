// config.json: defaults, what is read, what is refused.
#include "checkpoint/scratch.h"
#include "host/model/config.h"

static encl_status read_config(const char *path, encl_config *config) {
    encl_folder *folder = NULL;
    assert_ok(encl_folder_open(path, &folder));
    const encl_status status = encl_config_read(folder, config);
    encl_folder_close(folder);
    return status;
}

static void reads_defaults(void **state) {
    encl_scratch *scratch = *state;
    encl_config config;
    scratch_write_text(scratch, "config.json", "{}");
    assert_ok(read_config(scratch->folder, &config));
    assert_string_equal(config.architecture, "");
    assert_string_equal(config.model_type, "bert");
    assert_string_equal(config.dtype, "");
    assert_string_equal(config.problem_type, "");
    assert_int_equal(config.layers, 12);
    assert_int_equal(config.hidden, 768);
    assert_int_equal(config.heads, 12);
    assert_int_equal(config.intermediate, 3072);
    assert_int_equal(config.vocabulary, 30522);
    assert_int_equal(config.max_position, 512);
    assert_int_equal(config.type_vocabulary, 2);
    assert_int_equal(config.pad_id, 0);
    assert_true(config.epsilon == 1e-12f);
    assert_int_equal(config.activation, ENCL_ACTIVATION_GELU);
    assert_true(config.tied);
    assert_int_equal(config.label_count, 2);
    assert_string_equal(config.labels[0], "LABEL_0");
    assert_string_equal(config.labels[1], "LABEL_1");
    encl_config_free(&config);
    assert_null(config.labels);
    encl_config_free(&config);
}

static void reads_every_key(void **state) {
    encl_scratch *scratch = *state;
    encl_config config;
    scratch_write_text(
        scratch, "config.json",
        "{\"architectures\":[\"BertForTokenClassification\",\"Other\"],\"model_type\":\"bert\",\"num_hidden_layers\":3,"
        "\"hidden_size\":48,\"num_attention_heads\":6,\"intermediate_size\":50,\"vocab_size\":100,\"type_vocab_size\":"
        "1,"
        "\"max_position_embeddings\":64,\"layer_norm_eps\":1e-5,\"hidden_act\":\"gelu_new\",\"pad_token_id\":99,"
        "\"torch_dtype\":\"float32\",\"dtype\":\"float16\",\"problem_type\":\"regression\",\"is_decoder\":false,"
        "\"position_embedding_type\":\"absolute\",\"tie_word_embeddings\":false,\"num_labels\":3,"
        "\"id2label\":{\"2\":\"组织\",\"0\":\"O\",\"1\":\"B-PER\"},\"directionality\":\"bidi\",\"pooler_size\":7}");
    assert_ok(read_config(scratch->folder, &config));
    assert_string_equal(config.architecture, "BertForTokenClassification");
    assert_string_equal(config.dtype, "float16");
    assert_string_equal(config.problem_type, "regression");
    assert_int_equal(config.layers, 3);
    assert_int_equal(config.hidden, 48);
    assert_int_equal(config.heads, 6);
    assert_int_equal(config.intermediate, 50);
    assert_int_equal(config.vocabulary, 100);
    assert_int_equal(config.max_position, 64);
    assert_int_equal(config.type_vocabulary, 1);
    assert_int_equal(config.pad_id, 99);
    assert_true(config.epsilon == 1e-5f);
    assert_int_equal(config.activation, ENCL_ACTIVATION_GELU_TANH);
    assert_false(config.tied);
    assert_int_equal(config.label_count, 3);
    assert_string_equal(config.labels[0], "O");
    assert_string_equal(config.labels[1], "B-PER");
    assert_string_equal(config.labels[2], "组织");
    encl_config_free(&config);
}

static void takes_null_for_absent(void **state) {
    encl_scratch *scratch = *state;
    encl_config config;
    scratch_write_text(scratch, "config.json",
                       "{\"architectures\":null,\"pad_token_id\":null,\"id2label\":null,\"num_labels\":null,"
                       "\"hidden_act\":null,\"position_embedding_type\":null,\"dtype\":null,\"problem_type\":null}");
    assert_ok(read_config(scratch->folder, &config));
    assert_int_equal(config.label_count, 2);
    encl_config_free(&config);
}

static void finds_googles_file(void **state) {
    encl_scratch *scratch = *state;
    encl_config config;
    assert_fails(read_config(scratch->folder, &config), ENCL_NOT_FOUND, "config.json, bert_config.json");
    scratch_write_text(scratch, "bert_config.json", "{\"num_hidden_layers\":3}");
    assert_ok(read_config(scratch->folder, &config));
    assert_int_equal(config.layers, 3);
    encl_config_free(&config);
    scratch_write_text(scratch, "config.json", "{\"num_hidden_layers\":4}");
    assert_ok(read_config(scratch->folder, &config));
    assert_int_equal(config.layers, 4);
    encl_config_free(&config);
}

// Archives of several sizes of one model.
static void finds_the_only_one(void **state) {
    encl_scratch *scratch = *state;
    encl_config config;
    scratch_write_text(scratch, "bert_config_rbt3.json", "{\"num_hidden_layers\":3}");
    scratch_write_text(scratch, "bert_config.txt", "");
    scratch_write_text(scratch, "my_bert_config.json", "");
    assert_ok(read_config(scratch->folder, &config));
    assert_string_equal(config.file, "bert_config_rbt3.json");
    assert_int_equal(config.layers, 3);
    assert_string_equal(config.model_type, "bert");
    encl_config_free(&config);
    scratch_write_text(scratch, "bert_config_rbtl3.json", "{\"num_hidden_layers\":4}");
    assert_fails(read_config(scratch->folder, &config), ENCL_FORMAT, "2 files bert_config*.json");
    assert_null(config.file);
    scratch_write_text(scratch, "bert_config.json", "{\"num_hidden_layers\":5}");
    assert_ok(read_config(scratch->folder, &config));
    assert_int_equal(config.layers, 5);
    assert_string_equal(config.file, "bert_config.json");
    encl_config_free(&config);
}

static void reads_paddles_form(void **state) {
    encl_scratch *scratch = *state;
    encl_config config;
    scratch_write_text(scratch, "model_config.json",
                       "{\"init_args\":[{\"num_hidden_layers\":3,\"init_class\":\"BertModel\"}],\"num_classes\":7,"
                       "\"init_class\":\"BertForSequenceClassification\"}");
    assert_ok(read_config(scratch->folder, &config));
    assert_string_equal(config.file, "model_config.json");
    assert_string_equal(config.architecture, "BertForSequenceClassification");
    assert_string_equal(config.model_type, "bert");
    assert_int_equal(config.layers, 3);
    assert_int_equal(config.label_count, 7);
    assert_false(config.labels_named);
    assert_true(config.epsilon == 1e-12f);
    encl_config_free(&config);
    // The encoder alone. PaddleNLP's ERNIE has BERT's epsilon, whatever Paddle's default is.
    scratch_write_text(scratch, "model_config.json",
                       "{\"num_hidden_layers\":4,\"use_task_id\":true,\"task_type_vocab_size\":16,"
                       "\"init_class\":\"ErnieModel\"}");
    assert_ok(read_config(scratch->folder, &config));
    assert_string_equal(config.architecture, "ErnieModel");
    assert_string_equal(config.model_type, "ernie");
    assert_int_equal(config.layers, 4);
    assert_int_equal(config.task_types, 16);
    assert_true(config.epsilon == 1e-12f);
    encl_config_free(&config);
    assert_ok(read_config("tests/fixtures/tiny-paddle", &config));
    assert_string_equal(config.architecture, "BertForPretraining");
    assert_int_equal(config.vocabulary, 341);
    encl_config_free(&config);
}

// RoBERTa by name, BERT in truth: hfl's and PaddleNLP's.
static void takes_roberta_for_bert(void **state) {
    static const char *const texts[] = {
        "{\"model_type\":\"roberta\"}",
        "{\"architectures\":[\"RobertaForMaskedLM\"]}",
        "{\"model_type\":\"bert\",\"architectures\":[\"RobertaModel\"]}",
        "{\"init_class\":\"RobertaModel\"}",
        "{\"init_class\":\"RobertaModel\",\"max_position_embeddings\":80}",
        "{\"init_args\":[{\"max_position_embeddings\":80}],\"init_class\":\"RobertaForQuestionAnswering\"}",
    };
    static const char *const others[] = {
        "{\"model_type\":\"roberta\",\"type_vocab_size\":1}",
        "{\"model_type\":\"roberta\",\"max_position_embeddings\":514}",
        "{\"init_class\":\"RobertaModel\",\"type_vocab_size\":1}",
        "{\"architectures\":[\"RobertaForMaskedLM\"],\"type_vocab_size\":1,\"max_position_embeddings\":514}",
    };
    encl_scratch *scratch = *state;
    encl_config config;
    scratch_write_text(scratch, "config.json", texts[0]);
    assert_fails(read_config(scratch->folder, &config), ENCL_UNSUPPORTED, "no WordPiece vocabulary");
    scratch_write_text(scratch, "vocab.txt", "");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        scratch_write_text(scratch, "config.json", texts[i]);
        assert_ok(read_config(scratch->folder, &config));
        assert_string_equal(config.model_type, "roberta");
        assert_non_null(strstr(config.note, "config.json says roberta; read as BERT"));
        encl_config_free(&config);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        scratch_write_text(scratch, "config.json", others[i]);
        assert_fails(read_config(scratch->folder, &config), ENCL_UNSUPPORTED, "'roberta' with a vocab.txt, ");
        assert_null(config.note);
    }
    static const char *const files[] = {"merges.txt", "vocab.json"};
    for (size_t i = 0; i < 2; i++) {
        scratch_write_text(scratch, "config.json", texts[0]);
        scratch_write_text(scratch, files[i], "");
        assert_fails(read_config(scratch->folder, &config), ENCL_UNSUPPORTED, "no WordPiece vocabulary");
        assert_int_equal(remove(scratch_path(scratch, files[i])), 0);
    }
}

static void numbers_labels_anew(void **state) {
    encl_scratch *scratch = *state;
    encl_config config;
    scratch_write_text(scratch, "config.json", "{\"id2label\":{\"0\":\"a\",\"1\":\"b\"}}");
    assert_ok(read_config(scratch->folder, &config));
    assert_true(config.labels_named);
    assert_ok(encl_config_number_labels(&config, 3));
    assert_false(config.labels_named);
    assert_int_equal(config.label_count, 3);
    assert_string_equal(config.labels[2], "LABEL_2");
    encl_config_free(&config);
    scratch_write_text(scratch, "config.json", "{\"id2label\":{\"0\":\"a\"},\"num_labels\":2}");
    assert_ok(read_config(scratch->folder, &config));
    assert_false(config.labels_named);
    encl_config_free(&config);
}

static void knows_activations(void **state) {
    static const struct {
        const char *name;
        encl_activation activation;
    } rows[] = {
        {"gelu", ENCL_ACTIVATION_GELU},          {"gelu_python", ENCL_ACTIVATION_GELU},
        {"gelu_new", ENCL_ACTIVATION_GELU_TANH}, {"gelu_pytorch_tanh", ENCL_ACTIVATION_GELU_TANH},
        {"relu", ENCL_ACTIVATION_RELU},          {"silu", ENCL_ACTIVATION_SILU},
        {"swish", ENCL_ACTIVATION_SILU},         {"tanh", ENCL_ACTIVATION_TANH},
    };
    encl_scratch *scratch = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[64];
        encl_config config;
        snprintf(text, sizeof text, "{\"hidden_act\":\"%s\"}", rows[i].name);
        scratch_write_text(scratch, "config.json", text);
        assert_ok(read_config(scratch->folder, &config));
        assert_int_equal(config.activation, rows[i].activation);
        encl_config_free(&config);
    }
}

// A num_labels that differs from the size of id2label wins, and takes the names with it.
static void chooses_labels(void **state) {
    static const struct {
        const char *text;
        size_t count;
        const char *last;
    } rows[] = {
        {"{\"num_labels\":4}", 4, "LABEL_3"},
        {"{\"num_labels\":1}", 1, "LABEL_0"},
        {"{\"id2label\":{\"0\":\"a\"}}", 1, "a"},
        {"{\"id2label\":{\"0\":\"a\",\"1\":\"b\"},\"num_labels\":2}", 2, "b"},
        {"{\"id2label\":{\"0\":\"a\",\"1\":\"b\"},\"num_labels\":3}", 3, "LABEL_2"},
        {"{\"id2label\":{\"0\":\"a\",\"1\":\"b\"},\"num_labels\":1}", 1, "LABEL_0"},
        {"{\"id2label\":{\"0\":\"\",\"1\":\"\"}}", 2, ""},
    };
    encl_scratch *scratch = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        encl_config config;
        scratch_write_text(scratch, "config.json", rows[i].text);
        assert_ok(read_config(scratch->folder, &config));
        assert_int_equal(config.label_count, rows[i].count);
        assert_string_equal(config.labels[rows[i].count - 1], rows[i].last);
        encl_config_free(&config);
    }
}

static void assert_zeroed(const encl_config *config) {
    assert_null(config->architecture);
    assert_null(config->model_type);
    assert_null(config->labels);
    assert_int_equal(config->label_count, 0);
    assert_int_equal(config->hidden, 0);
}

static void refuses_what_it_cannot_compute(void **state) {
    static const struct {
        const char *text;
        const char *part;
    } rows[] = {
        {"{\"model_type\":\"roberta\"}", "'roberta'"},
        {"{\"model_type\":\"distilbert\"}", "'distilbert'"},
        {"{\"model_type\":\"electra\"}", "'electra', expected bert, ernie, or roberta"},
        {"{\"model_type\":\"xlm-roberta\"}", "'xlm-roberta'"},
        {"{\"model_type\":\"nomic_bert\"}", "'nomic_bert'"},
        {"{\"architectures\":[\"ElectraModel\"]}", "architectures: found 'ElectraModel'"},
        {"{\"architectures\":[\"ErnieMForTokenClassification\"]}", "'ErnieMForTokenClassification'"},
        {"{\"init_class\":\"ErnieGramModel\"}", "'ErnieGramModel'"},
        {"{\"model_type\":\"ernie\",\"use_task_id\":true,\"task_id\":1}", "task_id: found 1, expected 0"},
        {"{\"position_embedding_type\":\"relative_key\"}", "'relative_key'"},
        {"{\"is_decoder\":true}", "is_decoder"},
        {"{\"add_cross_attention\":true}", "add_cross_attention"},
        {"{\"hidden_act\":\"mish\"}", "'mish'"},
        {"{\"hidden_act\":\"\"}", "hidden_act"},
    };
    encl_scratch *scratch = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        encl_config config;
        scratch_write_text(scratch, "config.json", rows[i].text);
        assert_fails(read_config(scratch->folder, &config), ENCL_UNSUPPORTED, rows[i].part);
        assert_detail_has("config.json");
        assert_zeroed(&config);
    }
}

static void refuses_what_is_wrong(void **state) {
    static const struct {
        const char *text;
        const char *part;
    } rows[] = {
        {"", "line 1"},
        {"[]", "object"},
        {"{} {}", "line 1"},
        {"{\"hidden_size\":768,\"hidden_size\":768}", "line 1"},
        {"{\"model_type\":1}", "model_type"},
        {"{\"init_class\":1}", "init_class"},
        {"{\"init_args\":{}}", "init_args"},
        {"{\"init_args\":[]}", "init_args"},
        {"{\"init_args\":[1]}", "init_args"},
        {"{\"init_args\":[{}],\"num_classes\":\"3\"}", "num_labels"},
        {"{\"model_type\":\"ernie\",\"use_task_id\":1}", "use_task_id"},
        {"{\"model_type\":\"ernie\",\"task_type_vocab_size\":0}", "task_type_vocab_size"},
        {"{\"is_decoder\":\"no\"}", "is_decoder"},
        {"{\"architectures\":\"BertModel\"}", "architectures"},
        {"{\"architectures\":[1]}", "architectures"},
        {"{\"hidden_size\":\"768\"}", "hidden_size"},
        {"{\"hidden_size\":768.5}", "hidden_size"},
        {"{\"hidden_size\":0}", "hidden_size"},
        {"{\"hidden_size\":-768}", "hidden_size"},
        {"{\"hidden_size\":4294967296}", "hidden_size"},
        {"{\"hidden_size\":769}", "multiple"},
        {"{\"num_attention_heads\":0}", "num_attention_heads"},
        {"{\"num_attention_heads\":5}", "multiple"},
        {"{\"num_attention_heads\":1536}", "multiple"},
        {"{\"num_hidden_layers\":0}", "num_hidden_layers"},
        {"{\"num_hidden_layers\":1000000}", "num_hidden_layers"},
        {"{\"intermediate_size\":0}", "intermediate_size"},
        {"{\"vocab_size\":0}", "vocab_size"},
        {"{\"vocab_size\":2147483648}", "vocab_size"},
        {"{\"max_position_embeddings\":0}", "max_position_embeddings"},
        {"{\"type_vocab_size\":0}", "type_vocab_size"},
        {"{\"pad_token_id\":-1}", "pad_token_id"},
        {"{\"pad_token_id\":30522}", "pad_token_id"},
        {"{\"layer_norm_eps\":0}", "layer_norm_eps"},
        {"{\"layer_norm_eps\":-1e-12}", "layer_norm_eps"},
        {"{\"layer_norm_eps\":1e-60}", "layer_norm_eps"},
        {"{\"layer_norm_eps\":2}", "layer_norm_eps"},
        {"{\"layer_norm_eps\":\"1e-12\"}", "layer_norm_eps"},
        {"{\"hidden_act\":3}", "hidden_act"},
        {"{\"dtype\":16}", "dtype"},
        {"{\"num_labels\":0}", "num_labels"},
        {"{\"num_labels\":1000000}", "num_labels"},
        {"{\"id2label\":[\"a\"]}", "id2label"},
        {"{\"id2label\":{}}", "id2label"},
        {"{\"id2label\":{\"0\":\"a\",\"2\":\"b\"}}", "'2'"},
        {"{\"id2label\":{\"0\":\"a\",\"x\":\"b\"}}", "'x'"},
        {"{\"id2label\":{\"0\":\"a\",\"\":\"b\"}}", "''"},
        {"{\"id2label\":{\"0\":\"a\",\"01\":\"b\"}}", "'01'"},
        {"{\"id2label\":{\"0\":\"a\",\"-1\":\"b\"}}", "'-1'"},
        {"{\"id2label\":{\"0\":\"a\",\"18446744073709551617\":\"b\"}}", "'18446744073709551617'"},
        {"{\"id2label\":{\"0\":1}}", "'0'"},
    };
    encl_scratch *scratch = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        encl_config config;
        scratch_write_text(scratch, "config.json", rows[i].text);
        assert_fails(read_config(scratch->folder, &config), ENCL_FORMAT, rows[i].part);
        assert_detail_has("config.json");
        assert_zeroed(&config);
    }
}

static void refuses_truncation_at_every_byte(void **state) {
    static const char text[] = "{\"architectures\":[\"BertModel\"],\"id2label\":{\"0\":\"a\"},\"hidden_size\":48}";
    encl_scratch *scratch = *state;
    encl_config config;
    for (size_t i = 0; i < strlen(text); i++) {
        scratch_write(scratch, "config.json", text, i);
        assert_fails(read_config(scratch->folder, &config), ENCL_FORMAT, "config.json");
        assert_zeroed(&config);
    }
    scratch_write_text(scratch, "config.json", text);
    assert_ok(read_config(scratch->folder, &config));
    encl_config_free(&config);
}

static void reads_what_transformers_writes(void **state) {
    (void)state;
    encl_config config;
    assert_ok(read_config("tests/fixtures/tiny-bert-bf16", &config));
    assert_string_equal(config.architecture, "BertForSequenceClassification");
    assert_string_equal(config.dtype, "bfloat16");
    assert_int_equal(config.hidden, 32);
    assert_int_equal(config.label_count, 3);
    assert_string_equal(config.labels[2], "positive");
    encl_config_free(&config);
    assert_ok(read_config("tests/fixtures/tiny-bert-odd", &config));
    assert_int_equal(config.heads, 4);
    assert_int_equal(config.intermediate, 50);
    assert_int_equal(config.layers, 3);
    assert_int_equal(config.activation, ENCL_ACTIVATION_RELU);
    encl_config_free(&config);
}

#define with_scratch(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_scratch(reads_defaults),
        with_scratch(reads_every_key),
        with_scratch(takes_null_for_absent),
        with_scratch(finds_googles_file),
        with_scratch(finds_the_only_one),
        with_scratch(reads_paddles_form),
        with_scratch(takes_roberta_for_bert),
        with_scratch(numbers_labels_anew),
        with_scratch(knows_activations),
        with_scratch(chooses_labels),
        with_scratch(refuses_what_it_cannot_compute),
        with_scratch(refuses_what_is_wrong),
        with_scratch(refuses_truncation_at_every_byte),
        cmocka_unit_test(reads_what_transformers_writes),
    };
    return encl_test_main(tests);
}
