// Single safetensors files: what is read, and every way in which a file can be wrong.
#include "base/zip_writer.h"
#include "checkpoint/scratch.h"
#include "host/checkpoint/checkpoint.h"

enum { FILE_CAPACITY = 1 << 16 };

static size_t build(uint8_t *file, const char *header, size_t header_length, const void *data, size_t data_length) {
    assert_in_range(8 + header_length + data_length, 8, FILE_CAPACITY);
    for (int i = 0; i < 8; i++) {
        file[i] = (uint8_t)((uint64_t)header_length >> (8 * i));
    }
    memcpy(file + 8, header, header_length);
    memcpy(file + 8 + header_length, data, data_length);
    return 8 + header_length + data_length;
}

// Writes model.safetensors with `data_length` bytes of data, 0, 1, 2, …
static void write_model(encl_scratch *scratch, const char *header, size_t header_length, size_t data_length) {
    static uint8_t file[FILE_CAPACITY];
    uint8_t data[256];
    assert_in_range(data_length, 0, sizeof data);
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)i;
    }
    const size_t length = build(file, header, header_length, data, data_length);
    scratch_write(scratch, "model.safetensors", file, length);
}

static void assert_refused(encl_scratch *scratch, encl_status expected, const char *part) {
    encl_checkpoint *checkpoint = (encl_checkpoint *)1;
    assert_fails(encl_checkpoint_open(scratch->folder, &checkpoint), expected, part);
    assert_null(checkpoint);
    assert_detail_has("model.safetensors");
}

// Written out of order, with what is tolerated: metadata, extra keys, empty tensors, unaligned data, trailing spaces.
static const char valid_header[] = "{\"z\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3],\"more\":[1,{}]},"
                                   "\"__metadata__\":{\"format\":\"pt\"},"
                                   "\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[5,13]},"
                                   "\"scalar\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[3,5]},"
                                   "\"empty\":{\"dtype\":\"F64\",\"shape\":[4,0],\"data_offsets\":[5,5]},"
                                   "\"last\":{\"dtype\":\"I64\",\"shape\":[0,9007199254740992,9007199254740992],"
                                   "\"data_offsets\":[13,13]}}  ";
enum { VALID_DATA = 13 };

static void reads_what_is_allowed(void **state) {
    encl_scratch *scratch = *state;
    encl_checkpoint *checkpoint = NULL;
    write_model(scratch, valid_header, strlen(valid_header), VALID_DATA);
    assert_ok(encl_checkpoint_open(scratch->folder, &checkpoint));
    assert_string_equal(encl_checkpoint_format(checkpoint), "safetensors");
    assert_string_equal(encl_folder_path(encl_checkpoint_folder(checkpoint)), scratch->folder);
    assert_int_equal(encl_checkpoint_count(checkpoint), 5);
    static const char *const names[] = {"a.weight", "empty", "last", "scalar", "z"};
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(encl_checkpoint_at(checkpoint, i)->name, names[i]);
        assert_ptr_equal(encl_checkpoint_find(checkpoint, names[i]), encl_checkpoint_at(checkpoint, i));
    }
    assert_null(encl_checkpoint_at(checkpoint, 5));
    assert_null(encl_checkpoint_find(checkpoint, "__metadata__"));
    assert_null(encl_checkpoint_find(checkpoint, ""));

    const encl_tensor *weight = encl_checkpoint_find(checkpoint, "a.weight");
    assert_int_equal(weight->dtype, ENCL_DTYPE_F32);
    assert_int_equal(weight->dimensions, 2);
    assert_int_equal(weight->shape[0], 2);
    assert_int_equal(weight->shape[1], 1);
    assert_int_equal(weight->elements, 2);
    assert_int_equal(weight->bytes, 8);
    assert_memory_equal(weight->data, "\5\6\7\10\11\12\13\14", 8);
    const encl_tensor *scalar = encl_checkpoint_find(checkpoint, "scalar");
    assert_int_equal(scalar->dimensions, 0);
    assert_int_equal(scalar->elements, 1);
    assert_memory_equal(scalar->data, "\3\4", 2);
    assert_int_equal(encl_checkpoint_find(checkpoint, "empty")->elements, 0);
    const encl_tensor *last = encl_checkpoint_find(checkpoint, "last"); // sizes whose product 64 bits cannot hold
    assert_true(encl_tensor_is_dense(last));
    assert_int_equal(last->strides[0], 0);
    for (size_t i = 0; i < 5; i++) {
        encl_tensor_drop(encl_checkpoint_at(checkpoint, i)); // a hint: the data stays readable
    }
    assert_memory_equal(weight->data, "\5\6\7\10\11\12\13\14", 8);
    encl_checkpoint_close(checkpoint);
}

