// From the pickle of a state dict to tensors.
#include <stdlib.h>
#include <string.h>

#include "host/checkpoint/torch.h"

// Keys are numbers. They are sorted, and one text may be the key of many storages: comparing long ones would cost the
// square of the file's size.
enum { KEY_LIMIT = 255 };

typedef enum torch_tag { ORDERED_DICT, STORAGE, REBUILD_TENSOR, REBUILD_PARAMETER } torch_tag;

#define STORAGE_ROWS(prefix, dtype)                                        \
    {"torch", prefix "Storage", STORAGE, ENCL_DTYPE_##dtype, false}, {     \
        "torch.cuda", prefix "Storage", STORAGE, ENCL_DTYPE_##dtype, false \
    }

static const encl_pickle_global globals[] = {
    {"collections", "OrderedDict", ORDERED_DICT, 0, true},
    {"torch._utils", "_rebuild_tensor_v2", REBUILD_TENSOR, 0, false},
    {"torch._utils", "_rebuild_tensor", REBUILD_TENSOR, 0, false},
    {"torch._utils", "_rebuild_parameter", REBUILD_PARAMETER, 0, false},
    STORAGE_ROWS("Float", F32),
    STORAGE_ROWS("Half", F16),
    STORAGE_ROWS("BFloat16", BF16),
    STORAGE_ROWS("Double", F64),
    STORAGE_ROWS("Long", I64),
    STORAGE_ROWS("Int", I32),
    STORAGE_ROWS("Short", I16),
    STORAGE_ROWS("Char", I8),
    STORAGE_ROWS("Byte", U8),
    STORAGE_ROWS("Bool", BOOL),
};

const encl_pickle_rules encl_torch_rules = {
    .format = "a PyTorch state dict",
    .protocol = 2,
    .has_persistent = true,
    .globals = globals,
    .global_count = sizeof globals / sizeof globals[0],
};

// ---- Storages -------------------------------------------------------------------------------------------------

static int compare_keys(const encl_pickle_value *left, const encl_pickle_value *right) {
    const size_t common = left->length < right->length ? left->length : right->length;
    const int order = common > 0 ? memcmp(left->bytes, right->bytes, common) : 0;
    return order != 0 ? order : (left->length > right->length) - (left->length < right->length);
}

static int compare_storages(const void *a, const void *b) {
    return compare_keys(((const encl_torch_storage *)a)->key, ((const encl_torch_storage *)b)->key);
}

static encl_status fail_storage(const encl_torch *torch, const encl_pickle_value *id, const char *expected) {
    return encl_fail(ENCL_FORMAT,
                     "%s: byte %zu: found no sound persistent id, expected ('storage', class, key, "
                     "location, elements[, view]): %s",
                     torch->pickle_place, id->place, expected);
}

static encl_status read_storage(const encl_torch *torch, const encl_pickle_value *id, encl_torch_storage *storage) {
    const encl_pickle_value *class = encl_pickle_item(id->id, 1);
    const encl_pickle_value *key = encl_pickle_item(id->id, 2);
    const encl_pickle_value *elements = encl_pickle_item(id->id, 4);
    if (elements == NULL || id->id->count > 6 || !encl_pickle_is_text(id->id->items[0], "storage")) {
        return fail_storage(torch, id, "a tuple of five or six that begins with 'storage'");
    }
    if (class->kind != ENCL_PICKLE_GLOBAL || class->global->tag != STORAGE) {
        return fail_storage(torch, id, "a class such as torch.FloatStorage");
    }
    if (key->kind != ENCL_PICKLE_TEXT && key->kind != ENCL_PICKLE_BYTES) {
        return fail_storage(torch, id, "a text as key");
    }
    if (key->length > KEY_LIMIT) {
        return fail_storage(torch, id, "a key of at most 255 bytes");
    }
    storage->key = key;
    storage->dtype = (encl_dtype) class->global->detail;
    if (elements->kind != ENCL_PICKLE_INT || elements->integer < 0 ||
        !encl_multiply((size_t)elements->integer, encl_dtype_bytes(storage->dtype), &storage->bytes)) {
        return fail_storage(torch, id, "a number of elements");
    }
    storage->elements = elements->integer;
    return ENCL_OK;
}

