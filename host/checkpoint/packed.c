#include "host/checkpoint/packed.h"

#include <stdlib.h>
#include <string.h>

#include "host/checkpoint/format.h"
#include "runtime/base/json.h"

enum { MANIFEST_BYTES = 64 << 20 };

const char encl_packed_manifest[] = "encl.json";

// X(key in the manifest, member)
#define TEXTS(X)            \
    X("encl", version)      \
    X("device", device)     \
    X("products", provider) \
    X("source", source)

static const char *const dialects[] = {
    [ENCL_DIALECT_TORCH] = "pytorch", [ENCL_DIALECT_TENSORFLOW] = "tensorflow", [ENCL_DIALECT_PADDLE] = "paddle"};

// ---- Searching --------------------------------------------------------------------------------------------

static int compare_keys(const void *a, const void *b) {
    return strcmp(((const encl_packed_weight *)a)->key, ((const encl_packed_weight *)b)->key);
}

const encl_packed_weight *encl_packed_find(const encl_packed *packed, const char *key) {
    const encl_packed_weight wanted = {.key = (char *)(uintptr_t)key};
    return packed->count == 0 ? NULL : bsearch(&wanted, packed->weights, packed->count, sizeof wanted, compare_keys);
}

const encl_packed *encl_checkpoint_packed(const encl_checkpoint *checkpoint) {
    return checkpoint->packed;
}

// ---- Reading ----------------------------------------------------------------------------------------------

typedef struct reading {
    encl_checkpoint *checkpoint;
    encl_packed *packed;
    const char *place; // of the manifest
    const cJSON *json;
} reading;

// A text that must be there.
static encl_status read_text(const reading *r, const cJSON *object, const char *key, const char **text) {
    *text = NULL;
    encl_status status = encl_json_get_text(r->place, object, key, text);
    if (status == ENCL_OK && *text == NULL) {
        status = encl_fail(ENCL_FORMAT, "%s: %s: found nothing, expected a text", r->place, key);
    }
    return status;
}

static encl_status fail_unknown(const reading *r, const char *key, const char *text) {
    return encl_fail(ENCL_UNSUPPORTED, "%s: %s: found '%s', which this encl does not know", r->place, key, text);
}

static encl_status read_dialect(const reading *r) {
    const char *text = NULL;
    encl_status status = read_text(r, r->json, "names", &text);
    if (status != ENCL_OK) {
        return status;
    }
    for (size_t i = 0; i < sizeof dialects / sizeof dialects[0]; i++) {
        if (strcmp(text, dialects[i]) == 0) {
            r->packed->dialect = (encl_dialect)i;
            return ENCL_OK;
        }
    }
    return fail_unknown(r, "names", text);
}

// Newer formats are refused by their number: nothing else of them is looked at.
static encl_status check_format(const reading *r) {
    int64_t format = 0;
    const char *version = "?";
    encl_status status = ENCL_OK;
    ENCL_TRY(encl_json_get_int(r->place, r->json, "format", 1, INT32_MAX, &format));
    ENCL_TRY(encl_json_get_text(r->place, r->json, "encl", &version));
    if (format == 0) {
        status = encl_fail(ENCL_FORMAT, "%s: format: found nothing, expected a number", r->place);
    } else if (format != ENCL_PACKED_FORMAT) {
        status = encl_fail(ENCL_UNSUPPORTED,
                           "%s: found format %lld, written by encl %s; this one, %s, reads format %d: pack the model "
                           "again",
                           r->place, (long long)format, version, encl_version(), ENCL_PACKED_FORMAT);
    }
cleanup:
    return status;
}

static encl_status read_settings(const reading *r) {
    encl_status status = ENCL_OK;
    encl_packed *packed = r->packed;
    const char *text = NULL;
#define READ(name, member)                        \
    ENCL_TRY(read_text(r, r->json, name, &text)); \
    ENCL_TRY(encl_copy_text(text, strlen(text), &packed->member));
    TEXTS(READ)
#undef READ
    ENCL_TRY(read_text(r, r->json, "precision", &text));
    if (!encl_precision_parse(text, &packed->precision)) {
        ENCL_TRY(fail_unknown(r, "precision", text));
    }
    ENCL_TRY(read_dialect(r));
    ENCL_TRY(encl_json_get_bool(r->place, r->json, "mlm_untrained", &packed->mlm_untrained));
cleanup:
    return status;
}

