// PyTorch's files: those that PyTorch wrote, compared with the same weights in safetensors, and damaged ones.
#include <math.h>

#include "base/zip_writer.h"
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
            strcpy(name + strlen(name) - strlen(endings[i][0]), endings[i][1]);
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
            assert_true(values[i] == (float)(i / 2 + 3 * (i % 2)));
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

// ---- Files of the test's own ------------------------------------------------------------------------------------

enum { MOST_DIMENSIONS = 9 };

// One tensor and its storage, as the pickle and what is behind it have them.
typedef struct tensor_row {
    const char *class;
    int64_t elements;
    int64_t offset;
    size_t dimensions;
    int64_t sizes[MOST_DIMENSIONS];
    int64_t strides[MOST_DIMENSIONS];
    encl_status status;
    const char *part;
} tensor_row;

// Twelve floats, 0 … 11, as rows of [3, 4].
static const tensor_row sound = {"Float", 12, 0, 2, {3, 4}, {4, 1}, ENCL_OK, ""};

static void write_storage(encl_writer *writer, const tensor_row *row, const char *key) {
    write_literal(writer, "(");
    write_text(writer, "storage");
    write_literal(writer, "ctorch\n");
    write_bytes(writer, row->class, strlen(row->class));
    write_literal(writer, "Storage\n");
    write_text(writer, key);
    write_text(writer, "cpu");
    write_int(writer, row->elements);
    write_literal(writer, "tQ");
}

static void write_tensor(encl_writer *writer, const tensor_row *row, const char *key) {
    write_literal(writer, "ctorch._utils\n_rebuild_tensor_v2\n(");
    write_storage(writer, row, key);
    write_int(writer, row->offset);
    write_ints(writer, row->sizes, row->dimensions);
    write_ints(writer, row->strides, row->dimensions);
    write_literal(writer, "\x89"
                          "ccollections\nOrderedDict\n)RtR");
}

static void write_state_dict(encl_writer *writer, const tensor_row *row) {
    write_literal(writer, "\x80\x02}");
    write_text(writer, "weight");
    write_tensor(writer, row, "0");
    write_literal(writer, "s.");
}

static const char legacy_head[] = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03."
                                  "\x80\x02}U\x0dlittle_endian\x88s.";

static void write_floats(encl_writer *writer, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const float value = (float)i;
        write_bytes(writer, &value, sizeof value);
    }
}

// The file around a pickled object, with one storage "0" of `stored` floats.
static void write_legacy(encl_writer *writer, const encl_writer *object, size_t stored) {
    write_bytes(writer, legacy_head, sizeof legacy_head - 1);
    write_bytes(writer, object->bytes, object->length);
    write_literal(writer, "\x80\x02]");
    write_text(writer, "0");
    write_literal(writer, "a.");
    write_number(writer, stored, 8);
    write_floats(writer, stored);
}

// The pickled object in a zip with the storage "0" of `stored` floats.
static uint8_t *zip_object(const encl_writer *object, size_t stored, const char *order, bool deflated, size_t *length) {
    encl_writer floats = {0};
    write_floats(&floats, stored);
    const encl_zip_entry entries[] = {{"model/data.pkl", object->bytes, object->length, deflated},
                                      {"model/data/0", floats.bytes, floats.length, deflated},
                                      {"model/version", "3\n", 2, false},
                                      {"model/byteorder", order, strlen(order), false}};
    uint8_t *zip = zip_write(entries, 4, length);
    write_free(&floats);
    return zip;
}

static encl_status read_object(const encl_writer *object, bool zipped) {
    encl_writer file = {0};
    encl_status status;
    if (zipped) {
        size_t length = 0;
        uint8_t *zip = zip_object(object, 12, "little", false, &length);
        status = read_any(encl_torch_read, zip, length);
        free(zip);
    } else {
        write_legacy(&file, object, 12);
        status = read_any(encl_torch_read, file.bytes, file.length);
        write_free(&file);
    }
    return status;
}

