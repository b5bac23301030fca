// Every sequence of up to four bytes' worth of interest, against the definition: a text is valid where it is what
// encoding its code points gives.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/json.h"

static size_t encode(uint32_t code, unsigned char bytes[4]) {
    const size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length; i-- > 1; code >>= 6) {
        bytes[i] = (unsigned char)(0x80 | (code & 0x3f));
    }
    bytes[0] = (unsigned char)(leads[length] | code);
    return length;
}

static void test_every_code_point(void **state) {
    (void)state;
    for (uint32_t code = 0; code < 0x110000; code++) {
        char bytes[4];
        const size_t length = encode(code, (unsigned char *)bytes);
        const bool surrogate = code >= 0xd800 && code <= 0xdfff;
        assert_int_equal(encl_utf8_valid_prefix(bytes, length), surrogate ? 0 : length);
        for (size_t cut = 1; cut < length; cut++) {
            assert_int_equal(encl_utf8_valid_prefix(bytes, cut), 0);
        }
    }
    for (uint32_t code = 0x110000; code < 0x200000; code++) {
        char bytes[4];
        encode(code, (unsigned char *)bytes);
        assert_int_equal(encl_utf8_valid_prefix(bytes, 4), 0);
    }
}

// All pairs and triples of bytes: exactly as many are valid as there are code points of that length.
static void test_counts(void **state) {
    (void)state;
    size_t pairs = 0, triples = 0;
    for (uint32_t i = 0; i < 1u << 24; i++) {
        const char bytes[3] = {(char)(i >> 16), (char)(i >> 8), (char)i};
        if (i < 1u << 16) {
            pairs += ((unsigned char)bytes[1] & 0x80) != 0 && encl_utf8_valid_prefix(bytes + 1, 2) == 2;
        }
        triples += ((unsigned char)bytes[0] & 0xf0) == 0xe0 && encl_utf8_valid_prefix(bytes, 3) == 3;
    }
    // A pair that begins with a byte ≥ 0x80 can only be one character.
    assert_int_equal(pairs, 0x800 - 0x80);
    assert_int_equal(triples, 0x10000 - 0x800 - 0x800);
    static const char *const overlong[] = {"\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",
                                           "\xf8\x88\x80\x80\x80"};
    for (size_t i = 0; i < sizeof overlong / sizeof overlong[0]; i++) {
        assert_int_equal(encl_utf8_valid_prefix(overlong[i], strlen(overlong[i])), 0);
    }
}

// The fast way over eight ASCII bytes at a time finds a bad byte wherever it stands.
static void test_positions(void **state) {
    (void)state;
    for (size_t length = 0; length < 40; length++) {
        for (size_t bad = 0; bad <= length; bad++) {
            char *text = malloc(length + 1);
            assert_non_null(text);
            memset(text, 'a', length + 1);
            if (bad < length) {
                text[bad] = '\x80';
            }
            assert_int_equal(encl_utf8_valid_prefix(text, length), bad);
            free(text);
        }
    }
    assert_int_equal(encl_utf8_valid_prefix("a\0b", 3), 3);
}

static void test_make_printable(void **state) {
    (void)state;
    char text[] = "汉\n\xff\xe6\xb1字\x7f\xc3";
    encl_utf8_make_printable(text, sizeof text - 1);
    assert_string_equal(text, "汉 \?\?\?字 ?");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_make_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
