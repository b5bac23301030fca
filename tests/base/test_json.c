// Reading: what is accepted, what is refused and where, and the typed look-ups.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/file.h"
#include "runtime/base/json.h"

// Parses an exact copy on the heap, so that the address sanitizer sees a read past the end.
static encl_status parse(const char *text, size_t length, cJSON **json) {
    char *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    memcpy(copy, text, length);
    *json = (cJSON *)copy;
    const encl_status status = encl_json_parse("place", copy, length, json);
    assert_true((status == ENCL_OK) == (*json != NULL));
    free(copy);
    return status;
}

static cJSON *parse_text(const char *text) {
    cJSON *json = NULL;
    if (parse(text, strlen(text), &json) != ENCL_OK) {
        fail_msg("%s: %s", text, encl_status_detail());
    }
    return json;
}

static const char sample[] =
    "{\"text\": \"汉\\u6c49\\ud83d\\ude00\\n\\/\", \"list\": [1, -2.5e-3, true, false, null],\n"
    " \"\": {\"deep\": [[], {}]}}";

static void test_accepts(void **state) {
    (void)state;
    cJSON *json = parse_text(sample);
    assert_string_equal(cJSON_GetObjectItemCaseSensitive(json, "text")->valuestring, "汉汉\xf0\x9f\x98\x80\n/");
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(json, "list");
    assert_int_equal(cJSON_GetArraySize(list), 5);
    assert_true(cJSON_GetArrayItem(list, 1)->valuedouble == -2.5e-3);
    cJSON_Delete(json);

    static const char *const texts[] = {
        "0",
        "-0",
        " \t\r\n1 ",
        "\"\"",
        "[]",
        "{}",
        "null",
        "9007199254740992",
        "-9007199254740992",
        "1e308",
        "1e-999",
        "123456789012345678.5",
        "9007199254740993.0",
        "1000000000000000019884624838656",
        "\xef\xbb\xbf{}",
        "{\"a\":{\"a\":1},\"b\":{\"a\":1}}",
        "[{\"a\":1},{\"a\":1}]",
        "{\"a\":1,\"A\":1}",
        "\"\x7f\"",
        "0.00000000000000000000000000000000000000000000000000000000001",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        cJSON_Delete(parse_text(texts[i]));
    }
}

static void expect_refused(const char *text, size_t length, const char *message) {
    cJSON *json = NULL;
    const encl_status status = parse(text, length, &json);
    if (status != ENCL_FORMAT || strcmp(encl_status_detail(), message) != 0) {
        fail_msg("%.60s: %s, \"%s\" is not \"%s\"", text, encl_status_name(status), encl_status_detail(), message);
    }
}

