// LevelDB's table (https://github.com/google/leveldb/blob/main/doc/table_format.md), as TensorFlow writes it for the
// index of a checkpoint: keys in ascending order, each with a value.
#ifndef ENCL_CHECKPOINT_LEVELDB_H
#define ENCL_CHECKPOINT_LEVELDB_H

#include "runtime/base/file.h"

enum { ENCL_LEVELDB_KEY_LIMIT = 1024 };

typedef struct encl_leveldb_entry {
    const uint8_t *key; // lives until the visit ends
    size_t key_length;
    const uint8_t *value; // lives as long as the file
    size_t value_length;
} encl_leveldb_entry;

// Whether the file ends as a table does.
bool encl_leveldb_detect(const encl_file *file);

// Calls visit for every entry, in the order of the keys (bytewise, none twice); ends at the first that fails. Every
// block's checksum is compared before the block is read; the blocks of entries lie one behind another, as they are
// written. `place` names the file in messages. UNSUPPORTED for compressed blocks.
encl_status encl_leveldb_walk(const encl_file *file, const char *place,
                              encl_status (*visit)(void *context, const encl_leveldb_entry *entry), void *context);

// The checksum that LevelDB and TensorFlow store as `masked`: so that data which holds checksums has a good one itself.
uint32_t encl_leveldb_unmask(uint32_t masked);

#endif
