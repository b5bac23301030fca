// Tensors of every dialect under Hugging Face's names.
#include "checkpoint/scratch.h"
#include "host/checkpoint/format.h"
#include "host/model/state_dict.h"

// A checkpoint that no file holds. Element i of a tensor is i.
static encl_checkpoint *make_checkpoint(encl_dialect dialect) {
    encl_checkpoint *made = calloc(1, sizeof *made);
    assert_non_null(made);
    made->dialect = dialect;
    return made;
}

// columns = 0: a vector.
static void add(encl_checkpoint *checkpoint, const char *name, int64_t rows, int64_t columns) {
    encl_tensor tensor = {.name = name, .dtype = ENCL_DTYPE_F32, .dimensions = columns == 0 ? 1 : 2};
    void *memory = NULL;
    tensor.shape[0] = rows;
    tensor.shape[1] = columns;
    tensor.elements = rows * (columns == 0 ? 1 : columns);
    tensor.bytes = (size_t)tensor.elements * sizeof(float);
    assert_ok(encl_checkpoint_own(checkpoint, tensor.bytes, &memory));
    for (int64_t i = 0; i < tensor.elements; i++) {
        ((float *)memory)[i] = (float)i;
    }
    tensor.data = memory;
    encl_tensor_set_dense(&tensor);
    assert_ok(encl_checkpoint_add(checkpoint, &tensor));
}

typedef struct name_pair {
    const char *stored;
    const char *name; // NULL: ignored
    bool transposed;
} name_pair;

// All names of one dialect, in one checkpoint.
static void check_names(encl_dialect dialect, const char *architecture, const name_pair *pairs, size_t count) {
    encl_checkpoint *checkpoint = make_checkpoint(dialect);
    encl_state_dict *state = NULL;
    size_t ignored = 0;
    for (size_t i = 0; i < count; i++) {
        add(checkpoint, pairs[i].stored, 2, 3);
    }
    encl_checkpoint_sort(checkpoint, 0);
    assert_ok(encl_state_dict_create("place", checkpoint, architecture, &state));
    assert_int_equal(encl_state_dict_count(state), count);
    for (size_t i = 0; i < count; i++) {
        if (pairs[i].name == NULL) {
            assert_null(encl_state_dict_find(state, pairs[i].stored));
            ignored++;
            continue;
        }
        const encl_state_entry *entry = encl_state_dict_find(state, pairs[i].name);
        if (entry == NULL || strcmp(entry->stored->name, pairs[i].stored) != 0) {
            fail_msg("'%s': found %s, expected '%s'", pairs[i].name, entry == NULL ? "nothing" : entry->stored->name,
                     pairs[i].stored);
        }
        assert_int_equal(entry->transposed, pairs[i].transposed);
        assert_int_equal(entry->tensor.shape[0], pairs[i].transposed ? 3 : 2);
        assert_int_equal(entry->tensor.shape[1], pairs[i].transposed ? 2 : 3);
        assert_string_equal(entry->tensor.name, pairs[i].stored);
        assert_false(entry->ignored);
        assert_false(entry->used);
    }
    for (size_t i = 0; i < count; i++) {
        const encl_state_entry *entry = encl_state_dict_at(state, i);
        ignored -= entry->ignored ? 1 : 0;
        assert_true(i == 0 || strcmp(encl_state_dict_at(state, i - 1)->name, entry->name) <= 0);
    }
    assert_int_equal(ignored, 0);
    assert_null(encl_state_dict_at(state, count));
    encl_state_dict_free(state);
    encl_checkpoint_close(checkpoint);
}
#define CHECK_NAMES(dialect, architecture, pairs) \
    check_names((dialect), (architecture), (pairs), sizeof(pairs) / sizeof(pairs)[0])

