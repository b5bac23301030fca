// Files that PyTorch wrote, compared with the same weights in safetensors, and damaged.
#include <math.h>

#include "checkpoint/pickle_writer.h"

// ---- Files by PyTorch -------------------------------------------------------------------------------------------

static const encl_tensor *find(const encl_checkpoint *checkpoint, const char *name) {
    const encl_tensor *tensor = encl_checkpoint_find(checkpoint, name);
    if (tensor == NULL) {
        fail_msg("no tensor '%s'", name);
    }
    return tensor;
}

static float *read_floats(const encl_tensor *tensor) {
    float *values = calloc((size_t)tensor->elements + 1, sizeof *values);
    assert_non_null(values);
    assert_ok(encl_tensor_read(tensor, 0, tensor->elements, values));
    return values;
}

// Bit for bit where dtypes are equal, else as near as the narrower one can be.
static void compare(const encl_tensor *found, const encl_tensor *expected) {
    const float tolerance = found->dtype == ENCL_DTYPE_F16 ? 0x1p-11f : found->dtype == ENCL_DTYPE_BF16 ? 0x1p-8f : 0;
    float *values = read_floats(found);
    float *references = read_floats(expected);
    assert_int_equal(found->dimensions, expected->dimensions);
    for (int32_t i = 0; i < found->dimensions; i++) {
        assert_int_equal(found->shape[i], expected->shape[i]);
    }
    for (int64_t i = 0; i < found->elements; i++) {
        if (!(fabsf(values[i] - references[i]) <= tolerance * fabsf(references[i]))) {
            fail_msg("%s[%lld]: found %a, expected %a", found->name, (long long)i, (double)values[i],
                     (double)references[i]);
        }
    }
    free(values);
    free(references);
}

// What the tensor is called there: PyTorch's strided file has the LayerNorms of old.
static void old_name(char *name, size_t capacity, const char *new_name) {
    static const char *const endings[][2] = {{"LayerNorm.weight", "LayerNorm.gamma"},
                                             {"LayerNorm.bias", "LayerNorm.beta"}};
    snprintf(name, capacity, "%s", new_name);
    for (size_t i = 0; i < 2; i++) {
        if (encl_text_ends(name, endings[i][0])) {
            const size_t stem = strlen(name) - strlen(endings[i][0]);
            snprintf(name + stem, capacity - stem, "%s", endings[i][1]);
        }
    }
}

static void reads_the_tiny_models(void **state) {
    (void)state;
    static const struct {
        const char *path;
        const char *file;
        size_t more;
        bool old_names;
    } rows[] = {
        {"tests/fixtures/tiny-torch-zip", "pytorch_model.bin", 0, false},
        {"tests/fixtures/tiny-torch-zip/pytorch_model.bin", "pytorch_model.bin", 0, false},
        {"tests/fixtures/tiny-torch-legacy", "pytorch_model.bin", 0, false},
        {"tests/fixtures/tiny-torch-legacy/pytorch_model.bin", "pytorch_model.bin", 0, false},
        {"tests/fixtures/tiny-torch-sharded", "pytorch_model.bin.index.json", 0, false},
        {"tests/fixtures/tiny-torch-sharded/pytorch_model.bin.index.json", "pytorch_model.bin.index.json", 0, false},
        {"tests/fixtures/tiny-torch-strided", "pytorch_model.bin", 3, true},
    };
    encl_checkpoint *base = NULL;
    assert_ok(encl_checkpoint_open("tests/fixtures/tiny-pretraining", &base));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        encl_checkpoint *checkpoint = NULL;
        assert_ok(encl_checkpoint_open(rows[i].path, &checkpoint));
        assert_string_equal(encl_checkpoint_format(checkpoint), "pytorch");
        assert_string_equal(encl_checkpoint_file(checkpoint), rows[i].file);
        assert_int_equal(encl_checkpoint_dialect(checkpoint), ENCL_DIALECT_TORCH);
        assert_int_equal(encl_checkpoint_count(checkpoint), encl_checkpoint_count(base) + rows[i].more);
        for (size_t j = 0; j < encl_checkpoint_count(base); j++) {
            const encl_tensor *expected = encl_checkpoint_at(base, j);
            char name[256];
            snprintf(name, sizeof name, "%s", expected->name);
            if (rows[i].old_names) {
                old_name(name, sizeof name, expected->name);
            }
            const encl_tensor *found = find(checkpoint, name);
            assert_true(rows[i].old_names || found->dtype == ENCL_DTYPE_F32);
            compare(found, expected);
            encl_tensor_drop(found);
            compare(found, expected);
        }
        encl_checkpoint_close(checkpoint);
    }
    encl_checkpoint_close(base);
}

