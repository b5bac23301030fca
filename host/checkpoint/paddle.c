// Paddle weights (paddle.save): one pickle of protocol 2 to 4, a dict of name → numpy array, or of name → (name of the
// parameter, array). An array is a call of numpy's _reconstruct with a state:
//
//   (1, shape, dtype, column-major, bytes)          dtype: dtype('f4', …) with the state (3, '<', …)
//
// Bytes are used where they lie, but in protocol 2 they are a text of the characters U+0000 … U+00FF that was encoded
// as UTF-8, which is decoded. Before protocol 4, arrays of more than a gigabyte are stored in parts
// (UnpackBigParamInfor@@), which are put together.
#include <stdlib.h>
#include <string.h>

#include "host/checkpoint/pickle.h"

typedef enum paddle_tag { ORDERED_DICT, RECONSTRUCT, ARRAY, DTYPE, ENCODE, TUPLE, BYTES } paddle_tag;

static const encl_pickle_global globals[] = {
    {"collections", "OrderedDict", ORDERED_DICT, 0, true},
    {"numpy.core.multiarray", "_reconstruct", RECONSTRUCT, 0, false},
    {"numpy._core.multiarray", "_reconstruct", RECONSTRUCT, 0, false},
    {"numpy", "ndarray", ARRAY, 0, false},
    {"numpy", "dtype", DTYPE, 0, false},
    {"_codecs", "encode", ENCODE, 0, false},
    {"builtins", "tuple", TUPLE, 0, false},
    {"__builtin__", "tuple", TUPLE, 0, false},
    {"builtins", "bytes", BYTES, 0, false},
    {"__builtin__", "bytes", BYTES, 0, false},
};

static const encl_pickle_rules rules = {
    .format = "a Paddle state dict",
    .protocol = 4,
    .has_persistent = false,
    .globals = globals,
    .global_count = sizeof globals / sizeof globals[0],
};

typedef struct paddle_reader {
    encl_checkpoint *checkpoint;
    const char *place;
    const encl_file *file;
    size_t decoded_bytes; // of texts
} paddle_reader;

// ---- Arrays ---------------------------------------------------------------------------------------------------

// numpy has no bfloat16: Paddle keeps its bits in u2, and knows no other 16-bit numbers without sign.
static const struct {
    const char *name;
    encl_dtype dtype;
} dtypes[] = {
    {"f4", ENCL_DTYPE_F32}, {"f2", ENCL_DTYPE_F16}, {"u2", ENCL_DTYPE_BF16}, {"f8", ENCL_DTYPE_F64},
    {"i8", ENCL_DTYPE_I64}, {"i4", ENCL_DTYPE_I32}, {"i2", ENCL_DTYPE_I16},  {"i1", ENCL_DTYPE_I8},
    {"u8", ENCL_DTYPE_U64}, {"u4", ENCL_DTYPE_U32}, {"u1", ENCL_DTYPE_U8},   {"b1", ENCL_DTYPE_BOOL},
};

static encl_status read_dtype(const paddle_reader *paddle, const encl_pickle_value *value, encl_tensor *tensor) {
    const encl_pickle_value *name = encl_pickle_is_made_by(value, DTYPE) ? encl_pickle_item(value->arguments, 0) : NULL;
    const encl_pickle_value *order = name != NULL ? encl_pickle_item(value->state, 1) : NULL;
    if (encl_pickle_is_text(order, ">")) {
        return encl_fail(ENCL_UNSUPPORTED, "%s: tensor '%s': found big-endian numbers, expected little-endian ones",
                         paddle->place, tensor->name);
    }
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        if (encl_pickle_is_text(name, dtypes[i].name)) {
            tensor->dtype = dtypes[i].dtype;
            if (encl_pickle_is_text(order, encl_dtype_bytes(tensor->dtype) == 1 ? "|" : "<")) {
                return ENCL_OK;
            }
            return encl_fail(ENCL_FORMAT, "%s: tensor '%s': dtype: found no byte order, expected '<' or '|'",
                             paddle->place, tensor->name);
        }
    }
    return encl_fail(ENCL_FORMAT, "%s: tensor '%s': found an unknown dtype, expected one such as f4, f2 or u2",
                     paddle->place, tensor->name);
}

// Writes what a text of U+0000 … U+00FF stands for, a byte a character; false for another text. Trained weights are
// noise, which branches would trip over, so there are none: a character is one byte below 0x80 or 0xC2/0xC3 and one
// more.
static bool decode(const uint8_t *text, size_t length, uint8_t *bytes, size_t count) {
    size_t at = 0;
    unsigned bad = 0;
    for (size_t i = 0; i < count; i++) {
        if (at >= length) {
            return false;
        }
        const unsigned byte = text[at];
        const unsigned is_long = byte >> 7;
        const unsigned next = text[at + (is_long & (at + 1 < length))];
        bad |= is_long & (((byte & 0xfe) != 0xc2) | ((next & 0xc0) != 0x80));
        bytes[i] = (uint8_t)(is_long ? (byte & 3) << 6 | (next & 0x3f) : byte);
        at += 1 + is_long;
    }
    return bad == 0 && at == length;
}

