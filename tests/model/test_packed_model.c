// Packed models: opened they are what was packed, they compute the same bits, and whatever is wrong with a file is
// told.
#include "checkpoint/scratch.h"
#include "host/model/model.h"
#include "model/packed.h"
#include "runtime/base/random.h"

static const char *const fixtures[] = {
    "tiny-bert",
    "tiny-bert-bf16",
    "tiny-bert-sharded",
    "tiny-heads",
    "tiny-heads-tf1",
    "tiny-heads-paddle",
    "tiny-ner",
    "tiny-multi-label",
    "tiny-untied",
    "tiny-multiple-choice",
    "tiny-sentence-dense",
    "tiny-sentence",
    "tiny-zip/stored.zip",
    "tiny-tf1",
    "tiny-tf1-untrained",
    "tiny-paddle",
    "tiny-torch-zip",
    "tiny-qa",
    "tiny-regression",
    "tiny-sentence-identity",
};
enum { FIXTURES = sizeof fixtures / sizeof fixtures[0], WIDEST = 256 };

static encl_model *open_model(const char *path) {
    encl_model *model = NULL;
    assert_ok(encl_model_open(path, &model));
    return model;
}

static encl_model *open_fixture(const char *name) {
    char path[128];
    snprintf(path, sizeof path, "tests/fixtures/%s", name);
    return open_model(path);
}

// ---- What it is -------------------------------------------------------------------------------------------

static void expect_texts(const char *const *left, size_t left_count, const char *const *right, size_t right_count) {
    assert_int_equal(left_count, right_count);
    for (size_t i = 0; i < left_count; i++) {
        assert_string_equal(left[i], right[i]);
    }
}

static void expect_same_model(const encl_model *whole, const encl_model *packed) {
    const encl_model_info *a = encl_model_get_info(whole);
    const encl_model_info *b = encl_model_get_info(packed);
    assert_string_equal(a->architecture, b->architecture);
    assert_string_equal(a->model_type, b->model_type);
    assert_string_equal(a->dtype, b->dtype);
    assert_string_equal(a->head, b->head);
    expect_texts(a->head_names, a->head_count, b->head_names, b->head_count);
    expect_texts(a->labels, a->label_count, b->labels, b->label_count);
    expect_texts(a->prompt_names, a->prompt_count, b->prompt_names, b->prompt_count);
    expect_texts(a->missing, a->missing_count, b->missing, b->missing_count);
    assert_int_equal(a->mlm_untrained, b->mlm_untrained);
    assert_int_equal(a->lowercase, b->lowercase);
    assert_int_equal(a->pooler, b->pooler);
    assert_int_equal(a->normalize, b->normalize);
    assert_int_equal(a->max_length, b->max_length);
    assert_int_equal(a->tensors - a->unused_count - a->ignored, b->tensors);
    assert_int_equal(b->unused_count, 0);
    assert_int_equal(a->layers, b->layers);
    assert_int_equal(a->vocabulary, b->vocabulary);
    assert_null(a->packed);
    assert_non_null(b->packed);
    assert_string_equal(b->packed->source, a->format);
    assert_int_equal(b->packed->precision, ENCL_PRECISION_FP32);
    assert_string_equal(b->packed->version, encl_version());
    assert_string_equal(b->format, "packed");
    assert_int_equal(b->bytes, b->packed->bytes);
}

// Embeddings of some texts; 0 numbers where the model's pooling does not take these options.
static size_t embed(const encl_model *model, const encl_device *device, const encl_embed_options *options,
                    float *values) {
    static const char *const texts[] = {"one two three", "a", "hello world, hello again"};
    encl_embedder *embedder = NULL;
    assert_ok(encl_embedder_create(model, device, options, &embedder));
    const size_t width = (size_t)encl_embedder_width(embedder);
    assert_in_range(width, 1, WIDEST);
    assert_ok(encl_embedder_embed(embedder, texts, 3, values));
    encl_embedder_destroy(embedder);
    return 3 * width;
}

// Every way of pooling, so every way of leaving out rows.
static void expect_same_embeddings(const encl_model *whole, const encl_model *packed, const encl_device *device) {
    static const encl_pooling modes[] = {ENCL_POOLING_CLS, ENCL_POOLING_MEAN, ENCL_POOLING_LAST, ENCL_POOLING_POOLER};
    static float a[3 * WIDEST];
    static float b[3 * WIDEST];
    const size_t own = embed(whole, device, NULL, a);
    assert_int_equal(embed(packed, device, NULL, b), own);
    assert_memory_equal(a, b, own * sizeof *a);
    const bool pooler = encl_model_get_info(whole)->pooler;
    const size_t poolings = whole->sentence.dense_count > 0 && whole->sentence.pooling_count > 1 ? 0 : pooler ? 4 : 3;
    for (size_t i = 0; i < poolings; i++) {
        const encl_embed_options options = {.pooling = &modes[i], .pooling_count = 1};
        const size_t count = embed(whole, device, &options, a);
        assert_int_equal(embed(packed, device, &options, b), count);
        assert_memory_equal(a, b, count * sizeof *a);
    }
}