#define HUGE_NUMBER (INT64_C(1) << 62)

static void checks_views(void **state) {
    (void)state;
    static const tensor_row rows[] = {
        {"Float", 12, 0, 2, {3, 4}, {4, 1}, ENCL_OK, ""},
        {"Float", 12, 0, 2, {4, 3}, {1, 4}, ENCL_OK, ""},
        {"Float", 12, 11, 0, {0}, {0}, ENCL_OK, ""},
        {"Float", 12, 1, 1, {6}, {2}, ENCL_OK, ""},
        {"Float", 12, 99, 1, {0}, {1}, ENCL_OK, ""},
        {"Float", 12, HUGE_NUMBER, 2, {0, HUGE_NUMBER}, {HUGE_NUMBER, 1}, ENCL_OK, ""},
        {"Float", 12, 0, 2, {1, 12}, {HUGE_NUMBER, 1}, ENCL_OK, ""},
        {"Float", 12, 0, 2, {5, 12}, {0, 1}, ENCL_OK, ""},
        {"Int", 12, 0, 1, {12}, {1}, ENCL_OK, ""},
        // Outside the storage
        {"Float", 12, 0, 1, {13}, {1}, ENCL_FORMAT, "'weight': found elements up to 0 + 12, its storage has 12"},
        {"Float", 12, 1, 2, {3, 4}, {4, 1}, ENCL_FORMAT, "1 + 11"},
        {"Float", 12, 12, 0, {0}, {0}, ENCL_FORMAT, "12 + 0"},
        {"Float", 12, 2, 1, {6}, {2}, ENCL_FORMAT, "2 + 10"},
        {"Float", 12, -1, 1, {6}, {2}, ENCL_FORMAT, "no storage and offset"},
        {"Float", 12, INT64_MAX, 1, {6}, {2}, ENCL_FORMAT, "its storage has 12"},
        {"Float", 12, 0, 2, {3, 4}, {-4, 1}, ENCL_FORMAT, "strides[0]"},
        {"Float", 12, 0, 2, {3, -4}, {4, 1}, ENCL_FORMAT, "shape[1]"},
        {"Float", 12, 0, 1, {INT64_MAX}, {1}, ENCL_FORMAT, "64 bits"},
        {"Float", 12, 0, 2, {1 << 30, 1 << 30}, {0, 0}, ENCL_FORMAT, "elements in a file of"},
        {"Float", 12, 0, 2, {INT64_C(1) << 32, INT64_C(1) << 32}, {0, 0}, ENCL_FORMAT, "64 bits"},
        {"Float", 12, 0, 1, {9}, {HUGE_NUMBER}, ENCL_FORMAT, "strides"},
        {"Float", 12, 0, 2, {3, 3}, {HUGE_NUMBER, HUGE_NUMBER}, ENCL_FORMAT, "strides"},
        {"Float", 12, 0, 9, {1, 1, 1, 1, 1, 1, 1, 1, 1}, {0}, ENCL_UNSUPPORTED, "9 dimensions"},
        // Storages of another size
        {"Float", 11, 0, 1, {2}, {1}, ENCL_FORMAT, "11"},
        {"Float", 13, 0, 1, {2}, {1}, ENCL_FORMAT, "13"},
        {"Float", -1, 0, 1, {2}, {1}, ENCL_FORMAT, "a number of elements"},
        {"Float", INT64_MAX, 0, 1, {2}, {1}, ENCL_FORMAT, "a number of elements"},
        {"Float", HUGE_NUMBER / 4, 0, 1, {2}, {1}, ENCL_FORMAT, "found"},
        {"Half", 12, 0, 1, {2}, {1}, ENCL_FORMAT, "found"},
        {"Double", 12, 0, 1, {2}, {1}, ENCL_FORMAT, "found"},
        // Storages that PyTorch has and nobody needs
        {"ComplexFloat", 12, 0, 1, {2}, {1}, ENCL_UNSUPPORTED, "global 'torch.ComplexFloatStorage'"},
        {"QInt8", 12, 0, 1, {2}, {1}, ENCL_UNSUPPORTED, "global 'torch.QInt8Storage'"},
    };
    for (size_t i = 0; i < 2 * (sizeof rows / sizeof rows[0]); i++) {
        const tensor_row *row = &rows[i / 2];
        encl_writer object = {0};
        write_state_dict(&object, row);
        const encl_status status = read_object(&object, i % 2 == 1);
        if (row->status == ENCL_OK) {
            assert_ok(status);
        } else {
            assert_fails(status, row->status, row->part);
        }
        write_free(&object);
    }
}

