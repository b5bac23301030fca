// Checked allocation: overflow and exhaustion are a status with a message, never a crash. And texts.
#ifndef ENCL_BASE_MEMORY_H
#define ENCL_BASE_MEMORY_H

#include "runtime/base/status.h"

// Allocates count * size zeroed bytes; a count of 0 gives a pointer that may be freed.
// *pointer is NULL on failure. The caller frees with free().
encl_status encl_allocate(size_t count, size_t size, void **pointer);

// Makes *pointer hold at least `count` elements of `size` bytes, growing by half; keeps the contents,
// the new part is not initialised. On failure *pointer and *capacity stay as they were.
encl_status encl_reserve(void **pointer, size_t *capacity, size_t count, size_t size);

// Copies `length` bytes of text and adds a NUL.
encl_status encl_copy_text(const char *text, size_t length, char **copy);

bool encl_text_begins(const char *text, const char *beginning);
bool encl_text_ends(const char *text, const char *ending);

// a * b and a + b; false on overflow, *result untouched.
bool encl_multiply(size_t a, size_t b, size_t *result);
bool encl_sum(size_t a, size_t b, size_t *result);

// A text that grows. Zero-initialise; `text` is NUL-terminated once anything was added, NULL before.
// A failed append leaves the text as it was.
typedef struct encl_string {
    char *text;
    size_t length;
    size_t capacity;
} encl_string;
encl_status encl_string_append(encl_string *string, const char *bytes, size_t length);
encl_status encl_string_format(encl_string *string, const char *format, ...) ENCL_PRINTF(2, 3);
// Adds an item to a list such as "a, b": a comma stands before all but the first.
encl_status encl_string_list(encl_string *list, const char *item);
void encl_string_free(encl_string *string);

#endif
