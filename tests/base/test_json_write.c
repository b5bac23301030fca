#include <float.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/json.h"

static encl_status write_line(const cJSON *json, char **text) {
    size_t length = 0;
    FILE *stream = open_memstream(text, &length);
    assert_non_null(stream);
    const encl_status status = encl_json_write_line(stream, json);
    fclose(stream);
    return status;
}

static void expect_line(cJSON *json, const char *expected) {
    char *text = NULL;
    assert_int_equal(write_line(json, &text), ENCL_OK);
    assert_string_equal(text, expected);
    free(text);
    cJSON_Delete(json);
}

static void test_line(void **state) {
    (void)state;
    static const float values[] = {0.1f, -1.0f, 1e-30f, 16777216.0f, 1.0f / 3};
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "index", 3);
    cJSON_AddItemToObject(json, "embedding", encl_json_floats(values, 5));
    cJSON_AddItemToObject(json, "none", encl_json_floats(NULL, 0));
    cJSON_AddTrueToObject(json, "yes");
    cJSON_AddFalseToObject(json, "no");
    cJSON_AddNullToObject(json, "null");
    cJSON_AddObjectToObject(json, "o");
    cJSON_AddStringToObject(json, "q\"\\\n", "汉\t\x01\x7f/");
    expect_line(json, "{\"index\":3,\"embedding\":[0.100000001,-1,1e-30,16777216,0.333333343],\"none\":[],"
                      "\"yes\":true,\"no\":false,\"null\":null,\"o\":{},\"q\\\"\\\\\\n\":\"汉\\t\\u0001\\u007f/\"}\n");
}

static void test_numbers(void **state) {
    (void)state;
    expect_line(cJSON_CreateNumber(0.1), "0.1\n");
    expect_line(cJSON_CreateNumber(0.1 + 0.2), "0.30000000000000004\n");            // a double keeps its digits
    expect_line(cJSON_CreateNumber(nextafter(0.9999, 1)), "0.99990000000000012\n"); // to the last, unlike with cJSON
    expect_line(cJSON_CreateNumber((double)0.1f), "0.100000001\n");
    expect_line(cJSON_CreateNumber(9007199254740992.0), "9007199254740992\n");
    expect_line(cJSON_CreateNumber(1e300), "1e+300\n");
    expect_line(cJSON_CreateNumber(-0.5), "-0.5\n");
    static const float floats[] = {FLT_MIN, FLT_MAX, FLT_TRUE_MIN, 3.14159274f, 1.17549421e-38f};
    for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++) {
        cJSON *json = cJSON_CreateNumber((double)floats[i]);
        char *text = NULL;
        assert_int_equal(write_line(json, &text), ENCL_OK);
        assert_true(strtof(text, NULL) == floats[i]);
        free(text);
        cJSON_Delete(json);
    }
    static const double refused[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
    for (size_t i = 0; i < 3; i++) {
        cJSON *json = cJSON_CreateArray();
        cJSON_AddItemToArray(json, cJSON_CreateNumber(refused[i]));
        char *text = NULL;
        assert_int_equal(write_line(json, &text), ENCL_NOT_FINITE);
        assert_string_equal(text, ""); // nothing of the line was written
        free(text);
        cJSON_Delete(json);
    }
}

// A reader with another printer's eyes: what was written is read back by the strict parser.
static void test_round_trip(void **state) {
    (void)state;
    char every[256];
    for (int i = 0; i < 255; i++) {
        every[i] = (char)(i + 1);
    }
    every[255] = '\0';
    cJSON *json = cJSON_CreateArray();
    cJSON_AddItemToArray(json, cJSON_CreateString(every)); // not UTF-8 beyond 0x7f
    char *text = NULL;
    assert_int_equal(write_line(json, &text), ENCL_OK);
    cJSON_Delete(json);
    assert_int_equal(encl_json_parse("line", text, strlen(text), &json), ENCL_OK);
    const char *read = json->child->valuestring;
    assert_memory_equal(read, every, 127);
    assert_int_equal(strlen(read), 127 + 128 * 3);
    assert_memory_equal(read + 127, "\xef\xbf\xbd\xef\xbf\xbd", 6);
    cJSON_Delete(json);
    free(text);
}

static void test_errors(void **state) {
    (void)state;
    char *text = NULL;
    assert_int_equal(write_line(NULL, &text), ENCL_INVALID);
    free(text);
    cJSON *deep = cJSON_CreateArray();
    for (int i = 0; i < 500; i++) {
        cJSON *outer = cJSON_CreateArray();
        cJSON_AddItemToArray(outer, deep);
        deep = outer;
    }
    assert_int_equal(write_line(deep, &text), ENCL_INVALID);
    free(text);
    cJSON_Delete(deep);

    FILE *full = fopen("/dev/full", "w");
    if (full != NULL) {
        cJSON *json = cJSON_CreateTrue();
        assert_int_equal(encl_json_write_line(full, json), ENCL_IO);
        assert_non_null(strstr(encl_status_detail(), "No space left"));
        cJSON_Delete(json);
        fclose(full);
    }
}

static void test_locale(void **state) {
    (void)state;
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL) {
        print_message("no locale de_DE.UTF-8\n");
        skip();
    }
    expect_line(cJSON_CreateNumber(0.5), "0.5\n");
    cJSON *json = NULL;
    assert_int_equal(encl_json_parse("text", "[1.5e0, 1.5e400]", 16, &json), ENCL_FORMAT);
    assert_int_equal(encl_json_parse("text", "1.5e0", 5, &json), ENCL_OK);
    assert_true(json->valuedouble == 1.5);
    cJSON_Delete(json);
    assert_non_null(setlocale(LC_NUMERIC, "C"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),   cmocka_unit_test(test_numbers), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_errors), cmocka_unit_test(test_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
