// Questions to the values of a pickle.
#include <string.h>

#include "host/checkpoint/pickle.h"
#include "runtime/base/json.h"

const char *encl_pickle_kind_name(const encl_pickle_value *value) {
    static const char *const names[] = {
        [ENCL_PICKLE_MARK] = "a mark",
        [ENCL_PICKLE_NONE] = "None",
        [ENCL_PICKLE_BOOL] = "a bool",
        [ENCL_PICKLE_INT] = "an int",
        [ENCL_PICKLE_FLOAT] = "a float",
        [ENCL_PICKLE_BYTES] = "bytes",
        [ENCL_PICKLE_TEXT] = "a text",
        [ENCL_PICKLE_TUPLE] = "a tuple",
        [ENCL_PICKLE_LIST] = "a list",
        [ENCL_PICKLE_DICT] = "a dict",
        [ENCL_PICKLE_GLOBAL] = "a global",
        [ENCL_PICKLE_OBJECT] = "an object",
        [ENCL_PICKLE_PERSISTENT] = "a persistent id",
    };
    return value == NULL ? "nothing" : names[value->kind];
}

static bool has_bytes(const encl_pickle_value *value) {
    return value != NULL && (value->kind == ENCL_PICKLE_BYTES || value->kind == ENCL_PICKLE_TEXT);
}

bool encl_pickle_is_text(const encl_pickle_value *value, const char *text) {
    const size_t length = strlen(text);
    return has_bytes(value) && value->length == length && memcmp(value->bytes, text, length) == 0;
}

bool encl_pickle_is_made_by(const encl_pickle_value *value, int tag) {
    return value != NULL && value->kind == ENCL_PICKLE_OBJECT && value->callable->tag == tag;
}

encl_pickle_value *encl_pickle_item(const encl_pickle_value *value, size_t index) {
    const bool has_items = value != NULL && (value->kind == ENCL_PICKLE_TUPLE || value->kind == ENCL_PICKLE_LIST);
    return has_items && index < value->count ? value->items[index] : NULL;
}

encl_pickle_value *encl_pickle_find(const encl_pickle_value *dict, const char *key) {
    for (size_t i = dict != NULL && dict->kind == ENCL_PICKLE_DICT ? dict->count : 0; i >= 2; i -= 2) {
        if (encl_pickle_is_text(dict->items[i - 2], key)) {
            return dict->items[i - 1];
        }
    }
    return NULL;
}

encl_status encl_pickle_copy_name(const char *place, const encl_pickle_value *value, char **name) {
    *name = NULL;
    if (!has_bytes(value)) {
        return encl_fail(ENCL_FORMAT, "%s: byte %zu: found %s, expected a name", place,
                         value == NULL ? 0 : value->place, encl_pickle_kind_name(value));
    }
    const char *text = (const char *)value->bytes;
    const void *nul = value->length > 0 ? memchr(text, 0, value->length) : NULL;
    if (nul != NULL || encl_utf8_valid_prefix(text, value->length) != value->length) {
        return encl_fail(ENCL_FORMAT, "%s: byte %zu: found %s in a name, expected UTF-8 without NUL", place,
                         value->place, nul != NULL ? "NUL" : "bytes that are no UTF-8");
    }
    return encl_copy_text(text, value->length, name);
}

encl_status encl_pickle_read_shape(const char *place, const encl_pickle_value *value, encl_tensor *tensor) {
    if (value == NULL || (value->kind != ENCL_PICKLE_TUPLE && value->kind != ENCL_PICKLE_LIST)) {
        return encl_fail(ENCL_FORMAT, "%s: tensor '%s': shape: found %s, expected a tuple", place, tensor->name,
                         encl_pickle_kind_name(value));
    }
    if (value->count > ENCL_TENSOR_DIMENSIONS) {
        return encl_fail(ENCL_UNSUPPORTED, "%s: tensor '%s': found %zu dimensions, expected at most %d", place,
                         tensor->name, value->count, ENCL_TENSOR_DIMENSIONS);
    }
    size_t bytes = encl_dtype_bytes(tensor->dtype);
    tensor->elements = 1;
    tensor->dimensions = (int32_t)value->count;
    for (size_t i = 0; i < value->count; i++) {
        const encl_pickle_value *size = value->items[i];
        if (size->kind != ENCL_PICKLE_INT || size->integer < 0) {
            return encl_fail(ENCL_FORMAT, "%s: tensor '%s': shape[%zu]: expected a whole number of at least 0", place,
                             tensor->name, i);
        }
        if (!encl_multiply(bytes, (size_t)size->integer, &bytes) || bytes > INT64_MAX) {
            return encl_fail(ENCL_FORMAT, "%s: tensor '%s': shape: found more bytes than 64 bits can count", place,
                             tensor->name);
        }
        tensor->shape[i] = size->integer;
        tensor->elements *= size->integer;
    }
    tensor->bytes = bytes;
    return ENCL_OK;
}
