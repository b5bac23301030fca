// A file is: data blocks | metaindex block | index block | footer, each block followed by its type and checksum.
//
//   block   | entry | entry | … | restart offsets, u32 each | number of restarts, u32 |
//   entry   | shared | unshared | value's length (varint32 each) | unshared bytes of the key | value |
//   footer  | handle of the metaindex | of the index (varint64 offset, size each) | zeros to 40 bytes | magic, u64 |
//
// A key is the first `shared` bytes of the one before and the unshared ones. Values in the index are handles.
#include "host/checkpoint/leveldb.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/crc32.h"

enum { FOOTER_BYTES = 48, MAGIC_BYTES = 8, TRAILER_BYTES = 5, U32_BYTES = 4, TYPE_RAW = 0, TYPE_SNAPPY = 1 };
static const uint8_t magic[MAGIC_BYTES] = {0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb};

// What is read from a block or the footer. A read beyond the end makes it bad.
typedef struct cursor {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
} cursor;

// The key of the last entry.
typedef struct key {
    uint8_t bytes[ENCL_LEVELDB_KEY_LIMIT];
    size_t length;
    bool first;
} key;

typedef struct walk {
    const encl_file *file;
    const char *place;
    encl_status (*visit)(void *context, const encl_leveldb_entry *entry);
    void *context;
    key data_key;      // goes on from block to block: keys ascend throughout
    uint64_t data_end; // of the last data block: no block is read twice, so that a walk costs no more than the file
} walk;

