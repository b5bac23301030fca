// Sharded checkpoints, and the tiny models that transformers wrote.
#include "checkpoint/scratch.h"
#include "host/checkpoint/checkpoint.h"

static const char index_name[] = "model.safetensors.index.json";

// A shard of one-byte tensors, each called by one letter of `names`.
static void write_shard(encl_scratch *scratch, const char *name, const char *names) {
    char header[1024] = "{";
    size_t length = 1;
    for (size_t i = 0; names[i] != '\0'; i++) {
        length += (size_t)snprintf(header + length, sizeof header - length,
                                   "%s\"%c\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%zu,%zu]}",
                                   i == 0 ? "" : ",", names[i], i, i + 1);
    }
    header[length++] = '}';
    char file[2048] = {(char)(length & 0xff), (char)(length >> 8)};
    memcpy(file + 8, header, length);
    memcpy(file + 8 + length, names, strlen(names));
    scratch_write(scratch, name, file, 8 + length + strlen(names));
}

static void reads_all_shards(void **state) {
    encl_scratch *scratch = *state;
    encl_checkpoint *checkpoint = NULL;
    write_shard(scratch, "one", "cad");
    write_shard(scratch, "two", "b");
    scratch_write_text(scratch, index_name,
                       "{\"metadata\":{\"total_size\":4},"
                       "\"weight_map\":{\"a\":\"one\",\"b\":\"two\",\"c\":\"one\",\"d\":\"one\"}}");
    for (int by_file = 0; by_file < 2; by_file++) {
        assert_ok(encl_checkpoint_open(by_file ? scratch_path(scratch, index_name) : scratch->folder, &checkpoint));
        assert_string_equal(encl_checkpoint_format(checkpoint), "safetensors");
        assert_string_equal(encl_folder_path(encl_checkpoint_folder(checkpoint)), scratch->folder);
        assert_int_equal(encl_checkpoint_count(checkpoint), 4);
        for (size_t i = 0; i < 4; i++) {
            const encl_tensor *tensor = encl_checkpoint_at(checkpoint, i);
            assert_int_equal(tensor->name[0], "abcd"[i]);
            assert_int_equal(tensor->data[0], "abcd"[i]); // every tensor's byte is its name
            encl_tensor_drop(tensor);
        }
        encl_checkpoint_close(checkpoint);
    }
}

static void prefers_the_single_file(void **state) {
    encl_scratch *scratch = *state;
    encl_checkpoint *checkpoint = NULL;
    write_shard(scratch, "model.safetensors", "x");
    scratch_write_text(scratch, index_name, "{\"weight_map\":{\"a\":\"absent\"}}");
    assert_ok(encl_checkpoint_open(scratch->folder, &checkpoint));
    assert_non_null(encl_checkpoint_find(checkpoint, "x"));
    encl_checkpoint_close(checkpoint);
}

static void refuses_a_wrong_index(void **state) {
    static const struct {
        const char *index;
        encl_status status;
        const char *part;
    } rows[] = {
        {"", ENCL_FORMAT, "line 1"},
        {"[]", ENCL_FORMAT, "object"},
        {"{}", ENCL_FORMAT, "weight_map"},
        {"{\"weight_map\":null}", ENCL_FORMAT, "weight_map"},
        {"{\"weight_map\":{}}", ENCL_FORMAT, "weight_map"},
        {"{\"weight_map\":[\"one\"]}", ENCL_FORMAT, "weight_map"},
        {"{\"weight_map\":{\"a\":1}}", ENCL_FORMAT, "'a'"},
        {"{\"weight_map\":{\"a\":\"one\",\"a\":\"one\"}}", ENCL_FORMAT, "line 1"},
        // Paths
        {"{\"weight_map\":{\"a\":\"\"}}", ENCL_FORMAT, "same folder"},
        {"{\"weight_map\":{\"a\":\".\"}}", ENCL_FORMAT, "same folder"},
        {"{\"weight_map\":{\"a\":\"..\"}}", ENCL_FORMAT, "same folder"},
        {"{\"weight_map\":{\"a\":\"../one\"}}", ENCL_FORMAT, "'../one'"},
        {"{\"weight_map\":{\"a\":\"./one\"}}", ENCL_FORMAT, "same folder"},
        {"{\"weight_map\":{\"a\":\"sub/one\"}}", ENCL_FORMAT, "same folder"},
        {"{\"weight_map\":{\"a\":\"sub\\\\one\"}}", ENCL_FORMAT, "same folder"},
        {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", ENCL_FORMAT, "'/etc/passwd'"},
        {"{\"weight_map\":{\"a\":\"one\\u0000x\"}}", ENCL_FORMAT, "line 1"},
        // Shards that do not fit
        {"{\"weight_map\":{\"a\":\"absent\"}}", ENCL_NOT_FOUND, "absent"},
        {"{\"weight_map\":{\"a\":\"one\",\"b\":\"two\",\"c\":\"absent\"}}", ENCL_NOT_FOUND, "absent"},
        {"{\"weight_map\":{\"a\":\"one\",\"b\":\"one\"}}", ENCL_FORMAT, "no tensor 'b'"},
        {"{\"weight_map\":{\"b\":\"one\"}}", ENCL_FORMAT, "a tensor 'a'"},
        {"{\"weight_map\":{\"b\":\"both\"}}", ENCL_FORMAT, "a tensor 'a'"},
        {"{\"weight_map\":{\"a\":\"one\",\"b\":\"both\"}}", ENCL_FORMAT, "a tensor 'a'"},
        {"{\"weight_map\":{\"a\":\"short\"}}", ENCL_FORMAT, "short"},
        {"{\"weight_map\":{\"a\":\"model.safetensors.index.json\"}}", ENCL_FORMAT, ": "},
    };
    encl_scratch *scratch = *state;
    write_shard(scratch, "one", "a");
    write_shard(scratch, "two", "b");
    write_shard(scratch, "both", "ab");
    scratch_write_text(scratch, "short", "{}");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        encl_checkpoint *checkpoint = (encl_checkpoint *)1;
        scratch_write_text(scratch, index_name, rows[i].index);
        assert_fails(encl_checkpoint_open(scratch->folder, &checkpoint), rows[i].status, rows[i].part);
        assert_detail_has(index_name);
        assert_null(checkpoint);
    }
}

