// Checksums of 32 bits by a polynomial.
#ifndef ENCL_BASE_CRC32_H
#define ENCL_BASE_CRC32_H

#include <stddef.h>
#include <stdint.h>

// CRC-32C (Castagnoli; RFC 3720, B.4): what LevelDB and TensorFlow protect their bytes with.
uint32_t encl_crc32c(const void *bytes, size_t length);
// CRC-32 (ISO 3309), what zips protect theirs with: of bytes that follow those whose checksum is `before`, 0 for none.
uint32_t encl_crc32(uint32_t before, const void *bytes, size_t length);

#endif