// An array that must be there.
static encl_status read_array(const reading *r, const cJSON *object, const char *key, const cJSON **array) {
    *array = encl_json_member(object, key);
    return cJSON_IsArray(*array) ? ENCL_OK
                                 : encl_fail(ENCL_FORMAT, "%s: %s: found no array, expected one", r->place, key);
}

static encl_status read_exact_layers(const reading *r) {
    encl_status status = ENCL_OK;
    const cJSON *array = NULL;
    const cJSON *item = NULL;
    bool *layers = NULL;
    ENCL_TRY(read_array(r, r->json, "exact_layers", &array));
    ENCL_TRY(encl_allocate(ENCL_PACKED_LAYERS, sizeof *layers, (void **)&layers));
    r->packed->exact_layers = layers;
    cJSON_ArrayForEach(item, array) {
        int64_t layer = 0;
        if (!encl_json_is_integer(item, &layer) || layer < 0 || layer >= ENCL_PACKED_LAYERS) {
            ENCL_TRY(encl_fail(ENCL_FORMAT, "%s: exact_layers: expected numbers from 0 to %d", r->place,
                               ENCL_PACKED_LAYERS - 1));
        }
        layers[layer] = true;
        r->packed->exact_layer_count =
            (size_t)layer >= r->packed->exact_layer_count ? (size_t)layer + 1 : r->packed->exact_layer_count;
    }
cleanup:
    return status;
}

static encl_status read_shape(const reading *r, const cJSON *entry, encl_tensor *tensor) {
    encl_status status = ENCL_OK;
    const cJSON *shape = NULL;
    const cJSON *item = NULL;
    size_t elements = 1;
    ENCL_TRY(read_array(r, entry, "shape", &shape));
    cJSON_ArrayForEach(item, shape) {
        int64_t size = 0;
        if (tensor->dimensions == ENCL_TENSOR_DIMENSIONS || !encl_json_is_integer(item, &size) || size < 0 ||
            !encl_multiply(elements, (size_t)size, &elements) || elements > INT64_MAX / 8) {
            ENCL_TRY(encl_fail(ENCL_FORMAT, "%s: tensor '%s': found another shape than up to %d sizes of a tensor",
                               r->place, tensor->name, ENCL_TENSOR_DIMENSIONS));
        }
        tensor->shape[tensor->dimensions++] = size;
    }
    tensor->elements = (int64_t)elements;
    tensor->bytes = elements * encl_dtype_bytes(tensor->dtype);
cleanup:
    return status;
}

// A tensor that has no numbers: only what it is called and how large it is.
static encl_status read_tensor(const reading *r, const cJSON *entry) {
    encl_status status = ENCL_OK;
    encl_tensor tensor = {0};
    const char *dtype = NULL;
    ENCL_TRY(read_text(r, entry, "name", &tensor.name));
    ENCL_TRY(read_text(r, entry, "dtype", &dtype));
    if (!encl_dtype_parse(dtype, &tensor.dtype)) {
        ENCL_TRY(encl_fail(ENCL_FORMAT, "%s: tensor '%s': found dtype '%s', expected one such as F32", r->place,
                           tensor.name, dtype));
    }
    ENCL_TRY(read_shape(r, entry, &tensor));
    encl_tensor_set_dense(&tensor);
    status = encl_checkpoint_add(r->checkpoint, &tensor);
cleanup:
    return status;
}

// A weight's file is where it is said to be, as long as it is said to be, and begins on a page.
static encl_status map_weight(const reading *r, encl_packed_weight *weight) {
    const encl_file *file = NULL;
    encl_status status = encl_checkpoint_map(r->checkpoint, weight->file, &file);
    if (status != ENCL_OK) {
        return status;
    }
    if (file->size != weight->bytes) {
        return encl_fail(ENCL_FORMAT, "%s: weight '%s': found %zu bytes in %s, expected %llu", r->place, weight->key,
                         file->size, weight->file, (unsigned long long)weight->bytes);
    }
    if ((uintptr_t)file->data % ENCL_PACKED_PAGE != 0) {
        return encl_fail(ENCL_FORMAT,
                         "%s: weight '%s': found %s between the pages of the file, expected its begin on one: the "
                         "archive was written by another program than encl pack",
                         r->place, weight->key, weight->file);
    }
    weight->data = file->data;
    return ENCL_OK;
}

