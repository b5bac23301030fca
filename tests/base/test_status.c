// Status names, the detail message, the log and the version.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/thread.h"

// What `act` writes to stderr. Caller frees.
static char *captured(void (*act)(void)) {
    char name[] = "/tmp/encl-test-XXXXXX";
    const int file = mkstemp(name);
    assert_true(file >= 0);
    unlink(name);
    const int before = dup(STDERR_FILENO);
    dup2(file, STDERR_FILENO);
    act();
    dup2(before, STDERR_FILENO);
    close(before);

    const off_t size = lseek(file, 0, SEEK_END);
    char *text = calloc((size_t)size + 1, 1);
    assert_non_null(text);
    assert_int_equal(pread(file, text, (size_t)size, 0), size);
    close(file);
    return text;
}

static void test_names(void **state) {
    (void)state;
    assert_string_equal(encl_status_name(ENCL_OK), "OK");
    assert_string_equal(encl_status_message(ENCL_OK), "ok");
    assert_string_equal(encl_status_name(ENCL_OUT_OF_MEMORY), "OUT_OF_MEMORY");
    assert_string_equal(encl_status_message(ENCL_OUT_OF_MEMORY), "out of host memory");
    assert_string_equal(encl_status_name(ENCL_INTERNAL), "INTERNAL");
    assert_string_equal(encl_status_name((encl_status)16), "?");
    assert_string_equal(encl_status_name((encl_status)-1), "?");
    assert_true(strlen(encl_status_message((encl_status)99)) > 0);
}

static void *other_thread(void *argument) {
    (void)argument;
    static char seen[16];
    snprintf(seen, sizeof seen, "%s", encl_status_detail());
    encl_fail(ENCL_IO, "elsewhere");
    return seen;
}

static void test_detail(void **state) {
    (void)state;
    assert_int_equal(encl_fail(ENCL_FORMAT, "%s: found %d, expected 2", "a.json", 3), ENCL_FORMAT);
    assert_string_equal(encl_status_detail(), "a.json: found 3, expected 2");
    assert_int_equal(encl_fail_context(ENCL_FORMAT, "loading %s", "m"), ENCL_FORMAT);
    assert_string_equal(encl_status_detail(), "loading m: a.json: found 3, expected 2");
    encl_fail(ENCL_IO, "again: %s", encl_status_detail()); // the message itself as an argument
    assert_string_equal(encl_status_detail(), "again: loading m: a.json: found 3, expected 2");

    pthread_t thread;
    void *seen = NULL;
    assert_int_equal(pthread_create(&thread, NULL, other_thread, NULL), 0);
    pthread_join(thread, &seen);
    assert_string_equal(seen, "");
    assert_string_equal(encl_status_detail(), "again: loading m: a.json: found 3, expected 2");

    encl_status_set_detail("from an event");
    assert_string_equal(encl_status_detail(), "from an event");
    encl_status_set_detail(encl_status_detail());
    assert_string_equal(encl_status_detail(), "from an event");
    encl_status_set_detail(NULL);
    assert_string_equal(encl_status_detail(), "");
    assert_int_equal(encl_fail_memory(12), ENCL_OUT_OF_MEMORY);
    assert_string_equal(encl_status_detail(), "cannot allocate 12 bytes of host memory");
}

static void test_detail_is_one_printable_line(void **state) {
    (void)state;
    encl_fail(ENCL_IO, "a\nb\033[2Jc\177\xff\xe4\xbd.");
    assert_string_equal(encl_status_detail(), "a b [2Jc \?\?\?.");

    // Cut between characters, whatever their bytes' phase.
    for (size_t blanks = 0; blanks < 4; blanks++) {
        char text[3100] = "";
        memset(text, ' ', blanks);
        for (size_t i = 0; i < 1000; i++) {
            memcpy(text + blanks + 3 * i, "汉", 4);
        }
        encl_fail(ENCL_IO, "%s", text);
        const char *detail = encl_status_detail();
        const size_t length = strlen(detail);
        assert_in_range(length, 1000, 1023);
        assert_string_equal(detail + length - 3, "…");
        assert_null(strchr(detail, '?'));
        encl_fail_context(ENCL_IO, "%s", text);
        encl_status_set_detail(text);
        assert_int_equal(encl_utf8_valid_prefix(encl_status_detail(), strlen(encl_status_detail())),
                         strlen(encl_status_detail()));
        assert_null(strchr(encl_status_detail(), '?'));
    }
}