// The object becomes the bytes that it stands for: another tensor that has it finds them decoded.
static encl_status decode_text(paddle_reader *paddle, const encl_tensor *tensor, encl_pickle_value *value) {
    encl_status status = ENCL_OK;
    void *memory = NULL;
    const encl_pickle_value *text = encl_pickle_item(value->arguments, 0);
    const encl_pickle_value *code = encl_pickle_item(value->arguments, 1);
    if (text == NULL || text->kind != ENCL_PICKLE_TEXT ||
        (!encl_pickle_is_text(code, "latin1") && !encl_pickle_is_text(code, "latin-1"))) {
        return encl_fail(ENCL_FORMAT, "%s: tensor '%s': found no text in latin1, expected its bytes as one",
                         paddle->place, tensor->name);
    }
    if (tensor->bytes > text->length || tensor->bytes > paddle->file->size - paddle->decoded_bytes) {
        return encl_fail(ENCL_FORMAT, "%s: tensor '%s': found a text of %zu bytes, its %zu bytes need more",
                         paddle->place, tensor->name, text->length, tensor->bytes);
    }
    ENCL_TRY(encl_checkpoint_own(paddle->checkpoint, tensor->bytes, &memory));
    paddle->decoded_bytes += tensor->bytes;
    if (!decode(text->bytes, text->length, memory, tensor->bytes)) {
        ENCL_TRY(encl_fail(ENCL_FORMAT, "%s: tensor '%s': found another text than %zu characters up to U+00FF",
                           paddle->place, tensor->name, tensor->bytes));
    }
    value->kind = ENCL_PICKLE_BYTES;
    value->bytes = memory;
    value->length = tensor->bytes;
cleanup:
    return status;
}

static encl_status read_data(paddle_reader *paddle, encl_pickle_value *value, encl_tensor *tensor) {
    if (encl_pickle_is_made_by(value, ENCODE)) {
        encl_status status = decode_text(paddle, tensor, value);
        if (status != ENCL_OK) {
            return status;
        }
    }
    if (encl_pickle_is_made_by(value, BYTES) && value->arguments->count == 0 && tensor->bytes == 0) {
        tensor->data = paddle->file->data; // bytes()
        return ENCL_OK;
    }
    if (value == NULL || value->kind != ENCL_PICKLE_BYTES) {
        return encl_fail(ENCL_FORMAT, "%s: tensor '%s': data: found %s, expected bytes", paddle->place, tensor->name,
                         encl_pickle_kind_name(value));
    }
    if (value->length != tensor->bytes) {
        return encl_fail(ENCL_FORMAT, "%s: tensor '%s': found %zu bytes of data, its dtype %s and shape need %zu",
                         paddle->place, tensor->name, value->length, encl_dtype_name(tensor->dtype), tensor->bytes);
    }
    const uintptr_t start = (uintptr_t)paddle->file->data;
    const uintptr_t data = (uintptr_t)value->bytes;
    tensor->data = value->bytes;
    tensor->source = data >= start && data - start < paddle->file->size ? paddle->file : NULL;
    return ENCL_OK;
}

static void set_column_major(encl_tensor *tensor) {
    int64_t stride = 1;
    for (int32_t i = 0; i < tensor->dimensions; i++) {
        tensor->strides[i] = stride;
        stride *= tensor->shape[i];
    }
}

static encl_status add_array(paddle_reader *paddle, const char *name, const encl_pickle_value *value) {
    encl_status status = ENCL_OK;
    encl_tensor tensor = {.name = name};
    const encl_pickle_value *class = encl_pickle_item(value->arguments, 0);
    const encl_pickle_value *state = value->state;
    const encl_pickle_value *version = encl_pickle_item(state, 0);
    const encl_pickle_value *order = encl_pickle_item(state, 3);
    if (class == NULL || class->kind != ENCL_PICKLE_GLOBAL || class->global->tag != ARRAY || version == NULL ||
        version->kind != ENCL_PICKLE_INT || version->integer != 1 || state->count != 5 ||
        order->kind != ENCL_PICKLE_BOOL) {
        return encl_fail(ENCL_FORMAT,
                         "%s: byte %zu: tensor '%s': found another array, expected numpy's with the state (1, shape, "
                         "dtype, column-major, bytes)",
                         paddle->place, value->place, name);
    }
    ENCL_TRY(read_dtype(paddle, state->items[2], &tensor));
    ENCL_TRY(encl_pickle_read_shape(paddle->place, state->items[1], &tensor));
    ENCL_TRY(read_data(paddle, state->items[4], &tensor));
    if (order->integer != 0) {
        set_column_major(&tensor);
    } else {
        encl_tensor_set_dense(&tensor);
    }
    status = encl_checkpoint_add(paddle->checkpoint, &tensor);
cleanup:
    return status;
}