// Every head can be compiled: all that it reads is there.
static void expect_heads(const encl_model *packed, const encl_device *device) {
    for (int head = 0; head < ENCL_HEADS; head++) {
        encl_graph *graph = NULL;
        encl_executable *executable = NULL;
        if (encl_head_width(packed, (encl_head)head) > 0) {
            assert_ok(encl_head_graph(packed, (encl_head)head, &graph));
            assert_ok(encl_executable_create(device, graph, NULL, &executable));
            encl_executable_destroy(executable);
            encl_graph_destroy(graph);
        }
    }
}

static void packed_models_are_what_they_were(void **state) {
    encl_scratch *scratch = *state;
    const encl_device *device = packed_device();
    for (size_t i = 0; i < FIXTURES; i++) {
        print_message("  %s\n", fixtures[i]);
        const encl_pack_report report = packed_write(scratch, fixtures[i], device);
        encl_model *whole = open_fixture(fixtures[i]);
        encl_model *packed = open_model(scratch_path(scratch, "model.encl"));
        assert_int_equal(report.weights, encl_model_get_info(packed)->packed->weights);
        assert_int_equal(report.weight_bytes, encl_model_get_info(packed)->packed->bytes);
        expect_same_model(whole, packed);
        expect_same_embeddings(whole, packed, device);
        expect_heads(packed, device);
        size_t checked = 0;
        assert_ok(encl_model_verify(packed, NULL, &checked));
        assert_true(checked > report.weights);
        encl_model_close(packed);
        encl_model_close(whole);
    }
}

static void there_are_no_numbers_to_read(void **state) {
    encl_scratch *scratch = *state;
    packed_write(scratch, "tiny-bert", packed_device());
    encl_model *packed = open_model(scratch_path(scratch, "model.encl"));
    const encl_tensor *tensor = encl_model_find_tensor(packed, "embeddings.LayerNorm.weight");
    assert_non_null(tensor);
    float value = 0;
    assert_fails(encl_tensor_read(tensor, 0, 1, &value), ENCL_UNSUPPORTED, "packed");
    assert_fails(encl_tensor_copy(tensor, 1, 1, &value), ENCL_UNSUPPORTED, "packed");
    encl_pack_report report;
    assert_fails(encl_model_pack(packed, packed_device(), NULL, scratch_path(scratch, "again.encl"), NULL, &report),
                 ENCL_UNSUPPORTED, "found a packed model");
    encl_model_close(packed);
    encl_model *shape = NULL;
    assert_ok(encl_model_open_shape("minilm", 1, &shape));
    assert_fails(encl_model_pack(shape, packed_device(), NULL, scratch_path(scratch, "again.encl"), NULL, &report),
                 ENCL_UNSUPPORTED, "random weights");
    encl_model_close(shape);
}

static int calls;

static encl_status stop_later(void) {
    return ++calls < 9 ? ENCL_OK : encl_fail(ENCL_INTERRUPTED, "stopped by the test");
}

// Whenever it is stopped, no file is left, and one that was there stays.
static void stopping_leaves_nothing(void **state) {
    encl_scratch *scratch = *state;
    const encl_device *device = packed_device();
    encl_pack_report report;
    encl_model *model = open_fixture("tiny-bert");
    scratch_write_text(scratch, "kept.encl", "old");
    const size_t before = scratch_count(scratch->folder);
    calls = 0;
    assert_fails(encl_model_pack(model, device, NULL, scratch_path(scratch, "kept.encl"), stop_later, &report),
                 ENCL_INTERRUPTED, "stopped by the test");
    assert_int_equal(report.weights, 0);
    assert_int_equal(scratch_count(scratch->folder), before);
    encl_file file;
    assert_ok(encl_file_map(scratch_path(scratch, "kept.encl"), &file));
    assert_int_equal(file.size, 3);
    encl_file_unmap(&file);
    assert_fails(encl_model_pack(model, device, NULL, scratch_path(scratch, "no/folder.encl"), NULL, &report), ENCL_IO,
                 "no");
    encl_model_close(model);
}

// ---- Damage -----------------------------------------------------------------------------------------------