static void test_refuses(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", "line 1, byte 1: found the end of the text, expected a value"},
        {"  ", "line 1, byte 3: found the end of the text, expected a value"},
        {"{\"a\":1}\n\n x", "line 3, byte 2: found 'x', expected the end of the text"},
        {"{} {}", "line 1, byte 4: found '{', expected the end of the text"},
        {"[1,]", "line 1, byte 4: found ']', expected a value"},
        {"[1 2]", "line 1, byte 4: found '2', expected ',' or ']'"},
        {"[1}", "line 1, byte 3: found '}', expected ',' or ']'"},
        {"{\"a\":1,}", "line 1, byte 8: found '}', expected a key in quotes"},
        {"{a:1}", "line 1, byte 2: found 'a', expected a key in quotes"},
        {"{\"a\" 1}", "line 1, byte 6: found '1', expected ':' after a key"},
        {"{\"a\":1\n\"b\":2}", "line 2, byte 1: found '\"', expected ',' or '}'"},
        {"[tru]", "line 1, byte 2: found 't', expected a value"},
        {"NaN", "line 1, byte 1: found 'N', expected a value"},
        {"'a'", "line 1, byte 1: found ''', expected a value"},
        {"\"a\nb\"", "line 1, byte 3: found byte 0x0a, expected control characters in strings to be escaped"},
        {"\"\\x\"", "line 1, byte 3: found 'x', expected one of \"\\/bfnrtu after a backslash"},
        {"\"\\u12g4\"", "line 1, byte 2: found an incomplete \\u escape, expected four hexadecimal digits"},
        {"[\"\\u0000\"]", "line 1, byte 3: found \\u0000, expected a text without NUL"},
        {"{\"a\\u0000b\":1}", "line 1, byte 4: found \\u0000, expected a text without NUL"},
        {"\"\\ud800\"",
         "line 1, byte 2: found a lone surrogate, expected a pair of \\ud800 to \\udbff and \\udc00 to \\udfff"},
        {"\"\\ud800\\u0041\"",
         "line 1, byte 2: found a lone surrogate, expected a pair of \\ud800 to \\udbff and \\udc00 to \\udfff"},
        {"\"\\udc00\\ud800\"",
         "line 1, byte 2: found a lone surrogate, expected a pair of \\ud800 to \\udbff and \\udc00 to \\udfff"},
        {"01", "line 1, byte 1: found a number that begins with 0, expected no leading zeros"},
        {"-", "line 1, byte 2: found the end of the text, expected a digit"},
        {"+1", "line 1, byte 1: found '+', expected a value"},
        {"1.", "line 1, byte 3: found the end of the text, expected a digit after the point"},
        {".5", "line 1, byte 1: found '.', expected a value"},
        {"1e+", "line 1, byte 4: found the end of the text, expected a digit in the exponent"},
        {"[9007199254740993]", "line 1, byte 2: found 9007199254740993, expected an integer from -2^53 to 2^53"},
        {"-9007199254740993", "line 1, byte 1: found -9007199254740993, expected an integer from -2^53 to 2^53"},
        {"18446744073709551616", "line 1, byte 1: found 18446744073709551616, expected an integer from -2^53 to 2^53"},
        {"1e309", "line 1, byte 1: found a number that overflows, expected one that a double can hold"},
        {"-0.1e310", "line 1, byte 1: found a number that overflows, expected one that a double can hold"},
        {"1e99999999999999999999999",
         "line 1, byte 1: found a number that overflows, expected one that a double can hold"},
        {"1111111111111111111111111111111111111111111111111111111111111111",
         "line 1, byte 1: found a longer number, expected at most 63 characters"},
        {"[\n\"\xff\"]", "line 2, byte 2: found byte 0xff, expected UTF-8"},
        {"\"\xc0\x80\"", "line 1, byte 2: found byte 0xc0, expected UTF-8"},
        {"\"\xed\xa0\x80\"", "line 1, byte 2: found byte 0xed, expected UTF-8"},
        {"{\"a\":1,\"b\":2,\n\"a\":3}", "line 2, byte 1: found the key \"a\" again, expected every key once"},
        {"[{\"x\":{\"汉\":1,\"\\u6c49\":2}}]", "line 1, byte 16: found the key \"汉\" again, expected every key once"},
        {"{\"\":1,\"\":2}", "line 1, byte 7: found the key \"\" again, expected every key once"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char message[256];
        snprintf(message, sizeof message, "place: %s", cases[i][1]);
        expect_refused(cases[i][0], strlen(cases[i][0]), message);
    }
    expect_refused("\"a\0b\"", 5,
                   "place: line 1, byte 3: found byte 0x00, expected control characters in strings to be escaped");
    expect_refused("{}\0", 3, "place: line 1, byte 3: found byte 0x00, expected the end of the text");
    cJSON *json = NULL;
    assert_int_equal(encl_json_parse("place", NULL, 0, &json), ENCL_INVALID);
}

static void test_truncation(void **state) {
    (void)state;
    for (size_t length = 0; length < sizeof sample - 1; length++) {
        cJSON *json = NULL;
        assert_int_equal(parse(sample, length, &json), ENCL_FORMAT);
    }
}