// Reads a legacy file from the test's own object and gives the checkpoint, which the caller closes.
static encl_status read_kept(const encl_writer *object, encl_writer *file, encl_checkpoint **checkpoint) {
    write_legacy(file, object, 12);
    const encl_file mapped = {.data = file->bytes, .size = file->length};
    return read_memory(encl_torch_read, &mapped, checkpoint);
}

static void finds_the_state_dict(void **state) {
    (void)state;
    static const char *const keys[] = {"state_dict", "model_state_dict", "model"};
    for (size_t i = 0; i < 3; i++) {
        encl_writer object = {0};
        encl_writer file = {0};
        encl_checkpoint *checkpoint = NULL;
        // {'epoch': 3, KEY: OrderedDict(text: None, weight: parameter, number: 1) with a state}
        write_literal(&object, "\x80\x02}(U\x05"
                               "epochK\x03");
        write_text(&object, keys[i]);
        write_literal(&object, "ccollections\nOrderedDict\n)R(U\x04textNU\x06weight"
                               "ctorch._utils\n_rebuild_parameter\n(");
        write_tensor(&object, &sound, "0");
        write_literal(&object, "\x88"
                               "ccollections\nOrderedDict\n)RtRK\x07K\x01u}U\x09_metadata}sbu.");
        assert_ok(read_kept(&object, &file, &checkpoint));
        assert_int_equal(encl_checkpoint_count(checkpoint), 1);
        float values[12];
        assert_ok(encl_tensor_read(find(checkpoint, "weight"), 0, 12, values));
        assert_true(values[11] == 11);
        encl_checkpoint_close(checkpoint);
        write_free(&object);
        write_free(&file);
    }
}

static void reads_views_of_old(void **state) {
    (void)state;
    // The sixth item of the persistent id: elements [2, 2 + 8) of the storage, of which the tensor takes 6 from 1 on.
    for (int64_t size = 6; size <= 11; size++) {
        encl_writer object = {0};
        encl_writer file = {0};
        encl_checkpoint *checkpoint = NULL;
        write_literal(&object, "\x80\x02}U\x01wctorch._utils\n_rebuild_tensor\n(");
        write_storage(&object, &sound, "0");
        object.length -= 2; // before the end of the tuple
        write_literal(&object, "(U\x01vK\x02");
        write_int(&object, size);
        write_literal(&object, "ttQK\x01K\x06\x85K\x01\x85tRs.");
        const encl_status status = read_kept(&object, &file, &checkpoint);
        if (size == 6) {
            assert_fails(status, ENCL_FORMAT, "1 + 5, its storage has 6");
        } else if (size == 11) {
            assert_fails(status, ENCL_FORMAT, "inside the storage");
        } else {
            assert_ok(status);
            float values[6];
            assert_ok(encl_tensor_read(find(checkpoint, "w"), 0, 6, values));
            assert_true(values[0] == 3 && values[5] == 8);
        }
        encl_checkpoint_close(checkpoint);
        write_free(&object);
        write_free(&file);
    }
}

#define object_row(literal) (literal), sizeof(literal) - 1