static void test_detail_names_the_source_when_debugging(void **state) {
    (void)state;
    encl_log_set_level(ENCL_LOG_DEBUG);
    encl_fail(ENCL_IO, "broken");
    const int line = __LINE__ - 1;
    encl_log_set_level(ENCL_LOG_WARNING);
    char expected[32];
    snprintf(expected, sizeof expected, "test_status.c:%d)", line);
    assert_non_null(strstr(encl_status_detail(), expected));
    encl_fail(ENCL_IO, "broken");
    assert_string_equal(encl_status_detail(), "broken");
}

static encl_status passes_on(encl_status given, bool *cleaned) {
    encl_status status = ENCL_OK;
    ENCL_TRY(given);
    status = ENCL_BUSY;

cleanup:
    *cleaned = true;
    return status;
}

static void test_try(void **state) {
    (void)state;
    bool cleaned = false;
    assert_int_equal(passes_on(ENCL_IO, &cleaned), ENCL_IO);
    assert_true(cleaned);
    assert_int_equal(passes_on(ENCL_OK, &cleaned), ENCL_BUSY);
}

static void log_all_levels(void) {
    encl_log(ENCL_LOG_ERROR, "one %d", 1);
    encl_warn("two");
    encl_info("three");
    encl_debug("four");
}

static void log_long(void) {
    char text[5001];
    memset(text, 'x', 5000);
    text[5000] = '\0';
    errno = EPIPE;
    encl_warn("%s", text);
    assert_int_equal(errno, EPIPE);
}

static void log_over_bar(void) {
    encl_log_set_bar(true);
    encl_warn("two");
    encl_log_set_bar(false);
}

static void expect_output(void (*act)(void), const char *expected) {
    char *text = captured(act);
    assert_string_equal(text, expected);
    free(text);
}

static void test_log(void **state) {
    (void)state;
    expect_output(log_all_levels, "encl: error: one 1\nencl: warning: two\n");
    encl_log_set_level(ENCL_LOG_QUIET);
    expect_output(log_all_levels, "");
    assert_false(encl_log_enabled(ENCL_LOG_ERROR));
    encl_log_set_level((encl_log_level)77);
    expect_output(log_all_levels, "encl: error: one 1\nencl: warning: two\nencl: three\nencl: debug: four\n");
    encl_log_set_level(ENCL_LOG_WARNING);
    expect_output(log_over_bar, "\r\033[Kencl: warning: two\n");

    encl_fail(ENCL_IO, "kept");
    char *text = captured(log_long);
    assert_int_equal(strlen(text), strlen("encl: warning: ") + 5000 + 1);
    assert_string_equal(text + strlen(text) - 2, "x\n");
    free(text);
    assert_string_equal(encl_status_detail(), "kept");
}

static void log_from_threads(void *context, size_t i) {
    (void)context;
    encl_warn("line %zu of many", i);
}

static void log_in_parallel(void) {
    encl_parallel(200, 4, log_from_threads, NULL);
}

static void test_log_lines_are_whole(void **state) {
    (void)state;
    char *text = captured(log_in_parallel);
    bool seen[200] = {false};
    int lines = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        static const char before[] = "encl: warning: line ";
        assert_memory_equal(line, before, sizeof before - 1);
        char *end = NULL;
        const unsigned long number = strtoul(line + sizeof before - 1, &end, 10);
        assert_string_equal(end, " of many");
        assert_in_range(number, 0, 199);
        assert_false(seen[number]);
        seen[number] = true;
        lines++;
    }
    assert_int_equal(lines, 200);
    free(text);
}

static void test_version(void **state) {
    (void)state;
    const char *version = encl_version();
    assert_true(strlen(version) >= strlen("0.0.0"));
    assert_int_equal(strspn(version, "0123456789."), strlen(version));
    assert_true(strlen(encl_commit()) > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_detail),
        cmocka_unit_test(test_detail_is_one_printable_line),
        cmocka_unit_test(test_detail_names_the_source_when_debugging),
        cmocka_unit_test(test_try),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_log_lines_are_whole),
        cmocka_unit_test(test_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
