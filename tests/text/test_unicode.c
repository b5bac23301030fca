// The Unicode properties, over all code points, against hashes that the tokenizers library gave.
#include "host/text/segment.h"
#include "runtime/base/hash.h"
#include "tokenizer_fixture.h"

typedef struct normalization {
    const char *name;    // in the golden file
    const char *options; // tokenizer_config.json
    uint32_t before[2];  // around every code point; 0: none
    uint32_t after[3];
} normalization;

static const normalization properties[] = {
    {"clean", "{\"do_lower_case\":false,\"tokenize_chinese_chars\":false}", {'a'}, {'b'}},
    {"cjk", "{\"do_lower_case\":false}", {'a'}, {'b'}},
    {"strip_accents",
     "{\"do_lower_case\":false,\"strip_accents\":true,\"tokenize_chinese_chars\":false}",
     {'a'},
     {'b'}},
    {"lowercase", "{\"strip_accents\":false,\"tokenize_chinese_chars\":false}", {'a'}, {'b'}},
    {"uncased", "{}", {'a'}, {'b'}},
    // Neighbours that have combining classes and are not stripped.
    {"order",
     "{\"do_lower_case\":false,\"strip_accents\":true,\"tokenize_chinese_chars\":false}",
     {'a', 0x1E000},
     {0x302E, 0x1E94A, 'b'}},
};

static const char *golden_hash(const cJSON *golden, const char *name) {
    const cJSON *rows = cJSON_GetObjectItemCaseSensitive(golden, "properties");
    const cJSON *hash = cJSON_GetObjectItemCaseSensitive(rows, name);
    assert_true(cJSON_IsString(hash));
    return hash->valuestring;
}

static void hash_normalized(const encl_tokenizer *tokenizer, const normalization *property, uint32_t code_point,
                            encl_hash *hash) {
    char text[32];
    char line[128];
    size_t length = 0;
    encl_character *characters = NULL;
    size_t count = 0;
    for (size_t i = 0; i < 2 && property->before[i] != 0; i++) {
        length += put_code_point(property->before[i], text + length);
    }
    length += put_code_point(code_point, text + length);
    for (size_t i = 0; i < 3 && property->after[i] != 0; i++) {
        length += put_code_point(property->after[i], text + length);
    }
    assert_ok(encl_segment_normalize(tokenizer, text, length, &characters, &count));
    assert_true(count * 4 < sizeof line);
    length = 0;
    for (size_t i = 0; i < count; i++) {
        length += put_code_point(characters[i].code_point, line + length);
    }
    line[length++] = '\n';
    encl_hash_add(hash, line, length);
    free(characters);
}

static void check_property(encl_scratch *scratch, const cJSON *golden, const normalization *property) {
    encl_tokenizer *tokenizer = open_fixture(scratch, fixture_vocabulary, property->options);
    encl_hash hash;
    encl_hash_start(&hash);
    for (uint32_t c = 0; c < 0x110000; c++) {
        if (c < 0xD800 || c >= 0xE000) {
            hash_normalized(tokenizer, property, c, &hash);
        }
    }
    char found[ENCL_HASH_TEXT];
    encl_hash_finish(&hash, found);
    if (strcmp(found, golden_hash(golden, property->name)) != 0) {
        fail_msg("%s: found %s, expected %s", property->name, found, golden_hash(golden, property->name));
    }
    encl_tokenizer_close(tokenizer);
}

static void test_normalization(void **state) {
    cJSON *golden = NULL;
    assert_ok(encl_json_read("tests/golden/tokenizer.json", 1 << 24, &golden));
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++) {
        check_property(*state, golden, &properties[i]);
    }
    cJSON_Delete(golden);
}

static void test_punctuation(void **state) {
    (void)state;
    cJSON *golden = NULL;
    assert_ok(encl_json_read("tests/golden/tokenizer.json", 1 << 24, &golden));
    encl_hash hash;
    encl_hash_start(&hash);
    for (uint32_t c = 0; c < 0x110000; c++) {
        if (c < 0xD800 || c >= 0xE000) {
            const bool isolated = (encl_unicode_classes(c) & ENCL_UNICODE_PUNCTUATION) != 0;
            encl_hash_add(&hash, isolated ? "punctuation\n" : "other\n", isolated ? 12 : 6);
        }
    }
    char found[ENCL_HASH_TEXT];
    encl_hash_finish(&hash, found);
    assert_string_equal(found, golden_hash(golden, "punctuation"));
    cJSON_Delete(golden);
}

static void test_table_agrees_with_ranges(void **state) {
    (void)state;
    uint8_t *classes = malloc(ENCL_UNICODE_TABLE);
    assert_non_null(classes);
    encl_unicode_fill(classes);
    for (uint32_t c = 0; c < ENCL_UNICODE_TABLE; c++) {
        if (classes[c] != encl_unicode_classes(c)) {
            fail_msg("U+%04X: found classes %u in the table, expected %u", c, classes[c], encl_unicode_classes(c));
        }
    }
    free(classes);
}

static void test_white_space_and_words(void **state) {
    (void)state;
    static const uint32_t spaces[] = {0x9,    0xA,    0xB,    0xC,    0xD,    0x20,   0x85,   0xA0,
                                      0x1680, 0x2000, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000};
    for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++) {
        assert_true(encl_unicode_is_space(spaces[i]));
    }
    static const uint32_t others[] = {0x8, 0xE, 0x1F, 0x21, 0x180E, 0x200B, 0x2060, 0x3001, 0xFEFF};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(encl_unicode_is_space(others[i]));
    }
    static const uint32_t words[] = {'a', 'Z', '0', '_', 0xE9, 0x4E2D, 0x3042, 0xAC00, 0x301, 0x24B6, 0x2160, 0x200D};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        assert_true(encl_unicode_is_word(words[i]));
    }
    assert_false(encl_unicode_is_word('-') || encl_unicode_is_word(' ') || encl_unicode_is_word(0x3002));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_normalization, scratch_setup, scratch_teardown),
        cmocka_unit_test(test_punctuation),
        cmocka_unit_test(test_table_agrees_with_ranges),
        cmocka_unit_test(test_white_space_and_words),
    };
    return encl_test_main(tests);
}