static void refuses_other_objects(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        encl_status status;
        const char *part;
    } rows[] = {
        {object_row("\x80\x02}."), ENCL_FORMAT, "a dict without tensors"},
        {object_row("\x80\x02N."), ENCL_FORMAT, "None without tensors"},
        {object_row("\x80\x02]."), ENCL_FORMAT, "a list without tensors"},
        {object_row("\x80\x02}U\x05modelNs."), ENCL_FORMAT, "without tensors"},
        {object_row("\x80\x02}q\x00U\x05modelh\x00s."), ENCL_FORMAT, "without tensors"},
        {object_row("\x80\x02}U\x01wctorch._utils\n_rebuild_tensor_v2\n)Rs."), ENCL_FORMAT, "no storage"},
        {object_row("\x80\x02}U\x01wctorch._utils\n_rebuild_tensor_v2\nNK\x00\x86Rs."), ENCL_FORMAT, "no storage"},
        {object_row("\x80\x02}U\x01wNQs."), ENCL_FORMAT, "persistent id"},
        {object_row("\x80\x02}U\x01w(U\x07storageNNNNtQs."), ENCL_FORMAT, "class"},
        {object_row("\x80\x02}U\x01w(U\x06moduleNNNNtQs."), ENCL_FORMAT, "storage"},
        {object_row("\x80\x02}U\x01w(U\x07storagectorch\nFloatStorage\nNNK\x01tQs."), ENCL_FORMAT, "key"},
        {object_row("\x80\x02}U\x01w(U\x07storagectorch\nFloatStorage\nU\x01"
                    "0NNtQs."),
         ENCL_FORMAT, "a number"},
        {object_row("cos\nsystem\nU\x04true\x85R."), ENCL_UNSUPPORTED, "global 'os.system'"},
        {object_row("ctorch.nn.modules.linear\nLinear\n)\x81."), ENCL_UNSUPPORTED, "'torch.nn.modules.linear.Linear'"},
        {object_row("\x80\x04}."), ENCL_UNSUPPORTED, "protocol 4"},
        {object_row(""), ENCL_FORMAT, "found"},
    };
    for (size_t i = 0; i < 2 * (sizeof rows / sizeof rows[0]); i++) {
        encl_writer object = {0};
        write_bytes(&object, rows[i / 2].bytes, rows[i / 2].length);
        const encl_status status = read_object(&object, i % 2 == 1);
        if (i % 2 == 0) { // with a storage that most of these do not name
            assert_true(status == ENCL_FORMAT || status == ENCL_UNSUPPORTED);
        } else {
            assert_fails(status, rows[i / 2].status, rows[i / 2].part);
        }
        write_free(&object);
    }
}

// Two tensors whose storages may be one.
static void shares_storages(void **state) {
    (void)state;
    static const tensor_row others[] = {
        {"Float", 12, 6, 1, {6}, {1}, ENCL_OK, ""},
        {"Float", 6, 0, 1, {6}, {1}, ENCL_FORMAT, "elsewhere"},
        {"Int", 12, 0, 1, {6}, {1}, ENCL_FORMAT, "elsewhere"},
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        encl_writer object = {0};
        write_literal(&object, "\x80\x02}(U\x01"
                               "a");
        write_tensor(&object, &sound, "0");
        write_literal(&object, "U\x01"
                               "b");
        write_tensor(&object, &others[i], "0");
        write_literal(&object, "u.");
        for (int zipped = 0; zipped < 2; zipped++) {
            const encl_status status = read_object(&object, zipped != 0);
            if (others[i].status == ENCL_OK) {
                assert_ok(status);
            } else {
                assert_fails(status, ENCL_FORMAT, others[i].part);
            }
        }
        write_free(&object);
    }
}

