// Every allocation in turn fails while a tokenizer is opened and used: a status, no leak, and an encoding that works
// again afterwards.
#include <errno.h>
#include <limits.h>

#include "tokenizer_fixture.h"

// The allocator is replaced by its own parts, which only glibc has; the sanitizers bring theirs.
#if !defined(__GLIBC__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FOREIGN_ALLOCATOR
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define FOREIGN_ALLOCATOR
#endif
#endif

static long before_failure; // allocations that still succeed

#ifndef FOREIGN_ALLOCATOR
static bool armed;
static bool failed;
static bool once; // one allocation fails, else all from there on
static long live; // allocations while armed that were not freed

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

static const char *folder;

// A text with accents out of order and an added token, twice, so that growth is met as well.
static const char text[] =
    "hello e\u0301\u302e\u0316 新词 [MASK] probability，世界 hello e\u0301\u302e\u0316 新词 [MASK]";

static encl_status use_tokenizer(void) {
    encl_status status = ENCL_OK;
    encl_tokenizer *tokenizer = NULL;
    encl_encoding encoding = {0};
    ENCL_TRY(encl_tokenizer_open(folder, &tokenizer));
    status = encl_tokenizer_encode(tokenizer, text, sizeof text - 1, text, sizeof text - 1, 0, &encoding);
    if (status != ENCL_OK) {
        assert_int_equal(encoding.count, 0);
        before_failure = LONG_MAX; // memory is back
        assert_int_equal(encl_tokenizer_encode(tokenizer, text, sizeof text - 1, NULL, 0, 0, &encoding), ENCL_OK);
        assert_true(encoding.count > 10);
    }
cleanup:
    encl_encoding_free(&encoding);
    encl_tokenizer_close(tokenizer);
    return status;
}

#ifndef FOREIGN_ALLOCATOR
// The allocation that fails is later each time, until none does.
static size_t fail_each(void) {
    for (long n = 0;; n++) {
        before_failure = n;
        live = 0;
        failed = false;
        armed = true;
        const encl_status status = use_tokenizer();
        armed = false;
        assert_int_equal(live, 0);
        // A text that cannot grow by half may still grow by what it needs.
        if (status != ENCL_OUT_OF_MEMORY && !(status == ENCL_OK && (once || !failed))) {
            fail_msg("allocation %ld failed: found %s, expected OUT_OF_MEMORY", n, encl_status_name(status));
        }
        if (!failed) {
            return (size_t)n;
        }
    }
}
#endif

static void check_folder(encl_scratch *scratch) {
    folder = scratch->folder;
    assert_ok(use_tokenizer());
#ifdef FOREIGN_ALLOCATOR
    print_message("skipped: the allocator is not glibc's\n");
    skip();
#else
    once = true;
    assert_true(fail_each() > 40);
    once = false;
    assert_true(fail_each() > 40);
#endif
}

static void test_lines(void **state) {
    encl_scratch *scratch = *state;
    scratch_write_text(scratch, "vocab.txt",
                       "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\ne\npro\n##bability\n世\n界\n，\n");
    scratch_write_text(scratch, "tokenizer_config.json",
                       "{\"added_tokens_decoder\":{\"12\":{\"content\":\"新词\",\"normalized\":true}}}");
    check_folder(scratch);
}

static void test_json(void **state) {
    encl_scratch *scratch = *state;
    scratch_write_text(scratch, "tokenizer.json",
                       "{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,"
                       "\"[MASK]\":4,\"hello\":5,\"世\":6}},\"added_tokens\":[{\"id\":7,\"content\":\"新词\"}]}");
    scratch_write_text(scratch, "special_tokens_map.json", "{\"mask_token\":{\"content\":\"[MASK]\"}}");
    check_folder(scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lines, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_json, scratch_setup, scratch_teardown),
    };
    return encl_test_main(tests);
}
