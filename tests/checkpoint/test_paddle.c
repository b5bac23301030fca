// Paddle's files: those that Paddle wrote, compared with the same weights in safetensors, and damaged ones.
#include "checkpoint/pickle_writer.h"

// ---- Files by Paddle --------------------------------------------------------------------------------------------

// Replaces the first `from` of a name; false where there is none.
static bool replace(char *name, size_t capacity, const char *from, const char *to) {
    char copy[256];
    char *at = strstr(name, from);
    if (at == NULL) {
        return false;
    }
    snprintf(copy, sizeof copy, "%s", at + strlen(from));
    snprintf(at, capacity - (size_t)(at - name), "%s%s", to, copy);
    return true;
}

// Paddle's name of a tensor of Hugging Face's.
static void paddle_name(char *name, size_t capacity, const char *torch_name) {
    static const char *const pairs[][2] = {
        {"cls.predictions.bias", "cls.predictions.decoder_bias"},
        {"transform.LayerNorm", "layer_norm"},
        {"transform.dense", "transform"},
        {"embeddings.LayerNorm", "embeddings.layer_norm"},
        {"attention.output.LayerNorm", "norm1"},
        {"output.LayerNorm", "norm2"},
        {"attention.output.dense", "self_attn.out_proj"},
        {"intermediate.dense", "linear1"},
        {"output.dense", "linear2"},
        {"attention.self.query", "self_attn.q_proj"},
        {"attention.self.key", "self_attn.k_proj"},
        {"attention.self.value", "self_attn.v_proj"},
    };
    snprintf(name, capacity, "%s", torch_name);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (replace(name, capacity, pairs[i][0], pairs[i][1])) {
            break;
        }
    }
    replace(name, capacity, "encoder.layer.", "encoder.layers.");
}

// Linear weights are [in, out] here and [out, in] there.
static void compare(const encl_tensor *found, const encl_tensor *expected) {
    const bool is_linear = expected->dimensions == 2 && strstr(expected->name, "embeddings") == NULL;
    const int64_t columns = expected->dimensions == 2 ? expected->shape[1] : expected->elements;
    float *values = calloc((size_t)expected->elements, sizeof *values);
    float *references = calloc((size_t)expected->elements, sizeof *references);
    assert_true(values != NULL && references != NULL);
    assert_int_equal(found->dtype, ENCL_DTYPE_F32);
    assert_int_equal(found->dimensions, expected->dimensions);
    assert_int_equal(found->elements, expected->elements);
    assert_int_equal(found->shape[0], expected->shape[is_linear]);
    assert_ok(encl_tensor_read(found, 0, found->elements, values));
    assert_ok(encl_tensor_read(expected, 0, expected->elements, references));
    for (int64_t i = 0; i < found->elements; i++) {
        const int64_t rows = expected->elements / columns;
        const int64_t place = is_linear ? i % columns * rows + i / columns : i;
        assert_memory_equal(&values[place], &references[i], sizeof *values);
    }
    free(values);
    free(references);
}

static void reads_the_tiny_models(void **state) {
    (void)state;
    static const struct {
        const char *path;
        size_t more;
    } rows[] = {{"tests/fixtures/tiny-paddle", 1},
                {"tests/fixtures/tiny-paddle-2", 0},
                {"tests/fixtures/tiny-paddle/model_state.pdparams", 1}};
    encl_checkpoint *base = NULL;
    assert_ok(encl_checkpoint_open("tests/fixtures/tiny-pretraining", &base));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        encl_checkpoint *checkpoint = NULL;
        assert_ok(encl_checkpoint_open(rows[i].path, &checkpoint));
        assert_string_equal(encl_checkpoint_format(checkpoint), "paddle");
        assert_string_equal(encl_checkpoint_file(checkpoint), "model_state.pdparams");
        assert_int_equal(encl_checkpoint_dialect(checkpoint), ENCL_DIALECT_PADDLE);
        assert_int_equal(encl_checkpoint_count(checkpoint), encl_checkpoint_count(base) + rows[i].more);
        for (size_t j = 0; j < encl_checkpoint_count(base); j++) {
            char name[256];
            paddle_name(name, sizeof name, encl_checkpoint_at(base, j)->name);
            compare(find_tensor(checkpoint, name), encl_checkpoint_at(base, j));
        }
        encl_checkpoint_close(checkpoint);
    }
    encl_checkpoint_close(base);
}

// Protocol 4 has the bytes as they are, which are not copied.
static void keeps_bytes_where_they_lie(void **state) {
    (void)state;
    for (int protocol = 2; protocol <= 4; protocol++) {
        char path[80];
        size_t length = 0;
        encl_checkpoint *checkpoint = NULL;
        snprintf(path, sizeof path, "tests/fixtures/paddle-types/types-%d.pdparams", protocol);
        uint8_t *bytes = read_fixture(path, &length);
        const encl_file file = {.data = bytes, .size = length};
        assert_ok(read_memory(encl_paddle_read, &file, &checkpoint));
        const uint8_t *data = find_tensor(checkpoint, "tensor_float32")->data;
        assert_int_equal(data >= bytes && data<bytes + length, protocol> 2);
        assert_ptr_equal(find_tensor(checkpoint, "tensor_float32")->source, protocol > 2 ? &file : NULL);
        encl_checkpoint_close(checkpoint);
        free(bytes);
    }
}

