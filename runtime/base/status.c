#include "runtime/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/log.h"

enum { DETAIL_BYTES = 1024 };

static _Thread_local char detail_text[DETAIL_BYTES];

// ---- Names ------------------------------------------------------------------------------------------------

static const struct {
    const char *name;
    const char *message;
} statuses[] = {
#define STATUS_ROW(name, number, text) [number] = {#name, text},
    ENCL_STATUS_LIST(STATUS_ROW)
#undef STATUS_ROW
};

static bool is_status(encl_status status) {
    const size_t index = (size_t)status;
    return index < sizeof statuses / sizeof statuses[0] && statuses[index].name != NULL;
}

const char *encl_status_name(encl_status status) {
    return is_status(status) ? statuses[status].name : "?";
}

const char *encl_status_message(encl_status status) {
    return is_status(status) ? statuses[status].message : "unknown status";
}

const char *encl_status_detail(void) {
    return detail_text;
}

// ---- The detail message -----------------------------------------------------------------------------------

// Names in messages come from files and users. Whatever they hold, a message is one line of valid UTF-8 without
// control characters, so that it can go to a terminal, a log or a JSON answer as it is.
static void clean(char *text, size_t length) {
    for (size_t start = encl_utf8_valid_prefix(text, length); start < length;
         start += encl_utf8_valid_prefix(text + start, length - start)) {
        text[start] = '?';
    }
    for (size_t i = 0; i < length; i++) {
        const unsigned char byte = (unsigned char)text[i];
        if (byte < 0x20 || byte == 0x7f) {
            text[i] = ' ';
        }
    }
}

// Marks a text that did not fit, without leaving half a character at its end. Gives the length.
static size_t mark_cut(char *text, size_t capacity) {
    static const char mark[] = "…";
    size_t end = capacity - sizeof mark;
    while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80) {
        end--;
    }
    memcpy(text + end, mark, sizeof mark);
    return end + sizeof mark - 1;
}

// Formats into a buffer of DETAIL_BYTES and gives the length.
static size_t format_text(char *text, const char *format, va_list arguments) {
    const int wanted = vsnprintf(text, DETAIL_BYTES, format, arguments);
    if (wanted < 0) {
        text[0] = '\0';
        return 0;
    }
    return wanted < DETAIL_BYTES ? (size_t)wanted : mark_cut(text, DETAIL_BYTES);
}

encl_status encl_fail_at(encl_status status, const char *file, int line, const char *format, ...) {
    // Formatted aside: an argument may be the present detail message.
    char text[DETAIL_BYTES];
    va_list arguments;
    va_start(arguments, format);
    size_t length = format_text(text, format, arguments);
    va_end(arguments);

    if (encl_log_enabled(ENCL_LOG_DEBUG)) {
        const int wanted = snprintf(text + length, sizeof text - length, " (%s:%d)", file, line);
        if (wanted > 0) {
            length = (size_t)wanted < sizeof text - length ? length + (size_t)wanted : mark_cut(text, sizeof text);
        }
    }
    clean(text, length);
    memcpy(detail_text, text, length + 1);
    return status;
}

encl_status encl_fail_context(encl_status status, const char *format, ...) {
    char text[DETAIL_BYTES];
    va_list arguments;
    va_start(arguments, format);
    size_t length = format_text(text, format, arguments);
    va_end(arguments);

    const int wanted = snprintf(text + length, sizeof text - length, ": %s", detail_text);
    if (wanted > 0) {
        length = (size_t)wanted < sizeof text - length ? length + (size_t)wanted : mark_cut(text, sizeof text);
    }
    clean(text, length);
    memcpy(detail_text, text, length + 1);
    return status;
}

void encl_status_set_detail(const char *detail) {
    size_t length = detail == NULL ? 0 : strlen(detail);
    if (detail == NULL) {
        detail = "";
    }
    if (length < DETAIL_BYTES) {
        memmove(detail_text, detail, length + 1); // may be this thread's own
    } else {
        memcpy(detail_text, detail, DETAIL_BYTES);
        length = mark_cut(detail_text, DETAIL_BYTES);
    }
    clean(detail_text, length);
}