static void names_torch(void **state) {
    (void)state;
    static const name_pair pairs[] = {
        {"bert.embeddings.word_embeddings.weight", "embeddings.word_embeddings.weight", false},
        {"embeddings.position_embeddings.weight", "embeddings.position_embeddings.weight", false},
        {"bert.embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight", false},
        {"bert.embeddings.LayerNorm.beta", "embeddings.LayerNorm.bias", false},
        {"ernie.encoder.layer.11.output.LayerNorm.gamma", "encoder.layer.11.output.LayerNorm.weight", false},
        {"roberta.encoder.layer.0.output.dense.weight", "encoder.layer.0.output.dense.weight", false},
        {"cls.predictions.transform.LayerNorm.beta", "cls.predictions.transform.LayerNorm.bias", false},
        {"cls.predictions.decoder.weight", "cls.predictions.decoder.weight", false},
        {"classifier.weight", "classifier.weight", false},
        {"some.gamma", "some.gamma", false},
        {"bert.embeddings.position_ids", NULL, false},
        {"embeddings.token_type_ids", NULL, false},
    };
    CHECK_NAMES(ENCL_DIALECT_TORCH, "BertForQuestionAnswering", pairs);
}

static void names_tensorflow(void **state) {
    (void)state;
    static const name_pair pairs[] = {
        {"bert/embeddings/word_embeddings", "embeddings.word_embeddings.weight", false},
        {"bert/embeddings/position_embeddings", "embeddings.position_embeddings.weight", false},
        {"bert/embeddings/token_type_embeddings", "embeddings.token_type_embeddings.weight", false},
        {"bert/embeddings/LayerNorm/gamma", "embeddings.LayerNorm.weight", false},
        {"bert/embeddings/LayerNorm/beta", "embeddings.LayerNorm.bias", false},
        {"bert/encoder/layer_0/attention/self/query/kernel", "encoder.layer.0.attention.self.query.weight", true},
        {"bert/encoder/layer_0/attention/self/query/bias", "encoder.layer.0.attention.self.query.bias", false},
        {"bert/encoder/layer_10/attention/self/key/kernel", "encoder.layer.10.attention.self.key.weight", true},
        {"bert/encoder/layer_10/attention/self/value/kernel", "encoder.layer.10.attention.self.value.weight", true},
        {"bert/encoder/layer_7/attention/output/dense/kernel", "encoder.layer.7.attention.output.dense.weight", true},
        {"bert/encoder/layer_7/attention/output/LayerNorm/gamma", "encoder.layer.7.attention.output.LayerNorm.weight",
         false},
        {"bert/encoder/layer_7/intermediate/dense/kernel", "encoder.layer.7.intermediate.dense.weight", true},
        {"bert/encoder/layer_7/output/dense/bias", "encoder.layer.7.output.dense.bias", false},
        {"bert/encoder/layer_7/output/LayerNorm/beta", "encoder.layer.7.output.LayerNorm.bias", false},
        {"bert/pooler/dense/kernel", "pooler.dense.weight", true},
        {"cls/predictions/transform/dense/kernel", "cls.predictions.transform.dense.weight", true},
        {"cls/predictions/transform/LayerNorm/gamma", "cls.predictions.transform.LayerNorm.weight", false},
        {"cls/predictions/output_bias", "cls.predictions.bias", false},
        {"cls/seq_relationship/output_weights", "cls.seq_relationship.weight", false},
        {"cls/seq_relationship/output_bias", "cls.seq_relationship.bias", false},
        {"cls/squad/output_weights", "qa_outputs.weight", false},
        {"cls/squad/output_bias", "qa_outputs.bias", false},
        {"output_weights", "classifier.weight", false},
        {"output_bias", "classifier.bias", false},
        // Nothing that looks like a name is taken for one.
        {"bert/encoder/layer_/output/dense/kernel", "bert/encoder/layer_/output/dense/kernel", false},
        {"bert/encoder/layer_01/output/dense/kernel", "bert/encoder/layer_01/output/dense/kernel", false},
        {"bert/encoder/layer_1/output/dense/gamma", "bert/encoder/layer_1/output/dense/gamma", false},
        {"bert/encoder/layer_1/output/dense", "bert/encoder/layer_1/output/dense", false},
        {"bert/pooler/dense/kernel/extra", "bert/pooler/dense/kernel/extra", false},
        {"output_weights_2", "output_weights_2", false},
        {"global_step", NULL, false},
        {"bert/pooler/dense/kernel/adam_m", NULL, false},
        {"bert/pooler/dense/kernel/adam_v", NULL, false},
        {"output_weights/lamb_m", NULL, false},
        {"output_weights/lamb_v", NULL, false},
    };
    CHECK_NAMES(ENCL_DIALECT_TENSORFLOW, "", pairs);
}