static void opens_a_file_by_name_or_content(void **state) {
    encl_scratch *scratch = *state;
    encl_checkpoint *checkpoint = NULL;
    write_model(scratch, "{}", 2, 0);
    assert_ok(encl_checkpoint_open(scratch_path(scratch, "model.safetensors"), &checkpoint));
    assert_int_equal(encl_checkpoint_count(checkpoint), 0);
    assert_null(encl_checkpoint_find(checkpoint, "x"));
    assert_string_equal(encl_folder_path(encl_checkpoint_folder(checkpoint)), scratch->folder);
    encl_checkpoint_close(checkpoint);
    // The cache of huggingface_hub names files by their hash.
    scratch_write(scratch, "53aa5117", "\2\0\0\0\0\0\0\0{}", 10);
    assert_ok(encl_checkpoint_open(scratch_path(scratch, "53aa5117"), &checkpoint));
    encl_checkpoint_close(checkpoint);
    encl_checkpoint_close(NULL);
}

// Its format is found by its bytes, which are inflated for that.
static void inflates_a_named_file_once(void **state) {
    encl_scratch *scratch = *state;
    encl_checkpoint *checkpoint = NULL;
    static uint8_t file[FILE_CAPACITY];
    char path[600];
    size_t zip_length = 0;
    const size_t length = build(file, valid_header, strlen(valid_header), "0123456789abc", VALID_DATA);
    const encl_zip_entry entry = {"model/weights", file, length, true};
    uint8_t *zip = zip_write(&entry, 1, &zip_length);
    scratch_write(scratch, "model.zip", zip, zip_length);
    snprintf(path, sizeof path, "%s/model/weights", scratch->path);
    assert_ok(encl_checkpoint_open(path, &checkpoint));
    assert_int_equal(encl_checkpoint_count(checkpoint), 5);
    assert_int_equal(encl_folder_inflated_bytes(encl_checkpoint_folder(checkpoint)), length);
    encl_checkpoint_close(checkpoint);
    free(zip);
}

static void says_what_was_looked_for(void **state) {
    encl_scratch *scratch = *state;
    encl_checkpoint *checkpoint = NULL;
    assert_fails(encl_checkpoint_open(scratch->folder, &checkpoint), ENCL_NOT_FOUND,
                 "model.safetensors, model.safetensors.index.json");
    assert_detail_has(scratch->folder);
    assert_fails(encl_checkpoint_open(scratch_path(scratch, "absent"), &checkpoint), ENCL_NOT_FOUND, "absent");
    assert_fails(encl_checkpoint_open(NULL, &checkpoint), ENCL_INVALID, "NULL");
    scratch_write_text(scratch, "notes.txt", "no weights at all");
    assert_fails(encl_checkpoint_open(scratch_path(scratch, "notes.txt"), &checkpoint), ENCL_FORMAT, "notes.txt");
    scratch_write_text(scratch, "nothing", "");
    assert_fails(encl_checkpoint_open(scratch_path(scratch, "nothing"), &checkpoint), ENCL_FORMAT, "nothing");
    scratch_make_folder(scratch, "model.safetensors");
    assert_int_not_equal(encl_checkpoint_open(scratch->folder, &checkpoint), ENCL_OK);
    assert_null(checkpoint);
}

