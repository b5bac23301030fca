// PyTorch's files made opcode by opcode: every way in which objects, views, storages and zips can be wrong.
#include "base/zip_writer.h"
#include "checkpoint/pickle_writer.h"

static const encl_tensor *find(const encl_checkpoint *checkpoint, const char *name) {
    const encl_tensor *tensor = encl_checkpoint_find(checkpoint, name);
    if (tensor == NULL) {
        fail_msg("no tensor '%s'", name);
    }
    return tensor;
}

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
// Storages are found by comparing keys, which must not take long.
static void refuses_long_keys(void **state) {
    (void)state;
    for (size_t length = 255; length <= 256; length++) {
        char key[257] = "";
        encl_writer object = {0};
        memset(key, 'k', length);
        write_literal(&object, "\x80\x02}");
        write_text(&object, "weight");
        write_tensor(&object, &sound, key);
        write_literal(&object, "s.");
        const char *part = length == 255 ? "found no model/data/kkk" : "a key of at most 255 bytes";
        assert_fails(read_object(&object, true), ENCL_FORMAT, part);
        write_free(&object);
    }
}

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

#define with_scratch(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks_views),
        cmocka_unit_test(finds_the_state_dict),
        cmocka_unit_test(reads_views_of_old),
        cmocka_unit_test(refuses_other_objects),
        cmocka_unit_test(refuses_long_keys),
        cmocka_unit_test(shares_storages),
        cmocka_unit_test(refuses_wrong_legacy_files),
        cmocka_unit_test(refuses_wrong_zips),
        with_scratch(detects_forms),
    };
    return encl_test_main(tests);
}
