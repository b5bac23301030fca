// CRC-32C (Castagnoli; RFC 3720, B.4): what LevelDB and TensorFlow protect their bytes with.
#ifndef ENCL_BASE_CRC32C_H
#define ENCL_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t encl_crc32c(const void *bytes, size_t length);

#endif