// An array, also of a pair (name of the parameter, array). NULL for what is none.
static const encl_pickle_value *as_array(const encl_pickle_value *value) {
    if (encl_pickle_is_made_by(value, TUPLE)) {
        value = encl_pickle_item(value->arguments, 0);
    }
    if (value != NULL && value->kind == ENCL_PICKLE_TUPLE && value->count == 2) {
        value = value->items[1];
    }
    return encl_pickle_is_made_by(value, RECONSTRUCT) ? value : NULL;
}

static encl_status add_arrays(paddle_reader *paddle, encl_pickle *pickle) {
    const encl_pickle_value *root = pickle->root;
    encl_status status = ENCL_OK;
    const size_t first = paddle->checkpoint->count;
    for (size_t i = 0; root->kind == ENCL_PICKLE_DICT && i < root->count && status == ENCL_OK; i += 2) {
        const encl_pickle_value *value = as_array(root->items[i + 1]);
        char *name = NULL;
        if (value != NULL) {
            status = encl_pickle_copy_key(paddle->place, pickle, root->items[i], &name);
            if (status == ENCL_OK) {
                status = add_array(paddle, name, value);
            }
            free(name);
        }
    }
    if (status == ENCL_OK && paddle->checkpoint->count == first) {
        status = encl_fail(ENCL_FORMAT, "%s: found %s without arrays, expected a dict of name and array", paddle->place,
                           encl_pickle_kind_name(root));
    }
    return status;
}

// ---- Arrays in parts --------------------------------------------------------------------------------------------

static int compare_name(const void *key, const void *tensor) {
    return strcmp(key, ((const encl_tensor *)tensor)->name);
}

// Finds the parts' tensors among [0, count) that are sorted by name and marks them as used. *bytes is their sum.
static encl_status find_parts(const paddle_reader *paddle, const encl_pickle_value *slices, const encl_tensor *whole,
                              size_t count, bool *used, size_t *places) {
    encl_status status = ENCL_OK;
    size_t bytes = 0;
    for (size_t i = 0; i < slices->count && status == ENCL_OK; i++) {
        char *name = NULL;
        status = encl_pickle_copy_name(paddle->place, slices->items[i], &name);
        if (status != ENCL_OK) {
            return status;
        }
        const encl_tensor *tensors = paddle->checkpoint->tensors;
        const encl_tensor *part = bsearch(name, tensors, count, sizeof *tensors, compare_name);
        if (part == NULL || used[part - tensors] || part->dtype != whole->dtype || !encl_tensor_is_dense(part)) {
            status = encl_fail(ENCL_FORMAT, "%s: tensor '%s': %s part '%s', expected each once and alike",
                               paddle->place, whole->name, part == NULL ? "found no" : "cannot use the", name);
        } else {
            places[i] = (size_t)(part - tensors);
            used[places[i]] = true;
            bytes += part->bytes; // each once, so no more than the file has
        }
        free(name);
    }
    if (status == ENCL_OK && bytes != whole->bytes) {
        status = encl_fail(ENCL_FORMAT, "%s: tensor '%s': found parts of %zu bytes, its shape needs %zu", paddle->place,
                           whole->name, bytes, whole->bytes);
    }
    return status;
}

static encl_status join_parts(paddle_reader *paddle, const char *name, const encl_pickle_value *entry, size_t count,
                              bool *used) {
    encl_status status = ENCL_OK;
    const encl_pickle_value *slices = encl_pickle_find(entry, "slices");
    encl_tensor whole = {.name = name};
    size_t *places = NULL;
    void *memory = NULL;
    char *first = NULL;
    if (slices == NULL || (slices->kind != ENCL_PICKLE_LIST && slices->kind != ENCL_PICKLE_TUPLE) ||
        slices->count == 0 || slices->count > count) {
        return encl_fail(ENCL_FORMAT, "%s: tensor '%s': found no list of its parts, expected slices", paddle->place,
                         name);
    }
    ENCL_TRY(encl_pickle_copy_name(paddle->place, slices->items[0], &first));
    const encl_tensor *part = bsearch(first, paddle->checkpoint->tensors, count, sizeof *part, compare_name);
    whole.dtype = part != NULL ? part->dtype : ENCL_DTYPE_F32; // a part that is missing is found below
    ENCL_TRY(encl_pickle_read_shape(paddle->place, encl_pickle_find(entry, "OriginShape"), &whole));
    ENCL_TRY(encl_allocate(slices->count, sizeof *places, (void **)&places));
    ENCL_TRY(find_parts(paddle, slices, &whole, count, used, places));
    ENCL_TRY(encl_checkpoint_own(paddle->checkpoint, whole.bytes, &memory));
    size_t at = 0;
    for (size_t i = 0; i < slices->count; i++) {
        part = &paddle->checkpoint->tensors[places[i]];
        memcpy((uint8_t *)memory + at, part->data, part->bytes);
        at += part->bytes;
        encl_tensor_drop(part);
    }
    whole.data = memory;
    encl_tensor_set_dense(&whole);
    status = encl_checkpoint_add(paddle->checkpoint, &whole);
cleanup:
    free(first);
    free(places);
    return status;
}