static void refuses_truncation_at_every_byte(void **state) {
    encl_scratch *scratch = *state;
    static uint8_t file[FILE_CAPACITY];
    uint8_t data[VALID_DATA + 1] = {0};
    const size_t length = build(file, valid_header, strlen(valid_header), data, sizeof data);
    for (size_t i = 0; i <= length; i++) {
        scratch_write(scratch, "model.safetensors", file, i);
        if (i == length - 1) { // all but the byte too many
            encl_checkpoint *checkpoint = NULL;
            assert_ok(encl_checkpoint_open(scratch->folder, &checkpoint));
            encl_checkpoint_close(checkpoint);
        } else {
            assert_refused(scratch, ENCL_FORMAT, ": ");
        }
    }
}

static void refuses_wrong_header_lengths(void **state) {
    encl_scratch *scratch = *state;
    static const uint64_t lengths[] = {0, 1, 100000001, (uint64_t)1 << 31, (uint64_t)1 << 32, INT64_MAX, UINT64_MAX};
    static uint8_t file[FILE_CAPACITY];
    const size_t end = build(file, valid_header, strlen(valid_header), "0123456789abc", VALID_DATA);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0] + 3; i++) {
        const size_t listed = sizeof lengths / sizeof lengths[0];
        const uint64_t length = i < listed ? lengths[i] : end - 8 + i - listed; // the whole file and past its end
        memcpy(file, &length, sizeof length);
        scratch_write(scratch, "model.safetensors", file, end);
        assert_refused(scratch, ENCL_FORMAT, ": ");
    }
    // A header beyond the format's limit is refused even where the (sparse) file has the bytes.
    const uint64_t length = 100000001;
    scratch_write(scratch, "model.safetensors", &length, sizeof length);
    assert_int_equal(truncate(scratch_path(scratch, "model.safetensors"), 200000000), 0);
    assert_refused(scratch, ENCL_FORMAT, "100000001");
}

#define ONE(dtype, shape, offsets) "{\"w\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define TWO(first, second) "{\"v\":{\"dtype\":\"U8\"," first "},\"w\":{\"dtype\":\"U8\"," second "}}"

