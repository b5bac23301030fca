#include "runtime/base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool encl_multiply(size_t a, size_t b, size_t *result) {
    size_t product;
    if (__builtin_mul_overflow(a, b, &product)) {
        return false;
    }
    *result = product;
    return true;
}

bool encl_sum(size_t a, size_t b, size_t *result) {
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum)) {
        return false;
    }
    *result = sum;
    return true;
}

// Bytes of an array; an object larger than PTRDIFF_MAX breaks pointer arithmetic and is refused like overflow.
static encl_status array_bytes(size_t count, size_t size, size_t *bytes) {
    if (!encl_multiply(count, size, bytes) || *bytes > PTRDIFF_MAX) {
        return encl_fail(ENCL_OUT_OF_MEMORY, "cannot allocate %zu elements of %zu bytes of host memory", count, size);
    }
    return ENCL_OK;
}

encl_status encl_allocate(size_t count, size_t size, void **pointer) {
    *pointer = NULL;
    size_t bytes = 0;
    encl_status status = array_bytes(count, size, &bytes);
    if (status != ENCL_OK) {
        return status;
    }
    *pointer = calloc(bytes > 0 ? bytes : 1, 1);
    return *pointer != NULL ? ENCL_OK : encl_fail_memory(bytes);
}

encl_status encl_reserve(void **pointer, size_t *capacity, size_t count, size_t size) {
    if (count <= *capacity && *pointer != NULL) {
        return ENCL_OK;
    }
    size_t exact = 0;
    encl_status status = array_bytes(count, size, &exact);
    if (status != ENCL_OK) {
        return status;
    }
    // No overflow in the sum: an array of *capacity elements exists, so that is at most PTRDIFF_MAX.
    const size_t roomy_count = *capacity < 8 ? 8 : *capacity + *capacity / 2;
    size_t roomy_bytes = 0;
    if (roomy_count > count && encl_multiply(roomy_count, size, &roomy_bytes) && roomy_bytes <= PTRDIFF_MAX) {
        void *roomy = realloc(*pointer, roomy_bytes > 0 ? roomy_bytes : 1);
        if (roomy != NULL) {
            *pointer = roomy;
            *capacity = roomy_count;
            return ENCL_OK;
        }
    }
    void *tight = realloc(*pointer, exact > 0 ? exact : 1);
    if (tight == NULL) {
        return encl_fail_memory(exact);
    }
    *pointer = tight;
    *capacity = count;
    return ENCL_OK;
}

encl_status encl_copy_text(const char *text, size_t length, char **copy) {
    *copy = NULL;
    size_t bytes = 0;
    if (!encl_sum(length, 1, &bytes)) {
        return encl_fail_memory(length);
    }
    void *fresh = NULL;
    encl_status status = encl_allocate(bytes, 1, &fresh);
    if (status == ENCL_OK) {
        *copy = fresh;
        if (length > 0) {
            memcpy(*copy, text, length);
        }
    }
    return status;
}

// ---- Text -------------------------------------------------------------------------------------------------

bool encl_text_begins(const char *text, const char *beginning) {
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

bool encl_text_ends(const char *text, const char *ending) {
    const size_t length = strlen(text);
    const size_t ending_length = strlen(ending);
    return length >= ending_length && strcmp(text + length - ending_length, ending) == 0;
}

// ---- Growing text -----------------------------------------------------------------------------------------

static encl_status string_reserve(encl_string *string, size_t more) {
    size_t bytes = 0;
    if (!encl_sum(string->length, more, &bytes) || !encl_sum(bytes, 1, &bytes)) {
        return encl_fail_memory(more);
    }
    void *text = string->text;
    encl_status status = encl_reserve(&text, &string->capacity, bytes, 1);
    string->text = text;
    return status;
}

encl_status encl_string_append(encl_string *string, const char *bytes, size_t length) {
    encl_status status = string_reserve(string, length);
    if (status == ENCL_OK) {
        if (length > 0) {
            memcpy(string->text + string->length, bytes, length);
        }
        string->length += length;
        string->text[string->length] = '\0';
    }
    return status;
}

encl_status encl_string_format(encl_string *string, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int wanted = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (wanted < 0) {
        return encl_fail(ENCL_INVALID, "cannot format a text of more than 2^31 bytes");
    }
    encl_status status = string_reserve(string, (size_t)wanted);
    if (status == ENCL_OK) {
        va_start(arguments, format);
        vsnprintf(string->text + string->length, (size_t)wanted + 1, format, arguments);
        va_end(arguments);
        string->length += (size_t)wanted;
    }
    return status;
}

encl_status encl_string_list(encl_string *list, const char *item) {
    return encl_string_format(list, "%s%s", list->length == 0 ? "" : ", ", item);
}

void encl_string_free(encl_string *string) {
    free(string->text);
    *string = (encl_string){0};
}
