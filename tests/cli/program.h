// Runs the built program from outside, as a user does, in a folder of its own.
#ifndef ENCL_TEST_PROGRAM_H
#define ENCL_TEST_PROGRAM_H

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "test.h"

enum { ARGUMENT_LIMIT = 32, PATH_LENGTH = 512, LINE_LIMIT = 64 };

static char folder[] = "/tmp/encl-test-cli-XXXXXX";

typedef struct outcome {
    int exit_code; // -1: ended by a signal
    char *out;
    char *err;
    size_t out_length;
    cJSON *lines[LINE_LIMIT]; // of `out`, once parse_lines was called
    size_t line_count;
} outcome;

static const char *program_path(void) {
    const char *path = getenv("ENCL_BINARY");
#ifdef ENCL_BINARY
    return path != NULL ? path : ENCL_BINARY;
#else
    return path;
#endif
}

// A path in the test's folder. A test may use eight at a time.
static inline const char *in_folder(const char *name) {
    static char paths[8][PATH_LENGTH];
    static size_t next = 0;
    char *path = paths[next++ % 8];
    const int length = snprintf(path, PATH_LENGTH, "%s/%s", folder, name);
    assert_in_range(length, 1, PATH_LENGTH - 1);
    return path;
}

static inline encl_status read_result(const char *name, char **text, size_t *length) {
    char path[PATH_LENGTH];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return encl_file_read(path, 1 << 26, text, length);
}

static inline const char *write_text(const char *name, const char *text) {
    const char *path = in_folder(name);
    assert_ok(encl_file_write(path, text, strlen(text)));
    return path;
}

static inline void redirect(const char *name, int flags, int descriptor) {
    char path[PATH_LENGTH];
    snprintf(path, sizeof path, "%s%s%s", name[0] == '/' ? "" : folder, name[0] == '/' ? "" : "/", name);
    int opened = open(path, flags, 0600);
    if (opened < 0 || dup2(opened, descriptor) < 0) {
        _exit(126);
    }
}