static encl_status read_weight(const reading *r, const cJSON *entry) {
    encl_status status = ENCL_OK;
    const char *key = NULL;
    const char *file = NULL;
    int64_t bytes = 0;
    ENCL_TRY(read_text(r, entry, "key", &key));
    ENCL_TRY(read_text(r, entry, "file", &file));
    ENCL_TRY(encl_json_get_int(r->place, entry, "bytes", 1, INT64_MAX, &bytes));
    ENCL_TRY(encl_packed_add(r->packed, key, file, (uint64_t)bytes));
    status = map_weight(r, &r->packed->weights[r->packed->count - 1]);
cleanup:
    return status;
}

static encl_status read_list(const reading *r, const char *key,
                             encl_status (*read)(const reading *r, const cJSON *entry)) {
    encl_status status = ENCL_OK;
    const cJSON *array = NULL;
    const cJSON *entry = NULL;
    ENCL_TRY(read_array(r, r->json, key, &array));
    cJSON_ArrayForEach(entry, array) {
        ENCL_TRY(cJSON_IsObject(entry)
                     ? read(r, entry)
                     : encl_fail(ENCL_FORMAT, "%s: %s: found no object, expected one", r->place, key));
    }
cleanup:
    return status;
}

static encl_status sort_weights(const reading *r) {
    encl_packed *packed = r->packed;
    if (packed->count > 0) {
        qsort(packed->weights, packed->count, sizeof *packed->weights, compare_keys);
    }
    for (size_t i = 1; i < packed->count; i++) {
        if (strcmp(packed->weights[i - 1].key, packed->weights[i].key) == 0) {
            return encl_fail(ENCL_FORMAT, "%s: found weight '%s' twice, expected once", r->place,
                             packed->weights[i].key);
        }
    }
    return ENCL_OK;
}

encl_status encl_packed_open(encl_checkpoint *checkpoint, const char *name) {
    encl_status status = ENCL_OK;
    char *place = NULL;
    cJSON *json = NULL;
    reading r = {.checkpoint = checkpoint};
    ENCL_TRY(encl_checkpoint_place(checkpoint, name, &place));
    ENCL_TRY(encl_folder_read_json(checkpoint->folder, name, MANIFEST_BYTES, &json));
    ENCL_TRY(encl_allocate(1, sizeof *checkpoint->packed, (void **)&checkpoint->packed));
    r.packed = checkpoint->packed;
    r.place = place;
    r.json = json;
    ENCL_TRY(check_format(&r));
    ENCL_TRY(read_settings(&r));
    ENCL_TRY(read_exact_layers(&r));
    ENCL_TRY(read_list(&r, "tensors", read_tensor));
    ENCL_TRY(read_list(&r, "weights", read_weight));
    ENCL_TRY(sort_weights(&r));
    checkpoint->dialect = r.packed->dialect;
cleanup:
    cJSON_Delete(json);
    free(place);
    return status;
}

bool encl_packed_detect(const char *name, const encl_file *file) {
    (void)file;
    const char *slash = strrchr(name, '/');
    return strcmp(slash == NULL ? name : slash + 1, encl_packed_manifest) == 0;
}

// ---- Writing ----------------------------------------------------------------------------------------------

encl_status encl_packed_add(encl_packed *packed, const char *key, const char *file, uint64_t bytes) {
    encl_status status = ENCL_OK;
    encl_packed_weight added = {.bytes = bytes};
    ENCL_TRY(encl_reserve((void **)&packed->weights, &packed->capacity, packed->count + 1, sizeof *packed->weights));
    ENCL_TRY(encl_copy_text(key, strlen(key), &added.key));
    ENCL_TRY(encl_copy_text(file, strlen(file), &added.file));
    packed->weights[packed->count++] = added;
    packed->bytes += bytes;
    added = (encl_packed_weight){0};
cleanup:
    free(added.key);
    free(added.file);
    return status;
}