// Every byte of the sample in turn takes every value: refused or accepted, never a crash.
static void test_damage(void **state) {
    (void)state;
    char text[sizeof sample];
    size_t accepted = 0;
    for (size_t i = 0; i < sizeof sample - 1; i++) {
        for (int value = 0; value < 256; value++) {
            memcpy(text, sample, sizeof text);
            text[i] = (char)value;
            cJSON *json = NULL;
            const encl_status status = parse(text, sizeof sample - 1, &json);
            assert_true(status == ENCL_OK || status == ENCL_FORMAT);
            accepted += status == ENCL_OK;
            cJSON_Delete(json);
        }
    }
    assert_in_range(accepted, sizeof sample, 256 * sizeof sample / 2);
}

static void test_depth(void **state) {
    (void)state;
    static char text[20001];
    static const size_t depths[] = {64, 65, 10000};
    for (size_t i = 0; i < 3; i++) {
        memset(text, '[', depths[i]);
        memset(text + depths[i], ']', depths[i]);
        cJSON *json = NULL;
        const encl_status status = parse(text, 2 * depths[i], &json);
        assert_int_equal(status, depths[i] <= 64 ? ENCL_OK : ENCL_FORMAT);
        if (status != ENCL_OK) {
            assert_string_equal(encl_status_detail(),
                                "place: line 1, byte 65: found deeper nesting, expected at most 64 levels");
        }
        cJSON_Delete(json);
    }
    memset(text, '[', sizeof text - 1); // never closed
    cJSON *json = NULL;
    assert_int_equal(parse(text, sizeof text - 1, &json), ENCL_FORMAT);
}

// A vocabulary of 500,000 entries, then the same with its first key again at the end. Quadratic work would take longer
// than a test may.
static void test_many_keys(void **state) {
    (void)state;
    encl_string text = {0};
    for (int repeated = 0; repeated < 2; repeated++) {
        encl_string_free(&text);
        encl_string_append(&text, "{", 1);
        for (int i = 0; i < 500000; i++) {
            encl_string_format(&text, "%s\"\\u6c49 %d\":%d", i > 0 ? "," : "", i, i);
        }
        if (repeated) {
            encl_string_format(&text, ",\n\"\xe6\xb1\x89 0\":1");
        }
        assert_int_equal(encl_string_append(&text, "}", 1), ENCL_OK);
        cJSON *json = NULL;
        const encl_status status = encl_json_parse("vocab", text.text, text.length, &json);
        assert_int_equal(status, repeated ? ENCL_FORMAT : ENCL_OK);
        cJSON_Delete(json);
    }
    assert_string_equal(encl_status_detail(),
                        "vocab: line 2, byte 1: found the key \"汉 0\" again, expected every key once");
    encl_string_free(&text);
}

static void test_integers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool integer;
        int64_t value;
    } cases[] = {
        {"0", true, 0},      {"-0", true, 0},
        {"1e3", true, 1000}, {"2.50e1", true, 25},
        {"1.5", false, 0},   {"9007199254740992", true, INT64_C(9007199254740992)},
        {"1e16", false, 0},  {"-9007199254740992", true, -INT64_C(9007199254740992)},
        {"\"1\"", false, 0}, {"true", false, 0},
        {"1e300", false, 0}, {"1000000000000000019884624838656", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cJSON *json = parse_text(cases[i].text);
        int64_t value = 77;
        assert_int_equal(encl_json_is_integer(json, &value), cases[i].integer);
        assert_int_equal(value, cases[i].integer ? cases[i].value : 77);
        cJSON_Delete(json);
    }
    int64_t value = 0;
    assert_false(encl_json_is_integer(NULL, &value));
}