static void refuses_wrong_legacy_files(void **state) {
    (void)state;
    encl_writer object = {0};
    encl_writer file = {0};
    write_state_dict(&object, &sound);
    write_legacy(&file, &object, 12);
    const size_t keys = sizeof legacy_head - 1 + object.length;
    const size_t count = file.length - 48 - 8;
    static const int64_t counts[] = {0, 1, 11, 13, -1, INT64_MAX, INT64_MIN, HUGE_NUMBER};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        memcpy(file.bytes + count, &counts[i], 8);
        assert_fails(read_any(encl_torch_read, file.bytes, file.length), ENCL_FORMAT, "its tensors expect 12");
    }
    memcpy(file.bytes + count, &sound.elements, 8);
    assert_ok(read_any(encl_torch_read, file.bytes, file.length));
    write_literal(&file, "x");
    assert_fails(read_any(encl_torch_read, file.bytes, file.length), ENCL_FORMAT, "1 bytes after the last storage");
    static const struct {
        const char *bytes;
        size_t length;
        const char *part;
    } rows[] = {
        {object_row("\x80\x02]."), "found 0 keys, the tensors have 1"},
        {object_row("\x80\x02N."), "found None, expected a list"},
        {object_row("\x80\x02]Na."), "a key that no tensor has"},
        {object_row("\x80\x02]U\x01"
                    "1a."),
         "a key that no tensor has"},
        {object_row("\x80\x02](U\x01"
                    "0U\x01"
                    "0e."),
         "was there before"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        file.length = keys;
        write_bytes(&file, rows[i].bytes, rows[i].length);
        write_number(&file, 12, 8);
        write_floats(&file, 12);
        write_number(&file, 12, 8);
        write_floats(&file, 12);
        assert_fails(read_any(encl_torch_read, file.bytes, file.length), ENCL_FORMAT, rows[i].part);
    }
    file.length = 0;
    write_legacy(&file, &object, 12);
    file.bytes[sizeof legacy_head - 4] = 0x89; // little_endian: False
    assert_fails(read_any(encl_torch_read, file.bytes, file.length), ENCL_UNSUPPORTED, "big-endian");
    file.bytes[sizeof legacy_head - 4] = 'N';
    assert_fails(read_any(encl_torch_read, file.bytes, file.length), ENCL_FORMAT, "little_endian: found None");
    file.bytes[18] = 0xea; // 1002
    assert_fails(read_any(encl_torch_read, file.bytes, file.length), ENCL_FORMAT, "no protocol version 1001");
    file.bytes[10] = 0;
    assert_fails(read_any(encl_torch_read, file.bytes, file.length), ENCL_FORMAT, "magic number");
    write_free(&object);
    write_free(&file);
}

static void refuses_wrong_zips(void **state) {
    (void)state;
    static const struct {
        const char *from;
        const char *to;
        const char *part;
    } rows[] = {
        {"model/data.pkl", "model/data.pkx", "without FOLDER/data.pkl"},
        {"model/data.pkl", "model_data.pkl", "without FOLDER/data.pkl"},
        {"model/data/0", "model/data/1", "found no model/data/0"},
        {"little", "BIGBIG", "neither 'little' nor 'big'"},
    };
    encl_writer object = {0};
    size_t length = 0;
    write_state_dict(&object, &sound);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t *zip = zip_object(&object, 12, "little", false, &length);
        assert_true(zip_patch(zip, length, rows[i].from, rows[i].to) > 0);
        assert_fails(read_any(encl_torch_read, zip, length), ENCL_FORMAT, rows[i].part);
        free(zip);
    }
    const encl_zip_entry two[] = {{"a/data.pkl", "N.", 2, false}, {"b/data.pkl", "N.", 2, false}};
    uint8_t *zip = zip_write(two, 2, &length);
    assert_fails(read_any(encl_torch_read, zip, length), ENCL_FORMAT, "found 'a/data.pkl' and 'b/data.pkl'");
    free(zip);
    zip = zip_object(&object, 12, "big", false, &length);
    assert_fails(read_any(encl_torch_read, zip, length), ENCL_UNSUPPORTED, "big-endian");
    free(zip);
    zip = zip_object(&object, 12, "little", true, &length); // PyTorch never deflates; others pack its files anew
    assert_ok(read_any(encl_torch_read, zip, length));
    free(zip);
    for (size_t stored = 0; stored < 20; stored++) {
        zip = zip_object(&object, stored, "little", stored % 2 == 0, &length);
        const encl_status status = read_any(encl_torch_read, zip, length);
        assert_int_equal(status, stored == 12 ? ENCL_OK : ENCL_FORMAT);
        free(zip);
    }
    write_literal(&object, "x");
    zip = zip_object(&object, 12, "little", false, &length);
    assert_fails(read_any(encl_torch_read, zip, length), ENCL_FORMAT, "1 bytes after the pickle");
    free(zip);
    write_free(&object);
}

