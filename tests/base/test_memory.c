#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/memory.h"

static void test_arithmetic(void **state) {
    (void)state;
    size_t result = 7;
    assert_true(encl_multiply(SIZE_MAX / 2, 2, &result));
    assert_int_equal(result, SIZE_MAX - 1);
    result = 7;
    assert_false(encl_multiply(SIZE_MAX / 2 + 1, 2, &result));
    assert_int_equal(result, 7);
    assert_true(encl_sum(SIZE_MAX - 1, 1, &result));
    assert_int_equal(result, SIZE_MAX);
    result = 7;
    assert_false(encl_sum(SIZE_MAX, 1, &result));
    assert_int_equal(result, 7);
}

static void test_allocate(void **state) {
    (void)state;
    void *pointer = NULL;
    assert_int_equal(encl_allocate(100, 3, &pointer), ENCL_OK);
    for (size_t i = 0; i < 300; i++) {
        assert_int_equal(((unsigned char *)pointer)[i], 0);
    }
    free(pointer);
    assert_int_equal(encl_allocate(0, 8, &pointer), ENCL_OK);
    assert_non_null(pointer);
    free(pointer);

    pointer = &pointer;
    assert_int_equal(encl_allocate(SIZE_MAX / 2, 4, &pointer), ENCL_OUT_OF_MEMORY);
    assert_null(pointer);
    assert_non_null(strstr(encl_status_detail(), "4 bytes"));
    assert_int_equal(encl_allocate(SIZE_MAX, 1, &pointer), ENCL_OUT_OF_MEMORY);
    assert_null(pointer);
}

static void test_reserve(void **state) {
    (void)state;
    void *pointer = NULL;
    size_t capacity = 0;
    size_t moves = 0;
    for (size_t count = 1; count <= 100000; count++) {
        const size_t before = capacity;
        assert_int_equal(encl_reserve(&pointer, &capacity, count, sizeof(uint32_t)), ENCL_OK);
        assert_true(capacity >= count);
        moves += capacity != before;
        ((uint32_t *)pointer)[count - 1] = (uint32_t)count;
    }
    assert_in_range(moves, 5, 30); // growth by half, not by one
    for (uint32_t i = 0; i < 100000; i++) {
        assert_int_equal(((uint32_t *)pointer)[i], i + 1);
    }

    const size_t full = capacity;
    void *same = pointer;
    assert_int_equal(encl_reserve(&pointer, &capacity, SIZE_MAX / 2, 4), ENCL_OUT_OF_MEMORY);
    assert_int_equal(encl_reserve(&pointer, &capacity, SIZE_MAX, 1), ENCL_OUT_OF_MEMORY);
    assert_ptr_equal(pointer, same);
    assert_int_equal(capacity, full);
    assert_int_equal(((uint32_t *)pointer)[99999], 100000);
    free(pointer);
}

static void test_copy_text(void **state) {
    (void)state;
    char *copy = NULL;
    assert_int_equal(encl_copy_text("abcdef", 3, &copy), ENCL_OK);
    assert_string_equal(copy, "abc");
    free(copy);
    assert_int_equal(encl_copy_text(NULL, 0, &copy), ENCL_OK);
    assert_string_equal(copy, "");
    free(copy);
    assert_int_equal(encl_copy_text("a", SIZE_MAX, &copy), ENCL_OUT_OF_MEMORY);
    assert_null(copy);
}

static void test_string(void **state) {
    (void)state;
    encl_string string = {0};
    assert_int_equal(encl_string_append(&string, "", 0), ENCL_OK);
    assert_string_equal(string.text, "");
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(encl_string_format(&string, "%d,", i), ENCL_OK);
    }
    assert_int_equal(string.length, 10 * 2 + 90 * 3 + 900 * 4);
    assert_int_equal(strlen(string.text), string.length);
    assert_memory_equal(string.text, "0,1,2,3,", 8);
    assert_int_equal(encl_string_append(&string, "x\0y", 3), ENCL_OK);
    assert_memory_equal(string.text + string.length - 5, "9,x\0y", 6);

    const size_t length = string.length;
    assert_int_equal(encl_string_append(&string, "z", SIZE_MAX - 2), ENCL_OUT_OF_MEMORY);
    assert_int_equal(encl_string_append(&string, "z", SIZE_MAX / 2 + 1), ENCL_OUT_OF_MEMORY);
    assert_int_equal(string.length, length);
    encl_string_free(&string);
    assert_null(string.text);
    encl_string_free(&string);
}

static void test_beginnings_and_endings(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *part;
        bool begins, ends;
    } rows[] = {
        {"a.bin", ".bin", false, true}, {"a.bin", "a.", true, false}, {"bin", "a.bin", false, false},
        {"aa", "a", true, true},        {"a", "a", true, true},       {"", "a", false, false},
        {"a", "", true, true},          {"", "", true, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(encl_text_begins(rows[i].text, rows[i].part), rows[i].begins);
        assert_int_equal(encl_text_ends(rows[i].text, rows[i].part), rows[i].ends);
    }
}

static void test_list(void **state) {
    (void)state;
    encl_string list = {0};
    assert_int_equal(encl_string_list(&list, "a"), ENCL_OK);
    assert_string_equal(list.text, "a");
    assert_int_equal(encl_string_list(&list, "b%s"), ENCL_OK);
    assert_int_equal(encl_string_list(&list, ""), ENCL_OK);
    assert_string_equal(list.text, "a, b%s, ");
    encl_string_free(&list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arithmetic), cmocka_unit_test(test_beginnings_and_endings),
        cmocka_unit_test(test_allocate),   cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_copy_text),  cmocka_unit_test(test_string),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