// One row a key; all who name it must agree on what it is.
static encl_status merge_storages(encl_torch *torch) {
    size_t kept = 0;
    for (size_t i = 0; i < torch->storage_count; i++) {
        const encl_torch_storage *next = &torch->storages[i];
        const encl_torch_storage *last = kept > 0 ? &torch->storages[kept - 1] : NULL;
        if (last == NULL || compare_keys(last->key, next->key) != 0) {
            torch->storages[kept++] = *next;
        } else if (last->dtype != next->dtype || last->elements != next->elements) {
            return encl_fail(ENCL_FORMAT,
                             "%s: byte %zu: found a storage of %lld elements of %s, elsewhere it has %lld "
                             "of %s",
                             torch->pickle_place, next->key->place, (long long)next->elements,
                             encl_dtype_name(next->dtype), (long long)last->elements, encl_dtype_name(last->dtype));
        }
    }
    torch->storage_count = kept;
    return ENCL_OK;
}

encl_status encl_torch_collect_storages(encl_torch *torch) {
    const encl_pickle *pickle = torch->pickle;
    encl_status status = encl_allocate(pickle->persistent_count, sizeof *torch->storages, (void **)&torch->storages);
    for (size_t i = 0; i < pickle->persistent_count && status == ENCL_OK; i++) {
        status = read_storage(torch, pickle->persistent[i], &torch->storages[torch->storage_count++]);
    }
    if (status != ENCL_OK) {
        return status;
    }
    qsort(torch->storages, torch->storage_count, sizeof *torch->storages, compare_storages);
    return merge_storages(torch);
}

encl_torch_storage *encl_torch_find_storage(const encl_torch *torch, const encl_pickle_value *key) {
    const encl_torch_storage wanted = {.key = key};
    return torch->storage_count == 0
               ? NULL
               : bsearch(&wanted, torch->storages, torch->storage_count, sizeof wanted, compare_storages);
}

// ---- Tensors --------------------------------------------------------------------------------------------------

// The tensor's part of a storage: all of it, or what the sixth item of the persistent id says, (key, offset, size).
static encl_status take_view(const encl_torch *torch, const encl_pickle_value *id, const encl_torch_storage *storage,
                             int64_t *offset, int64_t *elements) {
    const encl_pickle_value *view = encl_pickle_item(id->id, 5);
    *offset = 0;
    *elements = storage->elements;
    if (view == NULL || view->kind == ENCL_PICKLE_NONE) {
        return ENCL_OK;
    }
    const encl_pickle_value *first = encl_pickle_item(view, 1);
    const encl_pickle_value *size = encl_pickle_item(view, 2);
    if (size == NULL || first->kind != ENCL_PICKLE_INT || size->kind != ENCL_PICKLE_INT || first->integer < 0 ||
        size->integer < 0 || first->integer > storage->elements || size->integer > storage->elements - first->integer) {
        return fail_storage(torch, id, "a view (key, offset, size) inside the storage");
    }
    *offset = first->integer;
    *elements = size->integer;
    return ENCL_OK;
}

// Fills strides; *last is the place of the last element relative to the first, in elements, where there is one.
static encl_status read_strides(const encl_torch *torch, const encl_pickle_value *value, encl_tensor *tensor,
                                int64_t *last) {
    *last = 0;
    if (value == NULL || (value->kind != ENCL_PICKLE_TUPLE && value->kind != ENCL_PICKLE_LIST) ||
        value->count != (size_t)tensor->dimensions) {
        return encl_fail(ENCL_FORMAT, "%s: tensor '%s': strides: expected a tuple of %d", torch->pickle_place,
                         tensor->name, tensor->dimensions);
    }
    for (int32_t i = 0; i < tensor->dimensions; i++) {
        const encl_pickle_value *stride = value->items[i];
        int64_t span = 0;
        if (stride->kind != ENCL_PICKLE_INT || stride->integer < 0) {
            return encl_fail(ENCL_FORMAT, "%s: tensor '%s': strides[%d]: expected a whole number of at least 0",
                             torch->pickle_place, tensor->name, i);
        }
        if (tensor->elements > 0 && (__builtin_mul_overflow(tensor->shape[i] - 1, stride->integer, &span) ||
                                     __builtin_add_overflow(*last, span, last))) {
            return encl_fail(ENCL_FORMAT, "%s: tensor '%s': strides: found a view of more than 64 bits can count",
                             torch->pickle_place, tensor->name);
        }
        // An index of a dimension of one element is always 0; nor are there indices where there are no elements.
        tensor->strides[i] = tensor->shape[i] == 1 || tensor->elements == 0 ? 0 : stride->integer;
    }
    return ENCL_OK;
}