static void test_look_ups(void **state) {
    (void)state;
    cJSON *json = parse_text("{\"i\":7,\"f\":1.5,\"t\":\"x\",\"y\":true,\"n\":false,\"z\":null,\"o\":{},\"a\":[]}");
    int64_t integer = -1;
    double number = -1;
    bool truth = true;
    const char *text = "default";

    assert_int_equal(encl_json_get_int("p", json, "missing", 0, 9, &integer), ENCL_OK);
    assert_int_equal(encl_json_get_int("p", json, "z", 0, 9, &integer), ENCL_OK);
    assert_int_equal(encl_json_get_int("p", json, "I", 0, 9, &integer), ENCL_OK); // keys mind their case
    assert_int_equal(integer, -1);
    assert_int_equal(encl_json_get_int("p", json, "i", 7, 7, &integer), ENCL_OK);
    assert_int_equal(integer, 7);
    assert_int_equal(encl_json_get_int("p", json, "i", 8, 9, &integer), ENCL_FORMAT);
    assert_string_equal(encl_status_detail(), "p: i: found 7, expected a whole number from 8 to 9");
    assert_int_equal(encl_json_get_int("p", json, "f", 0, 9, &integer), ENCL_FORMAT);
    assert_string_equal(encl_status_detail(), "p: f: found 1.5, expected a whole number from 0 to 9");
    assert_int_equal(encl_json_get_int("p", json, "t", 0, 9, &integer), ENCL_FORMAT);
    assert_int_equal(integer, 7);

    assert_int_equal(encl_json_get_number("p", json, "z", &number), ENCL_OK);
    assert_true(number == -1);
    assert_int_equal(encl_json_get_number("p", json, "f", &number), ENCL_OK);
    assert_true(number == 1.5);
    assert_int_equal(encl_json_get_number("p", json, "a", &number), ENCL_FORMAT);
    assert_string_equal(encl_status_detail(), "p: a: found an array, expected a number");

    assert_int_equal(encl_json_get_bool("p", json, "missing", &truth), ENCL_OK);
    assert_true(truth);
    assert_int_equal(encl_json_get_bool("p", json, "n", &truth), ENCL_OK);
    assert_false(truth);
    assert_int_equal(encl_json_get_bool("p", json, "y", &truth), ENCL_OK);
    assert_true(truth);
    assert_int_equal(encl_json_get_bool("p", json, "i", &truth), ENCL_FORMAT);
    assert_string_equal(encl_status_detail(), "p: i: found 7, expected true or false");

    assert_int_equal(encl_json_get_text("p", json, "z", &text), ENCL_OK);
    assert_string_equal(text, "default");
    assert_int_equal(encl_json_get_text("p", json, "t", &text), ENCL_OK);
    assert_string_equal(text, "x");
    assert_int_equal(encl_json_get_text("p", json, "o", &text), ENCL_FORMAT);
    assert_string_equal(encl_status_detail(), "p: o: found an object, expected a text");
    cJSON_Delete(json);
}

static void test_read(void **state) {
    (void)state;
    char path[] = "/tmp/encl-test-XXXXXX";
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    cJSON *json = NULL;
    char expected[128];

    assert_int_equal(encl_file_write(path, "{\"a\":1}", 7), ENCL_OK);
    assert_int_equal(encl_json_read(path, 7, &json), ENCL_OK);
    cJSON_Delete(json);
    assert_int_equal(encl_json_read(path, 6, &json), ENCL_FORMAT);
    assert_null(json);
    assert_int_equal(encl_file_write(path, "[]", 2), ENCL_OK);
    assert_int_equal(encl_json_read(path, 100, &json), ENCL_FORMAT);
    assert_null(json);
    snprintf(expected, sizeof expected, "%s: found an array, expected an object", path);
    assert_string_equal(encl_status_detail(), expected);
    assert_int_equal(encl_file_write(path, "", 0), ENCL_OK);
    assert_int_equal(encl_json_read(path, 100, &json), ENCL_FORMAT);
    unlink(path);
    assert_int_equal(encl_json_read(path, 100, &json), ENCL_NOT_FOUND);
    assert_null(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),  cmocka_unit_test(test_refuses),  cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_damage),   cmocka_unit_test(test_depth),    cmocka_unit_test(test_many_keys),
        cmocka_unit_test(test_integers), cmocka_unit_test(test_look_ups), cmocka_unit_test(test_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
