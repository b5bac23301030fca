#include "runtime/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Atomic int threshold = ENCL_LOG_WARNING;
static _Atomic bool bar_shown;

static const char *const level_names[] = {
    [ENCL_LOG_QUIET] = "",        [ENCL_LOG_ERROR] = "error: ", [ENCL_LOG_WARNING] = "warning: ",
    [ENCL_LOG_INFO] = "", // what a user asked to see needs no label
    [ENCL_LOG_DEBUG] = "debug: ",
};

void encl_log_set_level(encl_log_level level) {
    int number = (int)level;
    number = number < ENCL_LOG_QUIET ? ENCL_LOG_QUIET : number > ENCL_LOG_DEBUG ? ENCL_LOG_DEBUG : number;
    atomic_store_explicit(&threshold, number, memory_order_relaxed);
}

bool encl_log_enabled(encl_log_level level) {
    return level > ENCL_LOG_QUIET && level <= ENCL_LOG_DEBUG &&
           (int)level <= atomic_load_explicit(&threshold, memory_order_relaxed);
}

void encl_log_set_bar(bool shown) {
    atomic_store_explicit(&bar_shown, shown, memory_order_relaxed);
}

void encl_log(encl_log_level level, const char *format, ...) {
    if (!encl_log_enabled(level)) {
        return;
    }
    // The detail message and errno belong to the failure that is being reported: neither is touched here.
    const int saved_errno = errno;
    char shorter[1024];
    char *line = shorter;
    size_t capacity = sizeof shorter;
    const char *erase = atomic_load_explicit(&bar_shown, memory_order_relaxed) ? "\r\033[K" : "";
    const int prefix = snprintf(shorter, sizeof shorter, "%sencl: %s", erase, level_names[level]);

    va_list arguments;
    va_start(arguments, format);
    const int body = vsnprintf(shorter + prefix, sizeof shorter - (size_t)prefix, format, arguments);
    va_end(arguments);
    size_t length = (size_t)prefix + (body > 0 ? (size_t)body : 0);

    if (length + 2 > sizeof shorter) {
        char *longer = malloc(length + 2);
        if (longer != NULL) {
            line = longer;
            capacity = length + 2;
            memcpy(line, shorter, (size_t)prefix);
            va_start(arguments, format);
            vsnprintf(line + prefix, capacity - (size_t)prefix, format, arguments);
            va_end(arguments);
        } else {
            length = sizeof shorter - 2; // no memory: a cut line is better than none
        }
    }
    line[length] = '\n';
    fwrite(line, 1, length + 1, stderr); // one call: lines of several threads do not mix

    if (line != shorter) {
        free(line);
    }
    errno = saved_errno;
}
