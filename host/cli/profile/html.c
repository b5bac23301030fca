#include "host/cli/profile/html.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "runtime/base/hash.h"
#include "runtime/base/json.h"

enum { FORMAT_TEXT = 256 };

// What stands for a character of one byte; NULL: itself.
static const char *escape_of(char c) {
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return (unsigned char)c < ' ' || c == 0x7f ? " " : NULL;
    }
}

void encl_html_text(FILE *stream, const char *text) {
    size_t left = text != NULL ? strlen(text) : 0;
    while (left > 0) {
        const size_t valid = encl_utf8_valid_prefix(text, left);
        for (size_t i = 0; i < valid; i++) {
            const char *escape = escape_of(text[i]);
            if (escape != NULL) {
                fputs(escape, stream);
            } else {
                fputc(text[i], stream);
            }
        }
        if (valid < left) {
            fputs("\xef\xbf\xbd", stream);
        }
        const size_t used = valid < left ? valid + 1 : valid;
        text += used;
        left -= used;
    }
}

void encl_html_format(FILE *stream, const char *format, ...) {
    char text[FORMAT_TEXT];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    encl_html_text(stream, length >= 0 ? text : "");
}

void encl_html_cell(FILE *stream, const char *text) {
    fputs("<td>", stream);
    encl_html_text(stream, text);
    fputs("</td>", stream);
}

void encl_html_number(FILE *stream, double value, int decimals) {
    if (isfinite(value)) {
        fprintf(stream, "<td class=\"n\" data-v=\"%.9g\">%.*f</td>", value, decimals, value);
    } else {
        fputs("<td class=\"n\">\xe2\x80\x93</td>", stream);
    }
}

void encl_html_headings(FILE *stream, const char *const *headings, size_t count) {
    fputs("<thead><tr>", stream);
    for (size_t i = 0; i < count; i++) {
        const bool number = headings[i][0] == '>';
        fprintf(stream, "<th scope=\"col\"%s>", number ? " class=\"n\"" : "");
        encl_html_text(stream, headings[i] + (number ? 1 : 0));
        fputs("</th>", stream);
    }
    fputs("</tr></thead>\n", stream);
}

// ---- Hashes -----------------------------------------------------------------------------------------------

static unsigned digit_of(char c) {
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

void encl_html_hash(const char *text, size_t length, char hash[ENCL_HTML_HASH]) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    encl_hash state;
    char hex[ENCL_HASH_TEXT];
    encl_hash_start(&state);
    encl_hash_add(&state, text, length);
    encl_hash_finish(&state, hex);
    char *next = hash + snprintf(hash, ENCL_HTML_HASH, "'sha256-");
    for (size_t i = 0; i < ENCL_HASH_BYTES; i += 3) { // three bytes are four letters; the last two are three and '='
        unsigned bits = 0;
        for (size_t k = i; k < i + 3; k++) {
            bits = bits << 8 | (k < ENCL_HASH_BYTES ? digit_of(hex[2 * k]) << 4 | digit_of(hex[2 * k + 1]) : 0);
        }
        for (int shift = 18; shift >= 0; shift -= 6) {
            *next++ = letters[bits >> shift & 63];
        }
    }
    memcpy(next - 1, "='", 3);
}
