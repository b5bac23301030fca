// PyTorch's form before 1.6, five pickles one after another, then the storages:
//
//   | magic | protocol 1001 | {protocol_version, little_endian, type_sizes} | object | [key, …] |
//   | elements of storage 0 (i64) | its bytes | elements of storage 1 | …
//
// Storages stand in the order of the list of keys.
#include <string.h>

#include "host/checkpoint/torch.h"

enum { COUNT_BYTES = 8, PROTOCOL = 1001 };

// The pickle of 0x1950a86a20f9469cfc6c: PROTO 2, LONG1 of ten bytes, STOP.
static const uint8_t magic[] = {0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};

bool encl_torch_legacy_detect(const encl_file *file) {
    return file->size >= 4 && memcmp(file->data, magic, 4) == 0;
}

static encl_status read_pickle(const encl_torch *torch, size_t *at, encl_pickle **pickle) {
    encl_status status =
        encl_pickle_read(&encl_torch_rules, torch->place, torch->file->data, torch->file->size, *at, pickle);
    if (status == ENCL_OK) {
        *at = (*pickle)->end;
    }
    return status;
}

// The pickles before the object.
static encl_status read_head(const encl_torch *torch, size_t *at) {
    encl_pickle *pickle = NULL;
    encl_status status = ENCL_OK;
    if (torch->file->size < sizeof magic || memcmp(torch->file->data, magic, sizeof magic) != 0) {
        return encl_fail(ENCL_FORMAT, "%s: found another beginning, expected PyTorch's magic number", torch->place);
    }
    *at = sizeof magic;
    ENCL_TRY(read_pickle(torch, at, &pickle));
    if (pickle->root->kind != ENCL_PICKLE_INT || pickle->root->integer != PROTOCOL) {
        ENCL_TRY(encl_fail(ENCL_FORMAT, "%s: found no protocol version %d after the magic number, expected it",
                           torch->place, PROTOCOL));
    }
    encl_pickle_free(pickle);
    ENCL_TRY(read_pickle(torch, at, &pickle));
    const encl_pickle_value *little = encl_pickle_find(pickle->root, "little_endian");
    if (little == NULL || little->kind != ENCL_PICKLE_BOOL) {
        ENCL_TRY(encl_fail(ENCL_FORMAT, "%s: little_endian: found %s, expected a bool", torch->place,
                           encl_pickle_kind_name(little)));
    }
    if (little->integer == 0) {
        ENCL_TRY(
            encl_fail(ENCL_UNSUPPORTED, "%s: found big-endian numbers, expected little-endian ones", torch->place));
    }
cleanup:
    encl_pickle_free(pickle);
    return status;
}

static int64_t read_count(const uint8_t *bytes) {
    uint64_t value = 0;
    for (int i = COUNT_BYTES - 1; i >= 0; i--) {
        value = value << 8 | bytes[i];
    }
    return (int64_t)value;
}

static encl_status place_storage(const encl_torch *torch, size_t index, const encl_pickle_value *key, size_t *at) {
    const encl_file *file = torch->file;
    const bool is_key = key->kind == ENCL_PICKLE_TEXT || key->kind == ENCL_PICKLE_BYTES;
    encl_torch_storage *storage = is_key ? encl_torch_find_storage(torch, key) : NULL;
    if (storage == NULL || storage->data != NULL) {
        return encl_fail(ENCL_FORMAT, "%s: list of storages: [%zu]: found a key that %s", torch->place, index,
                         storage == NULL ? "no tensor has, expected one that a tensor has"
                                         : "was there before, expected each once");
    }
    if (file->size - *at < COUNT_BYTES) {
        return encl_fail(ENCL_FORMAT, "%s: storage %zu: found the end of the file, expected %d bytes for its length",
                         torch->place, index, COUNT_BYTES);
    }
    const int64_t elements = read_count(file->data + *at);
    *at += COUNT_BYTES;
    if (elements != storage->elements) {
        return encl_fail(ENCL_FORMAT, "%s: storage %zu: found %lld elements, its tensors expect %lld", torch->place,
                         index, (long long)elements, (long long)storage->elements);
    }
    if (storage->bytes > file->size - *at) {
        return encl_fail(ENCL_FORMAT, "%s: storage %zu: found %zu bytes to the end of the file, expected %zu",
                         torch->place, index, file->size - *at, storage->bytes);
    }
    storage->data = file->data + *at;
    storage->source = file;
    *at += storage->bytes;
    return ENCL_OK;
}

static encl_status place_storages(encl_torch *torch, const encl_pickle_value *keys, size_t *at) {
    encl_status status = ENCL_OK;
    if (keys->kind != ENCL_PICKLE_LIST) {
        return encl_fail(ENCL_FORMAT, "%s: list of storages: found %s, expected a list", torch->place,
                         encl_pickle_kind_name(keys));
    }
    for (size_t i = 0; i < keys->count && status == ENCL_OK; i++) {
        status = place_storage(torch, i, keys->items[i], at);
    }
    if (status == ENCL_OK && keys->count != torch->storage_count) {
        status = encl_fail(ENCL_FORMAT, "%s: list of storages: found %zu keys, the tensors have %zu", torch->place,
                           keys->count, torch->storage_count);
    }
    if (status == ENCL_OK && *at != torch->file->size) {
        status = encl_fail(ENCL_FORMAT, "%s: found %zu bytes after the last storage, expected the end of the file",
                           torch->place, torch->file->size - *at);
    }
    return status;
}

encl_status encl_torch_legacy_read(encl_torch *torch) {
    encl_status status = ENCL_OK;
    encl_pickle *keys = NULL;
    size_t at = 0;
    ENCL_TRY(encl_copy_text(torch->place, strlen(torch->place), &torch->pickle_place));
    ENCL_TRY(read_head(torch, &at));
    ENCL_TRY(read_pickle(torch, &at, &torch->pickle));
    ENCL_TRY(encl_torch_collect_storages(torch));
    ENCL_TRY(read_pickle(torch, &at, &keys));
    ENCL_TRY(place_storages(torch, keys->root, &at));
    status = encl_torch_add_tensors(torch);
cleanup:
    encl_pickle_free(keys);
    return status;
}
