// Status codes with a thread-local detail message: the one way an error travels inside the library.
//
// A function that fails calls encl_fail (or ENCL_TRY on a callee) and returns the status it gives.
// Only the place that first sees an error writes the detail; callers may put context before it with
// encl_fail_context. The public part (codes, names, encl_status_detail) is in encl.h.
#ifndef ENCL_BASE_STATUS_H
#define ENCL_BASE_STATUS_H

#include "runtime/encl.h"

#if defined(__GNUC__)
#define ENCL_PRINTF(text, arguments) __attribute__((format(printf, text, arguments)))
#else
#define ENCL_PRINTF(text, arguments)
#endif

// Sets this thread's detail message (printf style, no newline) and returns `status`.
// A message names the place, what was found and what was expected; it is shown to users as it is.
#ifdef __clang_analyzer__ // cannot look into other files: told that the status comes back
#define encl_fail(status, ...) (encl_fail_at((status), __FILE__, __LINE__, __VA_ARGS__), (status))
#else
#define encl_fail(status, ...) encl_fail_at((status), __FILE__, __LINE__, __VA_ARGS__)
#endif
encl_status encl_fail_at(encl_status status, const char *file, int line, const char *format, ...) ENCL_PRINTF(4, 5);

// Puts "context: " before this thread's detail message and returns `status` unchanged.
encl_status encl_fail_context(encl_status status, const char *format, ...) ENCL_PRINTF(2, 3);

// Out of memory: the message says how many bytes were asked for.
#define encl_fail_memory(bytes) \
    encl_fail(ENCL_OUT_OF_MEMORY, "cannot allocate %zu bytes of host memory", (size_t)(bytes))

// Copies `detail` into this thread's detail message (an asynchronous error is handed over this way).
void encl_status_set_detail(const char *detail);

// Evaluates an encl_status; on failure stores it in `status` and jumps to the label `cleanup`.
// The enclosing function declares `encl_status status = ENCL_OK;` and has one `cleanup:` label.
#define ENCL_TRY(expression)     \
    do {                         \
        status = (expression);   \
        if (status != ENCL_OK) { \
            goto cleanup;        \
        }                        \
    } while (0)

#endif
