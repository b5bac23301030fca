// Paddle's files as the test writes them: arrays, texts, tensors in parts, and objects that Paddle does not write.
#include "checkpoint/pickle_writer.h"

// What an array's pickle says, and as what its bytes are written: opcode 'B', or 'X' for a text that is encoded.
typedef struct array_row {
    const char *dtype;
    const char *order;
    size_t dimensions;
    int64_t sizes[9];
    char opcode;
    const char *bytes;
    size_t length;
    encl_status status;
    const char *part;
} array_row;

static void write_array(encl_writer *writer, const array_row *row) {
    write_literal(writer, "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85"
                          "C\x01"
                          "b\x87R(K\x01");
    write_ints(writer, row->sizes, row->dimensions);
    write_literal(writer, "cnumpy\ndtype\n");
    write_text(writer, row->dtype);
    write_literal(writer, "\x89\x88\x87R(K\x03");
    write_text(writer, row->order);
    write_literal(writer, "NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89");
    if (row->opcode == 'X') {
        write_literal(writer, "c_codecs\nencode\n");
    }
    write_bytes(writer, &row->opcode, 1);
    write_number(writer, row->length, 4);
    write_bytes(writer, row->bytes, row->length);
    if (row->opcode == 'X') {
        write_literal(writer, "X\x06\x00\x00\x00latin1\x86R");
    }
    write_literal(writer, "tb");
}

#define bytes_of(literal) (literal), sizeof(literal) - 1

