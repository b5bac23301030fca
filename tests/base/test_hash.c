// Vectors of FIPS 180-2 appendix B and NIST's example values; the rest is checked against sha256sum where it is.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/hash.h"

static void digest(const void *bytes, size_t length, char text[ENCL_HASH_TEXT]) {
    encl_hash hash;
    encl_hash_start(&hash);
    encl_hash_add(&hash, bytes, length);
    encl_hash_finish(&hash, text);
}

static void test_vectors(void **state) {
    (void)state;
    static const struct {
        const char *message;
        const char *digest;
    } vectors[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrst"
         "nopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        char text[ENCL_HASH_TEXT];
        digest(vectors[i].message, strlen(vectors[i].message), text);
        assert_string_equal(text, vectors[i].digest);
    }
}

static void test_million(void **state) {
    (void)state;
    char piece[1000];
    char text[ENCL_HASH_TEXT];
    encl_hash hash;
    memset(piece, 'a', sizeof piece);
    encl_hash_start(&hash);
    for (int i = 0; i < 1000; i++) {
        encl_hash_add(&hash, piece, sizeof piece);
    }
    encl_hash_finish(&hash, text);
    assert_string_equal(text, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// Every length around the block's edges, and every way of cutting it in two, gives what one piece gives.
static void test_pieces(void **state) {
    (void)state;
    unsigned char bytes[200];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)(i * 7 + 1);
    }
    for (size_t length = 0; length < sizeof bytes; length++) {
        char whole[ENCL_HASH_TEXT];
        digest(bytes, length, whole);
        for (size_t cut = 0; cut <= length; cut++) {
            char pieces[ENCL_HASH_TEXT];
            encl_hash hash;
            encl_hash_start(&hash);
            encl_hash_add(&hash, bytes, cut);
            encl_hash_add(&hash, NULL, 0);
            encl_hash_add(&hash, bytes + cut, length - cut);
            encl_hash_finish(&hash, pieces);
            assert_string_equal(pieces, whole);
        }
    }
}

static void test_lengths_against_sha256sum(void **state) {
    (void)state;
    static const char tool[] = "/usr/bin/sha256sum";
    FILE *present = fopen(tool, "r");
    if (present == NULL) {
        print_message("no %s\n", tool);
        skip();
    }
    fclose(present);
    for (int length = 50; length <= 130; length += 5) {
        char command[96], expected[ENCL_HASH_TEXT] = "", found[ENCL_HASH_TEXT], bytes[130];
        snprintf(command, sizeof command, "head -c %d /dev/zero | tr '\\0' q | %s", length, tool);
        FILE *pipe = popen(command, "r");
        assert_non_null(pipe);
        assert_int_equal(fread(expected, 1, 64, pipe), 64);
        pclose(pipe);
        memset(bytes, 'q', sizeof bytes);
        digest(bytes, (size_t)length, found);
        assert_string_equal(found, expected);
    }
}

static void test_texts_are_separate(void **state) {
    (void)state;
    const char *const pairs[][2] = {{"ab", "c"}, {"a", "bc"}, {"abc", ""}, {"", "abc"}};
    char digests[4][ENCL_HASH_TEXT];
    for (int i = 0; i < 4; i++) {
        encl_hash hash;
        encl_hash_start(&hash);
        encl_hash_add_text(&hash, pairs[i][0]);
        encl_hash_add_text(&hash, pairs[i][1]);
        encl_hash_finish(&hash, digests[i]);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(digests[i], digests[j]);
        }
    }
    encl_hash hash;
    char text[ENCL_HASH_TEXT], expected[ENCL_HASH_TEXT];
    encl_hash_start(&hash);
    encl_hash_add_text(&hash, NULL);
    encl_hash_finish(&hash, text);
    digest("", 1, expected);
    assert_string_equal(text, expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_million),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_lengths_against_sha256sum),
        cmocka_unit_test(test_texts_are_separate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