static void keeps_views_where_they_lie(void **state) {
    (void)state;
    encl_checkpoint *checkpoint = NULL;
    assert_ok(encl_checkpoint_open("tests/fixtures/tiny-torch-strided", &checkpoint));
    const encl_tensor *words = find(checkpoint, "bert.embeddings.word_embeddings.weight");
    assert_ptr_equal(find(checkpoint, "cls.predictions.decoder.weight")->data, words->data);
    const encl_tensor *ids = find(checkpoint, "bert.embeddings.position_ids");
    assert_int_equal(ids->dtype, ENCL_DTYPE_I64);
    assert_int_equal(ids->elements, 80);
    const encl_tensor *query = find(checkpoint, "bert.encoder.layer.1.attention.self.query.weight");
    assert_int_equal(query->strides[0], 1);
    assert_int_equal(query->strides[1], 32);
    const encl_tensor *key = find(checkpoint, "bert.encoder.layer.1.attention.self.key.weight");
    assert_int_equal(key->strides[0], 64);
    const encl_tensor *pooler = find(checkpoint, "bert.pooler.dense.weight");
    assert_int_equal(pooler->strides[0], 40);
    assert_false(encl_tensor_is_dense(pooler));
    const uint8_t *bias = find(checkpoint, "bert.encoder.layer.0.attention.self.query.bias")->data;
    assert_ptr_equal(find(checkpoint, "bert.encoder.layer.0.attention.self.key.bias")->data, bias + 4);
    assert_int_equal(find(checkpoint, "bert.encoder.layer.1.intermediate.dense.weight")->dtype, ENCL_DTYPE_F16);
    assert_int_equal(find(checkpoint, "bert.encoder.layer.1.output.dense.weight")->dtype, ENCL_DTYPE_BF16);
    encl_checkpoint_close(checkpoint);
}

static int64_t read_integer(const encl_tensor *tensor, int64_t place) {
    const size_t width = encl_dtype_bytes(tensor->dtype);
    int64_t value = 0;
    memcpy(&value, tensor->data + (size_t)place * width, width);
    return value;
}

static void reads_every_type(void **state) {
    (void)state;
    static const struct {
        const char *name;
        encl_dtype dtype;
    } rows[] = {
        {"tensor_float32", ENCL_DTYPE_F32}, {"tensor_float16", ENCL_DTYPE_F16}, {"tensor_bfloat16", ENCL_DTYPE_BF16},
        {"tensor_float64", ENCL_DTYPE_F64}, {"tensor_int64", ENCL_DTYPE_I64},   {"tensor_int32", ENCL_DTYPE_I32},
        {"tensor_int16", ENCL_DTYPE_I16},   {"tensor_int8", ENCL_DTYPE_I8},     {"tensor_uint8", ENCL_DTYPE_U8},
        {"tensor_bool", ENCL_DTYPE_BOOL},
    };
    static const char *const files[] = {"tests/fixtures/torch-types/types.bin",
                                        "tests/fixtures/torch-types/types-legacy.bin"};
    for (size_t form = 0; form < 2; form++) {
        encl_checkpoint *checkpoint = NULL;
        assert_ok(encl_checkpoint_open(files[form], &checkpoint));
        assert_int_equal(encl_checkpoint_count(checkpoint), 15);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            const encl_tensor *tensor = find(checkpoint, rows[i].name);
            float values[6] = {-1};
            assert_int_equal(tensor->dtype, rows[i].dtype);
            assert_int_equal(tensor->dimensions, 2);
            assert_int_equal(tensor->shape[0], 2);
            assert_int_equal(tensor->shape[1], 3);
            if (i < 4) {
                assert_ok(encl_tensor_read(tensor, 0, 6, values));
            }
            for (int j = 0; j < 6; j++) {
                assert_int_equal(i < 4 ? (int64_t)values[j] : read_integer(tensor, j), i == 9 ? j % 2 : j);
            }
        }
        float values[6];
        assert_int_equal(find(checkpoint, "scalar")->dimensions, 0);
        assert_ok(encl_tensor_read(find(checkpoint, "scalar"), 0, 1, values));
        assert_true(values[0] == 7);
        assert_int_equal(find(checkpoint, "empty")->elements, 0);
        assert_int_equal(find(checkpoint, "empty")->shape[1], 3);
        assert_ok(encl_tensor_read(find(checkpoint, "empty"), 0, 0, values));
        assert_ok(encl_tensor_read(find(checkpoint, "expanded"), 0, 6, values));
        for (int i = 0; i < 6; i++) {
            assert_true(values[i] == 7);
        }
        assert_ok(encl_tensor_read(find(checkpoint, "transposed"), 0, 6, values));
        for (int i = 0; i < 6; i++) {
            static const float expected[] = {0, 3, 1, 4, 2, 5};
            assert_true(values[i] == expected[i]);
        }
        const encl_tensor *skipped = find(checkpoint, "skipped");
        assert_int_equal(skipped->shape[0], 3);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(read_integer(skipped, i * skipped->strides[0]), 1 + 2 * i);
        }
        encl_checkpoint_close(checkpoint);
    }
}

