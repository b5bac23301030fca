// Texts that are hostile or large, reuse of encodings, look-ups, threads.
#include <stdatomic.h>

#include "runtime/base/thread.h"
#include "tokenizer_fixture.h"

typedef struct opened {
    void *scratch;
    encl_tokenizer *tokenizer;
} opened;

static int setup(void **state) {
    opened *made = calloc(1, sizeof *made);
    if (made == NULL || scratch_setup(&made->scratch) != 0) {
        free(made);
        return -1;
    }
    made->tokenizer = open_fixture(made->scratch, fixture_vocabulary, NULL);
    *state = made;
    return 0;
}

static int teardown(void **state) {
    opened *made = *state;
    encl_tokenizer_close(made->tokenizer);
    const int result = scratch_teardown(&made->scratch);
    free(made);
    return result;
}

static const encl_tokenizer *tokenizer_of(void **state) {
    return ((opened *)*state)->tokenizer;
}

static void test_invalid_utf8(void **state) {
    const encl_tokenizer *tokenizer = tokenizer_of(state);
    static const char *const texts[] = {"ab\xff",     "ab\xc3", "ab\xc0\xaf",    "ab\xed\xa0\x80", "ab\xf4\x90\x80\x80",
                                        "ab\xe4\xbd", "ab\x80", "ab\xf0\x9f\x91"};
    encl_encoding encoding = {0};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_fails(encl_tokenizer_encode(tokenizer, texts[i], strlen(texts[i]), NULL, 0, 0, &encoding), ENCL_FORMAT,
                     "text: byte 3 ");
        assert_int_equal(encoding.count, 0);
        assert_fails(encl_tokenizer_encode(tokenizer, "hello", 5, texts[i], strlen(texts[i]), 0, &encoding),
                     ENCL_FORMAT, "pair: byte 3 ");
        assert_int_equal(encoding.count, 0);
    }
    encl_encoding_free(&encoding);
}

static void test_append(void **state) {
    const encl_tokenizer *tokenizer = tokenizer_of(state);
    encl_encoding encoding = {0};
    assert_ok(encl_tokenizer_append(tokenizer, "hello world", 11, &encoding));
    assert_int_equal(encoding.count, 2);
    assert_ok(encl_tokenizer_append(tokenizer, "", 0, &encoding));
    assert_ok(encl_tokenizer_append(tokenizer, "[MASK] 你", 10, &encoding));
    assert_int_equal(encoding.count, 4);
    assert_int_equal(encoding.ids[2], encl_tokenizer_get_info(tokenizer)->mask);
    assert_int_equal(encoding.special[2], 0);
    assert_int_equal(encoding.starts[3], 7);
    assert_int_equal(encoding.ends[3], 8);
    assert_fails(encl_tokenizer_append(tokenizer, "hello \xff", 7, &encoding), ENCL_FORMAT, "byte 7");
    assert_int_equal(encoding.count, 4);
    assert_string_equal(encl_tokenizer_token(tokenizer, encoding.ids[1]), "world");
    assert_ok(encl_tokenizer_encode(tokenizer, NULL, 0, NULL, 0, 0, &encoding));
    assert_int_equal(encoding.count, 2);
    assert_int_equal(encoding.special[0] + encoding.special[1], 2);
    encl_encoding_free(&encoding);
    encl_encoding_free(&encoding);
}

static void test_truncation_counts_what_is_lost(void **state) {
    const encl_tokenizer *tokenizer = tokenizer_of(state);
    encl_encoding encoding = {0};
    assert_ok(encl_tokenizer_encode(tokenizer, "a b c d e", 9, "f g h", 5, 7, &encoding));
    assert_int_equal(encoding.count, 7);
    assert_int_equal(encoding.lost, 4);
    assert_ok(encl_tokenizer_encode(tokenizer, "a b", 3, NULL, 0, SIZE_MAX, &encoding));
    assert_int_equal(encoding.count, 4);
    assert_int_equal(encoding.lost, 0);
    encl_encoding_free(&encoding);
}

