#include "host/checkpoint/bundle.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"
#include "tensor_bundle.pb-c.h"

enum { VALUE_LIMIT = 1 << 20, SLICE_LIMIT = 4096, NAME_SHOWN = 200 };

// TensorFlow's numbers of types; complex, quantized and 8-bit float types are not among them.
static const struct {
    int32_t number;
    encl_dtype dtype;
} dtypes[] = {{1, ENCL_DTYPE_F32},   {2, ENCL_DTYPE_F64},  {3, ENCL_DTYPE_I32}, {4, ENCL_DTYPE_U8},
              {5, ENCL_DTYPE_I16},   {6, ENCL_DTYPE_I8},   {9, ENCL_DTYPE_I64}, {10, ENCL_DTYPE_BOOL},
              {14, ENCL_DTYPE_BF16}, {17, ENCL_DTYPE_U16}, {19, ENCL_DTYPE_F16}};
enum { DTYPES = sizeof dtypes / sizeof dtypes[0], DTYPE_STRING = 7 };

// ---- Messages ---------------------------------------------------------------------------------------------

// protobuf-c says NULL for bad bytes and for exhausted memory alike: the allocator remembers which.
typedef struct allocation {
    size_t refused;
} allocation;

static void *allocate_for_message(void *context, size_t size) {
    allocation *memory = context;
    void *pointer = malloc(size);
    memory->refused = pointer == NULL ? size : memory->refused;
    return pointer;
}

static void free_of_message(void *context, void *pointer) {
    (void)context;
    free(pointer);
}

// Caller frees *message with protobuf_c_message_free_unpacked(…, NULL): it comes from malloc.
static encl_status unpack(const ProtobufCMessageDescriptor *type, const encl_leveldb_entry *entry, const char *place,
                          ProtobufCMessage **message) {
    allocation memory = {0};
    ProtobufCAllocator allocator = {allocate_for_message, free_of_message, &memory};
    *message = NULL;
    if (entry->value_length <= VALUE_LIMIT) {
        *message = protobuf_c_message_unpack(type, &allocator, entry->value_length, entry->value);
    }
    if (*message == NULL) {
        return memory.refused > 0 ? encl_fail_memory(memory.refused)
                                  : encl_fail(ENCL_FORMAT, "%s: found no message of %zu bytes, expected one", place,
                                              entry->value_length);
    }
    return ENCL_OK;
}

encl_status encl_bundle_read_header(const encl_leveldb_entry *entry, const char *place, int32_t *shards) {
    ProtobufCMessage *message = NULL;
    *shards = 0;
    encl_status status = unpack(&encl__bundle__header__descriptor, entry, place, &message);
    if (status != ENCL_OK) {
        return status;
    }
    const Encl__Bundle__Header *header = (const Encl__Bundle__Header *)message;
    if (header->endianness != 0) {
        status = encl_fail(ENCL_UNSUPPORTED, "%s: found big-endian tensors, expected little-endian ones", place);
    } else if (header->num_shards < 1) {
        status = encl_fail(ENCL_FORMAT, "%s: found %d data files, expected at least 1", place, header->num_shards);
    } else {
        *shards = header->num_shards;
    }
    protobuf_c_message_free_unpacked(message, NULL);
    return status;
}

// ---- Entries ----------------------------------------------------------------------------------------------

static encl_status read_dtype(int32_t number, const char *place, encl_bundle_entry *read) {
    read->is_text = number == DTYPE_STRING;
    if (read->is_text) {
        return ENCL_OK;
    }
    for (size_t i = 0; i < DTYPES; i++) {
        if (dtypes[i].number == number) {
            read->dtype = dtypes[i].dtype;
            return ENCL_OK;
        }
    }
    return encl_fail(ENCL_UNSUPPORTED, "%s: found TensorFlow's type %d, expected float32 or another plain number",
                     place, number);
}

static encl_status read_shape(const Encl__Bundle__Shape *shape, const char *place, encl_bundle_entry *read) {
    size_t bytes = read->is_text ? 1 : encl_dtype_bytes(read->dtype);
    const size_t dimensions = shape == NULL ? 0 : shape->n_dim;
    if (shape != NULL && shape->unknown_rank) {
        return encl_fail(ENCL_FORMAT, "%s: found a tensor without a shape, expected one", place);
    }
    if (dimensions > ENCL_TENSOR_DIMENSIONS) {
        return encl_fail(ENCL_UNSUPPORTED, "%s: found %zu dimensions, expected at most %d", place, dimensions,
                         ENCL_TENSOR_DIMENSIONS);
    }
    read->elements = 1;
    for (size_t i = 0; i < dimensions; i++) {
        const int64_t size = shape->dim[i]->size;
        if (size < 0 || !encl_multiply(bytes, (size_t)size, &bytes) || bytes > INT64_MAX) {
            return encl_fail(ENCL_FORMAT, "%s: found size %lld of dimension %zu, expected one that memory can have",
                             place, (long long)size, i);
        }
        read->shape[i] = size;
        read->elements *= size;
    }
    read->dimensions = (int32_t)dimensions;
    read->bytes = bytes;
    return ENCL_OK;
}

