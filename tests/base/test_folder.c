// Folders: names that lead out, what is there, listing, and what a user may call a model.
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(refuses_names_that_lead_out, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(reads_and_lists, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(resolves_what_users_call_a_model, scratch_setup, scratch_teardown),
    };
    return encl_test_main(tests);
}
