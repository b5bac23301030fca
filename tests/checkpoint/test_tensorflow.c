// TensorFlow checkpoints: what TensorFlow wrote, how they are found, and every way in which one can be wrong.
#include <math.h>

#include "checkpoint/bundle_writer.h"
#include "checkpoint/scratch.h"
#include "host/checkpoint/checkpoint.h"
#include "runtime/base/random.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char whole[] = "tests/fixtures/tiny-tf1";
static const char partitioned[] = "tests/fixtures/tiny-tf1-partitioned";
static const char index_name[] = "bert_model.ckpt.index";
static const char data_name[] = "bert_model.ckpt.data-00000-of-00001";

// ---- Against the weights that TensorFlow was given ------------------------------------------------------------

static void replace(char *text, const char *from, const char *to) {
    char *at = strstr(text, from);
    if (at != NULL) {
        char rest[256];
        snprintf(rest, sizeof rest, "%s", at + strlen(from));
        snprintf(at, 256 - (size_t)(at - text), "%s%s", to, rest);
    }
}

// Google's name of a tensor of transformers'; whether it is stored transposed.
static bool tensorflow_name(const char *name, char text[256]) {
    snprintf(text, 256, "%s", name);
    replace(text, "layer.", "layer_");
    replace(text, "cls.predictions.bias", "cls.predictions.output_bias");
    replace(text, "cls.seq_relationship.weight", "cls.seq_relationship.output_weights");
    replace(text, "cls.seq_relationship.bias", "cls.seq_relationship.output_bias");
    replace(text, "LayerNorm.weight", "LayerNorm.gamma");
    replace(text, "LayerNorm.bias", "LayerNorm.beta");
    replace(text, "embeddings.weight", "embeddings");
    const bool is_kernel = strstr(text, ".weight") != NULL;
    replace(text, ".weight", ".kernel");
    for (char *at = text; *at != '\0'; at++) {
        *at = *at == '.' ? '/' : *at;
    }
    return is_kernel;
}

static float *read_tensor(const encl_tensor *tensor) {
    float *values = calloc((size_t)tensor->elements + 1, sizeof *values);
    assert_non_null(values);
    assert_ok(encl_tensor_read(tensor, 0, tensor->elements, values));
    return values;
}

static void expect_same(const encl_tensor *found, const encl_tensor *expected, bool transposed) {
    float *a = read_tensor(found);
    float *b = read_tensor(expected);
    const double tolerance = found->dtype == ENCL_DTYPE_F32 ? 0 : found->dtype == ENCL_DTYPE_F16 ? 0x1p-11 : 0x1p-8;
    const int64_t rows = expected->shape[0];
    const int64_t columns = expected->elements / rows;
    assert_int_equal(found->elements, expected->elements);
    assert_int_equal(found->dimensions, expected->dimensions);
    assert_int_equal(found->shape[0], transposed ? columns : rows);
    for (int64_t i = 0; i < found->elements; i++) {
        const float value = a[transposed ? i % columns * rows + i / columns : i];
        if (fabs((double)value - (double)b[i]) > tolerance * fabs((double)b[i]) + (tolerance > 0 ? 1e-7 : 0)) {
            fail_msg("%s: element %lld: found %g, expected %g", found->name, (long long)i, value, b[i]);
        }
    }
    free(a);
    free(b);
}

static size_t expect_base_weights(const char *path, const char *skipped) {
    encl_checkpoint *base = NULL;
    encl_checkpoint *found = NULL;
    assert_ok(encl_checkpoint_open("tests/fixtures/tiny-pretraining", &base));
    assert_ok(encl_checkpoint_open(path, &found));
    assert_string_equal(encl_checkpoint_format(found), "tensorflow");
    assert_int_equal(encl_checkpoint_dialect(found), ENCL_DIALECT_TENSORFLOW);
    for (size_t i = 0; i < encl_checkpoint_count(base); i++) {
        const encl_tensor *expected = encl_checkpoint_at(base, i);
        char name[256];
        const bool transposed = tensorflow_name(expected->name, name);
        const encl_tensor *tensor = encl_checkpoint_find(found, name);
        if (tensor == NULL) {
            fail_msg("%s: no tensor %s", path, name);
        } else if (strncmp(name, skipped, strlen(skipped)) != 0) {
            expect_same(tensor, expected, transposed);
        }
    }
    const size_t count = encl_checkpoint_count(found);
    encl_checkpoint_close(found);
    encl_checkpoint_close(base);
    return count;
}