// Opens what may be damaged, and where that works, computes with it. Anything but a crash is right.
static encl_status use(const char *path, const encl_device *device) {
    encl_model *model = NULL;
    encl_graph *graph = NULL;
    encl_executable *executable = NULL;
    encl_status status = ENCL_OK;
    ENCL_TRY(encl_model_open(path, &model));
    ENCL_TRY(encl_model_embed_graph(model, NULL, &graph));
    if (device != NULL) {
        ENCL_TRY(encl_executable_create(device, graph, NULL, &executable));
    }
cleanup:
    if (status != ENCL_OK) {
        assert_true(strlen(encl_status_detail()) > 0);
    }
    if (executable != NULL) {
        encl_executable_destroy(executable);
    }
    if (graph != NULL) {
        encl_graph_destroy(graph);
    }
    if (model != NULL) {
        encl_model_close(model);
    }
    return status;
}

static void cut_files_are_refused(void **state) {
    encl_scratch *scratch = *state;
    encl_file file;
    packed_write(scratch, "tiny-ner", packed_device());
    assert_ok(encl_file_map(scratch_path(scratch, "model.encl"), &file));
    for (size_t length = 0; length < file.size; length += length % 4096 < 64 ? 9 : 1021) {
        scratch_write(scratch, "cut.encl", file.data, length);
        if (use(scratch_path(scratch, "cut.encl"), NULL) == ENCL_OK) {
            fail_msg("%zu of %zu bytes were taken for a model", length, file.size);
        }
    }
    encl_file_unmap(&file);
}

// Bits of the list of files and of the manifest, one after the other; those of weights are for --verify.
static void turned_bits_are_refused_or_harmless(void **state) {
    encl_scratch *scratch = *state;
    encl_file file;
    uint64_t seed = 3;
    packed_write(scratch, "tiny-ner", packed_device());
    assert_ok(encl_file_map(scratch_path(scratch, "model.encl"), &file));
    uint8_t *copy = malloc(file.size);
    assert_non_null(copy);
    for (int i = 0; i < 600; i++) {
        memcpy(copy, file.data, file.size);
        const size_t tail = file.size < 12000 ? file.size : 12000;
        const size_t at =
            i % 3 == 0 ? encl_random_next(&seed) % file.size : file.size - 1 - encl_random_next(&seed) % tail;
        copy[at] ^= (uint8_t)(1 << encl_random_next(&seed) % 8);
        scratch_write(scratch, "turned.encl", copy, file.size);
        (void)use(scratch_path(scratch, "turned.encl"), NULL);
        encl_model *model = NULL;
        size_t checked = 0;
        if (encl_model_open(scratch->path, &model) == ENCL_OK) {
            (void)encl_model_verify(model, NULL, &checked);
        }
        encl_model_close(model);
    }
    free(copy);
    encl_file_unmap(&file);
}

// ---- The manifest -----------------------------------------------------------------------------------------

// The manifest with the first `from` replaced.
static void replace(encl_scratch *scratch, const char *manifest, const char *from, const char *to) {
    const char *at = strstr(manifest, from);
    encl_string text = {0};
    if (at == NULL) {
        fail_msg("the manifest has no %s", from);
        return;
    }
    assert_ok(encl_string_format(&text, "%.*s%s%s", (int)(at - manifest), manifest, to, at + strlen(from)));
    scratch_write(scratch, "folder/encl.json", text.text, text.length);
    encl_string_free(&text);
}

