// Paddle's files: those that Paddle wrote, compared with the same weights in safetensors, and damaged ones.
#include "checkpoint/pickle_writer.h"

static const encl_tensor *find(const encl_checkpoint *checkpoint, const char *name) {
    const encl_tensor *tensor = encl_checkpoint_find(checkpoint, name);
    if (tensor == NULL) {
        fail_msg("no tensor '%s'", name);
    }
    return tensor;
}

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
            compare(find(checkpoint, name), encl_checkpoint_at(base, j));
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
        const uint8_t *data = find(checkpoint, "tensor_float32")->data;
        assert_int_equal(data >= bytes && data<bytes + length, protocol> 2);
        assert_ptr_equal(find(checkpoint, "tensor_float32")->source, protocol > 2 ? &file : NULL);
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
            const encl_tensor *tensor = find(checkpoint, rows[i].name);
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
        assert_int_equal(find(checkpoint, "scalar")->dimensions, 0);
        assert_ok(encl_tensor_read(find(checkpoint, "scalar"), 0, 1, values));
        assert_true(values[0] == 7);
        assert_int_equal(find(checkpoint, "empty")->elements, 0);
        assert_int_equal(find(checkpoint, "empty")->shape[1], 3);
        assert_ok(encl_tensor_read(find(checkpoint, "parameter"), 0, 2, values));
        assert_true(values[0] == 1 && values[1] == 2);
        assert_ok(encl_tensor_read(find(checkpoint, "fortran"), 0, 6, values));
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

// ---- Files of the test's own ------------------------------------------------------------------------------------

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
    assert_int_equal(find(checkpoint, "w")->dtype, ENCL_DTYPE_BF16);
    assert_ok(encl_tensor_read(find(checkpoint, "w"), 0, 2, values));
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
        assert_int_equal(find(checkpoint, "a")->data[byte], byte);
    }
    assert_ptr_equal(find(checkpoint, "b")->data, find(checkpoint, "a")->data);
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
            const encl_tensor *whole = find(checkpoint, "w");
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
    encl_writer file = {0};
    static const char parts[] = "}U\x01w}U\x0bOriginShapeK\x03K\x02\x86sU\x06slices](U\x05w@@.0U\x05w@@.1ess";
    write_parts(&file, parts, sizeof parts - 1);
    survives_damage(encl_paddle_read, file.bytes, file.length, file.length, 3000);
    write_free(&file);
}

#define with_scratch(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_tiny_models),
        cmocka_unit_test(keeps_bytes_where_they_lie),
        cmocka_unit_test(reads_every_type),
        cmocka_unit_test(refuses_calls),
        with_scratch(finds_the_file),
        cmocka_unit_test(checks_arrays),
        cmocka_unit_test(reads_bfloat16),
        cmocka_unit_test(decodes_texts),
        cmocka_unit_test(refuses_a_name_for_many),
        cmocka_unit_test(refuses_a_name_for_many_parts),
        cmocka_unit_test(refuses_other_objects),
        cmocka_unit_test(joins_parts),
        cmocka_unit_test(refuses_truncation_at_every_byte),
        cmocka_unit_test(survives_flipped_bytes),
    };
    return encl_test_main(tests);
}