static void reads_what_tensorflow_wrote(void **state) {
    (void)state;
    encl_checkpoint *checkpoint = NULL;
    assert_int_equal(expect_base_weights(whole, "none"), 53);       // with six slots and global_step
    assert_int_equal(expect_base_weights(partitioned, "none"), 46); // without a text
    assert_int_equal(expect_base_weights("tests/fixtures/tiny-tf1-untrained", "cls/predictions"), 46);
    assert_int_equal(expect_base_weights("tests/fixtures/tiny-zip/deflated.zip", "none"), 53);

    assert_ok(encl_checkpoint_open(whole, &checkpoint));
    const encl_tensor *step = encl_checkpoint_find(checkpoint, "global_step");
    assert_non_null(step);
    assert_int_equal(step->dtype, ENCL_DTYPE_I64);
    assert_int_equal(step->dimensions, 0);
    assert_memory_equal(step->data, "\xe8\3\0\0\0\0\0\0", 8);
    encl_checkpoint_close(checkpoint);

    assert_ok(encl_checkpoint_open(partitioned, &checkpoint));
    assert_int_equal(encl_checkpoint_find(checkpoint, "bert/encoder/layer_1/intermediate/dense/kernel")->dtype,
                     ENCL_DTYPE_F16);
    assert_int_equal(encl_checkpoint_find(checkpoint, "bert/encoder/layer_1/output/dense/kernel")->dtype,
                     ENCL_DTYPE_BF16);
    encl_checkpoint_close(checkpoint);
}

static void opens_by_every_name(void **state) {
    (void)state;
    static const char *const names[] = {
        "tests/fixtures/tiny-tf1/bert_model.ckpt",
        "tests/fixtures/tiny-tf1/bert_model.ckpt.index",
        "tests/fixtures/tiny-tf1/bert_model.ckpt.data-00000-of-00001",
        "tests/fixtures/tiny-zip/deflated.zip/tiny_wwm_L-2_H-32_A-2/bert_model.ckpt",
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        encl_checkpoint *checkpoint = NULL;
        assert_ok(encl_checkpoint_open(names[i], &checkpoint));
        assert_non_null(encl_checkpoint_find(checkpoint, "bert/pooler/dense/kernel"));
        encl_checkpoint_close(checkpoint);
    }
}

// ---- Damaged files --------------------------------------------------------------------------------------------

typedef struct copy {
    char *bytes;
    size_t length;
} copy;

static copy copy_file(encl_scratch *scratch, const char *source, const char *name) {
    char path[512];
    copy read = {0};
    snprintf(path, sizeof path, "%s/%s", source, name);
    assert_ok(encl_file_read(path, 1 << 20, &read.bytes, &read.length));
    scratch_write(scratch, name, read.bytes, read.length);
    return read;
}

static void refuses_truncation_at_every_byte(void **state) {
    encl_scratch *scratch = *state;
    copy data = copy_file(scratch, whole, data_name);
    copy index = copy_file(scratch, whole, index_name);
    for (size_t i = 0; i < index.length; i++) {
        encl_checkpoint *checkpoint = (encl_checkpoint *)1;
        scratch_write(scratch, index_name, index.bytes, i);
        assert_fails(encl_checkpoint_open(scratch->folder, &checkpoint), ENCL_FORMAT, index_name);
        assert_null(checkpoint);
    }
    free(index.bytes);
    free(data.bytes);
}

// Same names, shapes and bytes.
static void expect_same_checkpoint(const encl_checkpoint *found, const encl_checkpoint *expected) {
    assert_int_equal(encl_checkpoint_count(found), encl_checkpoint_count(expected));
    for (size_t i = 0; i < encl_checkpoint_count(found); i++) {
        const encl_tensor *a = encl_checkpoint_at(found, i);
        const encl_tensor *b = encl_checkpoint_at(expected, i);
        assert_string_equal(a->name, b->name);
        assert_int_equal(a->dtype, b->dtype);
        assert_int_equal(a->bytes, b->bytes);
        assert_memory_equal(a->shape, b->shape, sizeof a->shape);
        assert_memory_equal(a->data, b->data, a->bytes);
    }
}

