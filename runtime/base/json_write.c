// Writing JSON. cJSON's own printer would turn NaN into null, a float into 17 digits, and lose a double's last bit.
#include <errno.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"

enum { DEPTH_LIMIT = 128 };

static encl_status write_number(encl_string *line, double number) {
    char digits[40];
    if (!isfinite(number)) {
        return encl_fail(ENCL_NOT_FINITE, "JSON: found %s, expected a finite number",
                         isnan(number) ? "NaN" : "infinity");
    }
    if (fabs(number) <= 9007199254740992.0 && number == floor(number)) {
        snprintf(digits, sizeof digits, "%.0f", number);
    } else if (fabs(number) <= (double)FLT_MAX && (double)(float)number == number) {
        snprintf(digits, sizeof digits, "%.9g", number); // enough to get the same float back
    } else {
        snprintf(digits, sizeof digits, "%.15g", number); // what a person wrote so comes back so
        if (strtod(digits, NULL) != number) {
            snprintf(digits, sizeof digits, "%.17g", number); // and this for any double
        }
    }
    for (char *c = digits; *c != '\0'; c++) {
        if (strchr("0123456789+-e", *c) == NULL) {
            *c = '.'; // whatever the locale writes
        }
    }
    return encl_string_append(line, digits, strlen(digits));
}

// The escape of an ASCII character that needs one, else NULL.
static const char *escape_of(unsigned char c, char buffer[8]) {
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        if (c >= 0x20 && c != 0x7f) {
            return NULL;
        }
        snprintf(buffer, 8, "\\u%04x", c);
        return buffer;
    }
}

// Bytes that are no UTF-8 (a path may hold them) become U+FFFD: a line is valid JSON whatever is in it.
static encl_status write_text(encl_string *line, const char *text) {
    encl_status status = ENCL_OK;
    size_t left = strlen(text);

    ENCL_TRY(encl_string_append(line, "\"", 1));
    while (left > 0) {
        const size_t valid = encl_utf8_valid_prefix(text, left);
        size_t start = 0;
        for (size_t i = 0; i < valid; i++) {
            char buffer[8];
            const char *escape = escape_of((unsigned char)text[i], buffer);
            if (escape != NULL) {
                ENCL_TRY(encl_string_append(line, text + start, i - start));
                ENCL_TRY(encl_string_append(line, escape, strlen(escape)));
                start = i + 1;
            }
        }
        ENCL_TRY(encl_string_append(line, text + start, valid - start));
        text += valid;
        left -= valid;
        if (left > 0) {
            ENCL_TRY(encl_string_append(line, "\xef\xbf\xbd", 3));
            text++;
            left--;
        }
    }
    status = encl_string_append(line, "\"", 1);

cleanup:
    return status;
}

static encl_status write_value(encl_string *line, const cJSON *item, int depth);

static encl_status write_children(encl_string *line, const cJSON *parent, int depth) {
    encl_status status = ENCL_OK;
    const bool object = cJSON_IsObject(parent) != 0;

    ENCL_TRY(encl_string_append(line, object ? "{" : "[", 1));
    for (const cJSON *child = parent->child; child != NULL; child = child->next) {
        if (object) {
            ENCL_TRY(write_text(line, child->string != NULL ? child->string : ""));
            ENCL_TRY(encl_string_append(line, ":", 1));
        }
        ENCL_TRY(write_value(line, child, depth + 1));
        if (child->next != NULL) {
            ENCL_TRY(encl_string_append(line, ",", 1));
        }
    }
    status = encl_string_append(line, object ? "}" : "]", 1);

cleanup:
    return status;
}

static encl_status write_value(encl_string *line, const cJSON *item, int depth) {
    if (depth > DEPTH_LIMIT) {
        return encl_fail(ENCL_INVALID, "JSON: found deeper nesting, expected at most %d levels", DEPTH_LIMIT);
    }
    if (cJSON_IsObject(item) || cJSON_IsArray(item)) {
        return write_children(line, item, depth);
    }
    if (cJSON_IsNumber(item)) {
        return write_number(line, item->valuedouble);
    }
    if (cJSON_IsString(item) && item->valuestring != NULL) {
        return write_text(line, item->valuestring);
    }
    const char *word = cJSON_IsTrue(item)                               ? "true"
                       : cJSON_IsFalse(item)                            ? "false"
                       : cJSON_IsNull(item)                             ? "null"
                       : cJSON_IsRaw(item) && item->valuestring != NULL ? item->valuestring
                                                                        : NULL;
    if (word == NULL) {
        return encl_fail(ENCL_INVALID, "JSON: found no item, expected a value");
    }
    return encl_string_append(line, word, strlen(word));
}

encl_status encl_json_append(encl_string *text, const cJSON *json) {
    return write_value(text, json, 0);
}

encl_status encl_json_write_line(void *stream, const cJSON *json) {
    encl_status status = ENCL_OK;
    encl_string line = {0};

    ENCL_TRY(encl_json_append(&line, json));
    ENCL_TRY(encl_string_append(&line, "\n", 1));
    // Flushed, so that a reader at the other end of a pipe has the line at once and a full disk is noticed here.
    errno = 0;
    if (fwrite(line.text, 1, line.length, stream) != line.length || fflush(stream) != 0) {
        status = encl_fail(ENCL_IO, "cannot write a line of JSON: %s", strerror(errno != 0 ? errno : EIO));
    }

cleanup:
    encl_string_free(&line);
    return status;
}

cJSON *encl_json_floats(const float *values, size_t count) {
    if (count == 0) {
        return cJSON_CreateArray();
    }
    return count <= INT_MAX ? cJSON_CreateFloatArray(values, (int)count) : NULL;
}
