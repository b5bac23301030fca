// The one hash: SHA-256 (FIPS 180-4), for cache keys and file identities.
#ifndef ENCL_BASE_HASH_H
#define ENCL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

enum { ENCL_HASH_BYTES = 32, ENCL_HASH_TEXT = 65 };

typedef struct encl_hash {
    uint32_t state[8];
    uint64_t length; // bytes so far
    uint8_t block[64];
} encl_hash;

void encl_hash_start(encl_hash *hash);
void encl_hash_add(encl_hash *hash, const void *bytes, size_t length);
// Adds the text and its terminating NUL, so that "ab","c" and "a","bc" differ; NULL counts as "".
void encl_hash_add_text(encl_hash *hash, const char *text);
// Lower-case hexadecimal digits and a NUL. The state must be started again before further use.
void encl_hash_finish(encl_hash *hash, char text[ENCL_HASH_TEXT]);

#endif