void encl_packed_free(encl_packed *packed) {
    for (size_t i = 0; i < packed->count; i++) {
        free(packed->weights[i].key);
        free(packed->weights[i].file);
    }
#define FREE(name, member) free(packed->member);
    TEXTS(FREE)
#undef FREE
    free(packed->weights);
    free(packed->exact_layers);
    *packed = (encl_packed){0};
}

// Takes the item; false where it, or memory for it, is missing.
static bool give(cJSON *object, const char *key, cJSON *item) {
    if (item != NULL && cJSON_AddItemToObject(object, key, item)) {
        return true;
    }
    cJSON_Delete(item);
    return false;
}

static bool append(cJSON *array, cJSON *item) {
    if (item != NULL && cJSON_AddItemToArray(array, item)) {
        return true;
    }
    cJSON_Delete(item);
    return false;
}

static cJSON *make_tensor(const encl_tensor *tensor) {
    cJSON *entry = cJSON_CreateObject();
    cJSON *shape = cJSON_CreateArray();
    bool complete = give(entry, "name", cJSON_CreateString(tensor->name)) &&
                    give(entry, "dtype", cJSON_CreateString(encl_dtype_name(tensor->dtype)));
    for (int32_t i = 0; i < tensor->dimensions && complete; i++) {
        complete = append(shape, cJSON_CreateNumber((double)tensor->shape[i]));
    }
    if (!give(entry, "shape", shape) || !complete) {
        cJSON_Delete(entry);
        return NULL;
    }
    return entry;
}

static cJSON *make_weight(const encl_packed_weight *weight) {
    cJSON *entry = cJSON_CreateObject();
    if (!give(entry, "key", cJSON_CreateString(weight->key)) ||
        !give(entry, "file", cJSON_CreateString(weight->file)) ||
        !give(entry, "bytes", cJSON_CreateNumber((double)weight->bytes))) {
        cJSON_Delete(entry);
        return NULL;
    }
    return entry;
}

static bool fill_settings(const encl_packed *packed, cJSON *json) {
    cJSON *layers = cJSON_CreateArray();
    bool complete = give(json, "format", cJSON_CreateNumber(ENCL_PACKED_FORMAT));
#define WRITE(name, member) complete = give(json, name, cJSON_CreateString(packed->member)) && complete;
    TEXTS(WRITE)
#undef WRITE
    complete = give(json, "precision", cJSON_CreateString(encl_precision_name(packed->precision))) && complete;
    for (size_t i = 0; i < packed->exact_layer_count; i++) {
        complete = complete && (!packed->exact_layers[i] || append(layers, cJSON_CreateNumber((double)i)));
    }
    complete = give(json, "exact_layers", layers) && complete;
    complete = give(json, "finite", cJSON_CreateTrue()) && complete;
    complete = give(json, "names", cJSON_CreateString(dialects[packed->dialect])) && complete;
    return give(json, "mlm_untrained", cJSON_CreateBool(packed->mlm_untrained)) && complete;
}

encl_status encl_packed_write(const encl_packed *packed, const encl_tensor *const *tensors, size_t count, char **text) {
    cJSON *json = cJSON_CreateObject();
    cJSON *list = cJSON_CreateArray();
    bool complete = fill_settings(packed, json);
    for (size_t i = 0; i < count && complete; i++) {
        complete = append(list, make_tensor(tensors[i]));
    }
    complete = give(json, "tensors", list) && complete;
    list = cJSON_CreateArray();
    for (size_t i = 0; i < packed->count && complete; i++) {
        complete = append(list, make_weight(&packed->weights[i]));
    }
    complete = give(json, "weights", list) && complete;
    char *printed = complete ? cJSON_Print(json) : NULL;
    cJSON_Delete(json);
    encl_status status = printed != NULL
                             ? encl_copy_text(printed, strlen(printed), text)
                             : encl_fail(ENCL_OUT_OF_MEMORY, "%s: cannot allocate its text", encl_packed_manifest);
    cJSON_free(printed);
    return status;
}