static void names_paddle(void **state) {
    (void)state;
    static const name_pair pairs[] = {
        {"bert.embeddings.word_embeddings.weight", "embeddings.word_embeddings.weight", false},
        {"ernie.embeddings.task_type_embeddings.weight", "embeddings.task_type_embeddings.weight", false},
        {"roberta.embeddings.token_type_embeddings.weight", "embeddings.token_type_embeddings.weight", false},
        {"embeddings.layer_norm.weight", "embeddings.LayerNorm.weight", false},
        {"bert.embeddings.layer_norm.bias", "embeddings.LayerNorm.bias", false},
        {"bert.encoder.layers.0.self_attn.q_proj.weight", "encoder.layer.0.attention.self.query.weight", true},
        {"bert.encoder.layers.0.self_attn.k_proj.bias", "encoder.layer.0.attention.self.key.bias", false},
        {"bert.encoder.layers.23.self_attn.v_proj.weight", "encoder.layer.23.attention.self.value.weight", true},
        {"bert.encoder.layers.0.self_attn.out_proj.weight", "encoder.layer.0.attention.output.dense.weight", true},
        {"bert.encoder.layers.0.norm1.weight", "encoder.layer.0.attention.output.LayerNorm.weight", false},
        {"bert.encoder.layers.0.linear1.weight", "encoder.layer.0.intermediate.dense.weight", true},
        {"bert.encoder.layers.0.linear2.weight", "encoder.layer.0.output.dense.weight", true},
        {"bert.encoder.layers.0.norm2.bias", "encoder.layer.0.output.LayerNorm.bias", false},
        {"bert.pooler.dense.weight", "pooler.dense.weight", true},
        {"cls.predictions.transform.weight", "cls.predictions.transform.dense.weight", true},
        {"cls.predictions.transform.bias", "cls.predictions.transform.dense.bias", false},
        {"cls.predictions.layer_norm.weight", "cls.predictions.transform.LayerNorm.weight", false},
        {"cls.predictions.decoder_weight", "cls.predictions.decoder.weight", false},
        {"cls.predictions.decoder_bias", "cls.predictions.bias", false},
        {"cls.seq_relationship.weight", "cls.seq_relationship.weight", true},
        {"classifier.weight", "classifier.weight", true},
        {"classifier.bias", "classifier.bias", false},
        {"head.weight", "head.weight", false},
    };
    static const name_pair answers[] = {
        {"classifier.weight", "qa_outputs.weight", true},
        {"classifier.bias", "qa_outputs.bias", false},
    };
    CHECK_NAMES(ENCL_DIALECT_PADDLE, "BertForTokenClassification", pairs);
    CHECK_NAMES(ENCL_DIALECT_PADDLE, "ErnieForQuestionAnswering", answers);
}

static void transposes_without_copying(void **state) {
    (void)state;
    encl_checkpoint *checkpoint = make_checkpoint(ENCL_DIALECT_TENSORFLOW);
    encl_state_dict *dict = NULL;
    float values[6];
    add(checkpoint, "bert/pooler/dense/kernel", 2, 3);
    add(checkpoint, "cls/predictions/transform/dense/kernel", 4, 0); // no matrix: told where it is used
    encl_checkpoint_sort(checkpoint, 0);
    assert_ok(encl_state_dict_create("place", checkpoint, "", &dict));
    const encl_state_entry *entry = encl_state_dict_find(dict, "bert.pooler.dense.weight");
    assert_non_null(entry);
    assert_ptr_equal(entry, encl_state_dict_find(dict, "pooler.dense.weight"));
    assert_ptr_equal(entry->tensor.data, entry->stored->data);
    static const float expected[] = {0, 3, 1, 4, 2, 5};
    assert_ok(encl_tensor_read(&entry->tensor, 0, 6, values));
    assert_memory_equal(values, expected, sizeof values);
    assert_ok(encl_tensor_copy(&entry->tensor, 1, 4, values));
    assert_memory_equal(values, expected + 1, 4 * sizeof values[0]);
    const encl_state_entry *vector = encl_state_dict_find(dict, "cls.predictions.transform.dense.weight");
    assert_non_null(vector);
    assert_int_equal(vector->tensor.dimensions, 1);
    assert_int_equal(vector->tensor.shape[0], 4);
    encl_state_dict_use(dict, entry);
    assert_true(entry->used);
    assert_false(vector->used);
    encl_state_dict_free(dict);
    encl_checkpoint_close(checkpoint);
    encl_state_dict_free(NULL);
}