static void checks_arrays(void **state) {
    (void)state;
    static const array_row rows[] = {
        {"f4", "<", 1, {2}, 'B', bytes_of("\0\0\0\0\0\0\x80?"), ENCL_OK, ""},
        {"f4", "<", 1, {2}, 'X', bytes_of("\0\0\0\0\0\0\xc2\x80?"), ENCL_OK, ""},
        {"i1", "|", 2, {2, 3}, 'X', bytes_of("\xc3\xbf\x7f\xc2\x80\xc3\x80z\0"), ENCL_OK, ""},
        {"f4", "<", 2, {0, 3}, 'B', bytes_of(""), ENCL_OK, ""},
        {"f4", "<", 3, {0, INT64_C(1) << 62, INT64_C(1) << 62}, 'B', bytes_of(""), ENCL_OK, ""},
        {"f4", "<", 2, {0, 3}, 'X', bytes_of(""), ENCL_OK, ""},
        // Sizes
        {"f4", "<", 1, {2}, 'B', bytes_of("\0\0\0\0\0\0\x80"), ENCL_FORMAT, "found 7 bytes of data"},
        {"f4", "<", 1, {1}, 'B', bytes_of("\0\0\0\0\0\0\x80?"), ENCL_FORMAT, "found 8 bytes of data"},
        {"f4", "<", 1, {2}, 'X', bytes_of("\0\0\0\0\0\0\0"), ENCL_FORMAT, "need more"},
        {"f4", "<", 1, {2}, 'X', bytes_of("\0\0\0\0\0\0\xc2\x80"), ENCL_FORMAT, "another text"},
        {"f4", "<", 1, {2}, 'X', bytes_of("\0\0\0\0\0\0\0\0\0"), ENCL_FORMAT, "another text"},
        {"f4", "<", 1, {-2}, 'B', bytes_of(""), ENCL_FORMAT, "shape[0]"},
        {"f4", "<", 2, {INT64_C(1) << 40, INT64_C(1) << 40}, 'X', bytes_of(""), ENCL_FORMAT, "64 bits"},
        {"f4", "<", 1, {INT64_C(1) << 40}, 'X', bytes_of("abcd"), ENCL_FORMAT, "need more"},
        {"f4", "<", 1, {INT64_C(1) << 40}, 'B', bytes_of("abcd"), ENCL_FORMAT, "found 4 bytes"},
        {"f4", "<", 9, {1, 1, 1, 1, 1, 1, 1, 1, 1}, 'B', bytes_of("abcd"), ENCL_UNSUPPORTED, "9 dimensions"},
        // Texts that are no bytes
        {"i1", "|", 1, {1}, 'X', bytes_of("\xc4\x80"), ENCL_FORMAT, "another text"},
        {"i1",
         "|",
         1,
         {2},
         'X',
         bytes_of("\xc4\x80"
                  "a"),
         ENCL_FORMAT,
         "another text"},
        {"i1", "|", 1, {1}, 'X', bytes_of("\xc1\x81"), ENCL_FORMAT, "another text"},
        {"i1", "|", 1, {1}, 'X', bytes_of("\x80"), ENCL_FORMAT, "another text"},
        {"i1", "|", 1, {1}, 'X', bytes_of("\xc2"), ENCL_FORMAT, "another text"},
        {"i1",
         "|",
         1,
         {2},
         'X',
         bytes_of("\xc3"
                  "a"),
         ENCL_FORMAT,
         "another text"},
        {"i1", "|", 1, {1}, 'X', bytes_of("\xe4\xb8\xad"), ENCL_FORMAT, "another text"},
        {"i1", "|", 1, {1}, 'X', bytes_of("\xff"), ENCL_FORMAT, "another text"},
        // Types
        {"f4", ">", 1, {1}, 'B', bytes_of("abcd"), ENCL_UNSUPPORTED, "big-endian"},
        {"f4", "|", 1, {1}, 'B', bytes_of("abcd"), ENCL_FORMAT, "byte order"},
        {"f4", "=", 1, {1}, 'B', bytes_of("abcd"), ENCL_FORMAT, "byte order"},
        {"i1", "<", 1, {1}, 'B', bytes_of("a"), ENCL_FORMAT, "byte order"},
        {"c8", "<", 1, {1}, 'B', bytes_of("abcdefgh"), ENCL_FORMAT, "unknown dtype"},
        {"O8", "|", 1, {1}, 'B', bytes_of("abcdefgh"), ENCL_FORMAT, "unknown dtype"},
        {"", "<", 1, {1}, 'B', bytes_of("a"), ENCL_FORMAT, "unknown dtype"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        encl_writer file = {0};
        write_literal(&file, "\x80\x04}");
        write_text(&file, "weight");
        write_array(&file, &rows[i]);
        write_literal(&file, "s.");
        const encl_status status = read_any(encl_paddle_read, file.bytes, file.length);
        if (rows[i].status == ENCL_OK) {
            assert_ok(status);
        } else {
            assert_fails(status, rows[i].status, rows[i].part);
            assert_detail_has("'weight'");
        }
        write_free(&file);
    }
}

// Paddle keeps bfloat16 in numpy's uint16.
static void reads_bfloat16(void **state) {
    (void)state;
    static const array_row row = {"u2", "<", 1, {2}, 'B', bytes_of("\x80?\0@"), ENCL_OK, ""};
    encl_writer file = {0};
    encl_checkpoint *checkpoint = NULL;
    float values[2];
    write_literal(&file, "\x80\x04}U\x01w");
    write_array(&file, &row);
    write_literal(&file, "s.");
    const encl_file mapped = {.data = file.bytes, .size = file.length};
    assert_ok(read_memory(encl_paddle_read, &mapped, &checkpoint));
    assert_int_equal(find_tensor(checkpoint, "w")->dtype, ENCL_DTYPE_BF16);
    assert_ok(encl_tensor_read(find_tensor(checkpoint, "w"), 0, 2, values));
    assert_true(values[0] == 1 && values[1] == 2);
    encl_checkpoint_close(checkpoint);
    write_free(&file);
}

static void decodes_texts(void **state) {
    (void)state;
    uint8_t text[384];
    size_t length = 0;
    for (unsigned byte = 0; byte < 256; byte++) {
        if (byte >= 0x80) {
            text[length++] = (uint8_t)(0xc0 | byte >> 6);
        }
        text[length++] = (uint8_t)(byte < 0x80 ? byte : 0x80 | (byte & 0x3f));
    }
    const array_row row = {"u1", "|", 1, {256}, 'X', (const char *)text, length, ENCL_OK, ""};
    encl_writer file = {0};
    encl_checkpoint *checkpoint = NULL;
    write_literal(&file, "\x80\x02}");
    write_text(&file, "a");
    write_array(&file, &row);
    // The same array under another name is not decoded again.
    write_literal(&file, "q\x00sU\x01"
                         "bh\x00s.");
    for (size_t i = 0; i + 3 < file.length; i++) { // protocol 2 has no SHORT_BINBYTES; numpy's "b" may be any bytes
        if (memcmp(file.bytes + i,
                   "C\x01"
                   "b",
                   3) == 0) {
            file.bytes[i] = 'U';
        }
    }
    const encl_file mapped = {.data = file.bytes, .size = file.length};
    assert_ok(read_memory(encl_paddle_read, &mapped, &checkpoint));
    for (int byte = 0; byte < 256; byte++) {
        assert_int_equal(find_tensor(checkpoint, "a")->data[byte], byte);
    }
    assert_ptr_equal(find_tensor(checkpoint, "b")->data, find_tensor(checkpoint, "a")->data);
    encl_checkpoint_close(checkpoint);
    write_free(&file);
}

// One text as many names: memory for all of them would be a hundred times the file.
static void refuses_a_name_for_many(void **state) {
    (void)state;
    static const array_row row = {"i1", "|", 1, {1}, 'B', bytes_of("a"), ENCL_OK, ""};
    char name[5001] = "";
    encl_writer file = {0};
    memset(name, 'n', sizeof name - 1);
    write_literal(&file, "\x80\x04}");
    write_text(&file, name);
    write_literal(&file, "q\x01");
    write_array(&file, &row);
    write_literal(&file, "q\x02s");
    for (int i = 0; i < 1000; i++) {
        write_literal(&file, "h\x01h\x02s");
    }
    write_literal(&file, ".");
    assert_fails(read_any(encl_paddle_read, file.bytes, file.length), ENCL_FORMAT, "names of more bytes");
    write_free(&file);
}

static void refuses_other_objects(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        encl_status status;
        const char *part;
    } rows[] = {
        {bytes_of("\x80\x04}."), ENCL_FORMAT, "a dict without arrays"},
        {bytes_of("N."), ENCL_FORMAT, "None without arrays"},
        {bytes_of("}U\x01wcnumpy\nndarray\ns."), ENCL_FORMAT, "without arrays"},
        {bytes_of("}U\x01wcnumpy.core.multiarray\n_reconstruct\n)Rs."), ENCL_FORMAT, "another array"},
        {bytes_of("}U\x01wcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n\x85Rs."), ENCL_FORMAT,
         "another array"},
        {bytes_of("}U\x01wcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n\x85R(K\x01)NNNtbs."), ENCL_FORMAT,
         "another array"},
        {bytes_of("}U\x01wcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n\x85R(K\x01)N\x89Ntbs."), ENCL_FORMAT,
         "dtype"},
        {bytes_of("}U\x01wcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n\x85R(K\x01)cnumpy\ndtype\n"
                  "U\x02"
                  "f4\x85R\x89Ntbs."),
         ENCL_FORMAT, "byte order"},
        {bytes_of("}K\x01"
                  "cnumpy.core.multiarray\n_reconstruct\n)Rs."),
         ENCL_FORMAT, "a name"},
        {bytes_of("cbuiltins\neval\nU\x01x\x85R."), ENCL_UNSUPPORTED, "global 'builtins.eval'"},
        {bytes_of("cos\nsystem\nU\x01x\x85R."), ENCL_UNSUPPORTED, "global 'os.system'"},
        {bytes_of("NQ."), ENCL_UNSUPPORTED, "persistent"},
        {bytes_of("\x80\x05}."), ENCL_UNSUPPORTED, "protocol 5"},
        {bytes_of("}.x"), ENCL_FORMAT, "1 bytes after the pickle"},
        {bytes_of(""), ENCL_FORMAT, "the end"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t *copy = exact_copy((const uint8_t *)rows[i].bytes, rows[i].length);
        const encl_status status = read_any(encl_paddle_read, copy, rows[i].length);
        assert_fails(status, rows[i].status, rows[i].part);
        free(copy);
    }
}

// {w@@.0: [0 1], w@@.1: [2 3 4], v: [9], UnpackBigParamInfor@@: `parts`}, all int8
static void write_parts(encl_writer *file, const char *parts, size_t length) {
    static const array_row rows[] = {{"i1", "|", 1, {2}, 'B', bytes_of("\0\1"), ENCL_OK, ""},
                                     {"i1", "|", 1, {4}, 'B', bytes_of("\2\3\4\5"), ENCL_OK, ""},
                                     {"b1", "|", 1, {2}, 'B', bytes_of("\1\1"), ENCL_OK, ""}};
    static const char *const names[] = {"w@@.0", "w@@.1", "v"};
    write_literal(file, "\x80\x04}(");
    for (size_t i = 0; i < 3; i++) {
        write_text(file, names[i]);
        write_array(file, &rows[i]);
    }
    write_text(file, "UnpackBigParamInfor@@");
    write_bytes(file, parts, length);
    write_literal(file, "u.");
}

static void joins_parts(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        const char *part;
    } rows[] = {
        {bytes_of("}U\x01w}U\x0bOriginShapeK\x03K\x02\x86sU\x06slices](U\x05w@@.0U\x05w@@.1ess"), NULL},
        {bytes_of("}"), NULL},
        {bytes_of("N"), "found None, expected a dict"},
        {bytes_of("}U\x01wNs"), "no list of its parts"},
        {bytes_of("}U\x01w}s"), "no list of its parts"},
        {bytes_of("}U\x01w}U\x06slices]ss"), "no list of its parts"},
        {bytes_of("}U\x01w}U\x06slices]U\x05w@@.0ass"), "shape"},
        {bytes_of("}U\x01w}U\x0bOriginShapeK\x02\x85sU\x06slices]Nass"), "a name"},
        {bytes_of("}U\x01w}U\x0bOriginShapeK\x02\x85sU\x06slices](U\x05w@@.0U\x05w@@.1ess"), "parts of 6 bytes"},
        {bytes_of("}U\x01w}U\x0bOriginShapeK\x04\x85sU\x06slices](U\x05w@@.0U\x05w@@.2ess"), "found no part 'w@@.2'"},
        {bytes_of("}U\x01w}U\x0bOriginShapeK\x04\x85sU\x06slices](U\x05w@@.2U\x05w@@.0ess"), "found no part 'w@@.2'"},
        {bytes_of("}U\x01w}U\x0bOriginShapeK\x04\x85sU\x06slices](U\x05w@@.0U\x05w@@.0ess"), "each once"},
        {bytes_of("}U\x01w}U\x0bOriginShapeK\x04\x85sU\x06slices](U\x05w@@.0U\x01vess"), "alike"},
        {bytes_of("}U\x01w}U\x0bOriginShapeK\x04\x85sU\x06slices](NNNNNNNNNNess"), "no list of its parts"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        encl_writer file = {0};
        encl_checkpoint *checkpoint = NULL;
        write_parts(&file, rows[i].bytes, rows[i].length);
        const encl_file mapped = {.data = file.bytes, .size = file.length};
        const encl_status status = read_memory(encl_paddle_read, &mapped, &checkpoint);
        if (rows[i].part != NULL) {
            assert_fails(status, ENCL_FORMAT, rows[i].part);
        } else {
            assert_ok(status);
            assert_int_equal(encl_checkpoint_count(checkpoint), i == 0 ? 2 : 3);
        }
        if (i == 0) {
            const encl_tensor *whole = find_tensor(checkpoint, "w");
            assert_int_equal(whole->dimensions, 2);
            assert_int_equal(whole->shape[0], 3);
            assert_memory_equal(whole->data, "\0\1\2\3\4\5", 6);
            assert_null(encl_checkpoint_find(checkpoint, "w@@.0"));
        }
        encl_checkpoint_close(checkpoint);
        write_free(&file);
    }
}

// The names of what is joined count like the others.
static void refuses_a_name_for_many_parts(void **state) {
    (void)state;
    enum { PARTS = 100 };
    static const array_row row = {"i1", "|", 1, {1}, 'B', bytes_of("a"), ENCL_OK, ""};
    char name[5001] = "";
    char parts[PARTS][16];
    encl_writer file = {0};
    memset(name, 'n', sizeof name - 1);
    write_literal(&file, "\x80\x04}");
    for (int i = 0; i < PARTS; i++) {
        snprintf(parts[i], sizeof parts[i], "p%d", i);
        write_text(&file, parts[i]);
        write_array(&file, &row);
        write_literal(&file, "s");
    }
    write_text(&file, "UnpackBigParamInfor@@");
    write_literal(&file, "}");
    for (int i = 0; i < PARTS; i++) {
        if (i == 0) {
            write_text(&file, name);
            write_literal(&file, "q\x01");
        } else {
            write_literal(&file, "h\x01");
        }
        write_literal(&file, "}U\x0bOriginShapeK\x01\x85sU\x06slices]");
        write_text(&file, parts[i]);
        write_literal(&file, "ass");
    }
    write_literal(&file, "s.");
    assert_fails(read_any(encl_paddle_read, file.bytes, file.length), ENCL_FORMAT, "names of more bytes");
    write_free(&file);
}

static void survives_flipped_bytes(void **state) {
    (void)state;
    encl_writer file = {0};
    static const char parts[] = "}U\x01w}U\x0bOriginShapeK\x03K\x02\x86sU\x06slices](U\x05w@@.0U\x05w@@.1ess";
    write_parts(&file, parts, sizeof parts - 1);
    survives_damage(encl_paddle_read, file.bytes, file.length, file.length, 3000);
    write_free(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks_arrays),
        cmocka_unit_test(reads_bfloat16),
        cmocka_unit_test(decodes_texts),
        cmocka_unit_test(refuses_a_name_for_many),
        cmocka_unit_test(refuses_a_name_for_many_parts),
        cmocka_unit_test(refuses_other_objects),
        cmocka_unit_test(joins_parts),
        cmocka_unit_test(survives_flipped_bytes),
    };
    return encl_test_main(tests);
}
