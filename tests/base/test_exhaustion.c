// Every allocation in turn fails: what was asked for fails with a status, nothing leaks, nothing is left behind.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/folder.h"
#include "runtime/base/json.h"
#include "runtime/base/machine.h"
#include "runtime/base/table.h"

// The allocator is replaced by its own parts, which only glibc has; the sanitizers bring theirs.
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define FOREIGN_ALLOCATOR
#endif
#endif
#else
#define FOREIGN_ALLOCATOR
#endif

static _Thread_local bool armed;
static _Thread_local long before_failure; // allocations that still succeed
static _Thread_local long live;           // allocations while armed that were not freed
static _Thread_local bool failed;
static bool in_libzip;          // which leaks when memory ends, and takes what it has no memory for as no zip
static _Thread_local bool once; // one allocation fails, else all from there on

#ifndef FOREIGN_ALLOCATOR
// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the system's headers have reserved names
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *pointer, size_t size);
void __libc_free(void *pointer);

static bool may_allocate(void) {
    if (!armed || before_failure-- > 0 || (failed && once)) {
        return true;
    }
    failed = true;
    errno = ENOMEM;
    return false;
}

__attribute__((visibility("default"))) void *malloc(size_t size) {
    void *pointer = may_allocate() ? __libc_malloc(size) : NULL;
    live += armed && pointer != NULL;
    return pointer;
}

__attribute__((visibility("default"))) void *calloc(size_t count, size_t size) {
    void *pointer = may_allocate() ? __libc_calloc(count, size) : NULL;
    live += armed && pointer != NULL;
    return pointer;
}

__attribute__((visibility("default"))) void *realloc(void *old, size_t size) {
    void *pointer = may_allocate() ? __libc_realloc(old, size) : NULL;
    live += armed && pointer != NULL && old == NULL;
    return pointer;
}

__attribute__((visibility("default"))) void free(void *pointer) {
    live -= armed && pointer != NULL;
    __libc_free(pointer);
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
#endif

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

static void exhaust_from(encl_status (*use)(void)) {
    for (long allocation = 0; allocation < 1000; allocation++) {
        before_failure = allocation;
        failed = false;
        live = 0;
        armed = true;
        const encl_status status = use();
        armed = false;
        if (live != 0 && !in_libzip) {
            fail_msg("allocation %ld failed: %ld allocations were not freed", allocation, live);
        }
        if (!failed) {
            assert_int_equal(status, ENCL_OK);
            assert_true(allocation > 0);
            return;
        }
        // Some failures are made good, for example by a smaller allocation.
        if (status != ENCL_OK && status != ENCL_OUT_OF_MEMORY && !(in_libzip && status == ENCL_FORMAT)) {
            fail_msg("allocation %ld failed: %s, %s", allocation, encl_status_name(status), encl_status_detail());
        }
    }
    fail_msg("never ends");
}

static void exhaust(encl_status (*use)(void)) {
    once = false;
    exhaust_from(use);
    once = true;
    exhaust_from(use);
}

static void test_exhaustion(void **state) {
    (void)state;
#ifdef FOREIGN_ALLOCATOR
    print_message("the allocator cannot be replaced here\n");
    skip();
#endif
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    assert_int_equal(encl_json_parse("text", "[1,\"a\\n\",{\"b\":[true]}]", 22, &written), ENCL_OK);

    exhaust(use_file); // leaves what use_json_file reads
    exhaust(use_json);
    exhaust(use_json_file);
    exhaust(use_json_write);
    exhaust(use_table);
    exhaust(use_paths);
    exhaust(use_machine);
    in_libzip = true;
    exhaust(use_zip);
    exhaust(use_stored_zip);

    cJSON_Delete(written);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exhaustion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
