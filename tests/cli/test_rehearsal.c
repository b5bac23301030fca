// Kernels that may end the process are tried in a child process first: one that dies, hangs or is wrong there is not
// used, what came of it is remembered, and without the program they are used all the same.
#include "cli/program.h"

static const char model[] = "tests/fixtures/tiny-bert";
static const char rehearsed[] = "kernels rehearsed in a child process";
static const char unused[] = "is not used on";
enum { NAME = 64, WIDTH = 32 };

static size_t count_of(const char *text, const char *part) {
    size_t count = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

// An embedding in int8 with a fault in the child and a cache of this name.
static outcome embed(const char *fault, const char *cache) {
    setenv("ENCL_CACHE_DIR", in_folder(cache), 1);
    if (fault != NULL) {
        setenv("ENCL_REHEARSAL_FAULT", fault, 1);
    } else {
        unsetenv("ENCL_REHEARSAL_FAULT");
    }
    outcome result =
        RUN("", "embed", model, "one two three", "--json", "--precision", "int8", "--device", "Portable", "-v");
    if (result.exit_code == 0) {
        parse_lines(&result);
        assert_int_equal(result.line_count, 1); // nothing of the child is in it
        assert_int_equal(cJSON_GetArraySize(array_of(result.lines[0], "embedding")), WIDTH);
    }
    return result;
}

// Skips where no kernel of this device's needs a rehearsal.
static void need_rehearsal(void) {
    static int known = -1;
    if (known < 0) {
        outcome result = embed(NULL, "usual");
        known = result.exit_code == 0 && strstr(result.err, rehearsed) != NULL;
        free_outcome(&result);
    }
    if (!known) {
        print_message("no kernel that needs a rehearsal\n");
        skip();
    }
}

// The first row that is used where all work: the first that is warned of where all fail.
static void best_row(char name[NAME]) {
    static const char before[] = "kernel ";
    outcome result = embed("linear_tile_int8:wrong", "none");
    expect_exit(&result, 0);
    const char *warning = strstr(result.err, "warning: kernel ");
    assert_non_null(warning);
    warning = strstr(warning, before) + strlen(before);
    snprintf(name, NAME, "%.*s", (int)strcspn(warning, " "), warning);
    free_outcome(&result);
}

static void expect_same(const outcome *a, const outcome *b, double tolerance) {
    expect_numbers(array_of(a->lines[0], "embedding"), array_of(b->lines[0], "embedding"), tolerance);
}

static void verdicts_are_remembered(void **state) {
    (void)state;
    need_rehearsal();
    outcome first = embed(NULL, "good");
    outcome second = embed("linear_tile_int8:kill", "good"); // which no child is there to read
    expect_exit(&first, 0);
    expect_exit(&second, 0);
    assert_int_equal(count_of(first.err, rehearsed), 1);
    assert_int_equal(count_of(second.err, rehearsed), 0);
    assert_null(strstr(first.err, unused));
    assert_null(strstr(second.err, unused));
    expect_same(&first, &second, 0);
    free_outcome(&first);
    free_outcome(&second);
}

// One row fails in this way, and the next one serves: in int8 rows of one precision differ by rounding only.
static void expect_next_row(const char *how, const char *why) {
    char name[NAME];
    char text[2 * NAME];
    best_row(name);
    outcome good = embed(NULL, "usual");
    snprintf(text, sizeof text, "%s:%s", name, how);
    outcome bad = embed(text, how);
    outcome again = embed(NULL, how);
    expect_exit(&good, 0);
    expect_exit(&bad, 0);
    expect_exit(&again, 0);
    snprintf(text, sizeof text, "warning: kernel %s %s", name, unused);
    const outcome *both[] = {&bad, &again};
    for (size_t i = 0; i < 2; i++) {
        if (count_of(both[i]->err, unused) != 1 || strstr(both[i]->err, text) == NULL ||
            strstr(both[i]->err, why) == NULL) {
            fail_msg("found '%s', expected '%s' with '%s' once", both[i]->err, text, why);
        }
    }
    assert_int_equal(count_of(again.err, rehearsed), 0);
    expect_same(&good, &bad, 1e-2);
    expect_same(&bad, &again, 0);
    free_outcome(&good);
    free_outcome(&bad);
    free_outcome(&again);
}

static void a_row_that_dies_is_not_used(void **state) {
    (void)state;
    need_rehearsal();
    expect_next_row("kill", "died (SIGILL)");
}

static void a_row_that_hangs_is_not_used(void **state) {
    (void)state;
    need_rehearsal();
    setenv("ENCL_REHEARSAL_SECONDS", "30", 1); // the others are compiled in that time
    expect_next_row("hang", "hung: no answer for 30 s");
    unsetenv("ENCL_REHEARSAL_SECONDS");
}

static void a_row_that_is_wrong_is_not_used(void **state) {
    (void)state;
    need_rehearsal();
    expect_next_row("wrong", "its self-check failed");
}

// Each of these ends a child; what is portable is left.
static void all_rows_may_die(void **state) {
    (void)state;
    need_rehearsal();
    outcome good = embed(NULL, "usual");
    outcome bad = embed("linear_tile_int8:kill", "dead");
    expect_exit(&bad, 0);
    assert_true(count_of(bad.err, unused) >= 1);
    expect_same(&good, &bad, 1e-2);
    free_outcome(&good);
    free_outcome(&bad);
}

static void without_the_program_rows_are_used(void **state) {
    (void)state;
    need_rehearsal();
    static const struct {
        const char *program, *cache, *said;
    } cases[] = {{"", "empty", "no program encl was found"},
                 {"/bin/true", "true", "'/bin/true' tried none of them"},
                 {"/nowhere/encl", "nowhere", "/nowhere/encl: cannot start"}};
    outcome good = embed(NULL, "usual");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        setenv("ENCL_PROGRAM", cases[i].program, 1);
        outcome result = embed("linear_tile_int8:kill", cases[i].cache);
        unsetenv("ENCL_PROGRAM");
        expect_exit(&result, 0);
        if (strstr(result.err, cases[i].said) == NULL || strstr(result.err, unused) != NULL) {
            fail_msg("found '%s', expected '%s' in it", result.err, cases[i].said);
        }
        expect_same(&good, &result, 0);
        free_outcome(&result);
    }
    free_outcome(&good);
}

