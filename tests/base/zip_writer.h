// Zip files for tests, written by libzip into memory.
#ifndef ENCL_TEST_ZIP_WRITER_H
#define ENCL_TEST_ZIP_WRITER_H

#include <string.h>

#include <zip.h>

#include "test.h"

typedef struct encl_zip_entry {
    const char *name; // one that ends in '/' is a folder
    const void *bytes;
    size_t length;
    bool deflated;
} encl_zip_entry;

static inline void zip_add_entry(zip_t *zip, const encl_zip_entry *entry) {
    if (entry->name[strlen(entry->name) - 1] == '/') {
        assert_true(zip_dir_add(zip, entry->name, ZIP_FL_ENC_UTF_8) >= 0);
        return;
    }
    zip_source_t *source = zip_source_buffer(zip, entry->bytes, entry->length, 0);
    assert_non_null(source);
    const zip_int64_t index = zip_file_add(zip, entry->name, source, ZIP_FL_ENC_UTF_8);
    assert_true(index >= 0);
    const int32_t method = entry->deflated ? ZIP_CM_DEFLATE : ZIP_CM_STORE;
    assert_int_equal(zip_set_file_compression(zip, (zip_uint64_t)index, method, 0), 0);
}

// Caller frees. Exactly as large as the zip, so that sanitizers see what is read behind it.
static inline uint8_t *zip_write(const encl_zip_entry *entries, size_t count, size_t *length) {
    zip_error_t error;
    zip_stat_t stat;
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, &error);
    assert_non_null(source);
    zip_source_keep(source);
    zip_t *zip = zip_open_from_source(source, ZIP_TRUNCATE, &error);
    assert_non_null(zip);
    for (size_t i = 0; i < count; i++) {
        zip_add_entry(zip, &entries[i]);
    }
    assert_int_equal(zip_close(zip), 0);
    assert_int_equal(zip_source_open(source), 0);
    assert_int_equal(zip_source_stat(source, &stat), 0);
    uint8_t *bytes = malloc((size_t)stat.size);
    assert_non_null(bytes);
    assert_int_equal(zip_source_read(source, bytes, stat.size), stat.size);
    zip_source_close(source);
    zip_source_free(source);
    *length = (size_t)stat.size;
    return bytes;
}

// Replaces every occurrence of `from` by `to` of the same length; returns how many there were.
static inline size_t zip_patch(uint8_t *bytes, size_t length, const char *from, const char *to) {
    const size_t part = strlen(from);
    size_t found = 0;
    assert_int_equal(part, strlen(to));
    for (size_t i = 0; i + part <= length; i++) {
        if (memcmp(bytes + i, from, part) == 0) {
            memcpy(bytes + i, to, part);
            found++;
        }
    }
    return found;
}

// Place of the first central header; fields: 8 flags, 10 method, 16 CRC, 20 compressed size, 24 size, 42 offset.
static inline size_t zip_central(const uint8_t *bytes, size_t length) {
    for (size_t i = 0; i + 46 <= length; i++) {
        if (memcmp(bytes + i, "PK\1\2", 4) == 0) {
            return i;
        }
    }
    fail_msg("no central header");
    return 0;
}

#endif
