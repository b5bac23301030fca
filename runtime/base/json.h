// JSON through cJSON, with what cJSON leaves open closed: the text must be valid UTF-8 and is parsed to its
// end; NUL escapes, duplicate keys, lone surrogates and integers beyond ±2^53 are refused (but not int(1e30),
// which tokenizer_config.json holds for "no limit": it is a number, and encl_json_is_integer is false for it);
// depth is at most 64 and the number of nodes is bounded by the text's size.
#ifndef ENCL_BASE_JSON_H
#define ENCL_BASE_JSON_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "runtime/base/memory.h"

// Parses `length` bytes. `place` (usually a path) begins every message, which also names the line and
// the byte in that line, both from 1.
// The caller frees *json with cJSON_Delete.
encl_status encl_json_parse(const char *place, const char *text, size_t length, cJSON **json);
// Reads and parses a file of at most `limit` bytes whose top value must be an object.
encl_status encl_json_read(const char *path, size_t limit, cJSON **json);
// The same for a text.
encl_status encl_json_parse_object(const char *place, const char *text, size_t length, cJSON **json);

// Typed look-ups of a key in an object. Missing key (or null): *value keeps what it had (the default) and the
// status is OK. Wrong type or range: FORMAT with "place: key: found …, expected …".
encl_status encl_json_get_int(const char *place, const cJSON *object, const char *key, int64_t minimum, int64_t maximum,
                              int64_t *value);
encl_status encl_json_get_number(const char *place, const cJSON *object, const char *key, double *value);
encl_status encl_json_get_bool(const char *place, const cJSON *object, const char *key, bool *value);
// *value points into the object and lives as long as it.
encl_status encl_json_get_text(const char *place, const cJSON *object, const char *key, const char **value);

// For objects that are known to be well formed: a key's item, NULL where it is missing, and its text, "" where it has
// none.
static inline cJSON *encl_json_member(const cJSON *object, const char *key) {
    return cJSON_GetObjectItemCaseSensitive(object, key);
}
static inline const char *encl_json_member_text(const cJSON *object, const char *key) {
    const char *text = cJSON_GetStringValue(encl_json_member(object, key));
    return text != NULL ? text : "";
}

// A whole number in ±2^53 (what JSON can hold exactly), else false.
bool encl_json_is_integer(const cJSON *item, int64_t *value);

// Writing: build with cJSON_Create…; this appends the text, one line without spaces, to `text`. A double comes back as
// it was (cJSON's own printer may change the last bit), one that is a float's value as that float, in 9 digits. NaN and
// infinities are refused.
encl_status encl_json_append(encl_string *text, const cJSON *json);
// The same and a newline to a FILE *. A write error is IO.
encl_status encl_json_write_line(void *stream, const cJSON *json);
// A float array of `count` values. Caller adds it to an object or deletes it. NULL on exhausted memory.
cJSON *encl_json_floats(const float *values, size_t count);

// Where valid UTF-8 ends: length if all of it is valid, else the index of the first bad byte (overlong forms,
// surrogates and values beyond U+10FFFF are bad).
size_t encl_utf8_valid_prefix(const char *text, size_t length);

// Replaces bytes that are no UTF-8 by '?' and ASCII control characters by blanks, so that a name from a file can
// go to a terminal or a log and stays on its line.
void encl_utf8_make_printable(char *text, size_t length);

#endif