static void refuses_truncation_at_every_byte(void **state) {
    static const char index[] = "{\"weight_map\":{\"a\":\"one\",\"b\":\"two\"}}";
    encl_scratch *scratch = *state;
    encl_checkpoint *checkpoint = NULL;
    write_shard(scratch, "one", "a");
    write_shard(scratch, "two", "b");
    for (size_t i = 0; i < strlen(index); i++) {
        scratch_write(scratch, index_name, index, i);
        assert_fails(encl_checkpoint_open(scratch->folder, &checkpoint), ENCL_FORMAT, index_name);
    }
    scratch_write_text(scratch, index_name, index);
    assert_ok(encl_checkpoint_open(scratch->folder, &checkpoint));
    encl_checkpoint_close(checkpoint);
}

// ---- Models written by transformers -------------------------------------------------------------------------

static void reads_the_tiny_models(void **state) {
    (void)state;
    // count: 5 embedding tensors, 16 a layer, 2 of the pooler, 5 of an MLM head, 2 of a classifier.
    static const struct {
        const char *folder;
        const char *prefix;
        encl_dtype dtype;
        size_t count;
        int64_t hidden;
        int64_t intermediate;
    } rows[] = {
        {"tiny-bert", "bert.", ENCL_DTYPE_F32, 5 + 2 * 16 + 5, 32, 64},
        {"tiny-bert-f16", "", ENCL_DTYPE_F16, 5 + 2 * 16 + 2, 32, 64},
        {"tiny-bert-bf16", "bert.", ENCL_DTYPE_BF16, 5 + 2 * 16 + 2 + 2, 32, 64},
        {"tiny-bert-sharded", "bert.", ENCL_DTYPE_F32, 5 + 2 * 16 + 5, 32, 64},
        {"tiny-bert-gelu-new", "", ENCL_DTYPE_F32, 5 + 16 + 2, 32, 64},
        {"tiny-bert-odd", "", ENCL_DTYPE_F32, 5 + 3 * 16 + 2, 32, 50},
        {"tiny-bert-40", "", ENCL_DTYPE_F32, 5 + 2 * 16 + 2, 40, 72},
        {"tiny-sentence", "", ENCL_DTYPE_F32, 5 + 2 * 16 + 2, 32, 64},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[256];
        encl_checkpoint *checkpoint = NULL;
        snprintf(text, sizeof text, "tests/fixtures/%s", rows[i].folder);
        assert_ok(encl_checkpoint_open(text, &checkpoint));
        assert_string_equal(encl_folder_path(encl_checkpoint_folder(checkpoint)), text);
        assert_int_equal(encl_checkpoint_count(checkpoint), rows[i].count);
        snprintf(text, sizeof text, "%sencoder.layer.0.intermediate.dense.weight", rows[i].prefix);
        const encl_tensor *weight = encl_checkpoint_find(checkpoint, text);
        assert_non_null(weight);
        assert_int_equal(weight->dtype, rows[i].dtype);
        assert_int_equal(weight->dimensions, 2);
        assert_int_equal(weight->shape[0], rows[i].intermediate);
        assert_int_equal(weight->shape[1], rows[i].hidden);
        encl_checkpoint_close(checkpoint);
    }
}

#define with_scratch(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_scratch(reads_all_shards),          with_scratch(prefers_the_single_file),
        with_scratch(refuses_a_wrong_index),     with_scratch(refuses_truncation_at_every_byte),
        cmocka_unit_test(reads_the_tiny_models),
    };
    return encl_test_main(tests);
}