// Starts `encl arguments…` with stdin from `input` and stdout to `output`: descriptors of the caller's, or -1 for the
// files in.txt and out.txt.
static inline pid_t start_program(const char *const *arguments, int input, const char *output) {
    char *argv[ARGUMENT_LIMIT + 2] = {"encl"};
    for (size_t i = 0; i < ARGUMENT_LIMIT && arguments[i] != NULL; i++) {
        argv[i + 1] = (char *)arguments[i];
    }
    pid_t child = fork();
    if (child == 0) {
        if (input >= 0) {
            dup2(input, STDIN_FILENO);
        } else {
            redirect("in.txt", O_RDONLY, STDIN_FILENO);
        }
        redirect(output, O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
        redirect("err.txt", O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
        execv(program_path(), argv);
        _exit(127);
    }
    assert_true(child > 0);
    return child;
}

static inline outcome finish_program(pid_t child) {
    outcome result = {.exit_code = -1};
    size_t length = 0;
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    assert_ok(read_result("out.txt", &result.out, &result.out_length));
    assert_ok(read_result("err.txt", &result.err, &length));
    return result;
}

static inline outcome run_program(const char *input, const char *const *arguments) {
    char path[PATH_LENGTH];
    snprintf(path, sizeof path, "%s/in.txt", folder);
    assert_ok(encl_file_write(path, input, strlen(input)));
    return finish_program(start_program(arguments, -1, "out.txt"));
}
// RUN("a line\n", "embed", model)
#define RUN(input, ...) run_program((input), (const char *const[]){__VA_ARGS__, NULL})

static inline void free_outcome(outcome *result) {
    for (size_t i = 0; i < result->line_count; i++) {
        cJSON_Delete(result->lines[i]);
    }
    free(result->out);
    free(result->err);
    *result = (outcome){0};
}

static inline void expect_exit(const outcome *result, int exit_code) {
    if (result->exit_code != exit_code) {
        fail_msg("exit code %d, expected %d: %s", result->exit_code, exit_code, result->err);
    }
}

static inline size_t count_lines(const char *text) {
    size_t count = 0;
    for (; *text != '\0'; text++) {
        count += *text == '\n' ? 1 : 0;
    }
    return count;
}

// Fails with one line that holds `message`.
static inline void expect_bad(outcome result, const char *message) {
    expect_exit(&result, 1);
    if (strstr(result.err, message) == NULL) {
        fail_msg("found '%s', expected '%s' in it", result.err, message);
    }
    assert_int_equal(count_lines(result.err), 1);
    free_outcome(&result);
}

// The same for a use that the command line alone shows to be wrong: exit code 2, and nothing was computed.
static inline void expect_misuse(outcome result, const char *message) {
    expect_exit(&result, 2);
    if (strstr(result.err, message) == NULL) {
        fail_msg("found '%s', expected '%s' in it", result.err, message);
    }
    assert_int_equal(count_lines(result.err), 1);
    assert_string_equal(result.out, "");
    free_outcome(&result);
}

static inline bool has_device(void) {
    outcome result = RUN("", "devices");
    bool found = result.exit_code == 0;
    assert_true(found || strncmp(result.err, "encl: error: ", strlen("encl: error: ")) == 0); // not a crash
    free_outcome(&result);
    return found;
}

static inline void need_device(void) {
    static int known = -1;
    known = known < 0 ? has_device() : known;
    if (!known) {
        print_message("no OpenCL device\n");
        skip();
    }
}

// Every line of stdout is one JSON object.
static inline void parse_lines(outcome *result) {
    expect_exit(result, 0);
    char *start = result->out;
    for (char *end = strchr(start, '\n'); end != NULL; start = end + 1, end = strchr(start, '\n')) {
        assert_true(result->line_count < LINE_LIMIT);
        assert_ok(encl_json_parse("stdout", start, (size_t)(end - start), &result->lines[result->line_count]));
        assert_true(cJSON_IsObject(result->lines[result->line_count]));
        result->line_count++;
    }
    assert_int_equal(*start, '\0'); // the last line ends too
}

// The keys of a JSON line, in their order: "index,ids,tokens".
static inline void expect_keys(const cJSON *line, const char *expected) {
    char keys[1024] = "";
    size_t used = 0;
    for (const cJSON *item = line->child; item != NULL; item = item->next) {
        used += (size_t)snprintf(keys + used, sizeof keys - used, "%s%s", used > 0 ? "," : "", item->string);
        assert_true(used < sizeof keys);
    }
    assert_string_equal(keys, expected);
}

static inline double number_of(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!cJSON_IsNumber(item)) {
        fail_msg("no number '%s'", key);
    }
    return item->valuedouble;
}

static inline const char *text_of(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!cJSON_IsString(item)) {
        fail_msg("no text '%s'", key);
    }
    return item->valuestring;
}

static inline const cJSON *array_of(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!cJSON_IsArray(item)) {
        fail_msg("no array '%s'", key);
    }
    return item;
}

// Element by element within `tolerance`.
static inline void expect_numbers(const cJSON *found, const cJSON *expected, double tolerance) {
    assert_int_equal(cJSON_GetArraySize(found), cJSON_GetArraySize(expected));
    const cJSON *right = expected->child;
    for (const cJSON *left = found->child; left != NULL; left = left->next, right = right->next) {
        double difference = left->valuedouble - right->valuedouble;
        if (!(difference >= -tolerance && difference <= tolerance)) {
            fail_msg("found %.9g, expected %.9g", left->valuedouble, right->valuedouble);
        }
    }
}

static inline int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk) {
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline int make_test_folder(void **state) {
    (void)state;
    if (program_path() == NULL || mkdtemp(folder) == NULL) {
        return -1;
    }
    return setenv("ENCL_CACHE_DIR", in_folder("cache"), 0); // or that of the whole run of tests (scripts/test.sh)
}

static inline int remove_test_folder(void **state) {
    (void)state;
    return nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
