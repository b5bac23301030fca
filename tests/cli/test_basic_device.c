// PoCL's device "basic", which runs a command inside the call that enqueues it: launches from several threads at once
// hang in it (encl_device_takes_threads). With an empty cache every kernel is built and launched.
#include <time.h>

#include "cli/program.h"
#include "runtime/base/clock.h"

enum { ROUNDS = 2, MOST_SECONDS = 280 };

static bool is_there(void) {
    outcome result = RUN("", "devices", "--json");
    const bool found = result.exit_code == 0 && strstr(result.out, "\"basic") != NULL;
    free_outcome(&result);
    return found;
}

// The program's exit code; -1 where it did not end in time.
static int end_in_time(pid_t child) {
    const struct timespec pause = {.tv_nsec = 20000000};
    const int64_t deadline = encl_clock_ns() + (int64_t)MOST_SECONDS * 1000000000;
    int status = 0;
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (encl_clock_ns() > deadline) {
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            return -1;
        }
        nanosleep(&pause, NULL);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_empty_cache(void **state) {
    (void)state;
    const char *const arguments[] = {"embed", "tests/fixtures/tiny-bert", "hello", NULL};
    setenv("POCL_DEVICES", "basic", 1);
    if (!is_there()) {
        print_message("no PoCL that has a device \"basic\"\n");
        skip();
    }
    write_text("in.txt", "");
    for (int i = 0; i < ROUNDS; i++) {
        char cache[32];
        snprintf(cache, sizeof cache, "cache-%d", i);
        setenv("ENCL_CACHE_DIR", in_folder(cache), 1);
        setenv("POCL_CACHE_DIR", in_folder(cache), 1);
        assert_int_equal(end_in_time(start_program(arguments, -1, "out.txt")), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_empty_cache)};
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