// (storage, offset, sizes, strides, …)
static encl_status add_tensor(const encl_torch *torch, const char *name, const encl_pickle_value *value) {
    const encl_pickle_value *id = encl_pickle_item(value->arguments, 0);
    const encl_pickle_value *offset = encl_pickle_item(value->arguments, 1);
    encl_tensor tensor = {.name = name};
    int64_t view_offset = 0;
    int64_t view_elements = 0;
    int64_t last = 0;
    if (id == NULL || id->kind != ENCL_PICKLE_PERSISTENT || offset == NULL || offset->kind != ENCL_PICKLE_INT ||
        offset->integer < 0) {
        return encl_fail(ENCL_FORMAT, "%s: byte %zu: tensor '%s': found no storage and offset, expected both",
                         torch->pickle_place, value->place, name);
    }
    const encl_torch_storage *storage = encl_torch_find_storage(torch, encl_pickle_item(id->id, 2));
    encl_status status = ENCL_OK;
    tensor.dtype = storage->dtype;
    ENCL_TRY(take_view(torch, id, storage, &view_offset, &view_elements));
    ENCL_TRY(encl_pickle_read_shape(torch->pickle_place, encl_pickle_item(value->arguments, 2), &tensor));
    ENCL_TRY(read_strides(torch, encl_pickle_item(value->arguments, 3), &tensor, &last));
    if (tensor.elements > 0 && (offset->integer >= view_elements || last >= view_elements - offset->integer)) {
        status =
            encl_fail(ENCL_FORMAT, "%s: tensor '%s': found elements up to %lld + %lld, its storage has %lld",
                      torch->pickle_place, name, (long long)offset->integer, (long long)last, (long long)view_elements);
        goto cleanup;
    }
    // A stride of 0 repeats elements; nobody stores so many repetitions that they outnumber the file's bytes.
    if ((uint64_t)tensor.elements > torch->file->size && tensor.elements > storage->elements) {
        status = encl_fail(ENCL_FORMAT, "%s: tensor '%s': found %lld elements in a file of %zu bytes",
                           torch->pickle_place, name, (long long)tensor.elements, torch->file->size);
        goto cleanup;
    }
    const int64_t first = tensor.elements > 0 ? view_offset + offset->integer : 0;
    tensor.data = storage->data + (size_t)first * encl_dtype_bytes(tensor.dtype);
    tensor.source = storage->source;
    status = encl_checkpoint_add(torch->checkpoint, &tensor);
cleanup:
    return status;
}

// The call that makes a tensor; a parameter is a tensor that is trained. NULL for what is none.
static const encl_pickle_value *as_tensor(const encl_pickle_value *value) {
    if (encl_pickle_is_made_by(value, REBUILD_PARAMETER)) {
        value = encl_pickle_item(value->arguments, 0);
    }
    return encl_pickle_is_made_by(value, REBUILD_TENSOR) ? value : NULL;
}

static bool has_tensors(const encl_pickle_value *dict) {
    for (size_t i = 0; dict != NULL && dict->kind == ENCL_PICKLE_DICT && i < dict->count; i += 2) {
        if (as_tensor(dict->items[i + 1]) != NULL) {
            return true;
        }
    }
    return false;
}

// The dict of tensors: the pickle's value, or what trainers put into one with this and that.
static const encl_pickle_value *find_state_dict(const encl_pickle_value *root) {
    static const char *const keys[] = {"state_dict", "model_state_dict", "model"};
    const encl_pickle_value *found = has_tensors(root) ? root : NULL;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0] && found == NULL; i++) {
        const encl_pickle_value *inner = encl_pickle_find(root, keys[i]);
        found = has_tensors(inner) ? inner : NULL;
    }
    return found;
}

encl_status encl_torch_add_tensors(encl_torch *torch) {
    const encl_pickle_value *dict = find_state_dict(torch->pickle->root);
    encl_status status = ENCL_OK;
    if (dict == NULL) {
        return encl_fail(ENCL_FORMAT,
                         "%s: found %s without tensors, expected a state dict, alone or as state_dict, "
                         "model_state_dict or model",
                         torch->pickle_place, encl_pickle_kind_name(torch->pickle->root));
    }
    for (size_t i = 0; i < dict->count && status == ENCL_OK; i += 2) {
        const encl_pickle_value *value = as_tensor(dict->items[i + 1]);
        char *name = NULL;
        if (value != NULL) {
            status = encl_pickle_copy_key(torch->pickle_place, torch->pickle, dict->items[i], &name);
            if (status == ENCL_OK) {
                status = add_tensor(torch, name, value);
            }
            free(name);
        }
    }
    return status;
}
