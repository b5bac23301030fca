// Folders, on disk and in zips: names that lead out, what is there, listing, and what a user may call a model.
#include "base/zip_writer.h"
#include "checkpoint/scratch.h"
#include "runtime/base/folder.h"
#include "runtime/base/json.h"

static void refuses_names_that_lead_out(void **state) {
    encl_scratch *scratch = *state;
    static const char *const names[] = {"../x", "a/../../x", "/etc/passwd", "..", "a\\b", "a/.."};
    encl_folder *folder = NULL;
    assert_ok(encl_folder_open(scratch->folder, &folder));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        encl_file file;
        assert_false(encl_folder_has(folder, names[i]));
        assert_fails(encl_folder_map(folder, names[i], &file), ENCL_INVALID, names[i]);
    }
    assert_true(encl_path_is_inside("a..b/c"));
    encl_folder_close(folder);
}

static void reads_and_lists(void **state) {
    encl_scratch *scratch = *state;
    encl_folder *folder = NULL;
    encl_folder *inner = NULL;
    encl_file file;
    cJSON *json = NULL;
    char **names = NULL;
    size_t count = 0;
    scratch_make_folder(scratch, "inner");
    scratch_write_text(scratch, "b.json", "{\"x\":1}");
    scratch_write_text(scratch, "a.txt", "text");
    scratch_write_text(scratch, ".hidden", "");
    scratch_write_text(scratch, "inner/c.txt", "more");
    assert_ok(encl_folder_open(scratch->folder, &folder));
    assert_ok(encl_folder_list(folder, &names, &count));
    assert_int_equal(count, 3);
    assert_string_equal(names[0], "a.txt");
    assert_string_equal(names[1], "b.json");
    assert_string_equal(names[2], "inner");
    encl_folder_free_names(names, count);
    assert_ok(encl_folder_read_json(folder, "b.json", 100, &json));
    cJSON_Delete(json);
    assert_fails(encl_folder_read_json(folder, "a.txt", 100, &json), ENCL_FORMAT, "a.txt");
    assert_ok(encl_folder_map(folder, "inner/c.txt", &file));
    assert_int_equal(file.size, 4);
    encl_file_unmap(&file);
    assert_ok(encl_folder_open_inner(folder, "inner", &inner));
    assert_true(encl_folder_has(inner, "c.txt"));
    assert_false(encl_folder_has(inner, "a.txt"));
    encl_folder_close(inner);
    assert_fails(encl_folder_open_inner(folder, "absent", &inner), ENCL_NOT_FOUND, "absent");
    encl_folder_close(folder);
}

static void resolves_what_users_call_a_model(void **state) {
    encl_scratch *scratch = *state;
    encl_folder *folder = NULL;
    char *file = NULL;
    scratch_write_text(scratch, "model.ckpt.index", "x");
    assert_ok(encl_folder_resolve(scratch->folder, &folder, &file));
    assert_null(file);
    encl_folder_close(folder);
    static const char *const names[] = {"model.ckpt.index", "model.ckpt"};
    for (size_t i = 0; i < 2; i++) {
        assert_ok(encl_folder_resolve(scratch_path(scratch, names[i]), &folder, &file));
        assert_string_equal(file, "model.ckpt.index");
        assert_string_equal(encl_folder_path(folder), scratch->folder);
        encl_folder_close(folder);
        free(file);
    }
    assert_fails(encl_folder_resolve(scratch_path(scratch, "absent"), &folder, &file), ENCL_NOT_FOUND, "absent");
    assert_null(folder);
    assert_null(file);
    assert_fails(encl_folder_resolve(NULL, &folder, &file), ENCL_INVALID, "NULL");
}

// ---- Zips -------------------------------------------------------------------------------------------------

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void write_zip(encl_scratch *scratch, const char *name, const encl_zip_entry *entries, size_t count) {
    size_t length = 0;
    uint8_t *bytes = zip_write(entries, count, &length);
    scratch_write(scratch, name, bytes, length);
    free(bytes);
}

static const encl_zip_entry published[] = {
    {"__MACOSX/tiny/._config.json", "x", 1, false},
    {".DS_Store", "x", 1, false},
    {"tiny/", NULL, 0, false},
    {"tiny/config.json", "{\"x\":1}", 7, true},
    {"tiny/weights.bin", "weights", 7, false},
    {"tiny/.hidden", "x", 1, false},
    {"tiny/1_Pooling/config.json", "{}", 2, true},
    {"tiny/1_Pooling.txt", "text", 4, false},
};

