// safetensors: u64 little-endian N, N bytes of JSON, data.
//
//   0        8                8 + N                                   end of file
//   | N      | {"name": {…}}  | tensor | tensor | … without gaps      |
//
// A header entry is {dtype, shape, data_offsets: [begin, end)}, offsets relative to the data. Every byte of data must
// belong to exactly one tensor; only then can a file not hide anything, nor make two tensors share bytes.
#include <stdlib.h>
#include <string.h>

#include "host/checkpoint/format.h"
#include "runtime/base/json.h"

enum { LENGTH_BYTES = 8, HEADER_LIMIT = 100000000 };

static const char metadata_key[] = "__metadata__";

static uint64_t read_u64(const uint8_t *bytes) {
    uint64_t value = 0;
    for (int i = LENGTH_BYTES - 1; i >= 0; i--) {
        value = value << 8 | bytes[i];
    }
    return value;
}

bool encl_safetensors_detect(const char *name, const encl_file *file) {
    return encl_text_ends(name, ".safetensors") ||
           (file->size > LENGTH_BYTES && read_u64(file->data) <= HEADER_LIMIT && file->data[LENGTH_BYTES] == '{');
}

static encl_status find_header(const char *path, const encl_file *file, size_t *length) {
    if (file->size < LENGTH_BYTES) {
        return encl_fail(ENCL_FORMAT, "%s: found %zu bytes, expected at least the %d of the header's length", path,
                         file->size, LENGTH_BYTES);
    }
    const uint64_t found = read_u64(file->data);
    if (found > HEADER_LIMIT || found > file->size - LENGTH_BYTES) {
        return encl_fail(ENCL_FORMAT, "%s: header: found length %llu, expected at most %d in a file of %zu bytes", path,
                         (unsigned long long)found, HEADER_LIMIT, file->size);
    }
    const uint8_t *header = file->data + LENGTH_BYTES;
    if (found == 0 || header[0] != '{') {
        return encl_fail(ENCL_FORMAT, "%s: byte %d: found no '{', expected a JSON object as header", path,
                         LENGTH_BYTES);
    }
    // JSON parsers in C take a NUL for the end of the text and would not look at what follows.
    const uint8_t *nul = memchr(header, 0, (size_t)found);
    if (nul != NULL) {
        return encl_fail(ENCL_FORMAT, "%s: byte %zu: found NUL in the header, expected JSON", path,
                         (size_t)(nul - file->data));
    }
    *length = (size_t)found;
    return ENCL_OK;
}

static encl_status check_metadata(const char *path, const cJSON *metadata) {
    if (!cJSON_IsObject(metadata)) {
        return encl_fail(ENCL_FORMAT, "%s: %s: found no object, expected one", path, metadata_key);
    }
    const cJSON *item;
    cJSON_ArrayForEach(item, metadata) {
        if (!cJSON_IsString(item)) {
            return encl_fail(ENCL_FORMAT, "%s: %s: '%s': found no string, expected one", path, metadata_key,
                             item->string);
        }
    }
    return ENCL_OK;
}

static encl_status read_dtype(const char *path, const cJSON *entry, encl_dtype *dtype) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(entry, "dtype");
    if (!cJSON_IsString(item)) {
        return encl_fail(ENCL_FORMAT, "%s: tensor '%s': dtype: found no string, expected one", path, entry->string);
    }
    if (!encl_dtype_parse(item->valuestring, dtype)) {
        const bool is_float8 = strncmp(item->valuestring, "F8_", 3) == 0;
        return encl_fail(is_float8 ? ENCL_UNSUPPORTED : ENCL_FORMAT,
                         "%s: tensor '%s': found dtype '%s', expected one such as F32, F16 or BF16", path,
                         entry->string, item->valuestring);
    }
    return ENCL_OK;
}

// Fills shape, elements and the bytes that these need.
static encl_status read_shape(const char *path, const cJSON *entry, encl_tensor *tensor) {
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(entry, "shape");
    if (!cJSON_IsArray(shape)) {
        return encl_fail(ENCL_FORMAT, "%s: tensor '%s': shape: found no array, expected one", path, entry->string);
    }
    size_t bytes = encl_dtype_bytes(tensor->dtype);
    tensor->elements = 1;
    const cJSON *item;
    cJSON_ArrayForEach(item, shape) {
        int64_t size = 0;
        if (tensor->dimensions == ENCL_TENSOR_DIMENSIONS) {
            return encl_fail(ENCL_UNSUPPORTED, "%s: tensor '%s': found more than %d dimensions", path, entry->string,
                             ENCL_TENSOR_DIMENSIONS);
        }
        if (!encl_json_is_integer(item, &size) || size < 0) {
            return encl_fail(ENCL_FORMAT, "%s: tensor '%s': shape[%d]: expected a whole number of at least 0", path,
                             entry->string, tensor->dimensions);
        }
        if (!encl_multiply(bytes, (size_t)size, &bytes) || bytes > INT64_MAX) {
            return encl_fail(ENCL_FORMAT, "%s: tensor '%s': shape: found more bytes than 64 bits can count", path,
                             entry->string);
        }
        tensor->shape[tensor->dimensions++] = size;
        tensor->elements *= size;
    }
    tensor->bytes = bytes;
    return ENCL_OK;
}