static void remove_parts(encl_checkpoint *checkpoint, size_t count, const bool *used) {
    size_t kept = 0;
    for (size_t i = 0; i < checkpoint->count; i++) {
        if (i < count && used[i]) {
            free((char *)checkpoint->tensors[i].name);
        } else {
            checkpoint->tensors[kept++] = checkpoint->tensors[i];
        }
    }
    checkpoint->count = kept;
}

// {name: {OriginShape, slices: [name of a part, …]}}
static encl_status join_all_parts(paddle_reader *paddle, encl_pickle *pickle) {
    const encl_pickle_value *parts = encl_pickle_find(pickle->root, "UnpackBigParamInfor@@");
    encl_checkpoint *checkpoint = paddle->checkpoint;
    encl_status status = ENCL_OK;
    bool *used = NULL;
    const size_t count = checkpoint->count;
    if (parts == NULL) {
        return ENCL_OK;
    }
    if (parts->kind != ENCL_PICKLE_DICT) {
        return encl_fail(ENCL_FORMAT, "%s: UnpackBigParamInfor@@: found %s, expected a dict", paddle->place,
                         encl_pickle_kind_name(parts));
    }
    encl_checkpoint_sort(checkpoint, 0);
    ENCL_TRY(encl_allocate(count, sizeof *used, (void **)&used));
    for (size_t i = 0; i < parts->count; i += 2) {
        char *name = NULL;
        status = encl_pickle_copy_key(paddle->place, pickle, parts->items[i], &name);
        if (status == ENCL_OK) {
            status = join_parts(paddle, name, parts->items[i + 1], count, used);
        }
        free(name);
        ENCL_TRY(status);
    }
    remove_parts(checkpoint, count, used);
cleanup:
    free(used);
    return status;
}

// ---- Files ----------------------------------------------------------------------------------------------------

static const char ending[] = ".pdparams";

encl_status encl_paddle_find(const encl_folder *folder, char **file) {
    static const char usual[] = "model_state.pdparams";
    encl_status status = ENCL_OK;
    char **names = NULL;
    size_t count = 0;
    size_t found = 0;
    *file = NULL;
    if (encl_folder_has(folder, usual)) {
        return encl_copy_text(usual, strlen(usual), file);
    }
    ENCL_TRY(encl_folder_list(folder, &names, &count));
    const char *only = NULL;
    for (size_t i = 0; i < count; i++) {
        if (encl_text_ends(names[i], ending)) {
            only = names[i];
            found++;
        }
    }
    if (found > 1) {
        ENCL_TRY(encl_fail(ENCL_FORMAT, "%s: found %zu files *%s, expected one, or one called %s",
                           encl_folder_path(folder), found, ending, usual));
    }
    ENCL_TRY(only != NULL ? encl_copy_text(only, strlen(only), file) : ENCL_OK);
cleanup:
    encl_folder_free_names(names, count);
    return status;
}

bool encl_paddle_detect(const char *name, const encl_file *file) {
    (void)file;
    return encl_text_ends(name, ending);
}

encl_status encl_paddle_read(encl_checkpoint *checkpoint, const char *place, const encl_file *file) {
    encl_status status = ENCL_OK;
    paddle_reader paddle = {.checkpoint = checkpoint, .place = place, .file = file};
    encl_pickle *pickle = NULL;
    ENCL_TRY(encl_pickle_read(&rules, place, file->data, file->size, 0, &pickle));
    if (pickle->end != file->size) {
        ENCL_TRY(encl_fail(ENCL_FORMAT, "%s: found %zu bytes after the pickle, expected its end", place,
                           file->size - pickle->end));
    }
    ENCL_TRY(add_arrays(&paddle, pickle));
    status = join_all_parts(&paddle, pickle);
cleanup:
    encl_pickle_free(pickle);
    return status;
}

encl_status encl_paddle_open(encl_checkpoint *checkpoint, const char *name) {
    return encl_checkpoint_read(checkpoint, name, encl_paddle_read);
}
