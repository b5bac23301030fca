// Partitioned variables. The variable's own entry lists its slices; each slice has an entry with its bytes, whose key
// is made of the variable's name and the slice's extents in OrderedCode, TensorFlow's text of numbers that sorts as
// they do:
//
//   00 | name, 00 → 00 ff, ff → ff 00 | 00 01 | bytes of the rank | rank | start | length | start | length | …
#include <stdlib.h>
#include <string.h>

#include "host/checkpoint/bundle.h"
#include "runtime/base/crc32.h"

enum { NUMBER_BYTES = 8, KEY_CAPACITY = 2 * ENCL_LEVELDB_KEY_LIMIT + 8 + 2 * NUMBER_BYTES * ENCL_TENSOR_DIMENSIONS };

bool encl_bundle_is_slice(const encl_bundle_entry *entry) {
    return entry->key_length > 0 && entry->key[0] == 0;
}

encl_status encl_bundle_verify(const char *name, const uint8_t *data, size_t bytes, uint32_t checksum) {
    const uint32_t found = encl_crc32c(data, bytes);
    return found == checksum ? ENCL_OK
                             : encl_fail(ENCL_FORMAT, "tensor '%s': found data with checksum %08x, expected %08x", name,
                                         found, checksum);
}

// ---- Keys -------------------------------------------------------------------------------------------------

typedef struct slice_key {
    uint8_t bytes[KEY_CAPACITY];
    size_t length;
} slice_key;

static void put_name(slice_key *key, const uint8_t *name, size_t length) {
    for (size_t i = 0; i < length; i++) {
        key->bytes[key->length++] = name[i];
        if (name[i] == 0 || name[i] == 0xff) {
            key->bytes[key->length++] = name[i] == 0 ? 0xff : 0;
        }
    }
    key->bytes[key->length++] = 0;
    key->bytes[key->length++] = 1;
}

// n bytes, big-endian, hold 7n bits; their first n bits are turned over, so that longer numbers sort outwards.
static void put_number(slice_key *key, int64_t value) {
    size_t n = 1;
    while (n < NUMBER_BYTES && (value < -((int64_t)1 << (7 * n - 1)) || value >= (int64_t)1 << (7 * n - 1))) {
        n++;
    }
    for (size_t i = 0; i < n; i++) {
        key->bytes[key->length + i] = (uint8_t)((uint64_t)value >> (8 * (n - 1 - i)));
    }
    key->bytes[key->length] ^= (uint8_t)(0xff00 >> n);
    key->length += n;
}

static slice_key key_of(const encl_bundle_entry *entry, const encl_bundle_extent *extents) {
    slice_key key = {.length = 1}; // a number 0, which takes no bytes
    put_name(&key, entry->key, entry->key_length);
    key.bytes[key.length++] = entry->dimensions > 0;
    if (entry->dimensions > 0) {
        key.bytes[key.length++] = (uint8_t)entry->dimensions;
    }
    for (int32_t d = 0; d < entry->dimensions; d++) {
        put_number(&key, extents[d].start);
        put_number(&key, extents[d].length);
    }
    return key;
}

static const encl_bundle_entry *find_entry(const encl_bundle *bundle, const slice_key *key) {
    size_t first = 0;
    for (size_t left = bundle->count; left > 0;) {
        const encl_bundle_entry *middle = &bundle->entries[first + left / 2];
        const size_t common = middle->key_length < key->length ? middle->key_length : key->length;
        int order = memcmp(middle->key, key->bytes, common);
        if (order == 0) {
            order = (middle->key_length > key->length) - (middle->key_length < key->length);
        }
        if (order == 0) {
            return middle;
        }
        first += order < 0 ? left / 2 + 1 : 0;
        left = order < 0 ? left - left / 2 - 1 : left / 2;
    }
    return NULL;
}

// ---- Assembling -------------------------------------------------------------------------------------------

static const char *name_of(const encl_bundle_entry *entry) {
    return (const char *)entry->key; // ends with a NUL
}

// Start and length of the slice in each dimension, whole ones written out; they must lie in the shape.
static encl_status read_region(const encl_bundle *bundle, const encl_bundle_entry *entry, size_t index,
                               encl_bundle_extent region[ENCL_TENSOR_DIMENSIONS]) {
    for (int32_t d = 0; d < entry->dimensions; d++) {
        encl_bundle_extent extent = entry->extents[index * (size_t)entry->dimensions + (size_t)d];
        extent.length = extent.length == -1 && extent.start == 0 ? entry->shape[d] : extent.length;
        if (extent.start < 0 || extent.length < 1 || extent.start > entry->shape[d] ||
            extent.length > entry->shape[d] - extent.start) {
            return encl_fail(ENCL_FORMAT,
                             "%s: tensor '%s': slice %zu: found start %lld, length %lld of dimension %d, whose size is "
                             "%lld",
                             bundle->place, name_of(entry), index, (long long)extent.start, (long long)extent.length, d,
                             (long long)entry->shape[d]);
        }
        region[d] = extent;
    }
    return ENCL_OK;
}