static encl_status read_offsets(const char *path, const cJSON *entry, size_t data_bytes, int64_t offsets[2]) {
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(entry, "data_offsets");
    const cJSON *begin = cJSON_IsArray(array) ? array->child : NULL;
    const cJSON *end = begin != NULL ? begin->next : NULL;
    if (end == NULL || end->next != NULL || !encl_json_is_integer(begin, &offsets[0]) ||
        !encl_json_is_integer(end, &offsets[1])) {
        return encl_fail(ENCL_FORMAT, "%s: tensor '%s': data_offsets: expected two whole numbers", path, entry->string);
    }
    if (offsets[0] < 0 || offsets[1] < offsets[0] || (uint64_t)offsets[1] > data_bytes) {
        return encl_fail(ENCL_FORMAT,
                         "%s: tensor '%s': data_offsets: found [%lld, %lld), expected a range in the file's %zu bytes "
                         "of data",
                         path, entry->string, (long long)offsets[0], (long long)offsets[1], data_bytes);
    }
    return ENCL_OK;
}

static encl_status add_entry(encl_checkpoint *checkpoint, const char *path, const encl_file *file, size_t data_start,
                             const cJSON *entry) {
    encl_status status = ENCL_OK;
    encl_tensor tensor = {.name = entry->string, .source = file};
    int64_t offsets[2] = {0};
    if (!cJSON_IsObject(entry)) {
        return encl_fail(ENCL_FORMAT, "%s: tensor '%s': found no object, expected one", path, entry->string);
    }
    ENCL_TRY(read_dtype(path, entry, &tensor.dtype));
    ENCL_TRY(read_shape(path, entry, &tensor));
    ENCL_TRY(read_offsets(path, entry, file->size - data_start, offsets));
    if ((uint64_t)(offsets[1] - offsets[0]) != tensor.bytes) {
        return encl_fail(ENCL_FORMAT, "%s: tensor '%s': found %lld bytes of data, its dtype %s and shape need %zu",
                         path, entry->string, (long long)(offsets[1] - offsets[0]), encl_dtype_name(tensor.dtype),
                         tensor.bytes);
    }
    tensor.data = file->data + data_start + (size_t)offsets[0];
    encl_tensor_set_dense(&tensor);
    status = encl_checkpoint_add(checkpoint, &tensor);
cleanup:
    return status;
}

// By place in the file; an empty tensor comes before the one that starts where it stands.
static int compare_places(const void *a, const void *b) {
    const encl_tensor *left = a;
    const encl_tensor *right = b;
    if (left->data != right->data) {
        return left->data < right->data ? -1 : 1;
    }
    return (left->bytes > right->bytes) - (left->bytes < right->bytes);
}

// Tensors [first, count) must cover the data from its start to its end.
static encl_status check_cover(encl_checkpoint *checkpoint, const char *path, const encl_file *file, size_t data_start,
                               size_t first) {
    const uint8_t *expected = file->data + data_start;
    if (checkpoint->count > first) {
        qsort(checkpoint->tensors + first, checkpoint->count - first, sizeof *checkpoint->tensors, compare_places);
    }
    for (size_t i = first; i < checkpoint->count; i++) {
        const encl_tensor *tensor = &checkpoint->tensors[i];
        if (tensor->data != expected) {
            return encl_fail(ENCL_FORMAT, "%s: tensor '%s': %s: data begins at %zu, expected %zu", path, tensor->name,
                             tensor->data < expected ? "overlap" : "gap",
                             (size_t)(tensor->data - file->data) - data_start,
                             (size_t)(expected - file->data) - data_start);
        }
        expected += tensor->bytes;
    }
    if (expected != file->data + file->size) {
        return encl_fail(ENCL_FORMAT, "%s: found %zu bytes after the last tensor, expected the end of the file", path,
                         (size_t)(file->data + file->size - expected));
    }
    return ENCL_OK;
}

encl_status encl_safetensors_open(encl_checkpoint *checkpoint, const char *name) {
    encl_status status = ENCL_OK;
    char *path = NULL;
    const encl_file *file = NULL;
    cJSON *header = NULL;
    size_t length = 0;
    const size_t first = checkpoint->count;
    ENCL_TRY(encl_checkpoint_place(checkpoint, name, &path));
    ENCL_TRY(encl_checkpoint_map(checkpoint, name, &file));
    ENCL_TRY(find_header(path, file, &length));
    ENCL_TRY(encl_json_parse(path, (const char *)file->data + LENGTH_BYTES, length, &header));
    const cJSON *entry;
    cJSON_ArrayForEach(entry, header) {
        ENCL_TRY(strcmp(entry->string, metadata_key) == 0
                     ? check_metadata(path, entry)
                     : add_entry(checkpoint, path, file, LENGTH_BYTES + length, entry));
    }
    ENCL_TRY(check_cover(checkpoint, path, file, LENGTH_BYTES + length, first));
cleanup:
    cJSON_Delete(header);
    free(path);
    return status;
}
