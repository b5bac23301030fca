// RFC 8259 by the letter, and json.h's restrictions. Recursion is bounded by the depth limit.
#include "runtime/base/json_scan.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"

enum {
    DEPTH_LIMIT = 64,
    NUMBER_LIMIT = 63, // what cJSON's buffer for a number holds
};

// A key of an object that is still open. `bytes` is the key without escapes.
typedef struct scan_key {
    const char *bytes;
    size_t length;
    uint64_t hash;
    size_t position; // of its opening quote
} scan_key;

typedef struct scanner {
    const char *place;
    const char *text;
    size_t length;
    size_t position;
    // The keys of all open objects, those of the innermost last.
    scan_key *keys;
    size_t key_count;
    size_t key_capacity;
    // Keys that were written with escapes, decoded. As large as the text, so it never moves.
    char *decoded;
    size_t decoded_length;
} scanner;

// ---- Messages ---------------------------------------------------------------------------------------------

static encl_status fail_found(const scanner *scan, size_t position, const char *found, const char *expected) {
    size_t line = 1;
    size_t line_start = 0;
    for (size_t i = 0; i < position; i++) {
        if (scan->text[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    }
    return encl_fail(ENCL_FORMAT, "%s: line %zu, byte %zu: found %s, expected %s", scan->place, line,
                     position - line_start + 1, found, expected);
}

// What stands at the position is what was found.
static encl_status fail_here(const scanner *scan, size_t position, const char *expected) {
    char found[32];
    if (position >= scan->length) {
        snprintf(found, sizeof found, "the end of the text");
    } else {
        const unsigned char byte = (unsigned char)scan->text[position];
        if (byte > 0x20 && byte < 0x7f) {
            snprintf(found, sizeof found, "'%c'", byte);
        } else {
            snprintf(found, sizeof found, "byte 0x%02x", byte);
        }
    }
    return fail_found(scan, position, found, expected);
}

// ---- Strings ----------------------------------------------------------------------------------------------

// Four hexadecimal digits at the position, or -1.
static int32_t read_hex4(const scanner *scan, size_t position) {
    int32_t value = 0;
    for (size_t i = position; i < position + 4; i++) {
        const char c = i < scan->length ? scan->text[i] : '\0';
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

static size_t encode_utf8(int32_t code, char bytes[4]) {
    const uint32_t c = (uint32_t)code;
    if (c < 0x80) {
        bytes[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        bytes[0] = (char)(0xc0 | c >> 6);
        bytes[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        bytes[0] = (char)(0xe0 | c >> 12);
        bytes[1] = (char)(0x80 | (c >> 6 & 0x3f));
        bytes[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    bytes[0] = (char)(0xf0 | c >> 18);
    bytes[1] = (char)(0x80 | (c >> 12 & 0x3f));
    bytes[2] = (char)(0x80 | (c >> 6 & 0x3f));
    bytes[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

// A \u escape (two for a character beyond U+FFFF) whose backslash is at the position.
static encl_status scan_unicode_escape(scanner *scan, int32_t *code) {
    const size_t start = scan->position;
    const int32_t first = read_hex4(scan, start + 2);
    if (first < 0) {
        return fail_found(scan, start, "an incomplete \\u escape", "four hexadecimal digits");
    }
    if (first == 0) {
        return fail_found(scan, start, "\\u0000", "a text without NUL");
    }
    scan->position += 6;
    if (first < 0xd800 || first > 0xdfff) {
        *code = first;
        return ENCL_OK;
    }
    const bool escaped = scan->position + 1 < scan->length && scan->text[scan->position] == '\\' &&
                         scan->text[scan->position + 1] == 'u';
    const int32_t second = escaped ? read_hex4(scan, scan->position + 2) : -1;
    if (first > 0xdbff || second < 0xdc00 || second > 0xdfff) {
        return fail_found(scan, start, "a lone surrogate", "a pair of \\ud800 to \\udbff and \\udc00 to \\udfff");
    }
    scan->position += 6;
    *code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    return ENCL_OK;
}

static encl_status scan_escape(scanner *scan, int32_t *code) {
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const char letter = scan->position + 1 < scan->length ? scan->text[scan->position + 1] : '\0';
    if (letter == 'u') {
        return scan_unicode_escape(scan, code);
    }
    const char *known = letter != '\0' ? strchr(letters, letter) : NULL;
    if (known == NULL) {
        return fail_here(scan, scan->position + 1, "one of \"\\/bfnrtu after a backslash");
    }
    *code = (unsigned char)meanings[known - letters];
    scan->position += 2;
    return ENCL_OK;
}

// A string whose opening quote is at the position. `decoded` (room for all that is left of the text, or NULL)
// receives it without escapes.
static encl_status scan_string(scanner *scan, char *decoded, size_t *decoded_length, bool *escaped) {
    size_t written = 0;
    *escaped = false;
    scan->position++;
    for (;;) {
        if (scan->position >= scan->length) {
            return fail_here(scan, scan->position, "'\"' at the end of a string");
        }
        const unsigned char byte = (unsigned char)scan->text[scan->position];
        if (byte == '"') {
            scan->position++;
            *decoded_length = written;
            return ENCL_OK;
        }
        if (byte < 0x20) {
            return fail_here(scan, scan->position, "control characters in strings to be escaped");
        }
        char bytes[4] = {(char)byte};
        size_t count = 1;
        if (byte == '\\') {
            int32_t code = 0;
            encl_status status = scan_escape(scan, &code);
            if (status != ENCL_OK) {
                return status;
            }
            *escaped = true;
            count = encode_utf8(code, bytes);
        } else {
            scan->position++;
        }
        if (decoded != NULL) {
            memcpy(decoded + written, bytes, count);
        }
        written += count;
    }
}

// ---- Numbers ----------------------------------------------------------------------------------------------

static bool is_digit(const scanner *scan, size_t position) {
    return position < scan->length && scan->text[position] >= '0' && scan->text[position] <= '9';
}

static bool is_one_of(const scanner *scan, size_t position, const char *characters) {
    return position < scan->length && scan->text[position] != '\0' && strchr(characters, scan->text[position]) != NULL;
}

// True where a number with an exponent fits a double. The point is moved into the exponent, because strtod's
// point depends on the locale.
static bool fits_double(const char *token, size_t length) {
    char digits[NUMBER_LIMIT + 1] = "";
    char normal[NUMBER_LIMIT + 32];
    size_t count = 0;
    long exponent = 0;
    bool fraction = false;
    for (size_t i = 0; i < length; i++) {
        if (token[i] == '.') {
            fraction = true;
        } else if (token[i] == 'e' || token[i] == 'E') {
            char power[NUMBER_LIMIT + 1];
            snprintf(power, sizeof power, "%.*s", (int)(length - i - 1), token + i + 1);
            const long written = strtol(power, NULL, 10); // saturates
            exponent += written > 100000 ? 100000 : written < -100000 ? -100000 : written;
            break;
        } else {
            digits[count++] = token[i];
            exponent -= fraction;
        }
    }
    snprintf(normal, sizeof normal, "%.*se%ld", (int)count, digits, exponent);
    return isfinite(strtod(normal, NULL));
}

// An integer that a double cannot hold exactly. int(1e30), which the transformers library writes where a
// tokenizer has no limit, is so common that it passes; no look-up takes it for an integer.
static bool is_inexact_integer(const char *token, size_t length) {
    static const char limit[] = "9007199254740992"; // 2^53
    static const char no_limit[] = "1000000000000000019884624838656";
    if (length > 0 && token[0] == '-') {
        token++;
        length--;
    }
    if (length == sizeof no_limit - 1 && memcmp(token, no_limit, length) == 0) {
        return false;
    }
    return length > sizeof limit - 1 || (length == sizeof limit - 1 && memcmp(token, limit, length) > 0);
}

static void skip_digits(scanner *scan) {
    while (is_digit(scan, scan->position)) {
        scan->position++;
    }
}

static encl_status scan_number(scanner *scan) {
    const size_t start = scan->position;
    bool integer = true;
    scan->position += scan->text[start] == '-';
    if (!is_digit(scan, scan->position)) {
        return fail_here(scan, scan->position, "a digit");
    }
    if (scan->text[scan->position] == '0' && is_digit(scan, scan->position + 1)) {
        return fail_found(scan, start, "a number that begins with 0", "no leading zeros");
    }
    skip_digits(scan);
    if (is_one_of(scan, scan->position, ".")) {
        integer = false;
        scan->position++;
        if (!is_digit(scan, scan->position)) {
            return fail_here(scan, scan->position, "a digit after the point");
        }
        skip_digits(scan);
    }
    if (is_one_of(scan, scan->position, "eE")) {
        integer = false;
        scan->position++;
        scan->position += is_one_of(scan, scan->position, "+-");
        if (!is_digit(scan, scan->position)) {
            return fail_here(scan, scan->position, "a digit in the exponent");
        }
        skip_digits(scan);
    }

    const char *token = scan->text + start;
    const size_t length = scan->position - start;
    if (length > NUMBER_LIMIT) {
        return fail_found(scan, start, "a longer number", "at most 63 characters");
    }
    if (integer && is_inexact_integer(token, length)) {
        char found[NUMBER_LIMIT + 1];
        snprintf(found, sizeof found, "%.*s", (int)length, token);
        return fail_found(scan, start, found, "an integer from -2^53 to 2^53");
    }
    if (!integer && !fits_double(token, length)) {
        return fail_found(scan, start, "a number that overflows", "one that a double can hold");
    }
    return ENCL_OK;
}

// ---- Keys -------------------------------------------------------------------------------------------------

// FNV-1a. Only speeds up the comparison: keys that were chosen to collide cost no more than their sorting.
static uint64_t hash_bytes(const char *bytes, size_t length) {
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(1099511628211);
    }
    return hash;
}

static encl_status scan_key_string(scanner *scan) {
    encl_status status = ENCL_OK;
    scan_key key = {.position = scan->position};
    bool escaped = false;

    if (!is_one_of(scan, scan->position, "\"")) {
        return fail_here(scan, scan->position, "a key in quotes");
    }
    ENCL_TRY(scan_string(scan, NULL, &key.length, &escaped));
    key.bytes = scan->text + key.position + 1;
    if (escaped) {
        if (scan->decoded == NULL) {
            void *decoded = NULL;
            ENCL_TRY(encl_allocate(scan->length, 1, &decoded));
            scan->decoded = decoded;
        }
        scan->position = key.position;
        key.bytes = scan->decoded + scan->decoded_length;
        ENCL_TRY(scan_string(scan, scan->decoded + scan->decoded_length, &key.length, &escaped));
        scan->decoded_length += key.length;
    }
    key.hash = hash_bytes(key.bytes, key.length);

    void *keys = scan->keys;
    status = encl_reserve(&keys, &scan->key_capacity, scan->key_count + 1, sizeof *scan->keys);
    scan->keys = keys;
    if (status == ENCL_OK) {
        scan->keys[scan->key_count++] = key;
    }

cleanup:
    return status;
}

static int compare_bytes(const scan_key *a, const scan_key *b) {
    if (a->hash != b->hash) {
        return a->hash < b->hash ? -1 : 1;
    }
    if (a->length != b->length) {
        return a->length < b->length ? -1 : 1;
    }
    return memcmp(a->bytes, b->bytes, a->length);
}

static int compare_keys(const void *left, const void *right) {
    const scan_key *a = left;
    const scan_key *b = right;
    const int order = compare_bytes(a, b);
    return order != 0 ? order : a->position < b->position ? -1 : a->position > b->position;
}

// Takes the closed object's keys, [first, key_count), off the stack. The message names the text's first repetition.
static encl_status close_keys(scanner *scan, size_t first) {
    const size_t count = scan->key_count - first;
    scan_key *keys = scan->keys + first;
    const scan_key *repeated = NULL;
    scan->key_count = first;
    if (count < 2) {
        return ENCL_OK;
    }
    qsort(keys, count, sizeof *keys, compare_keys);
    for (size_t i = 1; i < count; i++) {
        if (compare_bytes(&keys[i - 1], &keys[i]) == 0 && (repeated == NULL || keys[i].position < repeated->position)) {
            repeated = &keys[i];
        }
    }
    if (repeated == NULL) {
        return ENCL_OK;
    }
    char found[160];
    const size_t shown = encl_utf8_valid_prefix(repeated->bytes, repeated->length < 96 ? repeated->length : 96);
    snprintf(found, sizeof found, "the key \"%.*s\"%s again", (int)shown, repeated->bytes,
             shown < repeated->length ? "…" : "");
    return fail_found(scan, repeated->position, found, "every key once");
}

// ---- Values -----------------------------------------------------------------------------------------------

static void skip_space(scanner *scan) {
    while (is_one_of(scan, scan->position, " \t\r\n")) {
        scan->position++;
    }
}

static encl_status scan_value(scanner *scan, int depth);

// What follows an element: a comma (then *more), or the closing bracket.
static encl_status scan_separator(scanner *scan, const char *closing, const char *expected, bool *more) {
    skip_space(scan);
    *more = is_one_of(scan, scan->position, ",");
    if (!*more && !is_one_of(scan, scan->position, closing)) {
        return fail_here(scan, scan->position, expected);
    }
    scan->position++;
    skip_space(scan);
    return ENCL_OK;
}

static encl_status scan_object(scanner *scan, int depth) {
    encl_status status = ENCL_OK;
    const size_t first = scan->key_count;

    scan->position++;
    skip_space(scan);
    if (is_one_of(scan, scan->position, "}")) {
        scan->position++;
        goto cleanup;
    }
    for (bool more = true; more;) {
        ENCL_TRY(scan_key_string(scan));
        skip_space(scan);
        if (!is_one_of(scan, scan->position, ":")) {
            status = fail_here(scan, scan->position, "':' after a key");
            goto cleanup;
        }
        scan->position++;
        skip_space(scan);
        ENCL_TRY(scan_value(scan, depth));
        ENCL_TRY(scan_separator(scan, "}", "',' or '}'", &more));
    }
    status = close_keys(scan, first);

cleanup:
    return status;
}

static encl_status scan_array(scanner *scan, int depth) {
    encl_status status = ENCL_OK;

    scan->position++;
    skip_space(scan);
    if (is_one_of(scan, scan->position, "]")) {
        scan->position++;
        goto cleanup;
    }
    for (bool more = true; more;) {
        ENCL_TRY(scan_value(scan, depth));
        ENCL_TRY(scan_separator(scan, "]", "',' or ']'", &more));
    }

cleanup:
    return status;
}

static encl_status scan_word(scanner *scan) {
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const size_t length = strlen(words[i]);
        if (scan->length - scan->position >= length && memcmp(scan->text + scan->position, words[i], length) == 0) {
            scan->position += length;
            return ENCL_OK;
        }
    }
    return fail_here(scan, scan->position, "a value");
}

static encl_status scan_value(scanner *scan, int depth) {
    if (is_one_of(scan, scan->position, "{[")) {
        if (depth >= DEPTH_LIMIT) {
            return fail_found(scan, scan->position, "deeper nesting", "at most 64 levels");
        }
        return scan->text[scan->position] == '{' ? scan_object(scan, depth + 1) : scan_array(scan, depth + 1);
    }
    if (is_one_of(scan, scan->position, "\"")) {
        size_t length = 0;
        bool escaped = false;
        return scan_string(scan, NULL, &length, &escaped);
    }
    if (is_one_of(scan, scan->position, "-0123456789")) {
        return scan_number(scan);
    }
    return scan_word(scan);
}

encl_status encl_json_scan(const char *place, const char *text, size_t length) {
    encl_status status = ENCL_OK;
    scanner scan = {.place = place, .text = text, .length = length};

    const size_t valid = encl_utf8_valid_prefix(text, length);
    if (valid < length) {
        status = fail_here(&scan, valid, "UTF-8");
        goto cleanup;
    }
    skip_space(&scan);
    ENCL_TRY(scan_value(&scan, 0));
    skip_space(&scan);
    if (scan.position < length) {
        status = fail_here(&scan, scan.position, "the end of the text");
    }

cleanup:
    free(scan.keys);
    free(scan.decoded);
    return status;
}
