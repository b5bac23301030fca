// Other programs: what they print, how they end, and what ends them.
#include "test.h"

#include <signal.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/process.h"

static const encl_process_watch patient = {.descriptor = -1};

static encl_status run_shell(const char *script, const encl_process_watch *watch, encl_process_result *result) {
    const char *const arguments[] = {"sh", "-c", script, NULL};
    return encl_process_run("/bin/sh", (char *const *)arguments, (char *const[]){"ENCL_TEST_WORD=word", NULL}, watch,
                            result);
}

static void output_is_taken(void **state) {
    (void)state;
    encl_process_result result;
    assert_ok(run_shell("cat; echo $ENCL_TEST_WORD; echo wrong >&2; exit 3", &patient, &result));
    assert_string_equal(result.out.text, "word\n");
    assert_string_equal(result.err.text, "wrong\n");
    assert_int_equal(result.exit_code, 3);
    assert_int_equal(result.signal, 0);
    assert_false(result.timed_out);
    assert_true(result.first_ns > 0);
    encl_process_free(&result);
}

static void signals_are_told(void **state) {
    (void)state;
    encl_process_result result;
    assert_ok(run_shell("kill -ILL $$", &patient, &result));
    assert_int_equal(result.exit_code, -1);
    assert_int_equal(result.signal, SIGILL);
    assert_int_equal(result.first_ns, -1);
    assert_string_equal(encl_process_signal_name(result.signal), "SIGILL");
    assert_non_null(encl_process_signal_name(SIGWINCH));
    encl_process_free(&result);
}

// It may take longer than that as long as it says something, on standard output.
static void silence_ends_a_program(void **state) {
    (void)state;
    const encl_process_watch watch = {.descriptor = -1, .silence_ns = 1500000000};
    encl_process_result result;
    assert_ok(run_shell("for i in 1 2 3 4 5 6 7 8; do sleep 0.3; echo $i; done", &watch, &result));
    assert_false(result.timed_out);
    assert_int_equal(result.exit_code, 0);
    encl_process_free(&result);
    const int64_t start = encl_clock_ns();
    assert_ok(run_shell("echo begun; while :; do echo noise >&2; sleep 0.2; done", &watch, &result));
    assert_true(result.timed_out);
    assert_string_equal(result.out.text, "begun\n");
    assert_int_equal(result.signal, SIGTERM);
    assert_true(encl_clock_ns() - start >= watch.silence_ns);
    encl_process_free(&result);
}

static int asked;
static encl_status say_no(void) {
    return asked++ < 2 ? ENCL_OK : encl_fail(ENCL_INTERRUPTED, "no");
}

static void a_check_ends_a_program(void **state) {
    (void)state;
    const encl_process_watch watch = {.check = say_no, .descriptor = -1};
    encl_process_result result;
    asked = 0;
    assert_int_equal(run_shell("while :; do echo more; done", &watch, &result), ENCL_INTERRUPTED);
    assert_int_equal(result.exit_code, -1);
    assert_true(result.signal == SIGTERM || result.signal == SIGPIPE);
    encl_process_free(&result);
    assert_int_equal(run_shell("exit 0", &watch, &result), ENCL_INTERRUPTED); // before it is started
    encl_process_free(&result);
}

static void what_cannot_be_started_is_told(void **state) {
    (void)state;
    const char *const arguments[] = {"none", NULL};
    encl_process_result result;
    assert_int_equal(encl_process_run("/nowhere/none", (char *const *)arguments, NULL, &patient, &result),
                     ENCL_NOT_FOUND);
    assert_non_null(strstr(encl_status_detail(), "/nowhere/none: cannot start"));
    encl_process_free(&result);
    assert_int_equal(encl_process_run("/etc/passwd", (char *const *)arguments, NULL, &patient, &result), ENCL_IO);
    encl_process_free(&result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_is_taken),
        cmocka_unit_test(signals_are_told),
        cmocka_unit_test(silence_ends_a_program),
        cmocka_unit_test(a_check_ends_a_program),
        cmocka_unit_test(what_cannot_be_started_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
