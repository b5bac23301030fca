// Folders that are complete or not there.
#include "checkpoint/scratch.h"
#include "runtime/base/file.h"
#include "runtime/base/output_folder.h"

static void fill(const encl_output_folder *folder) {
    char path[600];
    snprintf(path, sizeof path, "%s/file", folder->temporary);
    assert_ok(encl_file_write(path, "text", 4));
    snprintf(path, sizeof path, "%s/inner", folder->temporary);
    assert_ok(encl_path_make_folder(path));
    snprintf(path, sizeof path, "%s/inner/file", folder->temporary);
    assert_ok(encl_file_write(path, "text", 4));
}

static void expect_filled(encl_scratch *scratch, const char *name) {
    char path[600];
    snprintf(path, sizeof path, "%s/inner/file", scratch_path(scratch, name));
    assert_true(encl_path_exists(path));
    assert_int_equal(scratch_count(scratch_path(scratch, name)), 2);
}

static void makes_a_new_folder(void **state) {
    encl_scratch *scratch = *state;
    encl_output_folder folder;
    assert_ok(encl_output_folder_open(scratch_path(scratch, "new//"), &folder));
    fill(&folder);
    assert_false(encl_path_exists(scratch_path(scratch, "new")));
    assert_ok(encl_output_folder_commit(&folder));
    assert_null(folder.path);
    assert_null(folder.temporary);
    expect_filled(scratch, "new");
    assert_int_equal(scratch_count(scratch->folder), 1);
}

static void replaces_an_empty_folder(void **state) {
    encl_scratch *scratch = *state;
    encl_output_folder folder;
    char link[600];
    scratch_make_folder(scratch, "empty");
    snprintf(link, sizeof link, "%s/link", scratch->folder);
    assert_int_equal(symlink("empty", link), 0);
    assert_ok(encl_output_folder_open(link, &folder));
    fill(&folder);
    assert_ok(encl_output_folder_commit(&folder));
    expect_filled(scratch, "empty");
    expect_filled(scratch, "link");
    assert_int_equal(scratch_count(scratch->folder), 2);
}

static void abandons(void **state) {
    encl_scratch *scratch = *state;
    encl_output_folder folder;
    assert_ok(encl_output_folder_open(scratch_path(scratch, "new"), &folder));
    fill(&folder);
    encl_output_folder_abandon(&folder);
    assert_null(folder.temporary);
    encl_output_folder_abandon(&folder);
    assert_int_equal(scratch_count(scratch->folder), 0);
}

static void refuses_what_is_there(void **state) {
    encl_scratch *scratch = *state;
    encl_output_folder folder;
    scratch_make_folder(scratch, "full");
    scratch_write_text(scratch, "full/.hidden", "");
    assert_fails(encl_output_folder_open(scratch_path(scratch, "full"), &folder), ENCL_IO, "'.hidden'");
    assert_null(folder.path);
    assert_fails(encl_output_folder_open(scratch_path(scratch, "full/.hidden"), &folder), ENCL_IO, "found a file");
    assert_fails(encl_output_folder_open(scratch_path(scratch, "none/new"), &folder), ENCL_IO, "none/new");
    assert_fails(encl_output_folder_open(scratch_path(scratch, "full/.hidden/new"), &folder), ENCL_IO, "new");
    char link[600];
    snprintf(link, sizeof link, "%s/dangling", scratch->folder);
    assert_int_equal(symlink("nowhere", link), 0);
    assert_fails(encl_output_folder_open(link, &folder), ENCL_IO, "dangling");
    assert_fails(encl_output_folder_open("", &folder), ENCL_INVALID, "empty name");
    assert_fails(encl_output_folder_open(NULL, &folder), ENCL_INVALID, "empty name");
    assert_int_equal(scratch_count(scratch->folder), 2);
}

// Another process may have taken the name while the folder was filled.
static void fails_at_the_end(void **state) {
    encl_scratch *scratch = *state;
    encl_output_folder folder;
    assert_ok(encl_output_folder_open(scratch_path(scratch, "new"), &folder));
    fill(&folder);
    scratch_make_folder(scratch, "new");
    scratch_write_text(scratch, "new/file", "other");
    assert_fails(encl_output_folder_commit(&folder), ENCL_IO, "rename");
    assert_null(folder.temporary);
    assert_int_equal(scratch_count(scratch->folder), 1);
    assert_int_equal(scratch_count(scratch_path(scratch, "new")), 1);
    assert_fails(encl_output_folder_commit(&folder), ENCL_INVALID, "no output folder");
}

#define with_scratch(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_scratch(makes_a_new_folder),    with_scratch(replaces_an_empty_folder), with_scratch(abandons),
        with_scratch(refuses_what_is_there), with_scratch(fails_at_the_end),
    };
    return encl_test_main(tests);
}
