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

// Puts a formatted text behind the first `length` bytes of a buffer of DETAIL_BYTES. Gives the new length.
static size_t append_arguments(char *text, size_t length, const char *format, va_list arguments) {
    const size_t room = DETAIL_BYTES - length;
    const int wanted = vsnprintf(text + length, room, format, arguments);
    if (wanted < 0) {
        text[length] = '\0';
        return length;
    }
    return (size_t)wanted < room ? length + (size_t)wanted : mark_cut(text, DETAIL_BYTES);
}

static size_t append(char *text, size_t length, const char *format, ...) ENCL_PRINTF(3, 4);
static size_t append(char *text, size_t length, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    length = append_arguments(text, length, format, arguments);
    va_end(arguments);
    return length;
}

// Names in messages come from files and users. Whatever they hold, a message is one printable line.
static void publish(char *text, size_t length) {
    encl_utf8_make_printable(text, length);
    memcpy(detail_text, text, length + 1);
}

encl_status encl_fail_at(encl_status status, const char *file, int line, const char *format, ...) {
    // Formatted aside: an argument may be the present detail message.
    char text[DETAIL_BYTES];
    va_list arguments;
    va_start(arguments, format);
    size_t length = append_arguments(text, 0, format, arguments);
    va_end(arguments);

    if (encl_log_enabled(ENCL_LOG_DEBUG)) {
        length = append(text, length, " (%s:%d)", file, line);
    }
    publish(text, length);
    return status;
}

encl_status encl_fail_context(encl_status status, const char *format, ...) {
    char text[DETAIL_BYTES];
    va_list arguments;
    va_start(arguments, format);
    size_t length = append_arguments(text, 0, format, arguments);
    va_end(arguments);

    length = append(text, length, ": %s", detail_text);
    publish(text, length);
    return status;
}

void encl_status_set_detail(const char *detail) {
    char text[DETAIL_BYTES];
    publish(text, append(text, 0, "%s", detail != NULL ? detail : ""));
}
