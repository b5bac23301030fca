// encl bench ab with a program that prints prepared results, so that verdicts do not depend on time; and once with the
// real one.
#include <sys/stat.h>

#include "cli/bench_file.h"

// Notes how it was started in log.txt, then prints $RESULTS with "@" in place of what TIME says in its n-th process.
static const char script[] = "#!/bin/sh\n"
                             "echo \"$SIDE $*\" >> \"$LOG\"\n"
                             "echo noise >&2\n"
                             "exec cat \"$RESULTS\"\n";

static const char *write_script(const char *name, const char *text) {
    const char *path = write_text(name, text);
    assert_int_equal(chmod(path, 0700), 0);
    return path;
}

static void write_results(const char *name, long middle) {
    encl_string text = {0};
    bench_header(&text, "d", "1");
    bench_result(&text, "x", middle, 1, 5);
    bench_result(&text, "y", 1000000, 1, 5);
    bench_footer(&text, true);
    write_text(name, text.text);
    encl_string_free(&text);
}

static char *read_log(void) {
    char *text = NULL;
    size_t length = 0;
    assert_ok(read_result("log.txt", &text, &length));
    return text;
}

static const char *settings_of(const char *side, const char *results, const char *more) {
    static char texts[4][PATH_LENGTH * 2];
    static size_t next = 0;
    char *text = texts[next++ % 4];
    snprintf(text, sizeof texts[0], "SIDE=%s  RESULTS=%s LOG=%s %s", side, in_folder(results), in_folder("log.txt"),
             more);
    return text;
}

// A and B in turn, each with its environment and options before "bench", and the command's words behind; the medians
// of the processes are what is compared.
static void test_turns(void **state) {
    (void)state;
    const char *fake = write_script("fake", script);
    write_results("a.jsonl", 1000000);
    write_results("b.jsonl", 1200000);
    remove(in_folder("log.txt"));
    outcome result = RUN("", "bench", "ab", "--pairs", "6", "--a-binary", fake, "--b-binary", fake, "--a",
                         settings_of("A", "a.jsonl", ""), "--b", settings_of("B", "b.jsonl", "--gemm clblast X=1"),
                         "--json", "--fail-on", "slower", "model", "--shape", "no such shape", "--batch", "1");
    assert_int_equal(result.exit_code, 3);
    result.exit_code = 0;
    parse_lines(&result);
    const cJSON *x = bench_row(&result, "x");
    assert_string_equal(text_of(x, "verdict"), "slower");
    assert_int_equal(number_of(x, "a_n"), 6);
    assert_int_equal(number_of(x, "b_n"), 6);
    assert_int_equal(number_of(x, "a_p50_us"), 1000);
    assert_int_equal(number_of(x, "b_p50_us"), 1200);
    assert_string_equal(text_of(bench_row(&result, "y"), "verdict"), "same");
    assert_string_equal(text_of(result.lines[0], "samples"), "processes");
    assert_null(strstr(result.err, "noise")); // of a process that did well
    char *log = read_log();
    encl_string expected = {0};
    for (int i = 0; i < 6; i++) {
        assert_ok(encl_string_format(&expected, "A bench model --output jsonl --shape no such shape --batch 1\n"
                                                "B --gemm clblast X=1 bench model --output jsonl --shape no such shape "
                                                "--batch 1\n"));
    }
    assert_string_equal(log, expected.text);
    encl_string_free(&expected);
    free(log);
    free_outcome(&result);
}

// Fewer than six processes of each tell nothing.
static void test_few_pairs(void **state) {
    (void)state;
    const char *fake = write_script("fake", script);
    write_results("a.jsonl", 1000000);
    write_results("b.jsonl", 2000000);
    outcome result = RUN("", "bench", "ab", "--pairs", "2", "--a-binary", fake, "--b-binary", fake, "--a",
                         settings_of("A", "a.jsonl", ""), "--b", settings_of("B", "b.jsonl", ""), "--json", "--fail-on",
                         "slower", "model");
    expect_exit(&result, 0);
    parse_lines(&result);
    assert_string_equal(text_of(bench_row(&result, "x"), "verdict"), "unclear");
    assert_non_null(strstr(text_of(bench_row(&result, "x"), "reason"), "too few samples"));
    free_outcome(&result);
}