// Of a file that is named, the first bytes say what it is.
static void detects_forms(void **state) {
    encl_scratch *scratch = *state;
    encl_checkpoint *checkpoint = NULL;
    encl_writer object = {0};
    encl_writer file = {0};
    size_t length = 0;
    uint8_t tar[1024] = {0};
    write_state_dict(&object, &sound);
    write_legacy(&file, &object, 12);
    scratch_write(scratch, "old.pt", file.bytes, file.length);
    uint8_t *zip = zip_object(&object, 12, "little", false, &length);
    scratch_write(scratch, "new.ckpt", zip, length);
    static const char *const names[] = {"old.pt", "new.ckpt"};
    for (size_t i = 0; i < 2; i++) {
        assert_ok(encl_checkpoint_open(scratch_path(scratch, names[i]), &checkpoint));
        assert_string_equal(encl_checkpoint_format(checkpoint), "pytorch");
        find(checkpoint, "weight");
        encl_checkpoint_close(checkpoint);
    }
    assert_fails(encl_checkpoint_open(scratch->folder, &checkpoint), ENCL_NOT_FOUND, "pytorch_model.bin");
    memcpy(tar + 257, "ustar", 5);
    scratch_write(scratch, "pytorch_model.bin", tar, sizeof tar);
    assert_fails(encl_checkpoint_open(scratch->folder, &checkpoint), ENCL_UNSUPPORTED, "tar form");
    assert_fails(encl_checkpoint_open(scratch_path(scratch, "pytorch_model.bin"), &checkpoint), ENCL_UNSUPPORTED,
                 "tar form");
    scratch_write_text(scratch, "pytorch_model.bin", "version https://git-lfs.github.com/spec/v1\n");
    assert_fails(encl_checkpoint_open(scratch->folder, &checkpoint), ENCL_FORMAT, "neither a zip nor a pickle");
    scratch_write_text(scratch, "pytorch_model.bin", "");
    assert_fails(encl_checkpoint_open(scratch->folder, &checkpoint), ENCL_FORMAT, "pytorch_model.bin");
    free(zip);
    write_free(&object);
    write_free(&file);
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

#define with_scratch(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_tiny_models),
        cmocka_unit_test(keeps_views_where_they_lie),
        cmocka_unit_test(reads_every_type),
        cmocka_unit_test(refuses_what_pytorch_can_do_more),
        cmocka_unit_test(checks_views),
        cmocka_unit_test(finds_the_state_dict),
        cmocka_unit_test(reads_views_of_old),
        cmocka_unit_test(refuses_other_objects),
        cmocka_unit_test(shares_storages),
        cmocka_unit_test(refuses_wrong_legacy_files),
        cmocka_unit_test(refuses_wrong_zips),
        with_scratch(detects_forms),
        cmocka_unit_test(refuses_truncation_at_every_byte),
        cmocka_unit_test(survives_flipped_bytes),
    };
    return encl_test_main(tests);
}
