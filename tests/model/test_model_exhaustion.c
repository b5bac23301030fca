// Allocations fail in turn while a model is opened and written: a status, no leak, no folder.
#include "checkpoint/scratch.h"
#include "exhaustion.h"
#include "host/model/export.h"
#include "model/packed.h"
#include "runtime/base/output_folder.h"

static const char *source;
static const char *target;

static encl_status convert(void) {
    encl_status status = ENCL_OK;
    encl_model *model = NULL;
    encl_output_folder folder = {0};
    encl_export report = {0};
    ENCL_TRY(encl_model_open(source, &model));
    ENCL_TRY(encl_output_folder_open(target, &folder));
    ENCL_TRY(encl_model_export(model, folder.temporary, NULL, &report));
cleanup:
    before_failure = LONG_MAX; // memory is back: what is left can be removed
    encl_export_free(&report);
    encl_output_folder_abandon(&folder);
    encl_model_close(model);
    return status;
}

static void check_fixture(void **state, const char *fixture) {
    encl_scratch *scratch = *state;
    source = fixture;
    target = scratch_path(scratch, "converted");
    assert_ok(convert());
#ifdef FOREIGN_ALLOCATOR
    print_message("skipped: the allocator is not glibc's\n");
    skip();
#else
    once = true;
    assert_true(fail_each(convert, 1) > 100);
    once = false;
    assert_true(fail_each(convert, 7) > 100);
    assert_int_equal(scratch_count(scratch->folder), 0);
#endif
}

static void test_sentence(void **state) {
    check_fixture(state, "tests/fixtures/tiny-sentence-identity");
}

static void test_paddle(void **state) {
    check_fixture(state, "tests/fixtures/tiny-paddle-qa");
}

static encl_status open_packed(void) {
    encl_model *model = NULL;
    encl_graph *graph = NULL;
    encl_status status = encl_model_open(source, &model);
    if (status == ENCL_OK) {
        status = encl_model_embed_graph(model, NULL, &graph);
    }
    encl_graph_destroy(graph);
    encl_model_close(model);
    return status;
}

// As a folder: libzip leaks when memory ends.
static void test_packed(void **state) {
    encl_scratch *scratch = *state;
    packed_write(scratch, "tiny-sentence-dense", packed_device());
    packed_unpack(scratch);
    source = scratch_path(scratch, "folder");
    assert_ok(open_packed());
#ifdef FOREIGN_ALLOCATOR
    print_message("skipped: the allocator is not glibc's\n");
    skip();
#else
    once = true;
    assert_true(fail_each(open_packed, 1) > 100);
    once = false;
    assert_true(fail_each(open_packed, 3) > 100);
#endif
}

// Thousands of files are written and synced: in memory, where the system has such a folder.
static int setup(void **state) {
    static const char memory[] = "/dev/shm/encl-test-XXXXXX";
    const int result = scratch_setup(state);
    encl_scratch *scratch = *state;
    char name[sizeof memory];
    memcpy(name, memory, sizeof memory);
    if (result == 0 && mkdtemp(name) != NULL) {
        rmdir(scratch->folder);
        memcpy(scratch->folder, name, sizeof name);
    }
    return result;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sentence, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_paddle, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_packed, setup, scratch_teardown),
    };
    return encl_test_main(tests);
}