static void refuses_malformed_headers(void **state) {
    static const struct {
        const char *header;
        size_t data;
        const char *part;
    } rows[] = {
        // Not a header at all
        {"[]", 0, "'{'"},
        {" {}", 0, "'{'"},
        {"{", 0, "line 1"},
        {"{}x", 0, "line 1"},
        {"{\"w\":\xff\xfe}", 0, "line 1"},
        {"{\"\xff\":1}", 0, "line 1"},
        {"{\"w\\u0000v\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1, "line 1"},
        {"{\"w\":{},\"w\":{}}", 0, "line 1"},
        // Entries
        {"{\"w\":1}", 0, "'w'"},
        {"{\"w\":null}", 0, "'w'"},
        {"{\"w\":{}}", 0, "dtype"},
        {"{\"__metadata__\":[]}", 0, "__metadata__"},
        {"{\"__metadata__\":{\"format\":1}}", 0, "'format'"},
        // dtype
        {ONE("1", "[1]", "[0,4]"), 4, "dtype"},
        {ONE("null", "[1]", "[0,4]"), 4, "dtype"},
        {ONE("\"F33\"", "[1]", "[0,4]"), 4, "'F33'"},
        {ONE("\"f32\"", "[1]", "[0,4]"), 4, "'f32'"},
        {ONE("\"\"", "[1]", "[0,4]"), 4, "dtype"},
        {ONE("\"F16\"", "[1]", "[0,4]"), 4, "need 2"},
        // shape
        {ONE("\"F32\"", "1", "[0,4]"), 4, "shape"},
        {ONE("\"F32\"", "null", "[0,4]"), 4, "shape"},
        {ONE("\"F32\"", "{}", "[0,4]"), 4, "shape"},
        {ONE("\"F32\"", "[-1]", "[0,4]"), 4, "shape[0]"},
        {ONE("\"F32\"", "[1,0.5]", "[0,4]"), 4, "shape[1]"},
        {ONE("\"F32\"", "[\"1\"]", "[0,4]"), 4, "shape[0]"},
        {ONE("\"F32\"", "[true]", "[0,4]"), 4, "shape[0]"},
        {ONE("\"F32\"", "[[1]]", "[0,4]"), 4, "shape[0]"},
        {ONE("\"F32\"", "[1e400]", "[0,4]"), 4, ": "},
        {ONE("\"F32\"", "[18446744073709551616]", "[0,4]"), 4, ": "},
        {ONE("\"F32\"", "[2]", "[0,4]"), 4, "need 8"},
        {ONE("\"F32\"", "[0]", "[0,4]"), 4, "need 0"},
        // 2^31 · 2^31 · 4 is 2^64, which is 0 in 64 bits; a 0 behind it does not help.
        {ONE("\"F32\"", "[2147483648,2147483648]", "[0,0]"), 0, "64 bits"},
        {ONE("\"F32\"", "[2147483648,2147483648,0]", "[0,0]"), 0, "64 bits"},
        {ONE("\"F32\"", "[4611686018427387904]", "[0,0]"), 0, ": "},
        {ONE("\"U8\"", "[4294967296,2147483648]", "[0,0]"), 0, "64 bits"},
        // data_offsets
        {"{\"w\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "data_offsets"},
        {ONE("\"U8\"", "[1]", "1"), 1, "data_offsets"},
        {ONE("\"U8\"", "[1]", "[]"), 1, "data_offsets"},
        {ONE("\"U8\"", "[1]", "[0]"), 1, "data_offsets"},
        {ONE("\"U8\"", "[1]", "[0,1,2]"), 1, "data_offsets"},
        {ONE("\"U8\"", "[1]", "{\"a\":0,\"b\":1}"), 1, "data_offsets"},
        {ONE("\"U8\"", "[1]", "[0,\"1\"]"), 1, "data_offsets"},
        {ONE("\"U8\"", "[1]", "[0,0.5]"), 1, "data_offsets"},
        {ONE("\"U8\"", "[1]", "[-1,0]"), 1, "data_offsets"},
        {ONE("\"U8\"", "[1]", "[1,0]"), 1, "data_offsets"},
        {ONE("\"U8\"", "[2]", "[0,2]"), 1, "data_offsets"},
        {ONE("\"U8\"", "[1]", "[9007199254740991,9007199254740992]"), 1, "data_offsets"},
        // Cover
        {ONE("\"U8\"", "[1]", "[0,1]"), 2, "1 bytes after"},
        {ONE("\"U8\"", "[1]", "[1,2]"), 2, "gap"},
        {"{}", 1, "1 bytes after"},
        {TWO("\"shape\":[2],\"data_offsets\":[0,2]", "\"shape\":[2],\"data_offsets\":[1,3]"), 3, "overlap"},
        {TWO("\"shape\":[2],\"data_offsets\":[0,2]", "\"shape\":[2],\"data_offsets\":[0,2]"), 2, "overlap"},
        {TWO("\"shape\":[1],\"data_offsets\":[0,1]", "\"shape\":[3],\"data_offsets\":[0,3]"), 3, "overlap"},
        {TWO("\"shape\":[1],\"data_offsets\":[0,1]", "\"shape\":[1],\"data_offsets\":[2,3]"), 3, "gap"},
        {TWO("\"shape\":[3],\"data_offsets\":[0,3]", "\"shape\":[0],\"data_offsets\":[1,1]"), 3, "overlap"},
    };
    encl_scratch *scratch = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_model(scratch, rows[i].header, strlen(rows[i].header), rows[i].data);
        assert_refused(scratch, ENCL_FORMAT, rows[i].part);
    }
}

static void refuses_what_is_not_supported(void **state) {
    encl_scratch *scratch = *state;
    const char *float8 = ONE("\"F8_E4M3\"", "[1]", "[0,1]");
    write_model(scratch, float8, strlen(float8), 1);
    assert_refused(scratch, ENCL_UNSUPPORTED, "F8_E4M3");
    const char *nine = ONE("\"U8\"", "[1,1,1,1,1,1,1,1,1]", "[0,1]");
    write_model(scratch, nine, strlen(nine), 1);
    assert_refused(scratch, ENCL_UNSUPPORTED, "dimensions");
    const char *eight = ONE("\"U8\"", "[1,1,1,1,1,1,1,1]", "[0,1]");
    encl_checkpoint *checkpoint = NULL;
    write_model(scratch, eight, strlen(eight), 1);
    assert_ok(encl_checkpoint_open(scratch->folder, &checkpoint));
    encl_checkpoint_close(checkpoint);
}

static void refuses_nul_in_the_header(void **state) {
    encl_scratch *scratch = *state;
    write_model(scratch, "{}\0", 3, 0);
    assert_refused(scratch, ENCL_FORMAT, "NUL");
    write_model(scratch, "{\"a\0b\":1}", 9, 0);
    assert_refused(scratch, ENCL_FORMAT, "byte 11");
}

static void refuses_deep_nesting(void **state) {
    enum { DEPTH = 10000, PREFIX = 5 };
    encl_scratch *scratch = *state;
    static char header[2 * DEPTH + PREFIX + 1];
    memcpy(header, "{\"w\":", PREFIX);
    memset(header + PREFIX, '[', DEPTH);
    memset(header + PREFIX + DEPTH, ']', DEPTH);
    header[sizeof header - 1] = '}';
    write_model(scratch, header, sizeof header, 0);
    assert_refused(scratch, ENCL_FORMAT, ": ");
}

// No byte of a header may be able to crash the reader or make it read outside of the file: what still opens after a
// byte was changed must have all its tensors inside the data, each byte once.
static void survives_every_changed_byte(void **state) {
    encl_scratch *scratch = *state;
    static const uint8_t values[] = {0, ' ', '"', '0', '9', '[', '}', 0x80, 0xff};
    static uint8_t file[FILE_CAPACITY];
    const size_t length = build(file, valid_header, strlen(valid_header), "0123456789abc", VALID_DATA);
    for (size_t i = 0; i < length; i++) {
        const uint8_t kept = file[i];
        for (size_t j = 0; j < sizeof values; j++) {
            encl_checkpoint *checkpoint = NULL;
            file[i] = values[j];
            scratch_write(scratch, "model.safetensors", file, length);
            if (encl_checkpoint_open(scratch->folder, &checkpoint) != ENCL_OK) {
                assert_detail_has("model.safetensors");
                continue;
            }
            size_t bytes = 0;
            for (size_t k = 0; k < encl_checkpoint_count(checkpoint); k++) {
                bytes += encl_checkpoint_at(checkpoint, k)->bytes;
            }
            assert_int_equal(bytes, VALID_DATA);
            encl_checkpoint_close(checkpoint);
        }
        file[i] = kept;
    }
}

#define with_scratch(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_scratch(reads_what_is_allowed),
        with_scratch(opens_a_file_by_name_or_content),
        with_scratch(inflates_a_named_file_once),
        with_scratch(says_what_was_looked_for),
        with_scratch(refuses_truncation_at_every_byte),
        with_scratch(refuses_wrong_header_lengths),
        with_scratch(refuses_malformed_headers),
        with_scratch(refuses_what_is_not_supported),
        with_scratch(refuses_nul_in_the_header),
        with_scratch(refuses_deep_nesting),
        with_scratch(survives_every_changed_byte),
    };
    return encl_test_main(tests);
}
