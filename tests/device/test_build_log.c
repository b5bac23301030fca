// The first error of a compiler's log. The logs are what drivers write for one and the same mistake.
#include "test.h"

#include <string.h>

#include "runtime/device/log_message.h"

static void expect(const char *log, const char *message) {
    encl_string text = {0};
    assert_ok(encl_build_log_message(log, NULL, &text));
    if (message == NULL) {
        assert_null(text.text);
    } else {
        assert_non_null(text.text);
        assert_string_equal(text.text, message);
    }
    encl_string_free(&text);
}

static void test_drivers(void **state) {
    (void)state;
    expect("error: bad.cl:6:10: use of undeclared identifier 'x'\nDevice pthread failed to build the program\n",
           "bad.cl:6: use of undeclared identifier 'x'"); // PoCL
    expect("Compilation started\nbad.cl:6:10: error: use of undeclared identifier 'x'\n    6 |   x[0] = x + y;\n",
           "bad.cl:6: use of undeclared identifier 'x'"); // Intel
    expect("bad.cl:2:1: warning: unused\nbad.cl:6:10: fatal error: too bad\nbad.cl:7:1: error: later\n",
           "bad.cl:6: too bad"); // Mesa, AMD
    expect("ptxas error   : Entry function 'f' uses too much shared data (0x10 bytes)\n",
           "ptxas error   : Entry function 'f' uses too much shared data (0x10 bytes)"); // NVIDIA
    expect("warning: odd\nerror: linking failed\r\n", "linking failed");
}

static void expect_origin(const char *log, const char *source, const char *message) {
    encl_string text = {0};
    assert_ok(encl_build_log_message(log, source, &text));
    assert_string_equal(text.text, message);
    encl_string_free(&text);
}

// NVIDIA's compiler counts the lines of the whole source.
static void test_whole_source_lines(void **state) {
    (void)state;
    static const char source[] = "#line 1 \"prelude.h\"\none\n#line 1 \"a.cl\"\none\n#line 1 \"b.h\"\none\ntwo\n"
                                 "#line 3 \"a.cl\"\nthree\nfour\n";
    expect_origin("<kernel>:2:1: error: x", source, "prelude.h:1: x");
    expect_origin("<kernel>:4:1: error: x", source, "a.cl:1: x");
    expect_origin("<kernel>:7:1: error: x", source, "b.h:2: x");
    expect_origin("<kernel>:9:12: error: x", source, "a.cl:3: x");
    expect_origin("<kernel>:10: error: x", source, "a.cl:4: x");
    expect_origin("<kernel>:1: error: x", source, "<kernel>:1: x");
    expect_origin("<kernel>:4: error: x", "no marks\n\n\n\n\n", "<kernel>:4: x");
    expect_origin("a.cl:2: error: x", source, "a.cl:2: x");
}

static void test_odd_logs(void **state) {
    (void)state;
    expect(NULL, NULL);
    expect("", NULL);
    expect(" \n\t\r\n\n", NULL);
    expect("\n  something went wrong  \nand more\n", "something went wrong");
    expect("error:", "error:");
    expect("12:34:56: error: no name", "12:34: no name");
    expect(":1: error: x", ":1: error: x");
    expect("a.cl:1:", "a.cl:1: ");
    expect("a.cl:123456789012345678901234567890: error: big", "a.cl:123456789012345678901234567890: big");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drivers),
        cmocka_unit_test(test_whole_source_lines),
        cmocka_unit_test(test_odd_logs),
    };
    return encl_test_main(tests);
}
