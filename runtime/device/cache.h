// The cache on disk: one file an entry, written atomically, checked by a SHA-256 when read. Layout of an entry:
// magic "enclcach", u32 format version, u64 payload length, 32-byte digest of the payload, payload.
#ifndef ENCL_DEVICE_CACHE_H
#define ENCL_DEVICE_CACHE_H

#include "runtime/base/memory.h"

// kind: a short name that becomes the folder ("programs", "checks"); key: hexadecimal digits.
// NOT_FOUND where there is no entry, or a damaged or foreign one (which is removed). Caller frees *bytes.
encl_status encl_cache_load(const char *kind, const char *key, void **bytes, size_t *length);
// Stores an entry. A cache that cannot be written costs one warning a process and nothing else.
void encl_cache_store(const char *kind, const char *key, const void *bytes, size_t length);
// Removes an entry, if there is one.
void encl_cache_remove(const char *kind, const char *key);

#endif