static void finds_every_changed_byte_of_the_index(void **state) {
    encl_scratch *scratch = *state;
    copy data = copy_file(scratch, whole, data_name);
    copy index = copy_file(scratch, whole, index_name);
    encl_checkpoint *original = NULL;
    static const int changes[] = {0x01, 0x10, 0x80};
    size_t same = 0;
    assert_ok(encl_checkpoint_open(whole, &original));
    for (size_t i = 0; i < index.length; i++) {
        const char kept = index.bytes[i];
        for (size_t change = 0; change < COUNT(changes); change++) {
            encl_checkpoint *checkpoint = NULL;
            index.bytes[i] = (char)(kept ^ changes[change]);
            scratch_write(scratch, index_name, index.bytes, index.length);
            if (encl_checkpoint_open(scratch->folder, &checkpoint) == ENCL_OK) {
                expect_same_checkpoint(checkpoint, original);
                encl_checkpoint_close(checkpoint);
                same++;
            }
        }
        index.bytes[i] = kept;
    }
    assert_in_range(same, 1, 40 * COUNT(changes)); // zeros between the handles and the magic
    encl_checkpoint_close(original);
    free(index.bytes);
    free(data.bytes);
}

static void finds_changed_data_when_it_is_read(void **state) {
    encl_scratch *scratch = *state;
    copy index = copy_file(scratch, whole, index_name);
    copy data = copy_file(scratch, whole, data_name);
    uint64_t seed = 3;
    for (int round = 0; round < 50; round++) {
        const size_t place = encl_random_next(&seed) % data.length;
        encl_checkpoint *checkpoint = NULL;
        size_t bad = 0;
        data.bytes[place] ^= 4;
        scratch_write(scratch, data_name, data.bytes, data.length);
        data.bytes[place] ^= 4;
        assert_ok(encl_checkpoint_open(scratch->folder, &checkpoint));
        for (size_t i = 0; i < encl_checkpoint_count(checkpoint); i++) {
            const encl_tensor *tensor = encl_checkpoint_at(checkpoint, i);
            const encl_status status = tensor->verify(tensor);
            if (status != ENCL_OK) {
                float value = 0;
                assert_fails(status, ENCL_FORMAT, tensor->name);
                bad++;
                if (tensor->dtype == ENCL_DTYPE_F32) {
                    assert_fails(encl_tensor_read(tensor, 0, 1, &value), ENCL_FORMAT, "checksum");
                }
            }
        }
        assert_int_equal(bad, 1); // every byte belongs to one tensor
        encl_checkpoint_close(checkpoint);
    }
    free(index.bytes);
    free(data.bytes);
}

static void finds_changed_slices_at_once(void **state) {
    encl_scratch *scratch = *state;
    encl_checkpoint *checkpoint = NULL;
    copy index = copy_file(scratch, partitioned, index_name);
    copy first = copy_file(scratch, partitioned, "bert_model.ckpt.data-00000-of-00002");
    copy second = copy_file(scratch, partitioned, "bert_model.ckpt.data-00001-of-00002");
    assert_ok(encl_checkpoint_open(scratch->folder, &checkpoint));
    const encl_tensor *words = encl_checkpoint_find(checkpoint, "bert/embeddings/word_embeddings");
    uint8_t row[128];
    memcpy(row, words->data + 20 * sizeof row, sizeof row); // a row lies in its slice as it is
    encl_checkpoint_close(checkpoint);
    char *found = NULL;
    for (size_t i = 0; found == NULL && i + sizeof row <= first.length; i++) {
        found = memcmp(first.bytes + i, row, sizeof row) == 0 ? first.bytes + i : NULL;
    }
    assert_non_null(found);
    found[5] ^= 1;
    scratch_write(scratch, "bert_model.ckpt.data-00000-of-00002", first.bytes, first.length);
    assert_fails(encl_checkpoint_open(scratch->folder, &checkpoint), ENCL_FORMAT, "bert/embeddings/word_embeddings");
    assert_detail_has("checksum");
    free(index.bytes);
    free(first.bytes);
    free(second.bytes);
}

