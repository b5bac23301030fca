// TensorFlow's tensor bundle: what the entries of a checkpoint's index say. The table is leveldb.h's, the messages
// are tensor_bundle.proto's, the reader of checkpoints is tensorflow.c.
#ifndef ENCL_CHECKPOINT_BUNDLE_H
#define ENCL_CHECKPOINT_BUNDLE_H

#include "host/checkpoint/format.h"
#include "host/checkpoint/leveldb.h"

// One dimension of a slice; length -1 is the whole dimension.
typedef struct encl_bundle_extent {
    int64_t start, length;
} encl_bundle_extent;

typedef struct encl_bundle_entry {
    uint8_t *key;
    size_t key_length;
    encl_dtype dtype;
    bool is_text; // strings: no dtype
    int32_t dimensions;
    int64_t shape[ENCL_TENSOR_DIMENSIONS];
    int64_t elements;
    size_t bytes; // elements × dtype; of texts, what they take in the file
    int32_t shard;
    uint64_t offset; // in the shard
    uint32_t checksum;
    encl_bundle_extent *extents; // [slice_count][dimensions] of a partitioned variable, which has no bytes itself
    size_t slice_count;
    const encl_file *file; // the shard, once it is mapped
} encl_bundle_entry;

// The value of the key "". UNSUPPORTED for big-endian bundles.
encl_status encl_bundle_read_header(const encl_leveldb_entry *entry, const char *place, int32_t *shards);
// The value of any other key. Caller frees what is in *read with encl_bundle_free_entry, whatever the status.
encl_status encl_bundle_read_entry(const encl_leveldb_entry *entry, const char *place, encl_bundle_entry *read);
void encl_bundle_free_entry(encl_bundle_entry *entry);

// A bundle's entries, sorted by key, of which no two are equal.
typedef struct encl_bundle {
    const char *place; // of the index, for messages
    char *prefix;      // the shards' names without ".data-…"
    encl_bundle_entry *entries;
    size_t count;
    size_t capacity;
    int32_t shards; // 0: no header yet
} encl_bundle;

// Whether the entry is a part of a partitioned variable: then its key is no name.
bool encl_bundle_is_slice(const encl_bundle_entry *entry);
// FORMAT where the stored bytes have another checksum.
encl_status encl_bundle_verify(const char *name, const uint8_t *data, size_t bytes, uint32_t checksum);
// Puts a partitioned variable together in memory that the checkpoint owns; its slices, which must cover it exactly,
// are verified.
encl_status encl_bundle_assemble(encl_checkpoint *checkpoint, const encl_bundle *bundle, const encl_bundle_entry *entry,
                                 uint8_t **data);

#endif