static void refuses_two_of_one_name(void **state) {
    (void)state;
    static const struct {
        encl_dialect dialect;
        const char *first, *second, *name;
    } rows[] = {
        {ENCL_DIALECT_TORCH, "bert.pooler.dense.bias", "pooler.dense.bias", "pooler.dense.bias"},
        {ENCL_DIALECT_TORCH, "bert.embeddings.LayerNorm.beta", "bert.embeddings.LayerNorm.bias",
         "embeddings.LayerNorm.bias"},
        {ENCL_DIALECT_PADDLE, "bert.pooler.dense.bias", "roberta.pooler.dense.bias", "pooler.dense.bias"},
        {ENCL_DIALECT_TENSORFLOW, "bert/pooler/dense/bias", "pooler/dense/bias", "pooler.dense.bias"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        encl_checkpoint *checkpoint = make_checkpoint(rows[i].dialect);
        encl_state_dict *dict = NULL;
        add(checkpoint, rows[i].first, 3, 0);
        add(checkpoint, rows[i].second, 3, 0);
        encl_checkpoint_sort(checkpoint, 0);
        assert_fails(encl_state_dict_create("some/place", checkpoint, "", &dict), ENCL_FORMAT, "some/place: ");
        assert_null(dict);
        assert_detail_has(rows[i].first);
        assert_detail_has(rows[i].second);
        assert_detail_has(rows[i].name);
        encl_checkpoint_close(checkpoint);
    }
    // What is ignored may be there in any number.
    encl_checkpoint *checkpoint = make_checkpoint(ENCL_DIALECT_TORCH);
    encl_state_dict *dict = NULL;
    add(checkpoint, "bert.embeddings.position_ids", 3, 0);
    add(checkpoint, "embeddings.position_ids", 3, 0);
    assert_ok(encl_state_dict_create("place", checkpoint, "", &dict));
    encl_state_dict_free(dict);
    encl_checkpoint_close(checkpoint);
}

static void holds_nothing(void **state) {
    (void)state;
    encl_checkpoint *checkpoint = make_checkpoint(ENCL_DIALECT_TORCH);
    encl_state_dict *dict = NULL;
    assert_ok(encl_state_dict_create("place", checkpoint, "", &dict));
    assert_int_equal(encl_state_dict_count(dict), 0);
    assert_null(encl_state_dict_find(dict, "pooler.dense.bias"));
    encl_state_dict_free(dict);
    encl_checkpoint_close(checkpoint);
}

static void names_the_stored(void **state) {
    (void)state;
    static const struct {
        encl_dialect dialect;
        const char *name, *stored;
    } rows[] = {
        {ENCL_DIALECT_TORCH, "encoder.layer.3.output.LayerNorm.weight", "encoder.layer.3.output.LayerNorm.weight"},
        {ENCL_DIALECT_TENSORFLOW, "encoder.layer.13.output.LayerNorm.weight",
         "bert/encoder/layer_13/output/LayerNorm/gamma"},
        {ENCL_DIALECT_TENSORFLOW, "encoder.layer.3.output.dense.weight", "bert/encoder/layer_3/output/dense/kernel"},
        {ENCL_DIALECT_TENSORFLOW, "embeddings.word_embeddings.weight", "bert/embeddings/word_embeddings"},
        {ENCL_DIALECT_TENSORFLOW, "cls.predictions.bias", "cls/predictions/output_bias"},
        {ENCL_DIALECT_PADDLE, "encoder.layer.3.attention.self.key.bias", "encoder.layers.3.self_attn.k_proj.bias"},
        {ENCL_DIALECT_PADDLE, "no.such.name", "no.such.name"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        encl_string stored = {0};
        assert_ok(encl_state_stored_name(rows[i].dialect, rows[i].name, &stored));
        assert_string_equal(stored.text, rows[i].stored);
        encl_string_free(&stored);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_torch),
        cmocka_unit_test(names_tensorflow),
        cmocka_unit_test(names_paddle),
        cmocka_unit_test(transposes_without_copying),
        cmocka_unit_test(refuses_two_of_one_name),
        cmocka_unit_test(holds_nothing),
        cmocka_unit_test(names_the_stored),
    };
    return encl_test_main(tests);
}