static encl_status read_slices(const Encl__Bundle__Entry *entry, const char *place, encl_bundle_entry *read) {
    if (entry->n_slices > SLICE_LIMIT) {
        return encl_fail(ENCL_UNSUPPORTED, "%s: found %zu slices, expected at most %d", place, entry->n_slices,
                         SLICE_LIMIT);
    }
    const size_t dimensions = (size_t)read->dimensions;
    encl_status status = encl_allocate(entry->n_slices * dimensions, sizeof *read->extents, (void **)&read->extents);
    if (status != ENCL_OK) {
        return status;
    }
    for (size_t i = 0; i < entry->n_slices; i++) {
        const Encl__Bundle__Slice *slice = entry->slices[i];
        if (slice->n_extent != dimensions) {
            return encl_fail(ENCL_FORMAT, "%s: found a slice of %zu dimensions, expected %zu", place, slice->n_extent,
                             dimensions);
        }
        for (size_t d = 0; d < dimensions; d++) {
            const Encl__Bundle__Extent *extent = slice->extent[d];
            read->extents[i * dimensions + d] =
                (encl_bundle_extent){extent->start, extent->has_length ? extent->length : -1};
        }
    }
    read->slice_count = entry->n_slices;
    return ENCL_OK;
}

static encl_status read_place(const Encl__Bundle__Entry *entry, const char *place, encl_bundle_entry *read) {
    if (entry->size < 0 || entry->offset < 0 || entry->shard_id < 0) {
        return encl_fail(ENCL_FORMAT, "%s: found %lld bytes at %lld of data file %d, expected no negative numbers",
                         place, (long long)entry->size, (long long)entry->offset, entry->shard_id);
    }
    if (read->is_text) {
        read->bytes = (size_t)entry->size;
    }
    if ((uint64_t)entry->size != read->bytes) {
        return encl_fail(ENCL_FORMAT, "%s: found %lld bytes, its type %s and shape need %zu", place,
                         (long long)entry->size, encl_dtype_name(read->dtype), read->bytes);
    }
    read->shard = entry->shard_id;
    read->offset = (uint64_t)entry->offset;
    read->checksum = encl_leveldb_unmask(entry->crc32c);
    return ENCL_OK;
}

static encl_status check_name(const char *place, const encl_bundle_entry *read) {
    const char *name = (const char *)read->key;
    const bool has_nul = memchr(name, 0, read->key_length) != NULL;
    if (has_nul || encl_utf8_valid_prefix(name, read->key_length) != read->key_length) {
        return encl_fail(ENCL_FORMAT, "%s: tensor '%s': found %s in the name, expected UTF-8 without NUL", place, name,
                         has_nul ? "NUL" : "bytes that are no UTF-8");
    }
    return ENCL_OK;
}

encl_status encl_bundle_read_entry(const encl_leveldb_entry *entry, const char *place, encl_bundle_entry *read) {
    encl_status status = ENCL_OK;
    ProtobufCMessage *message = NULL;
    encl_string where = {0};
    *read = (encl_bundle_entry){0};
    const size_t shown = entry->key_length < NAME_SHOWN ? entry->key_length : NAME_SHOWN;
    ENCL_TRY(encl_copy_text((const char *)entry->key, entry->key_length, (char **)&read->key));
    read->key_length = entry->key_length;
    ENCL_TRY(encl_bundle_is_slice(read) ? ENCL_OK : check_name(place, read));
    // A slice's key holds its variable's name after a NUL.
    const int skipped = encl_bundle_is_slice(read);
    ENCL_TRY(encl_string_format(&where, "%s: tensor '%.*s'", place, (int)shown - skipped,
                                (const char *)read->key + skipped));
    ENCL_TRY(unpack(&encl__bundle__entry__descriptor, entry, where.text, &message));
    const Encl__Bundle__Entry *parsed = (const Encl__Bundle__Entry *)message;
    ENCL_TRY(read_dtype(parsed->dtype, where.text, read));
    ENCL_TRY(read_shape(parsed->shape, where.text, read));
    ENCL_TRY(parsed->n_slices > 0 ? read_slices(parsed, where.text, read) : read_place(parsed, where.text, read));
cleanup:
    if (message != NULL) {
        protobuf_c_message_free_unpacked(message, NULL);
    }
    encl_string_free(&where);
    return status;
}

void encl_bundle_free_entry(encl_bundle_entry *entry) {
    free(entry->key);
    free(entry->extents);
    *entry = (encl_bundle_entry){0};
}
