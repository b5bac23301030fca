// Small TensorFlow checkpoints for tests, written by hand: one data block, nothing shared between keys.
#ifndef ENCL_TEST_BUNDLE_WRITER_H
#define ENCL_TEST_BUNDLE_WRITER_H

#include <stdlib.h>
#include <string.h>

#include "runtime/base/crc32.h"

typedef struct encl_written {
    uint8_t bytes[1 << 14];
    size_t length;
} encl_written;

static inline void written_add(encl_written *to, const void *bytes, size_t length) {
    if (to->length + length > sizeof to->bytes) {
        abort();
    }
    if (length > 0) {
        memcpy(to->bytes + to->length, bytes, length);
    }
    to->length += length;
}

static inline void written_u32(encl_written *to, uint32_t value) {
    written_add(to, &value, sizeof value);
}

static inline void written_varint(encl_written *to, uint64_t value) {
    do {
        const uint8_t byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        written_add(to, &byte, 1);
        value >>= 7;
    } while (value > 0);
}

// A field of a protobuf message: a number, or bytes.
static inline void written_number(encl_written *to, unsigned field, uint64_t value) {
    written_varint(to, field << 3);
    written_varint(to, value);
}
static inline void written_bytes(encl_written *to, unsigned field, const void *bytes, size_t length) {
    written_varint(to, field << 3 | 2);
    written_varint(to, length);
    written_add(to, bytes, length);
}

static inline uint32_t masked_checksum(const void *bytes, size_t length) {
    const uint32_t value = encl_crc32c(bytes, length);
    return (value >> 15 | value << 17) + 0xa282ead8u;
}

// An entry of a block.
static inline void written_entry(encl_written *block, const void *key, size_t key_length, const void *value,
                                 size_t value_length) {
    written_varint(block, 0);
    written_varint(block, key_length);
    written_varint(block, value_length);
    written_add(block, key, key_length);
    written_add(block, value, value_length);
}

// Adds a block with its trailer; `handle` gets its place.
static inline void written_block(encl_written *file, encl_written *entries, uint8_t type, encl_written *handle) {
    const size_t place = file->length;
    written_u32(entries, 0); // one restart, at 0
    written_u32(entries, 1);
    written_add(file, entries->bytes, entries->length);
    written_add(file, &type, 1);
    written_u32(file, masked_checksum(file->bytes + place, entries->length + 1));
    written_varint(handle, place);
    written_varint(handle, entries->length);
}

// Ends a table whose data blocks are there: metaindex, index and footer.
static inline void written_end(encl_written *file, encl_written *index) {
    static const uint8_t magic[8] = {0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb};
    static const uint8_t zeros[40] = {0};
    encl_written empty = {.length = 0};
    encl_written footer = {.length = 0};
    written_block(file, &empty, 0, &footer);
    written_block(file, index, 0, &footer);
    written_add(file, footer.bytes, footer.length);
    written_add(file, zeros, 40 - footer.length);
    written_add(file, magic, sizeof magic);
}

// A whole table around the entries of one data block, which has this type.
static inline void written_table(encl_written *file, encl_written *entries, uint8_t type) {
    encl_written handle = {.length = 0};
    encl_written index = {.length = 0};
    file->length = 0;
    written_block(file, entries, type, &handle);
    written_entry(&index, "\xff", 1, handle.bytes, handle.length);
    written_end(file, &index);
}

// A tensor's value in the index. A size or offset below 0 is written as it is.
typedef struct encl_bundle_row {
    const char *name;
    int32_t dtype;
    int64_t shape[3];
    size_t dimensions;
    int64_t shard, offset, size;
} encl_bundle_row;

static inline void written_tensor(encl_written *entries, const encl_bundle_row *row, const uint8_t *data) {
    encl_written value = {.length = 0};
    encl_written shape = {.length = 0};
    for (size_t i = 0; i < row->dimensions; i++) {
        encl_written dimension = {.length = 0};
        written_number(&dimension, 1, (uint64_t)row->shape[i]);
        written_bytes(&shape, 2, dimension.bytes, dimension.length);
    }
    written_number(&value, 1, (uint64_t)row->dtype);
    written_bytes(&value, 2, shape.bytes, shape.length);
    written_number(&value, 3, (uint64_t)row->shard);
    written_number(&value, 4, (uint64_t)row->offset);
    written_number(&value, 5, (uint64_t)row->size);
    written_varint(&value, 6 << 3 | 5);
    written_u32(&value, data == NULL ? 0 : masked_checksum(data + row->offset, (size_t)row->size));
    written_entry(entries, row->name, strlen(row->name), value.bytes, value.length);
}

static inline void written_header(encl_written *entries, uint64_t shards, uint64_t endianness) {
    encl_written value = {.length = 0};
    written_number(&value, 1, shards);
    written_number(&value, 2, endianness);
    written_entry(entries, "", 0, value.bytes, value.length);
}

#endif