static uint32_t read_u32(const uint8_t *bytes) {
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

// Seven bits a byte, the least significant first; the last byte's highest bit is 0.
static uint64_t read_varint(cursor *from, int bits) {
    uint64_t value = 0;
    for (int shift = 0; shift < bits; shift += 7) {
        if (from->at == from->end) {
            break;
        }
        const uint64_t byte = *from->at++;
        const uint64_t part = byte & 0x7f;
        if (part << shift >> shift != part || (bits < 64 && (value | part << shift) >> bits != 0)) {
            break;
        }
        value |= part << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    from->bad = true;
    return 0;
}

uint32_t encl_leveldb_unmask(uint32_t masked) {
    const uint32_t rotated = masked - 0xa282ead8u;
    return rotated >> 17 | rotated << 15;
}

bool encl_leveldb_detect(const encl_file *file) {
    return file->size >= FOOTER_BYTES && memcmp(file->data + file->size - MAGIC_BYTES, magic, MAGIC_BYTES) == 0;
}

// Finds the entries of a block, after its checksum was compared.
static encl_status open_block(const walk *table, uint64_t offset, uint64_t size, cursor *entries) {
    const size_t room = table->file->size - FOOTER_BYTES;
    if (room < TRAILER_BYTES || offset > room - TRAILER_BYTES || size > room - TRAILER_BYTES - offset ||
        size < U32_BYTES) {
        return encl_fail(ENCL_FORMAT, "%s: found a block of %llu bytes at %llu, expected one in the first %zu bytes",
                         table->place, (unsigned long long)size, (unsigned long long)offset, room);
    }
    const uint8_t *block = table->file->data + offset;
    const uint8_t type = block[size];
    const uint32_t found = encl_crc32c(block, (size_t)size + 1);
    const uint32_t expected = encl_leveldb_unmask(read_u32(block + size + 1));
    if (found != expected) {
        return encl_fail(ENCL_FORMAT, "%s: block at %llu: found bytes with checksum %08x, expected %08x", table->place,
                         (unsigned long long)offset, found, expected);
    }
    if (type != TYPE_RAW) {
        return encl_fail(type == TYPE_SNAPPY ? ENCL_UNSUPPORTED : ENCL_FORMAT,
                         "%s: block at %llu: found compression %d%s, expected none", table->place,
                         (unsigned long long)offset, type, type == TYPE_SNAPPY ? " (Snappy)" : "");
    }
    const uint64_t restarts = read_u32(block + size - U32_BYTES);
    if (restarts > (size - U32_BYTES) / U32_BYTES) {
        return encl_fail(ENCL_FORMAT, "%s: block at %llu: found %llu restarts, more than its %llu bytes hold",
                         table->place, (unsigned long long)offset, (unsigned long long)restarts,
                         (unsigned long long)size);
    }
    *entries = (cursor){block, block + (size - U32_BYTES - restarts * U32_BYTES), false};
    return ENCL_OK;
}

// Reads one entry; `last` becomes its key.
static encl_status read_entry(const walk *table, cursor *from, key *last, encl_leveldb_entry *entry) {
    const size_t place = (size_t)(from->at - table->file->data);
    const uint64_t shared = read_varint(from, 32);
    const uint64_t unshared = read_varint(from, 32);
    const uint64_t value_length = read_varint(from, 32);
    const uint64_t left = (uint64_t)(from->end - from->at);
    if (from->bad || unshared > left || value_length > left - unshared || shared > last->length) {
        return encl_fail(ENCL_FORMAT, "%s: byte %zu: found an entry that does not fit into its block", table->place,
                         place);
    }
    if (shared + unshared > ENCL_LEVELDB_KEY_LIMIT) {
        return encl_fail(ENCL_FORMAT, "%s: byte %zu: found a key of %llu bytes, expected at most %d", table->place,
                         place, (unsigned long long)(shared + unshared), ENCL_LEVELDB_KEY_LIMIT);
    }
    // Ascending: what follows the shared bytes is greater than what stood there, or stands where nothing stood.
    const size_t old = last->length - (size_t)shared;
    const size_t common = unshared < old ? (size_t)unshared : old;
    const int order = common > 0 ? memcmp(from->at, last->bytes + shared, common) : 0;
    if (!last->first && (order < 0 || (order == 0 && unshared <= old))) {
        return encl_fail(ENCL_FORMAT, "%s: byte %zu: found a key that is not greater than the one before", table->place,
                         place);
    }
    memcpy(last->bytes + shared, from->at, (size_t)unshared);
    last->length = (size_t)(shared + unshared);
    last->first = false;
    from->at += unshared;
    *entry = (encl_leveldb_entry){last->bytes, last->length, from->at, (size_t)value_length};
    from->at += value_length;
    return ENCL_OK;
}

static encl_status walk_data(walk *table, uint64_t offset, uint64_t size) {
    cursor entries;
    encl_leveldb_entry entry;
    encl_status status = open_block(table, offset, size, &entries);
    bool is_first = true;
    while (status == ENCL_OK && entries.at < entries.end) {
        // A block's first key shares nothing.
        if (is_first && *entries.at != 0) {
            return encl_fail(ENCL_FORMAT, "%s: block at %llu: found a first key that shares bytes with another",
                             table->place, (unsigned long long)offset);
        }
        is_first = false;
        status = read_entry(table, &entries, &table->data_key, &entry);
        if (status == ENCL_OK) {
            status = table->visit(table->context, &entry);
        }
    }
    return status;
}

static encl_status walk_index(walk *table, cursor *index) {
    encl_status status = ENCL_OK;
    encl_leveldb_entry entry;
    key last = {.first = true};
    while (status == ENCL_OK && index->at < index->end) {
        status = read_entry(table, index, &last, &entry);
        if (status != ENCL_OK) {
            return status;
        }
        cursor handle = {entry.value, entry.value + entry.value_length, false};
        const uint64_t offset = read_varint(&handle, 64);
        const uint64_t size = read_varint(&handle, 64);
        if (handle.bad) {
            return encl_fail(ENCL_FORMAT, "%s: found a damaged place of a block in the index", table->place);
        }
        if (offset < table->data_end) {
            return encl_fail(ENCL_FORMAT,
                             "%s: found a block at %llu after one that ends at %llu, expected them in order",
                             table->place, (unsigned long long)offset, (unsigned long long)table->data_end);
        }
        status = walk_data(table, offset, size);
        table->data_end = offset + size + TRAILER_BYTES; // no overflow once the block was found in the file
    }
    return status;
}

encl_status encl_leveldb_walk(const encl_file *file, const char *place,
                              encl_status (*visit)(void *context, const encl_leveldb_entry *entry), void *context) {
    if (!encl_leveldb_detect(file)) {
        return encl_fail(ENCL_FORMAT, "%s: found %zu bytes that do not end as a table of LevelDB does", place,
                         file->size);
    }
    walk table = {.file = file, .place = place, .visit = visit, .context = context, .data_key = {.first = true}};
    const uint8_t *footer = file->data + file->size - FOOTER_BYTES;
    cursor handles = {footer, footer + FOOTER_BYTES - MAGIC_BYTES, false};
    uint64_t places[4]; // offset and size of the metaindex and of the index
    for (size_t i = 0; i < 4; i++) {
        places[i] = read_varint(&handles, 64);
    }
    if (handles.bad) {
        return encl_fail(ENCL_FORMAT, "%s: found a damaged place of a block in the last %d bytes", place, FOOTER_BYTES);
    }
    cursor metaindex; // of filters, which a reader of everything does not need
    cursor index;
    encl_status status = open_block(&table, places[0], places[1], &metaindex);
    if (status == ENCL_OK) {
        status = open_block(&table, places[2], places[3], &index);
    }
    return status == ENCL_OK ? walk_index(&table, &index) : status;
}