static void what_a_manifest_may_not_say(void **state) {
    static const struct {
        const char *from, *to;
        encl_status status;
        const char *message;
    } rows[] = {
        {"\"format\":\t1", "\"format\":\t2", ENCL_UNSUPPORTED, "found format 2, written by encl 0.1.0"},
        {"\"format\":\t1", "\"format\":\t0", ENCL_FORMAT, "format"},
        {"\"format\":\t1", "\"other\":\t1", ENCL_FORMAT, "format: found nothing"},
        {"\"precision\":\t\"fp32\"", "\"precision\":\t\"fp4\"", ENCL_UNSUPPORTED, "precision: found 'fp4'"},
        {"\"precision\":", "\"none\":", ENCL_FORMAT, "precision: found nothing"},
        {"\"names\":\t\"pytorch\"", "\"names\":\t\"onnx\"", ENCL_UNSUPPORTED, "names: found 'onnx'"},
        {"\"exact_layers\":\t[]", "\"exact_layers\":\t[-1]", ENCL_FORMAT, "exact_layers: expected numbers"},
        {"\"exact_layers\":\t[]", "\"exact_layers\":\t[99999]", ENCL_FORMAT, "exact_layers: expected numbers"},
        {"\"exact_layers\":\t[]", "\"exact_layers\":\t1", ENCL_FORMAT, "exact_layers: found no array"},
        {"\"mlm_untrained\":\tfalse", "\"mlm_untrained\":\t3", ENCL_FORMAT, "mlm_untrained"},
        {"\"device\":", "\"devices\":", ENCL_FORMAT, "device: found nothing"},
        {"\"tensors\":\t[", "\"tensors\":\t[3, ", ENCL_FORMAT, "tensors: found no object"},
        {"\"dtype\":\t\"F32\"", "\"dtype\":\t\"F33\"", ENCL_FORMAT, "found dtype 'F33'"},
        {"\"shape\":\t[32]", "\"shape\":\t[33]", ENCL_FORMAT, "makes it a float"},
        {"\"shape\":\t[32]", "\"shape\":\t[-1]", ENCL_FORMAT, "found another shape"},
        {"\"shape\":\t[32]", "\"shape\":\t[4000000000, 4000000000, 4000000000]", ENCL_FORMAT, "found another shape"},
        {"\"weights\":\t[", "\"weight\":\t[", ENCL_FORMAT, "weights: found no array"},
        {"\"file\":\t\"weights/0000\"", "\"file\":\t\"../weights/0000\"", ENCL_INVALID, "inside the folder"},
        {"\"file\":\t\"weights/0000\"", "\"file\":\t\"weights/none\"", ENCL_NOT_FOUND, "weights/none"},
        {"\"file\":\t\"weights/0000\"", "\"file\":\t\"weights/0001\"", ENCL_FORMAT, "bytes in weights/0001, expected"},
        {"\"bytes\":\t", "\"bytes\":\t1", ENCL_FORMAT, "bytes in weights/0000, expected 1"},
        {"\"bytes\":\t", "\"bytes\":\t-", ENCL_FORMAT, "bytes"},
        {"\"bytes\":\t", "\"size\":\t", ENCL_FORMAT, "expected 0"},
        {"\"key\":\t\"rows fp32: ", "\"key\":\t\"columns fp32: ", ENCL_UNSUPPORTED, "found no weight 'rows fp32: "},
        {"embeddings.LayerNorm.weight\",\n\t\t\t\"dtype\"", "another\",\n\t\t\t\"dtype\"", ENCL_FORMAT,
         "has no tensor"},
    };
    encl_scratch *scratch = *state;
    const encl_device *device = packed_device();
    encl_file manifest;
    char *text = NULL;
    packed_write(scratch, "tiny-bert", device);
    packed_unpack(scratch);
    assert_ok(use(scratch_path(scratch, "folder"), device)); // unpacked it is a model still
    assert_ok(encl_file_map(scratch_path(scratch, "folder/encl.json"), &manifest));
    assert_ok(encl_copy_text((const char *)manifest.data, manifest.size, &text));
    encl_file_unmap(&manifest);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        replace(scratch, text, rows[i].from, rows[i].to);
        assert_fails(use(scratch_path(scratch, "folder"), device), rows[i].status, rows[i].message);
    }
    scratch_write(scratch, "folder/encl.json", text, strlen(text));
    assert_ok(use(scratch_path(scratch, "folder"), device));
    free(text);
}

// Another program that zips the unpacked files does not put them on pages: here a weight begins one byte earlier.
static void weights_between_pages_are_refused(void **state) {
    enum { EXTRA_LENGTH = 28 }; // in a file's header
    encl_scratch *scratch = *state;
    encl_file file;
    encl_file weight;
    encl_archive *archive = NULL;
    packed_write(scratch, "tiny-bert", packed_device());
    assert_ok(encl_file_map(scratch_path(scratch, "model.encl"), &file));
    assert_ok(encl_archive_open(&file, "model.encl", &archive));
    const int64_t index = encl_archive_find(archive, "weights/0001");
    assert_true(index >= 0);
    assert_ok(encl_archive_map(archive, (size_t)index, &weight));
    size_t header = (size_t)(weight.data - file.data);
    while (memcmp(file.data + header, "PK\3\4", 4) != 0) {
        header--;
    }
    uint8_t *moved = malloc(file.size);
    assert_non_null(moved);
    memcpy(moved, file.data, file.size);
    moved[header + EXTRA_LENGTH]--;
    scratch_write(scratch, "moved.encl", moved, file.size);
    assert_fails(use(scratch_path(scratch, "moved.encl"), NULL), ENCL_FORMAT, "between the pages");
    free(moved);
    encl_archive_close(archive);
    encl_file_unmap(&file);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(packed_models_are_what_they_were),
        TEST(there_are_no_numbers_to_read),
        TEST(stopping_leaves_nothing),
        TEST(cut_files_are_refused),
        TEST(turned_bits_are_refused_or_harmless),
        TEST(what_a_manifest_may_not_say),
        TEST(weights_between_pages_are_refused),
    };
    return encl_test_main(tests);
}
