// What was found out about something on a device, in the cache: for as long as the device, its driver and all kernels
// stay what they are.
#ifndef ENCL_DEVICE_DEVICE_CACHE_H
#define ENCL_DEVICE_DEVICE_CACHE_H

#include "runtime/base/hash.h"
#include "runtime/base/memory.h"

// The key of an entry. format: what an entry holds and how it is found out, with a number that is raised when either
// changes; subject: what it is about.
void encl_device_cache_key(const encl_device *device, const char *format, const char *subject,
                           char key[ENCL_HASH_TEXT]);
// As encl_cache_load and encl_cache_store, which take the key.
encl_status encl_device_cache_load(const char *kind, const char *key, char **text, size_t *length);
void encl_device_cache_store(const char *kind, const char *key, const char *text);

#endif