static void refuses_missing_and_short_data(void **state) {
    encl_scratch *scratch = *state;
    encl_checkpoint *checkpoint = NULL;
    copy index = copy_file(scratch, whole, index_name);
    assert_fails(encl_checkpoint_open(scratch->folder, &checkpoint), ENCL_NOT_FOUND, data_name);
    copy data = copy_file(scratch, whole, data_name);
    scratch_write(scratch, data_name, data.bytes, data.length - 1);
    assert_fails(encl_checkpoint_open(scratch->folder, &checkpoint), ENCL_FORMAT, "whose size is 142051");
    scratch_write(scratch, data_name, "", 0);
    assert_fails(encl_checkpoint_open(scratch->folder, &checkpoint), ENCL_FORMAT, "whose size is 0");
    free(index.bytes);
    free(data.bytes);
}

// ---- Finding --------------------------------------------------------------------------------------------------

static void finds_the_index(void **state) {
    static const struct {
        const char *text; // of "checkpoint", NULL: none
        const char *names[2];
        const char *found; // NULL: two, refused
    } rows[] = {
        {NULL, {"a.index", NULL}, "a.index"},
        {NULL, {"a.index", "bert_model.ckpt.index"}, "bert_model.ckpt.index"},
        {NULL, {"a.index", "b.index"}, NULL},
        {"model_checkpoint_path: \"b\"\n", {"a.index", "b.index"}, "b.index"},
        {"x: 1\nmodel_checkpoint_path:   \"b\"\nall_model_checkpoint_paths: \"a\"", {"a.index", "b.index"}, "b.index"},
        {"all_model_checkpoint_paths: \"b\"\n", {"a.index", "b.index"}, NULL},
        {"model_checkpoint_path: \"/training/b\"\n", {"a.index", "b.index"}, NULL},
        {"model_checkpoint_path: \"../b\"\n", {"a.index", NULL}, "a.index"},
        {"model_checkpoint_path: \"..\"\n", {"a.index", NULL}, "a.index"},
        {"model_checkpoint_path: \"c\"\n", {"a.index", NULL}, "a.index"},
        {"model_checkpoint_path: \"b", {"a.index", NULL}, "a.index"},
        {"model_checkpoint_path:", {"a.index", NULL}, "a.index"},
    };
    encl_scratch *scratch = *state;
    encl_written entries = {.length = 0};
    encl_written file;
    written_header(&entries, 1, 0);
    written_table(&file, &entries, 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        encl_checkpoint *checkpoint = NULL;
        for (size_t n = 0; n < 2 && rows[i].names[n] != NULL; n++) {
            scratch_write(scratch, rows[i].names[n], file.bytes, file.length);
        }
        if (rows[i].text != NULL) {
            scratch_write_text(scratch, "checkpoint", rows[i].text);
        }
        const encl_status status = encl_checkpoint_open(scratch->folder, &checkpoint);
        if (rows[i].found == NULL) {
            assert_fails(status, ENCL_FORMAT, "a.index and b.index");
        } else {
            assert_ok(status);
            assert_string_equal(encl_checkpoint_file(checkpoint), rows[i].found);
            encl_checkpoint_close(checkpoint);
        }
        for (size_t n = 0; n < 2 && rows[i].names[n] != NULL; n++) {
            assert_int_equal(remove(scratch_path(scratch, rows[i].names[n])), 0);
        }
        remove(scratch_path(scratch, "checkpoint"));
    }
    // A folder of that name is another program's.
    encl_checkpoint *checkpoint = NULL;
    scratch_make_folder(scratch, "checkpoint");
    scratch_write(scratch, "a.index", file.bytes, file.length);
    assert_ok(encl_checkpoint_open(scratch->folder, &checkpoint));
    encl_checkpoint_close(checkpoint);
}

#define with_scratch(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_tensorflow_wrote),    cmocka_unit_test(opens_by_every_name),
        with_scratch(refuses_truncation_at_every_byte),   with_scratch(finds_every_changed_byte_of_the_index),
        with_scratch(finds_changed_data_when_it_is_read), with_scratch(finds_changed_slices_at_once),
        with_scratch(refuses_missing_and_short_data),     with_scratch(finds_the_index),
    };
    return encl_test_main(tests);
}
