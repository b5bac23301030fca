#include "runtime/device/cache.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/base/log.h"

// Where the parts of an entry begin; numbers are little-endian.
enum {
    MAGIC_BYTES = 8,
    VERSION_AT = MAGIC_BYTES,
    LENGTH_AT = VERSION_AT + 4,
    DIGEST_AT = LENGTH_AT + 8,
    PAYLOAD_AT = DIGEST_AT + ENCL_HASH_BYTES,
    FORMAT_VERSION = 1,
};
static const char magic[MAGIC_BYTES + 1] = "enclcach";

// Far above any program binary; a file beyond it is not ours.
static const size_t entry_limit = (size_t)1 << 30;

static bool holds_only(const char *text, const char *allowed) {
    return text[0] != '\0' && text[strspn(text, allowed)] == '\0';
}

// The entry's folder and path below the cache's root. *folder and *path are freed by the caller.
static encl_status entry_path(const char *kind, const char *key, char **folder, char **path) {
    encl_status status = ENCL_OK;
    char *root = NULL;
    *folder = NULL;
    *path = NULL;
    // Neither name can lead out of the cache.
    if (!holds_only(kind, "abcdefghijklmnopqrstuvwxyz_-")) {
        return encl_fail(ENCL_INVALID, "cache: kind '%s', expected lower-case letters", kind);
    }
    if (!holds_only(key, "0123456789abcdef") || strlen(key) > 128) {
        return encl_fail(ENCL_INVALID, "cache: key '%.140s', expected at most 128 lower-case hexadecimal digits", key);
    }
    ENCL_TRY(encl_path_cache(&root));
    ENCL_TRY(encl_path_join(root, kind, folder));
    ENCL_TRY(encl_path_join(*folder, key, path));

cleanup:
    free(root);
    if (status != ENCL_OK) {
        free(*folder);
        *folder = NULL;
    }
    return status;
}

static void put_number(uint8_t *bytes, uint64_t number, size_t length) {
    for (size_t i = 0; i < length; i++) {
        bytes[i] = (uint8_t)(number >> (8 * i));
    }
}

static uint64_t get_number(const uint8_t *bytes, size_t length) {
    uint64_t number = 0;
    for (size_t i = 0; i < length; i++) {
        number |= (uint64_t)bytes[i] << (8 * i);
    }
    return number;
}

static void digest_of(const void *bytes, size_t length, uint8_t digest[ENCL_HASH_BYTES]) {
    static const char digits[] = "0123456789abcdef";
    encl_hash hash;
    char text[ENCL_HASH_TEXT];
    encl_hash_start(&hash);
    encl_hash_add(&hash, bytes, length);
    encl_hash_finish(&hash, text);
    for (size_t i = 0; i < ENCL_HASH_BYTES; i++) {
        ptrdiff_t high = strchr(digits, text[2 * i]) - digits;
        ptrdiff_t low = strchr(digits, text[2 * i + 1]) - digits;
        digest[i] = (uint8_t)(high * 16 + low);
    }
}

// NULL where the entry is whole, else what is wrong with it.
static const char *entry_defect(const uint8_t *entry, size_t length) {
    uint8_t digest[ENCL_HASH_BYTES];
    if (length < PAYLOAD_AT) {
        return "shorter than its header";
    }
    if (memcmp(entry, magic, MAGIC_BYTES) != 0) {
        return "not a cache entry";
    }
    if (get_number(entry + VERSION_AT, 4) != FORMAT_VERSION) {
        return "of another format version";
    }
    if (get_number(entry + LENGTH_AT, 8) != length - PAYLOAD_AT) {
        return "of another length than its header says";
    }
    digest_of(entry + PAYLOAD_AT, length - PAYLOAD_AT, digest);
    return memcmp(entry + DIGEST_AT, digest, sizeof digest) == 0 ? NULL : "not what was written (digest)";
}

encl_status encl_cache_load(const char *kind, const char *key, void **bytes, size_t *length) {
    encl_status status = ENCL_OK;
    char *folder = NULL;
    char *path = NULL;
    char *entry = NULL;
    size_t entry_length = 0;
    const char *defect = NULL;
    *bytes = NULL;
    *length = 0;
    ENCL_TRY(entry_path(kind, key, &folder, &path));
    if (!encl_path_exists(path)) {
        status = encl_fail(ENCL_NOT_FOUND, "%s: no such entry in the cache", path);
        goto cleanup;
    }
    status = encl_file_read(path, entry_limit, &entry, &entry_length);
    if (status == ENCL_OUT_OF_MEMORY) {
        goto cleanup;
    }
    defect = status == ENCL_OK ? entry_defect((const uint8_t *)entry, entry_length) : "not readable";
    if (defect != NULL) {
        encl_debug("%s: cache entry is %s; removed", path, defect);
        remove(path);
        status = encl_fail(ENCL_NOT_FOUND, "%s: cache entry is %s", path, defect);
        goto cleanup;
    }
    // The payload moves to the front: one buffer serves file and caller.
    memmove(entry, entry + PAYLOAD_AT, entry_length - PAYLOAD_AT);
    *bytes = entry;
    *length = entry_length - PAYLOAD_AT;
    entry = NULL;

cleanup:
    free(folder);
    free(path);
    free(entry);
    return status;
}

void encl_cache_store(const char *kind, const char *key, const void *bytes, size_t length) {
    static atomic_flag warned = ATOMIC_FLAG_INIT;
    encl_status status = ENCL_OK;
    char *folder = NULL;
    char *path = NULL;
    void *memory = NULL;
    uint8_t *entry = NULL;
    size_t entry_length = 0;
    ENCL_TRY(entry_path(kind, key, &folder, &path));
    ENCL_TRY(encl_path_make_folder(folder));
    if (!encl_sum(length, PAYLOAD_AT, &entry_length) || entry_length > entry_limit) {
        status = encl_fail(ENCL_INVALID, "%s: %zu bytes, expected at most %zu", path, length, entry_limit - PAYLOAD_AT);
        goto cleanup;
    }
    ENCL_TRY(encl_allocate(entry_length, 1, &memory));
    entry = memory;
    memcpy(entry, magic, MAGIC_BYTES);
    put_number(entry + VERSION_AT, FORMAT_VERSION, 4);
    put_number(entry + LENGTH_AT, length, 8);
    digest_of(bytes, length, entry + DIGEST_AT);
    if (length > 0) {
        memcpy(entry + PAYLOAD_AT, bytes, length);
    }
    ENCL_TRY(encl_file_write(path, entry, entry_length));

cleanup:
    if (status != ENCL_OK && !atomic_flag_test_and_set(&warned)) {
        encl_warn("the cache cannot be written, programs will be built again: %s", encl_status_detail());
    }
    free(folder);
    free(path);
    free(memory);
}

void encl_cache_remove(const char *kind, const char *key) {
    char *folder = NULL;
    char *path = NULL;
    if (entry_path(kind, key, &folder, &path) == ENCL_OK) {
        remove(path);
    }
    free(folder);
    free(path);
}