// Which side failed is said, with what it said itself.
static void test_failures(void **state) {
    (void)state;
    static const struct {
        const char *text; // of the program of B
        const char *messages[2];
    } rows[] = {
        {"#!/bin/sh\necho 'lost the device' >&2\nexit 4\n", {"lost the device\n", "B: ", /* and the exit code */}},
        {"#!/bin/sh\nexit 4\n", {"ended with exit code 4", "B: "}},
        {"#!/bin/sh\nkill -9 $$\n", {"was ended by signal 9", "B: "}},
        {"#!/bin/sh\n", {"output of B: found nothing", ""}},
        {"#!/bin/sh\necho hello\n", {"output of B:1: ", ""}},
        {"no program", {"B: ", "cannot start"}},
    };
    char good[PATH_LENGTH]; // in_folder's own texts do not last
    snprintf(good, sizeof good, "%s", write_script("fake", script));
    write_results("a.jsonl", 1000000);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *bad = write_script("bad", rows[i].text);
        outcome result = RUN("", "bench", "ab", "--a-binary", good, "--b-binary", bad, "--a",
                             settings_of("A", "a.jsonl", ""), "model");
        expect_exit(&result, 1);
        assert_string_equal(result.out, "");
        for (int j = 0; j < 2; j++) {
            if (strstr(result.err, rows[i].messages[j]) == NULL) {
                fail_msg("found '%s', expected '%s' in it", result.err, rows[i].messages[j]);
            }
        }
        free_outcome(&result);
    }
    expect_bad(RUN("", "bench", "ab", "--a-binary", in_folder("none"), "model"), "A: ");
}

// A row that a later process lacks ends the comparison: its medians would be of fewer processes.
static void test_lost_row(void **state) {
    (void)state;
    const char *fake =
        write_script("fake", "#!/bin/sh\n"
                             "if [ -e \"$LOG\" ]; then grep -v '\"y\"' \"$RESULTS\"; else cat \"$RESULTS\"; "
                             "fi\n[ \"$SIDE\" = A ] || : > \"$LOG\"\n");
    write_results("a.jsonl", 1000000);
    remove(in_folder("log.txt"));
    outcome result = RUN("", "-q", "bench", "ab", "--a-binary", fake, "--b-binary", fake, "--a",
                         settings_of("A", "a.jsonl", ""), "--b", settings_of("B", "a.jsonl", ""), "model");
    expect_bad(result, "A, process 2: found no time of case 'y'");
}

static void wait_for_log(void) {
    for (int i = 0; i < 12000 && access(in_folder("log.txt"), F_OK) != 0; i++) {
        usleep(10000);
    }
    assert_int_equal(access(in_folder("log.txt"), F_OK), 0);
}

// Ctrl-C ends the running process too.
static void test_interrupt(void **state) {
    (void)state;
    const char *fake = write_script("fake", "#!/bin/sh\necho $$ > \"$LOG.part\"\nmv \"$LOG.part\" \"$LOG\"\n"
                                            "exec sleep 1000\n");
    write_text("in.txt", "");
    remove(in_folder("log.txt"));
    const char *arguments[] = {"bench", "ab", "--a-binary", fake, "--a", settings_of("A", "a.jsonl", ""),
                               "model", NULL};
    pid_t child = start_program(arguments, -1, "out.txt");
    wait_for_log();
    char *log = read_log();
    const pid_t grandchild = (pid_t)strtol(log, NULL, 10);
    free(log);
    assert_true(grandchild > 1);
    assert_int_equal(kill(child, SIGINT), 0);
    outcome result = finish_program(child);
    assert_int_equal(result.exit_code, 130);
    assert_int_equal(kill(grandchild, 0), -1); // gone, and waited for
    free_outcome(&result);
}

// The real program, twice the same: every row is there on both sides. What the verdict is depends on time.
static void test_itself(void **state) {
    (void)state;
    need_device();
    outcome result = RUN("", "bench", "ab", "--pairs", "1", "--json", "model", "tests/fixtures/tiny-bert", "--samples",
                         "3", "--min-ms", "1", "--batch", "1,2", "--seq", "8");
    parse_lines(&result);
    static const char *const names[] = {"tiny-bert 1x8", "tiny-bert 2x8"};
    for (int i = 0; i < 2; i++) {
        const cJSON *row = bench_row(&result, names[i]);
        assert_int_equal(number_of(row, "a_n"), 1);
        assert_int_equal(number_of(row, "b_n"), 1);
        assert_true(number_of(row, "ratio") > 0);
    }
    free_outcome(&result);
}

static void test_misuse(void **state) {
    (void)state;
    expect_misuse(RUN("", "bench", "ab"), "found 0 arguments");
    expect_misuse(RUN("", "bench", "ab", "compare", "a", "b"),
                  "found 'compare', expected a bench command that measures");
    expect_misuse(RUN("", "bench", "ab", "--pairs", "0", "model"), "--pairs: found '0'");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turns),    cmocka_unit_test(test_few_pairs), cmocka_unit_test(test_failures),
        cmocka_unit_test(test_lost_row), cmocka_unit_test(test_interrupt), cmocka_unit_test(test_itself),
        cmocka_unit_test(test_misuse),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