static void reads_and_lists_zips(void **state) {
    encl_scratch *scratch = *state;
    encl_folder *folder = NULL;
    encl_folder *inner = NULL;
    encl_file file;
    cJSON *json = NULL;
    char *text = NULL;
    char **names = NULL;
    size_t count = 0;
    char place[600];
    write_zip(scratch, "model.zip", published, COUNT(published));
    assert_ok(encl_folder_open(scratch_path(scratch, "model.zip"), &folder));
    snprintf(place, sizeof place, "%s/tiny", scratch->path);
    assert_string_equal(encl_folder_path(folder), place);
    assert_true(encl_folder_is_archive(folder));

    assert_ok(encl_folder_list(folder, &names, &count));
    static const char *const expected[] = {"1_Pooling", "1_Pooling.txt", "config.json", "weights.bin"};
    assert_int_equal(count, COUNT(expected));
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(names[i], expected[i]);
        assert_true(encl_folder_has(folder, names[i]));
    }
    encl_folder_free_names(names, count);
    static const char *const absent[] = {"tiny",    "config", "config.json/", "1_Pool",
                                         "../tiny", "/tiny",  "config.json/x"};
    for (size_t i = 0; i < COUNT(absent); i++) {
        assert_false(encl_folder_has(folder, absent[i]));
    }

    assert_ok(encl_folder_map(folder, "weights.bin", &file));
    assert_int_equal(file.size, 7);
    assert_memory_equal(file.data, "weights", 7);
    encl_file_unmap(&file);
    assert_int_equal(encl_folder_inflated_bytes(folder), 0);
    assert_ok(encl_folder_read_json(folder, "config.json", 7, &json));
    cJSON_Delete(json);
    assert_int_equal(encl_folder_inflated_bytes(folder), 7);
    assert_fails(encl_folder_read(folder, "config.json", 6, &text, &count), ENCL_FORMAT, "tiny/config.json: found 7");
    assert_int_equal(encl_folder_inflated_bytes(folder), 7); // refused before it was inflated
    assert_fails(encl_folder_read(folder, "absent", 6, &text, &count), ENCL_NOT_FOUND, "model.zip/tiny/absent");
    assert_fails(encl_folder_map(folder, "1_Pooling", &file), ENCL_IO, "a folder");
    assert_fails(encl_folder_map(folder, "../.DS_Store", &file), ENCL_INVALID, "inside");

    assert_ok(encl_folder_open_inner(folder, "1_Pooling", &inner));
    assert_ok(encl_folder_read(inner, "config.json", 10, &text, &count));
    assert_string_equal(text, "{}");
    free(text);
    assert_ok(encl_folder_list(inner, &names, &count));
    assert_int_equal(count, 1);
    encl_folder_free_names(names, count);
    encl_folder_close(inner);
    assert_fails(encl_folder_open_inner(folder, "config.json", &inner), ENCL_FORMAT, "found a file");
    assert_fails(encl_folder_open_inner(folder, "2_Dense", &inner), ENCL_NOT_FOUND, "tiny/2_Dense");
    encl_folder_close(folder);
}

static void finds_the_models_folder_in_zips(void **state) {
    static const struct {
        encl_zip_entry entries[3];
        const char *root; // NULL: refused
    } rows[] = {
        {{{"config.json", "", 0, false}, {"1_Pooling/config.json", "", 0, false}, {"a", "", 0, false}}, ""},
        {{{"a/b/bert_config_rbt3.json", "", 0, false}, {"a/b/c/x.bin", "", 0, false}, {"readme", "", 0, false}},
         "/a/b"},
        {{{"a/model.ckpt.index", "", 0, false}, {"a/vocab.txt", "", 0, false}, {"b/vocab.txt", "", 0, false}}, "/a"},
        {{{"__MACOSX/config.json", "", 0, false}, {".x/config.json", "", 0, false}, {"m/modules.json", "", 0, false}},
         "/m"},
        {{{"x.txt", "", 0, false}, {"a/y.txt", "", 0, false}, {"b/z.txt", "", 0, false}}, ""},
        {{{"a/config.json", "", 0, false}, {"b/model.pdparams", "", 0, false}, {"b/x", "", 0, false}}, NULL},
    };
    encl_scratch *scratch = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        encl_folder *folder = NULL;
        write_zip(scratch, "model.zip", rows[i].entries, 3);
        const encl_status status = encl_folder_open(scratch_path(scratch, "model.zip"), &folder);
        if (rows[i].root == NULL) {
            assert_fails(status, ENCL_FORMAT, "'a' and 'b'");
            assert_detail_has("model.zip/a");
            continue;
        }
        assert_ok(status);
        assert_string_equal(encl_folder_path(folder) + strlen(scratch->path), rows[i].root);
        encl_folder_close(folder);
    }
}

