#include "host/checkpoint/write_safetensors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"

enum { LENGTH_BYTES = 8, PART_BYTES = 1 << 20 };

static const char metadata_key[] = "__metadata__";

// ---- The header -------------------------------------------------------------------------------------------

static int compare_places(const void *a, const void *b) {
    const encl_named_tensor *left = a;
    const encl_named_tensor *right = b;
    const size_t left_bytes = encl_dtype_bytes(left->tensor->dtype);
    const size_t right_bytes = encl_dtype_bytes(right->tensor->dtype);
    if (left_bytes != right_bytes) {
        return left_bytes > right_bytes ? -1 : 1;
    }
    return strcmp(left->name, right->name);
}

static size_t data_bytes(const encl_tensor *tensor) {
    return (size_t)tensor->elements * encl_dtype_bytes(tensor->dtype);
}

static bool add_item(cJSON *object, const char *name, cJSON *item) {
    if (item != NULL && cJSON_AddItemToObject(object, name, item)) {
        return true;
    }
    cJSON_Delete(item);
    return false;
}

static cJSON *make_numbers(const int64_t *values, size_t count) {
    cJSON *array = cJSON_CreateArray();
    for (size_t i = 0; i < count; i++) {
        cJSON *number = cJSON_CreateNumber((double)values[i]);
        if (number == NULL || !cJSON_AddItemToArray(array, number)) {
            cJSON_Delete(number);
            cJSON_Delete(array);
            return NULL;
        }
    }
    return array;
}

static cJSON *make_entry(const encl_tensor *tensor, int64_t begin) {
    const int64_t offsets[2] = {begin, begin + (int64_t)data_bytes(tensor)};
    cJSON *entry = cJSON_CreateObject();
    if (!add_item(entry, "dtype", cJSON_CreateString(encl_dtype_name(tensor->dtype))) ||
        !add_item(entry, "shape", make_numbers(tensor->shape, (size_t)tensor->dimensions)) ||
        !add_item(entry, "data_offsets", make_numbers(offsets, 2))) {
        cJSON_Delete(entry);
        return NULL;
    }
    return entry;
}

// The header's text. `pt` is what transformers asks for. Caller frees with cJSON_free.
static encl_status make_header(const char *path, const encl_named_tensor *tensors, size_t count, char **text) {
    int64_t begin = 0;
    cJSON *header = cJSON_CreateObject();
    cJSON *metadata = cJSON_CreateObject();
    bool complete = add_item(metadata, "format", cJSON_CreateString("pt"));
    complete = add_item(header, metadata_key, metadata) && complete;
    for (size_t i = 0; i < count && complete; i++) {
        complete = add_item(header, tensors[i].name, make_entry(tensors[i].tensor, begin));
        begin += (int64_t)data_bytes(tensors[i].tensor);
    }
    *text = complete ? cJSON_PrintUnformatted(header) : NULL;
    cJSON_Delete(header);
    return *text != NULL ? ENCL_OK : encl_fail(ENCL_OUT_OF_MEMORY, "%s: cannot allocate the header", path);
}

static int compare_names(const void *a, const void *b) {
    return strcmp(((const encl_named_tensor *)a)->name, ((const encl_named_tensor *)b)->name);
}

// Sorts as the file has them.
static encl_status sort_tensors(const char *path, encl_named_tensor *tensors, size_t count) {
    if (count == 0) {
        return ENCL_OK;
    }
    qsort(tensors, count, sizeof *tensors, compare_names);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(tensors[i - 1].name, tensors[i].name) == 0) {
            return encl_fail(ENCL_INVALID, "%s: found tensor '%s' twice, expected once", path, tensors[i].name);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(tensors[i].name, metadata_key) == 0) {
            return encl_fail(ENCL_INVALID, "%s: found a tensor named '%s', which the format keeps for itself", path,
                             metadata_key);
        }
    }
    qsort(tensors, count, sizeof *tensors, compare_places);
    return ENCL_OK;
}

// ---- Writing ----------------------------------------------------------------------------------------------

static encl_status write_bytes(const encl_output *output, const void *bytes, size_t length) {
    if (length > 0 && fwrite(bytes, 1, length, output->stream) != length) {
        return encl_fail(ENCL_IO, "%s: cannot write: %s", output->path, strerror(errno));
    }
    return ENCL_OK;
}

// Spaces make the data begin at a multiple of eight.
static encl_status write_header(const encl_output *output, const char *text, size_t *length) {
    static const char spaces[LENGTH_BYTES] = "        ";
    uint8_t bytes[LENGTH_BYTES];
    const size_t padding = (LENGTH_BYTES - strlen(text) % LENGTH_BYTES) % LENGTH_BYTES;
    *length = strlen(text) + padding;
    for (size_t i = 0; i < LENGTH_BYTES; i++) {
        bytes[i] = (uint8_t)(*length >> (8 * i));
    }
    encl_status status = write_bytes(output, bytes, sizeof bytes);
    if (status == ENCL_OK) {
        status = write_bytes(output, text, strlen(text));
    }
    return status == ENCL_OK ? write_bytes(output, spaces, padding) : status;
}

static encl_status write_tensor(const encl_output *output, const encl_tensor *tensor, void *part,
                                encl_status (*proceed)(void)) {
    const size_t width = encl_dtype_bytes(tensor->dtype);
    const int64_t most = (int64_t)(PART_BYTES / width);
    encl_status status = ENCL_OK;
    for (int64_t first = 0; first < tensor->elements; first += most) {
        const int64_t count = tensor->elements - first < most ? tensor->elements - first : most;
        ENCL_TRY(proceed != NULL ? proceed() : ENCL_OK);
        ENCL_TRY(encl_tensor_copy(tensor, first, count, part));
        ENCL_TRY(write_bytes(output, part, (size_t)count * width));
    }
    encl_tensor_drop(tensor);
cleanup:
    return status;
}

encl_status encl_safetensors_write(const char *path, encl_named_tensor *tensors, size_t count,
                                   encl_status (*proceed)(void), int64_t *bytes) {
    encl_status status = ENCL_OK;
    encl_output output = {0};
    char *header = NULL;
    void *part = NULL;
    size_t length = 0;
    int64_t written = 0;
    *bytes = 0;
    ENCL_TRY(sort_tensors(path, tensors, count));
    ENCL_TRY(make_header(path, tensors, count, &header));
    ENCL_TRY(encl_allocate(PART_BYTES, 1, &part));
    ENCL_TRY(encl_output_open(path, &output));
    ENCL_TRY(write_header(&output, header, &length));
    written = LENGTH_BYTES + (int64_t)length;
    for (size_t i = 0; i < count; i++) {
        ENCL_TRY(write_tensor(&output, tensors[i].tensor, part, proceed));
        written += (int64_t)data_bytes(tensors[i].tensor);
    }
    status = encl_output_commit(&output);
    output = (encl_output){0};
    *bytes = status == ENCL_OK ? written : 0;
cleanup:
    encl_output_abandon(&output);
    free(part);
    cJSON_free(header);
    return status;
}
