// Allocations that fail, one after another, while something is used. A file that includes this replaces the program's
// allocator, so one test includes it once.
#ifndef ENCL_TEST_EXHAUSTION_H
#define ENCL_TEST_EXHAUSTION_H

#include <errno.h>
#include <limits.h>

#include "test.h"

// The allocator is replaced by its own parts, which only glibc has; the sanitizers bring theirs.
#if !defined(__GLIBC__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FOREIGN_ALLOCATOR
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define FOREIGN_ALLOCATOR
#endif
#endif

// Of the thread that is tested: others may allocate meanwhile.
static _Thread_local long before_failure; // allocations that still succeed

#ifndef FOREIGN_ALLOCATOR
static _Thread_local bool armed;
static _Thread_local bool failed;
static _Thread_local bool once; // one allocation fails, else all from there on
static _Thread_local long live; // allocations while armed that were not freed
// Of stdio, which goes on without a buffer: a failure may end well.
static _Thread_local bool made_good;
// Of libzip, which leaks when memory ends, and takes what it has no memory for as no zip.
static _Thread_local bool forgiving;

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

#ifndef FOREIGN_ALLOCATOR
// Calls use() until no allocation failed; the one that fails is later each time, by `step`. Gives how many there were.
static size_t fail_each(encl_status (*use)(void), long step) {
    for (long n = 0;; n += step) {
        before_failure = n;
        live = 0;
        failed = false;
        armed = true;
        const encl_status status = use();
        armed = false;
        if (live != 0 && !forgiving) {
            fail_msg("allocation %ld failed: found %ld that were not freed", n, live);
        }
        // A text that cannot grow by half may still grow by what it needs.
        if (status != ENCL_OUT_OF_MEMORY && !(status == ENCL_OK && (once || made_good || !failed)) &&
            !(forgiving && status == ENCL_FORMAT)) {
            fail_msg("allocation %ld failed: found %s (%s), expected OUT_OF_MEMORY", n, encl_status_name(status),
                     status == ENCL_OK ? "" : encl_status_detail());
        }
        if (!failed) {
            return (size_t)n;
        }
    }
}
#endif

#endif
