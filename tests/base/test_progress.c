// The bar on a pseudo-terminal, and its silence elsewhere.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/progress.h"

enum { OUTPUT_BYTES = 8192 };

// Runs `act` with stderr on a new terminal of so many columns and keeps what it wrote; false where there is none.
static bool on_terminal(unsigned short columns, void (*act)(void), char output[OUTPUT_BYTES]) {
    const int control = posix_openpt(O_RDWR | O_NOCTTY);
    if (control < 0 || grantpt(control) != 0 || unlockpt(control) != 0) {
        return false;
    }
    const int terminal = open(ptsname(control), O_RDWR | O_NOCTTY);
    if (terminal < 0) {
        close(control);
        return false;
    }
    const struct winsize size = {.ws_col = columns, .ws_row = 24};
    ioctl(terminal, TIOCSWINSZ, &size);
    struct termios mode;
    tcgetattr(terminal, &mode);
    cfmakeraw(&mode);
    tcsetattr(terminal, TCSANOW, &mode);

    const int before = dup(STDERR_FILENO);
    dup2(terminal, STDERR_FILENO);
    act();
    dup2(before, STDERR_FILENO);
    close(before);

    // A terminal hands its output over in pieces: all of it is here when the mark is.
    static const char mark = '\x01';
    assert_int_equal(write(terminal, &mark, 1), 1);
    size_t length = 0;
    do {
        const ssize_t got = read(control, output + length, OUTPUT_BYTES - 1 - length);
        assert_true(got > 0);
        length += (size_t)got;
    } while (output[length - 1] != mark);
    output[length - 1] = '\0';
    close(terminal);
    close(control);
    return true;
}

static void show_bar(void) {
    encl_progress progress;
    encl_progress_start(&progress, "embed", "texts", 200);
    progress.start_ns -= INT64_C(10000000000); // ten seconds ago
    encl_progress_update(&progress, 50);
    encl_progress_update(&progress, 51); // too soon after the last
    encl_warn("short");
    encl_progress_finish(&progress);
    encl_progress_update(&progress, 60);
    encl_warn("after");
}

static void show_count(void) {
    encl_progress progress;
    encl_progress_start(&progress, "read", "files", 0);
    encl_progress_update(&progress, 7);
    encl_progress_finish(&progress);
}

static void show_odd(void) {
    encl_progress progress;
    encl_progress_start(&progress, "odd", "texts", 10);
    static const int64_t steps[] = {0, -5, 11, INT64_MAX};
    for (size_t i = 0; i < 4; i++) {
        progress.shown_ns -= INT64_C(1000000000);
        encl_progress_update(&progress, steps[i]);
    }
    encl_progress_finish(&progress);
}

static void test_bar(void **state) {
    (void)state;
    char output[OUTPUT_BYTES];
    setenv("TERM", "xterm", 1);
    if (!on_terminal(100, show_bar, output)) {
        print_message("no pseudo-terminal\n");
        skip();
    }
    assert_non_null(strstr(output, "\r\033[Kembed [######..................] 50/200 texts, "));
    assert_non_null(strstr(output, ", left 30 s"));
    assert_null(strstr(output, "51/200"));
    assert_non_null(strstr(output, "\r\033[Kencl: warning: short\n"));
    assert_null(strstr(output, "60/200"));
    const char *end = "\r\033[Kencl: warning: after\n"; // the line was cleared, and only once
    assert_string_equal(output + strlen(output) - strlen(end), end);

    assert_true(on_terminal(20, show_bar, output)); // no line is as wide as the terminal
    const char *bar = strstr(output, "embed");
    assert_non_null(bar);
    assert_int_equal(strcspn(bar, "\r"), 19);

    assert_true(on_terminal(80, show_count, output));
    assert_non_null(strstr(output, "read 7 files, "));
    assert_true(on_terminal(80, show_odd, output));
    assert_non_null(strstr(output, "odd"));
}

static void test_silence(void **state) {
    (void)state;
    char output[OUTPUT_BYTES];
    setenv("TERM", "dumb", 1);
    if (!on_terminal(80, show_count, output)) {
        print_message("no pseudo-terminal\n");
        skip();
    }
    assert_string_equal(output, "");
    setenv("TERM", "xterm", 1);
    encl_log_set_level(ENCL_LOG_QUIET);
    assert_true(on_terminal(80, show_count, output));
    assert_string_equal(output, "");
    encl_log_set_level(ENCL_LOG_WARNING);

    char name[] = "/tmp/encl-test-XXXXXX";
    const int file = mkstemp(name);
    unlink(name);
    const int before = dup(STDERR_FILENO);
    dup2(file, STDERR_FILENO);
    show_count();
    dup2(before, STDERR_FILENO);
    close(before);
    assert_int_equal(lseek(file, 0, SEEK_END), 0);
    close(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bar),
        cmocka_unit_test(test_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