static void refuses_what_pytorch_can_do_more(void **state) {
    (void)state;
    encl_checkpoint *checkpoint = NULL;
    assert_fails(encl_checkpoint_open("tests/fixtures/torch-types/new-types.bin", &checkpoint), ENCL_UNSUPPORTED,
                 "global 'torch._utils._rebuild_tensor_v3'");
    assert_fails(encl_checkpoint_open("tests/fixtures/torch-types/module.bin", &checkpoint), ENCL_UNSUPPORTED,
                 "found the ");
}

// A model in a zip, whose weights are a zip.
static void reads_a_zip_in_a_zip(void **state) {
    (void)state;
    encl_checkpoint *base = NULL;
    encl_checkpoint *checkpoint = NULL;
    assert_ok(encl_checkpoint_open("tests/fixtures/tiny-pretraining", &base));
    assert_ok(encl_checkpoint_open("tests/fixtures/tiny-zip/torch.zip", &checkpoint));
    assert_string_equal(encl_checkpoint_format(checkpoint), "pytorch");
    assert_int_equal(encl_checkpoint_count(checkpoint), encl_checkpoint_count(base));
    for (size_t i = 0; i < encl_checkpoint_count(base); i++) {
        compare(encl_checkpoint_at(checkpoint, i), encl_checkpoint_at(base, i));
        encl_tensor_drop(encl_checkpoint_at(checkpoint, i));
        compare(encl_checkpoint_at(checkpoint, i), encl_checkpoint_at(base, i));
    }
    encl_checkpoint_close(checkpoint);
    encl_checkpoint_close(base);
}

// ---- Damage -----------------------------------------------------------------------------------------------------

static void refuses_truncation_at_every_byte(void **state) {
    (void)state;
    static const struct {
        const char *path;
        size_t step;
    } rows[] = {{"tests/fixtures/torch-types/types.bin", 1},
                {"tests/fixtures/torch-types/types-legacy.bin", 1},
                {"tests/fixtures/tiny-torch-legacy/pytorch_model.bin", 2477},
                {"tests/fixtures/tiny-torch-zip/pytorch_model.bin", 2477}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t length = 0;
        uint8_t *bytes = read_fixture(rows[i].path, &length);
        refuses_truncations(encl_torch_read, bytes, length, rows[i].step);
        free(bytes);
    }
}

static void survives_flipped_bytes(void **state) {
    (void)state;
    size_t length = 0;
    uint8_t *bytes = read_fixture("tests/fixtures/torch-types/types-legacy.bin", &length);
    survives_damage(encl_torch_read, bytes, length, length, 4000);
    free(bytes);
    bytes = read_fixture("tests/fixtures/torch-types/types.bin", &length);
    survives_damage(encl_torch_read, bytes, length, 1500, 4000);
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_tiny_models),  cmocka_unit_test(keeps_views_where_they_lie),
        cmocka_unit_test(reads_every_type),       cmocka_unit_test(refuses_what_pytorch_can_do_more),
        cmocka_unit_test(reads_a_zip_in_a_zip),   cmocka_unit_test(refuses_truncation_at_every_byte),
        cmocka_unit_test(survives_flipped_bytes),
    };
    return encl_test_main(tests);
}