static void benchmarks_rehearse_too(void **state) {
    (void)state;
    need_rehearsal();
    char name[NAME];
    char fault[2 * NAME];
    best_row(name);
    snprintf(fault, sizeof fault, "%s:kill", name);
    setenv("ENCL_CACHE_DIR", in_folder("bench"), 1);
    setenv("ENCL_REHEARSAL_FAULT", fault, 1);
    outcome result = RUN("", "bench", "kernels", "--kernel", name, "--device", "Portable", "--min-ms", "1", "--max-ms",
                         "5", "--json");
    unsetenv("ENCL_REHEARSAL_FAULT");
    assert_non_null(strstr(result.out[0] != '\0' ? result.out : result.err, "died (SIGILL)"));
    free_outcome(&result);
}

static void the_command_is_hidden_and_says_what_is_wrong(void **state) {
    (void)state;
    static const char *const bad[] = {"none:0:0:0:0:0",         "linear_plain",          "linear_plain:0:0:0:0",
                                      "linear_plain:0:2:0:0:0", "linear_plain:0:0:0:0:", "linear_plain:-1:0:0:0:0",
                                      "linear_plain:0:0:0:0:0x"};
    outcome result = RUN("", "help");
    expect_exit(&result, 0);
    assert_null(strstr(result.out, "rehearse"));
    free_outcome(&result);
    need_device();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        expect_bad(RUN("", "rehearse", bad[i]), "expected row:activation");
    }
    result = RUN("", "rehearse", "layer_norm_plain:0:0:0:0:0", "linear_plain:1:1:0:0:0");
    expect_exit(&result, 0);
    assert_int_equal(count_of(result.out, "begin "), 2);
    assert_int_equal(count_of(result.out, "passed "), 2);
    assert_int_equal(count_lines(result.out), 4);
    free_outcome(&result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_are_remembered),
        cmocka_unit_test(a_row_that_dies_is_not_used),
        cmocka_unit_test(a_row_that_hangs_is_not_used),
        cmocka_unit_test(a_row_that_is_wrong_is_not_used),
        cmocka_unit_test(all_rows_may_die),
        cmocka_unit_test(without_the_program_rows_are_used),
        cmocka_unit_test(benchmarks_rehearse_too),
        cmocka_unit_test(the_command_is_hidden_and_says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
