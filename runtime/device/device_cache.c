#include "runtime/device/device_cache.h"

#include <string.h>

#include "runtime/device/cache.h"
#include "runtime/device/device.h"
#include "runtime/device/sources.h"

void encl_device_cache_key(const encl_device *device, const char *format, const char *subject,
                           char key[ENCL_HASH_TEXT]) {
    encl_hash hash;
    encl_hash_start(&hash);
    encl_hash_add_text(&hash, format);
    encl_hash_add_text(&hash, device->cache_identity);
    for (size_t i = 0; i < encl_kernel_file_count; i++) {
        encl_hash_add(&hash, encl_kernel_files[i].text, encl_kernel_files[i].length);
    }
    encl_hash_add_text(&hash, subject);
    encl_hash_finish(&hash, key);
}

encl_status encl_device_cache_load(const char *kind, const char *key, char **text, size_t *length) {
    void *bytes = NULL;
    const encl_status status = encl_cache_load(kind, key, &bytes, length);
    *text = bytes;
    return status;
}

void encl_device_cache_store(const char *kind, const char *key, const char *text) {
    encl_cache_store(kind, key, text, strlen(text));
}