static void resolves_zips_and_what_is_in_them(void **state) {
    static const encl_zip_entry torch[] = {{"archive/data.pkl", "x", 1, false}, {"archive/data/0", "y", 1, false}};
    static const encl_zip_entry two[] = {
        {"a/config.json", "{}", 2, false}, {"a/m.ckpt.index", "x", 1, false}, {"b/config.json", "{}", 2, false}};
    static const struct {
        const char *path;
        const char *folder; // NULL: refused
        const char *file;
    } rows[] = {
        {"torch.bin", "", "torch.bin"},
        {"two.zip/a", "/two.zip/a", NULL},
        {"two.zip/b/", "/two.zip/b", NULL},
        {"two.zip//a/m.ckpt.index", "/two.zip/a", "m.ckpt.index"},
        {"two.zip/a/m.ckpt", "/two.zip/a", "m.ckpt.index"},
        {"model.zip", "/model.zip/tiny", NULL},
        {"model.zip/", "/model.zip/tiny", NULL},
        {"two.zip", NULL, "'a' and 'b'"},
        {"two.zip/c", NULL, "two.zip/c: found nothing"},
        {"two.zip/a/config.json/x", NULL, "config.json/x: found nothing"},
        {"torch.bin/archive", NULL, "torch.bin/archive: found nothing"},
        {"plain.txt/x", NULL, "plain.txt/x: found nothing"},
        {"absent.zip/x", NULL, "absent.zip/x: found nothing"},
    };
    encl_scratch *scratch = *state;
    write_zip(scratch, "torch.bin", torch, COUNT(torch));
    write_zip(scratch, "two.zip", two, COUNT(two));
    write_zip(scratch, "model.zip", published, COUNT(published));
    scratch_write_text(scratch, "plain.txt", "text");
    for (size_t i = 0; i < COUNT(rows); i++) {
        encl_folder *folder = NULL;
        char *file = NULL;
        const encl_status status = encl_folder_resolve(scratch_path(scratch, rows[i].path), &folder, &file);
        if (rows[i].folder == NULL) {
            assert_int_not_equal(status, ENCL_OK);
            assert_detail_has(rows[i].file);
            assert_null(folder);
            assert_null(file);
            continue;
        }
        assert_ok(status);
        assert_string_equal(encl_folder_path(folder) + strlen(scratch->folder), rows[i].folder);
        if (rows[i].file == NULL) {
            assert_null(file);
        } else {
            assert_string_equal(file, rows[i].file);
            assert_true(encl_folder_has(folder, file));
        }
        encl_folder_close(folder);
        free(file);
    }
    encl_folder *folder = NULL;
    assert_fails(encl_folder_open(scratch_path(scratch, "torch.bin"), &folder), ENCL_FORMAT, "found a file");
    assert_fails(encl_folder_open(scratch_path(scratch, "plain.txt"), &folder), ENCL_FORMAT, "found a file");
    scratch_write(scratch, "broken.zip", "PK\3\4 and then nothing that a zip has", 38);
    assert_fails(encl_folder_open(scratch_path(scratch, "broken.zip"), &folder), ENCL_FORMAT, "broken.zip: ");
    assert_null(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(refuses_names_that_lead_out, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(reads_and_lists, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(resolves_what_users_call_a_model, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(reads_and_lists_zips, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(finds_the_models_folder_in_zips, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(resolves_zips_and_what_is_in_them, scratch_setup, scratch_teardown),
    };
    return encl_test_main(tests);
}
