// Reading JSON: parsing and typed look-ups.
#include "runtime/base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/base/json_scan.h"

static const double EXACT_INTEGERS = 9007199254740992.0; // 2^53

encl_status encl_json_parse(const char *place, const char *text, size_t length, cJSON **json) {
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    *json = NULL;
    if (text == NULL) {
        return encl_fail(ENCL_INVALID, "%s: found no text, expected JSON", place);
    }
    if (length >= 3 && memcmp(text, byte_order_mark, 3) == 0) {
        text += 3; // some editors write it, RFC 8259 lets a reader ignore it
        length -= 3;
    }
    encl_status status = encl_json_scan(place, text, length);
    if (status != ENCL_OK) {
        return status;
    }
    // A node takes at least two bytes of text but for the first, so the text's size bounds the tree's.
    *json = cJSON_ParseWithLength(text, length);
    if (*json == NULL) {
        return encl_fail(ENCL_OUT_OF_MEMORY, "%s: cannot allocate host memory for %zu bytes of JSON", place, length);
    }
    return ENCL_OK;
}

// What an item is, for messages. Numbers are shown, texts are not: they may be long.
static const char *describe(const cJSON *item, char buffer[32]) {
    if (cJSON_IsNumber(item)) {
        snprintf(buffer, 32, "%.17g", item->valuedouble);
        return buffer;
    }
    return cJSON_IsObject(item)   ? "an object"
           : cJSON_IsArray(item)  ? "an array"
           : cJSON_IsString(item) ? "a text"
           : cJSON_IsTrue(item)   ? "true"
           : cJSON_IsFalse(item)  ? "false"
           : cJSON_IsNull(item)   ? "null"
                                  : "nothing";
}

encl_status encl_json_parse_object(const char *place, const char *text, size_t length, cJSON **json) {
    cJSON *parsed = NULL;
    char buffer[32];
    *json = NULL;
    encl_status status = encl_json_parse(place, text, length, &parsed);
    if (status == ENCL_OK && !cJSON_IsObject(parsed)) {
        status = encl_fail(ENCL_FORMAT, "%s: found %s, expected an object", place, describe(parsed, buffer));
        cJSON_Delete(parsed);
        parsed = NULL;
    }
    *json = parsed;
    return status;
}

encl_status encl_json_read(const char *path, size_t limit, cJSON **json) {
    char *text = NULL;
    size_t length = 0;
    *json = NULL;
    encl_status status = encl_file_read(path, limit, &text, &length);
    if (status == ENCL_OK) {
        status = encl_json_parse_object(path, text, length, json);
    }
    free(text);
    return status;
}

// ---- Look-ups ---------------------------------------------------------------------------------------------

// The key's item, NULL where it is missing or null.
static const cJSON *look_up(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNull(item) ? NULL : item;
}

static encl_status fail_type(const char *place, const char *key, const cJSON *item, const char *expected) {
    char buffer[32];
    return encl_fail(ENCL_FORMAT, "%s: %s: found %s, expected %s", place, key, describe(item, buffer), expected);
}

encl_status encl_json_get_int(const char *place, const cJSON *object, const char *key, int64_t minimum, int64_t maximum,
                              int64_t *value) {
    const cJSON *item = look_up(object, key);
    int64_t number = 0;
    if (item == NULL) {
        return ENCL_OK;
    }
    if (!encl_json_is_integer(item, &number) || number < minimum || number > maximum) {
        char expected[96];
        snprintf(expected, sizeof expected, "a whole number from %lld to %lld", (long long)minimum, (long long)maximum);
        return fail_type(place, key, item, expected);
    }
    *value = number;
    return ENCL_OK;
}

encl_status encl_json_get_number(const char *place, const cJSON *object, const char *key, double *value) {
    const cJSON *item = look_up(object, key);
    if (item == NULL) {
        return ENCL_OK;
    }
    if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble)) {
        return fail_type(place, key, item, "a number");
    }
    *value = item->valuedouble;
    return ENCL_OK;
}

encl_status encl_json_get_bool(const char *place, const cJSON *object, const char *key, bool *value) {
    const cJSON *item = look_up(object, key);
    if (item == NULL) {
        return ENCL_OK;
    }
    if (!cJSON_IsBool(item)) {
        return fail_type(place, key, item, "true or false");
    }
    *value = cJSON_IsTrue(item) != 0;
    return ENCL_OK;
}

encl_status encl_json_get_text(const char *place, const cJSON *object, const char *key, const char **value) {
    const cJSON *item = look_up(object, key);
    if (item == NULL) {
        return ENCL_OK;
    }
    if (!cJSON_IsString(item) || item->valuestring == NULL) {
        return fail_type(place, key, item, "a text");
    }
    *value = item->valuestring;
    return ENCL_OK;
}

bool encl_json_is_integer(const cJSON *item, int64_t *value) {
    if (!cJSON_IsNumber(item)) {
        return false;
    }
    const double number = item->valuedouble;
    if (!(fabs(number) <= EXACT_INTEGERS) || number != floor(number)) { // NaN fails the first
        return false;
    }
    *value = (int64_t)number;
    return true;
}