static void reads_every_type(void **state) {
    (void)state;
    static const struct {
        const char *name;
        encl_dtype dtype;
    } rows[] = {
        {"tensor_float32", ENCL_DTYPE_F32}, {"tensor_float16", ENCL_DTYPE_F16}, {"tensor_float64", ENCL_DTYPE_F64},
        {"tensor_int64", ENCL_DTYPE_I64},   {"tensor_int32", ENCL_DTYPE_I32},   {"tensor_int16", ENCL_DTYPE_I16},
        {"tensor_int8", ENCL_DTYPE_I8},     {"tensor_uint8", ENCL_DTYPE_U8},    {"tensor_bool", ENCL_DTYPE_BOOL},
    };
    for (int protocol = 2; protocol <= 4; protocol++) {
        char path[80];
        encl_checkpoint *checkpoint = NULL;
        snprintf(path, sizeof path, "tests/fixtures/paddle-types/types-%d.pdparams", protocol);
        assert_ok(encl_checkpoint_open(path, &checkpoint));
        assert_int_equal(encl_checkpoint_count(checkpoint), 13);
        float values[6];
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            const encl_tensor *tensor = find_tensor(checkpoint, rows[i].name);
            const size_t width = encl_dtype_bytes(tensor->dtype);
            assert_int_equal(tensor->dtype, rows[i].dtype);
            assert_int_equal(tensor->shape[0], 2);
            assert_int_equal(tensor->shape[1], 3);
            if (i < 3) {
                assert_ok(encl_tensor_read(tensor, 0, 6, values));
            }
            for (size_t j = 0; j < 6; j++) {
                int64_t integer = 0;
                memcpy(&integer, tensor->data + j * width, width);
                assert_int_equal(i < 3 ? (int64_t)values[j] : integer, i == 8 ? j % 2 : j);
            }
        }
        assert_int_equal(find_tensor(checkpoint, "scalar")->dimensions, 0);
        assert_ok(encl_tensor_read(find_tensor(checkpoint, "scalar"), 0, 1, values));
        assert_true(values[0] == 7);
        assert_int_equal(find_tensor(checkpoint, "empty")->elements, 0);
        assert_int_equal(find_tensor(checkpoint, "empty")->shape[1], 3);
        assert_ok(encl_tensor_read(find_tensor(checkpoint, "parameter"), 0, 2, values));
        assert_true(values[0] == 1 && values[1] == 2);
        assert_ok(encl_tensor_read(find_tensor(checkpoint, "fortran"), 0, 6, values));
        for (int i = 0; i < 6; i++) {
            static const float expected[] = {0, 3, 1, 4, 2, 5};
            assert_true(values[i] == expected[i]);
        }
        encl_checkpoint_close(checkpoint);
    }
}

static void refuses_calls(void **state) {
    (void)state;
    encl_checkpoint *checkpoint = NULL;
    assert_fails(encl_checkpoint_open("tests/fixtures/paddle-types/lod.pdparams", &checkpoint), ENCL_UNSUPPORTED,
                 "eval'");
}

static void finds_the_file(void **state) {
    encl_scratch *scratch = *state;
    encl_checkpoint *checkpoint = NULL;
    size_t length = 0;
    uint8_t *bytes = read_fixture("tests/fixtures/paddle-types/types-4.pdparams", &length);
    scratch_write(scratch, "one.pdparams", bytes, length);
    scratch_write(scratch, "one.pdopt", bytes, length);
    assert_ok(encl_checkpoint_open(scratch->folder, &checkpoint));
    assert_string_equal(encl_checkpoint_file(checkpoint), "one.pdparams");
    encl_checkpoint_close(checkpoint);
    scratch_write(scratch, "two.pdparams", bytes, length);
    assert_fails(encl_checkpoint_open(scratch->folder, &checkpoint), ENCL_FORMAT, "found 2 files *.pdparams");
    assert_null(checkpoint);
    scratch_write(scratch, "model_state.pdparams", bytes, length);
    assert_ok(encl_checkpoint_open(scratch->folder, &checkpoint));
    assert_string_equal(encl_checkpoint_file(checkpoint), "model_state.pdparams");
    encl_checkpoint_close(checkpoint);
    free(bytes);
}

// ---- Damage -----------------------------------------------------------------------------------------------------

static void refuses_truncation_at_every_byte(void **state) {
    (void)state;
    static const struct {
        const char *path;
        size_t step;
    } rows[] = {{"tests/fixtures/paddle-types/types-2.pdparams", 1},
                {"tests/fixtures/paddle-types/types-3.pdparams", 1},
                {"tests/fixtures/paddle-types/types-4.pdparams", 1},
                {"tests/fixtures/tiny-paddle/model_state.pdparams", 2477},
                {"tests/fixtures/tiny-paddle-2/model_state.pdparams", 2477}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t length = 0;
        uint8_t *bytes = read_fixture(rows[i].path, &length);
        refuses_truncations(encl_paddle_read, bytes, length, rows[i].step);
        free(bytes);
    }
}

static void survives_flipped_bytes(void **state) {
    (void)state;
    for (int protocol = 2; protocol <= 4; protocol++) {
        char path[80];
        size_t length = 0;
        snprintf(path, sizeof path, "tests/fixtures/paddle-types/types-%d.pdparams", protocol);
        uint8_t *bytes = read_fixture(path, &length);
        survives_damage(encl_paddle_read, bytes, length, length, 3000);
        free(bytes);
    }
}

#define with_scratch(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_tiny_models),
        cmocka_unit_test(keeps_bytes_where_they_lie),
        cmocka_unit_test(reads_every_type),
        cmocka_unit_test(refuses_calls),
        with_scratch(finds_the_file),
        cmocka_unit_test(refuses_truncation_at_every_byte),
        cmocka_unit_test(survives_flipped_bytes),
    };
    return encl_test_main(tests);
}
