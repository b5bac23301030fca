#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/table.h"

static void expect_print(const encl_table *table, const char *expected) {
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    assert_non_null(stream);
    assert_int_equal(encl_table_print(table, stream), ENCL_OK);
    fclose(stream);
    assert_string_equal(text, expected);
    free(text);
}

static void test_columns(void **state) {
    (void)state;
    static const char *const headings[] = {"name", ">time", "note"};
    encl_table *table = NULL;
    assert_int_equal(encl_table_create(headings, 3, &table), ENCL_OK);
    expect_print(table, "name  time  note\n"
                        "----  ----  ----\n");
    encl_table_cell(table, "%s", "linear");
    encl_table_cell(table, "%.2f", 12.5);
    encl_table_cell(table, "fast");
    encl_table_cell(table, "add");
    encl_table_cell(table, "1234567");
    encl_table_cell(table, "%s", "");
    encl_table_rule(table);
    encl_table_cell(table, "sum"); // a row that stays short
    expect_print(table, "name       time  note\n"
                        "------  -------  ----\n"
                        "linear    12.50  fast\n"
                        "add     1234567\n"
                        "------  -------  ----\n"
                        "sum\n");
    encl_table_destroy(table);
}

static void test_widths(void **state) {
    (void)state;
    static const char *const headings[] = {"文本", ">分", "x"};
    encl_table *table = NULL;
    assert_int_equal(encl_table_create(headings, 3, &table), ENCL_OK);
    static const char *const cells[] = {"我爱北京天安门", "1", "a", "e\u0301te\u0301", "汉字", "b", "（）", "10", "c"};
    for (size_t i = 0; i < 9; i++) {
        assert_int_equal(encl_table_cell(table, "%s", cells[i]), ENCL_OK);
    }
    expect_print(table, "文本              分  x\n"
                        "--------------  ----  -\n"
                        "我爱北京天安门     1  a\n"
                        "e\u0301te\u0301             汉字  b\n"
                        "（）              10  c\n");
    encl_table_destroy(table);
}

static void test_cells_stay_on_their_line(void **state) {
    (void)state;
    static const char *const headings[] = {"a", "b"};
    encl_table *table = NULL;
    assert_int_equal(encl_table_create(headings, 2, &table), ENCL_OK);
    assert_int_equal(encl_table_cell(table, "x\ny\t\033"), ENCL_OK);
    assert_int_equal(encl_table_cell(table, "\xff\xe6\xb1"), ENCL_OK);
    expect_print(table, "a      b\n"
                        "-----  ---\n"
                        "x y    \?\?\?\n");
    encl_table_destroy(table);
}

static void test_rules(void **state) {
    (void)state;
    static const char *const headings[] = {"a"};
    encl_table *table = NULL;
    assert_int_equal(encl_table_create(headings, 1, &table), ENCL_OK);
    encl_table_rule(table); // below the headings: there anyway
    encl_table_cell(table, "1");
    encl_table_rule(table);
    encl_table_cell(table, "2");
    encl_table_rule(table); // before no row
    expect_print(table, "a\n-\n1\n-\n2\n");
    encl_table_destroy(table);
}

static void expect_markdown(const encl_table *table, const char *expected) {
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    assert_non_null(stream);
    assert_int_equal(encl_table_print_markdown(table, stream), ENCL_OK);
    fclose(stream);
    assert_string_equal(text, expected);
    free(text);
}

// Bars in cells are escaped, short rows are filled up, rules are left out.
static void test_markdown(void **state) {
    (void)state;
    static const char *const headings[] = {"a", ">b|", "文"};
    static const char *const cells[] = {"x|y", "1", "z", "", "12345", "汉字", "end"};
    encl_table *table = NULL;
    assert_int_equal(encl_table_create(headings, 3, &table), ENCL_OK);
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        assert_int_equal(encl_table_cell(table, "%s", cells[i]), ENCL_OK);
        assert_int_equal(i == 2 ? encl_table_rule(table) : ENCL_OK, ENCL_OK);
    }
    expect_markdown(table, "| a    |   b\\| | 文   |\n"
                           "| ---- | ----: | ---- |\n"
                           "| x\\|y |     1 | z    |\n"
                           "|      | 12345 | 汉字 |\n"
                           "| end  |       |      |\n");
    encl_table_destroy(table);
}

// The last column is broken at blanks, in columns of a terminal; a long word stays whole.
static void test_limit(void **state) {
    (void)state;
    static const char *const headings[] = {"name", ">time", "found"};
    encl_table *table = NULL;
    assert_int_equal(encl_table_create(headings, 3, &table), ENCL_OK);
    encl_table_limit(table, 55);
    encl_table_cell(table, "one");
    encl_table_cell(table, "1");
    encl_table_cell(table, "short");
    expect_print(table, "name  time  found\n"
                        "----  ----  -----\n"
                        "one      1  short\n");
    encl_table_cell(table, "two");
    encl_table_cell(table, "%s", "");
    encl_table_cell(table, "these words  fill forty-three columns just so, 我爱北京 and more; "
                           "/a/very/long/path/that/nothing/can/break/apart end");
    expect_print(table, "name  time  found\n"
                        "----  ----  -------------------------------------------\n"
                        "one      1  short\n"
                        "two         these words fill forty-three columns just\n"
                        "            so, 我爱北京 and more;\n"
                        "            /a/very/long/path/that/nothing/can/break/apart\n"
                        "            end\n");
    encl_table_limit(table, 0);
    encl_table_destroy(table);
}

static void test_errors(void **state) {
    (void)state;
    encl_table *table = (encl_table *)&table;
    assert_int_equal(encl_table_create(NULL, 0, &table), ENCL_INVALID);
    assert_null(table);
    encl_table_destroy(NULL);

    static const char *const headings[] = {"a"};
    assert_int_equal(encl_table_create(headings, 1, &table), ENCL_OK);
    FILE *full = fopen("/dev/full", "w");
    if (full != NULL) {
        assert_int_equal(encl_table_print(table, full), ENCL_IO);
        assert_non_null(strstr(encl_status_detail(), "No space left"));
        assert_int_equal(encl_table_print_markdown(table, full), ENCL_IO);
        fclose(full);
    }
    encl_table_destroy(table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_cells_stay_on_their_line),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_markdown),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
