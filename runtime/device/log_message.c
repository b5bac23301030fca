#include "runtime/device/log_message.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct span {
    const char *text;
    size_t length;
} span;

static span trim(span line) {
    while (line.length > 0 && isspace((unsigned char)line.text[0])) {
        line.text++;
        line.length--;
    }
    while (line.length > 0 && isspace((unsigned char)line.text[line.length - 1])) {
        line.length--;
    }
    return line;
}

// Where `word` begins in the line, or its length.
static size_t find(span line, const char *word) {
    size_t length = strlen(word);
    for (size_t i = 0; i + length <= line.length; i++) {
        if (memcmp(line.text + i, word, length) == 0) {
            return i;
        }
    }
    return line.length;
}

static size_t count_digits(span line, size_t at) {
    size_t digits = 0;
    while (at + digits < line.length && isdigit((unsigned char)line.text[at + digits])) {
        digits++;
    }
    return digits;
}

// Finds "name:line:" or "name:line:column:" in a line. *place is "name:line", *rest what follows the last colon.
static bool find_place(span line, span *place, span *rest) {
    for (size_t i = 1; i < line.length; i++) {
        size_t digits = line.text[i] == ':' ? count_digits(line, i + 1) : 0;
        size_t end = i + 1 + digits;
        if (digits == 0 || end >= line.length || line.text[end] != ':') {
            continue;
        }
        size_t begin = i;
        while (begin > 0 && !isspace((unsigned char)line.text[begin - 1])) {
            begin--;
        }
        *place = (span){line.text + begin, end - begin};
        size_t column = count_digits(line, end + 1);
        if (column > 0 && end + 1 + column < line.length && line.text[end + 1 + column] == ':') {
            end += 1 + column;
        }
        *rest = trim((span){line.text + end + 1, line.length - end - 1});
        return true;
    }
    return false;
}

// Drops "error:" and "fatal error:" from the front: the reader knows.
static span without_severity(span text) {
    static const char *const severities[] = {"fatal error:", "error:"};
    for (size_t i = 0; i < sizeof severities / sizeof *severities; i++) {
        size_t length = strlen(severities[i]);
        if (text.length > length && memcmp(text.text, severities[i], length) == 0) {
            return trim((span){text.text + length, text.length - length});
        }
    }
    return text;
}

// The first line that holds `word`, trimmed; empty where none does.
static span first_line_with(const char *log, const char *word) {
    for (const char *at = log; *at != '\0';) {
        size_t length = strcspn(at, "\n");
        span line = trim((span){at, length});
        if (line.length > 0 && find(line, word) < line.length) {
            return line;
        }
        at += length + (at[length] == '\n');
    }
    return (span){log, 0};
}

// The file and its line that stand at a line, counted from 1, of a source put together with marks `#line N "file"`.
// False before the first mark.
static bool find_origin(const char *source, long line, span *file, long *file_line) {
    static const char mark[] = "#line ";
    bool found = false;
    for (long at = 1; at < line && *source != '\0'; at++) {
        if (strncmp(source, mark, sizeof mark - 1) == 0) {
            char *end = NULL;
            *file_line = strtol(source + sizeof mark - 1, &end, 10) - 1;
            end += strspn(end, " \"");
            *file = (span){end, strcspn(end, "\"\n")};
            found = true;
        } else {
            ++*file_line;
        }
        source += strcspn(source, "\n");
        source += *source == '\n';
    }
    ++*file_line;
    return found;
}

// Appends "file:line", which a compiler may have written as "<its name for the source>:line of it all".
static encl_status append_place(span place, const char *source, encl_string *message) {
    const size_t colon = find(place, ":");
    span file = {0};
    long line = 0;
    if (source != NULL && place.text[0] == '<' &&
        find_origin(source, strtol(place.text + colon + 1, NULL, 10), &file, &line)) {
        return encl_string_format(message, "%.*s:%ld", (int)file.length, file.text, line);
    }
    return encl_string_append(message, place.text, place.length);
}

encl_status encl_build_log_message(const char *log, const char *source, encl_string *message) {
    // Compilers based on clang write "error:"; ptxas and others are freer; a log without errors has its first line.
    static const char *const signs[] = {"error:", "error", "Error", "fatal", ""};
    span line = {0};
    span place = {0};
    span rest = {0};
    for (size_t i = 0; log != NULL && line.length == 0 && i < sizeof signs / sizeof *signs; i++) {
        line = first_line_with(log, signs[i]);
    }
    if (line.length == 0) {
        return ENCL_OK;
    }
    if (!find_place(line, &place, &rest)) {
        line = without_severity(line);
        return encl_string_append(message, line.text, line.length);
    }
    rest = without_severity(rest);
    encl_status status = append_place(place, source, message);
    return status == ENCL_OK ? encl_string_format(message, ": %.*s", (int)rest.length, rest.text) : status;
}
