// Every allocation in turn fails: what was asked for fails with a status, nothing leaks, nothing is left behind.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exhaustion.h"
#include "runtime/base/folder.h"
#include "runtime/base/json.h"
#include "runtime/base/machine.h"
#include "runtime/base/table.h"

static char path[] = "/tmp/encl-test-XXXXXX";

static encl_status use_json(void) {
    static const char text[] = "{\"\\u0061\":[1,2.5,\"x\\n\"],\"b\":{\"c\":null,\"d\":true}}";
    cJSON *json = NULL;
    encl_status status = encl_json_parse("text", text, sizeof text - 1, &json);
    cJSON_Delete(json);
    return status;
}

static encl_status use_json_file(void) {
    cJSON *json = NULL;
    encl_status status = encl_json_read(path, 100, &json);
    cJSON_Delete(json);
    return status;
}

static cJSON *written; // made while allocations succeed

static encl_status use_json_write(void) {
    FILE *stream = fopen("/dev/null", "w");
    if (stream == NULL) {
        return ENCL_OUT_OF_MEMORY;
    }
    encl_status status = encl_json_write_line(stream, written);
    fclose(stream);
    return status;
}

static encl_status use_table(void) {
    static const char *const headings[] = {"a", ">b"};
    encl_status status = ENCL_OK;
    encl_table *table = NULL;
    FILE *stream = fopen("/dev/null", "w");
    if (stream == NULL) {
        return ENCL_OUT_OF_MEMORY;
    }
    ENCL_TRY(encl_table_create(headings, 2, &table));
    for (int i = 0; i < 30; i++) {
        ENCL_TRY(encl_table_cell(table, "%d", i));
    }
    ENCL_TRY(encl_table_rule(table));
    ENCL_TRY(encl_table_print(table, stream));

cleanup:
    encl_table_destroy(table);
    fclose(stream);
    return status;
}

static encl_status use_file(void) {
    encl_status status = ENCL_OK;
    char *text = NULL;
    size_t length = 0;
    ENCL_TRY(encl_file_write(path, "{\"a\":1}", 7));
    ENCL_TRY(encl_file_read(path, 100, &text, &length));

cleanup:
    free(text);
    return status;
}

static encl_status use_paths(void) {
    encl_status status = ENCL_OK;
    char *joined = NULL;
    char *folder = NULL;
    ENCL_TRY(encl_path_join("/tmp", "x", &joined));
    ENCL_TRY(encl_path_folder(joined, &folder));
    ENCL_TRY(encl_path_make_folder("/tmp/."));

cleanup:
    free(joined);
    free(folder);
    return status;
}

static encl_status use_machine(void) {
    char *text = NULL;
    encl_status status = encl_machine_identify("model : 1\nflags : a b\nstepping : 3\n", &text);
    free(text);
    return status;
}

// A zip that is a model: opened, listed, and something deflated read.
static encl_status use_zip(void) {
    encl_status status = ENCL_OK;
    encl_folder *folder = NULL;
    char **names = NULL;
    char *text = NULL;
    size_t count = 0;
    size_t length = 0;
    ENCL_TRY(encl_folder_open("tests/fixtures/tiny-zip/deflated.zip", &folder));
    ENCL_TRY(encl_folder_list(folder, &names, &count));
    ENCL_TRY(encl_folder_read(folder, "vocab.txt", 1 << 16, &text, &length));

cleanup:
    free(text);
    encl_folder_free_names(names, count);
    encl_folder_close(folder);
    return status;
}

static encl_status use_stored_zip(void) {
    encl_status status = ENCL_OK;
    encl_folder *folder = NULL;
    encl_file file = {0};
    ENCL_TRY(encl_folder_open("tests/fixtures/tiny-zip/stored.zip", &folder));
    ENCL_TRY(encl_folder_map(folder, "vocab.txt", &file));

cleanup:
    encl_file_unmap(&file);
    encl_folder_close(folder);
    return status;
}

#ifndef FOREIGN_ALLOCATOR
static void exhaust(encl_status (*use)(void)) {
    once = false;
    assert_true(fail_each(use, 1) > 0);
    once = true;
    assert_true(fail_each(use, 1) > 0);
}
#endif

static void test_exhaustion(void **state) {
    (void)state;
#ifdef FOREIGN_ALLOCATOR
    print_message("the allocator cannot be replaced here\n");
    skip();
#else
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    assert_int_equal(encl_json_parse("text", "[1,\"a\\n\",{\"b\":[true]}]", 22, &written), ENCL_OK);

    made_good = true;
    exhaust(use_file); // leaves what use_json_file reads
    exhaust(use_json);
    exhaust(use_json_file);
    exhaust(use_json_write);
    exhaust(use_table);
    exhaust(use_paths);
    exhaust(use_machine);
    forgiving = true;
    exhaust(use_zip);
    exhaust(use_stored_zip);

    cJSON_Delete(written);
    unlink(path);
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exhaustion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