static void test_look_ups(void **state) {
    const encl_tokenizer *tokenizer = tokenizer_of(state);
    const int32_t count = encl_tokenizer_get_info(tokenizer)->vocabulary;
    for (int32_t id = 0; id < count; id++) {
        assert_int_equal(encl_tokenizer_id(tokenizer, encl_tokenizer_token(tokenizer, id)), id);
    }
    assert_null(encl_tokenizer_token(tokenizer, -1));
    assert_null(encl_tokenizer_token(tokenizer, count));
    assert_null(encl_tokenizer_token(tokenizer, INT32_MAX));
    assert_int_equal(encl_tokenizer_id(tokenizer, "no such token"), -1);
    assert_int_equal(encl_tokenizer_id(tokenizer, "hell"), -1);
    assert_int_equal(encl_tokenizer_id(tokenizer, ""), -1);
    assert_int_equal(encl_tokenizer_id(tokenizer, "\xff"), -1);
}

// A text of `unit`s, `bytes` long at least, and how many tokens it must have.
static void check_large(const encl_tokenizer *tokenizer, const char *first, const char *unit, size_t bytes,
                        size_t expected) {
    encl_string text = {0};
    encl_encoding encoding = {0};
    assert_ok(encl_string_append(&text, first, strlen(first)));
    for (size_t i = 0; i < bytes / strlen(unit); i++) {
        assert_ok(encl_string_append(&text, unit, strlen(unit)));
    }
    assert_ok(encl_tokenizer_encode(tokenizer, text.text, text.length, NULL, 0, 0, &encoding));
    assert_int_equal(encoding.count, expected);
    encl_encoding_free(&encoding);
    encl_string_free(&text);
}

static void test_large_texts(void **state) {
    const encl_tokenizer *tokenizer = tokenizer_of(state);
    const size_t bytes = 10 << 20;
    check_large(tokenizer, "", "x", bytes, 3);                         // one word, unknown
    check_large(tokenizer, "", "你", bytes, bytes / 3 + 2);            // a word a character
    check_large(tokenizer, "a", "\xcc\x81", bytes, 3);                 // accents without end
    check_large(tokenizer, "a", "\xe3\x80\xae\xcc\x80", bytes / 8, 3); // accents that stay, in the wrong order
    check_large(tokenizer, "", "[MASK", bytes / 8, bytes / 8 / 5 * 3 + 2);
    check_large(tokenizer, "", " ", bytes, 2);
}

// NULs and every byte that can stand alone; nothing but the text's own length ends it.
static void test_control_characters(void **state) {
    const encl_tokenizer *tokenizer = tokenizer_of(state);
    char text[128];
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (char)i;
    }
    encl_encoding encoding = {0};
    assert_ok(encl_tokenizer_encode(tokenizer, text, sizeof text, NULL, 0, 0, &encoding));
    assert_string_equal(encl_tokenizer_token(tokenizer, encoding.ids[1]), "!");
    assert_int_equal(encoding.starts[1], '!');
    assert_int_equal(encoding.ends[encoding.count - 2], '~' + 1);
    assert_ok(encl_tokenizer_encode(tokenizer, "hel\0lo", 6, NULL, 0, 0, &encoding));
    assert_int_equal(encoding.count, 3);
    assert_string_equal(encl_tokenizer_token(tokenizer, encoding.ids[1]), "hello");
    assert_int_equal(encoding.ends[1], 6);
    encl_encoding_free(&encoding);
}

static atomic_int differences;

static void encode_much(void *context, size_t index) {
    const encl_tokenizer *tokenizer = context;
    encl_encoding encoding = {0};
    for (int i = 0; i < 200; i++) {
        const char *text = index % 2 == 0 ? "e\u0301\u302e中 hello [MASK]" : "probability，世界";
        const size_t expected = index % 2 == 0 ? 6 : 8;
        if (encl_tokenizer_encode(tokenizer, text, strlen(text), NULL, 0, 0, &encoding) != ENCL_OK ||
            encoding.count != expected) {
            atomic_fetch_add(&differences, 1);
        }
    }
    encl_encoding_free(&encoding);
}

static void test_threads_share_a_tokenizer(void **state) {
    encl_parallel(8, 4, encode_much, (void *)(uintptr_t)tokenizer_of(state));
    assert_int_equal(atomic_load(&differences), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_invalid_utf8),
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_truncation_counts_what_is_lost),
        cmocka_unit_test(test_look_ups),
        cmocka_unit_test(test_large_texts),
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_threads_share_a_tokenizer),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