static bool overlap(const encl_bundle_extent *a, const encl_bundle_extent *b, int32_t dimensions) {
    for (int32_t d = 0; d < dimensions; d++) {
        if (a[d].start + a[d].length <= b[d].start || b[d].start + b[d].length <= a[d].start) {
            return false;
        }
    }
    return true;
}

static encl_status find_slice(const encl_bundle *bundle, const encl_bundle_entry *entry, size_t index,
                              const encl_bundle_extent *region, const encl_bundle_entry **slice) {
    const slice_key key = key_of(entry, entry->extents + index * (size_t)entry->dimensions);
    *slice = find_entry(bundle, &key);
    bool fits = *slice != NULL && (*slice)->file != NULL && (*slice)->slice_count == 0 && !(*slice)->is_text &&
                (*slice)->dtype == entry->dtype && (*slice)->dimensions == entry->dimensions;
    for (int32_t d = 0; fits && d < entry->dimensions; d++) {
        fits = (*slice)->shape[d] == region[d].length;
    }
    return fits ? ENCL_OK
                : encl_fail(ENCL_FORMAT, "%s: tensor '%s': slice %zu: found %s, expected its entry in the index",
                            bundle->place, name_of(entry), index, *slice == NULL ? "nothing" : "another shape or type");
}

// The slices, all in the shape, not two over the same element, and as many elements as it has: they cover it.
static encl_status find_slices(const encl_bundle *bundle, const encl_bundle_entry *entry,
                               encl_bundle_extent (*regions)[ENCL_TENSOR_DIMENSIONS],
                               const encl_bundle_entry **slices) {
    uint64_t elements = 0;
    for (size_t i = 0; i < entry->slice_count; i++) {
        encl_status status = read_region(bundle, entry, i, regions[i]);
        if (status == ENCL_OK) {
            status = find_slice(bundle, entry, i, regions[i], &slices[i]);
        }
        if (status != ENCL_OK) {
            return status;
        }
        for (size_t other = 0; other < i; other++) {
            if (overlap(regions[i], regions[other], entry->dimensions)) {
                return encl_fail(ENCL_FORMAT, "%s: tensor '%s': slices %zu and %zu overlap", bundle->place,
                                 name_of(entry), other, i);
            }
        }
        elements += (uint64_t)slices[i]->elements;
    }
    return elements == (uint64_t)entry->elements
               ? ENCL_OK
               : encl_fail(ENCL_FORMAT, "%s: tensor '%s': found slices of %llu elements, expected %lld", bundle->place,
                           name_of(entry), (unsigned long long)elements, (long long)entry->elements);
}

// Copies a dense slice into its region: rows of the last dimension, one after another.
static void copy_slice(const encl_bundle_entry *entry, const encl_bundle_extent *region, const uint8_t *source,
                       uint8_t *destination) {
    const size_t width = encl_dtype_bytes(entry->dtype);
    const int32_t last = entry->dimensions - 1;
    int64_t index[ENCL_TENSOR_DIMENSIONS] = {0};
    const size_t row_bytes = (size_t)region[last].length * width;
    for (int32_t d = 0; d >= 0;) {
        int64_t place = 0;
        for (d = 0; d < entry->dimensions; d++) {
            place = place * entry->shape[d] + region[d].start + index[d];
        }
        memcpy(destination + (size_t)place * width, source, row_bytes);
        source += row_bytes;
        for (d = last - 1; d >= 0 && ++index[d] == region[d].length; d--) {
            index[d] = 0;
        }
    }
}

encl_status encl_bundle_assemble(encl_checkpoint *checkpoint, const encl_bundle *bundle, const encl_bundle_entry *entry,
                                 uint8_t **data) {
    encl_status status = ENCL_OK;
    encl_bundle_extent(*regions)[ENCL_TENSOR_DIMENSIONS] = NULL;
    const encl_bundle_entry **slices = NULL;
    void *memory = NULL;
    *data = NULL;
    if (entry->dimensions == 0) {
        return encl_fail(ENCL_FORMAT, "%s: tensor '%s': found slices of a scalar", bundle->place, name_of(entry));
    }
    ENCL_TRY(encl_allocate(entry->slice_count, sizeof *regions, (void **)&regions));
    ENCL_TRY(encl_allocate(entry->slice_count, sizeof *slices, (void **)&slices));
    ENCL_TRY(find_slices(bundle, entry, regions, slices));
    ENCL_TRY(encl_checkpoint_own(checkpoint, entry->bytes, &memory));
    for (size_t i = 0; i < entry->slice_count; i++) {
        const uint8_t *source = slices[i]->file->data + slices[i]->offset;
        ENCL_TRY(encl_bundle_verify(name_of(entry), source, slices[i]->bytes, slices[i]->checksum));
        copy_slice(entry, regions[i], source, memory);
    }
    *data = memory;
cleanup:
    free(regions);
    free((void *)slices);
    return status;
}
