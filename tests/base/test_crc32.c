// CRC-32C against the vectors of RFC 3720, B.4, CRC-32 against its check value, and both against a bit at a time.
#include <string.h>

#include "runtime/base/crc32.h"
#include "runtime/base/random.h"
#include "test.h"

static void gives_the_vectors_of_the_rfc(void **state) {
    (void)state;
    uint8_t bytes[32] = {0};
    static const uint8_t command[48] = {0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    0, 0, 0, 0,
                                        0x14, 0,    0, 0, 0, 0, 4, 0, 0, 0, 0, 0x14, 0, 0, 0, 0x18,
                                        0x28, 0,    0, 0, 0, 0, 0, 0, 2, 0, 0, 0,    0, 0, 0, 0};
    assert_int_equal(encl_crc32c(bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(encl_crc32c(bytes, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++) {
        bytes[i] = (uint8_t)i;
    }
    assert_int_equal(encl_crc32c(bytes, 32), 0x46dd794e);
    for (int i = 0; i < 32; i++) {
        bytes[i] = (uint8_t)(31 - i);
    }
    assert_int_equal(encl_crc32c(bytes, 32), 0x113fdb5c);
    assert_int_equal(encl_crc32c(command, sizeof command), 0xd9963a56);
    assert_int_equal(encl_crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(encl_crc32c("", 0), 0);
}

static void gives_the_check_value_of_zips(void **state) {
    (void)state;
    assert_int_equal(encl_crc32(0, "123456789", 9), 0xcbf43926);
    assert_int_equal(encl_crc32(encl_crc32(0, "1234", 4), "56789", 5), 0xcbf43926);
    assert_int_equal(encl_crc32(0, "", 0), 0);
}

static uint32_t bit_by_bit(const uint8_t *bytes, size_t length, uint32_t polynomial) {
    uint32_t value = ~0u;
    for (size_t i = 0; i < length; i++) {
        value ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            value = (value & 1) != 0 ? value >> 1 ^ polynomial : value >> 1;
        }
    }
    return ~value;
}

static void is_right_at_every_length_and_place(void **state) {
    (void)state;
    uint8_t bytes[80];
    uint64_t seed = 1;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)encl_random_next(&seed);
    }
    for (size_t start = 0; start < 9; start++) {
        for (size_t length = 0; length + start <= sizeof bytes; length++) {
            assert_int_equal(encl_crc32c(bytes + start, length), bit_by_bit(bytes + start, length, 0x82f63b78));
            assert_int_equal(encl_crc32(0, bytes + start, length), bit_by_bit(bytes + start, length, 0xedb88320));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_vectors_of_the_rfc),
        cmocka_unit_test(gives_the_check_value_of_zips),
        cmocka_unit_test(is_right_at_every_length_and_place),
    };
    return encl_test_main(tests);
}
