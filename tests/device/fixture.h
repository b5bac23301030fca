// What the device room's tests share: folders of their own, and runs of the test program with another environment.
#ifndef ENCL_TEST_DEVICE_FIXTURE_H
#define ENCL_TEST_DEVICE_FIXTURE_H

#include "test.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FIXTURE_PATH = 512, FIXTURE_TEXT = 8192 };

// Makes an empty folder; fixture_remove takes it away with all that is in it.
static inline void fixture_folder(char path[FIXTURE_PATH]) {
    const char *temporary = getenv("TMPDIR");
    int length = snprintf(path, FIXTURE_PATH, "%s/encl-test-XXXXXX", temporary != NULL ? temporary : "/tmp");
    assert_in_range(length, 1, FIXTURE_PATH - 1);
    assert_non_null(mkdtemp(path));
}

static inline int fixture_remove_one(const char *path, const struct stat *state, int type, struct FTW *place) {
    (void)state;
    (void)type;
    (void)place;
    return remove(path);
}

static inline void fixture_remove(const char *path) {
    nftw(path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void fixture_write(const char *folder, const char *name, const void *bytes, size_t length) {
    char path[4 * FIXTURE_PATH];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, length, stream), length);
    assert_int_equal(fclose(stream), 0);
}

static inline void fixture_write_text(const char *folder, const char *name, const char *text) {
    fixture_write(folder, name, text, strlen(text));
}

// Runs this test program again as `program argument` with more environment ("A=1 B='2'"); gives its exit status (-1
// where a signal ended it) and what it wrote on both streams.
static inline int fixture_child(const char *environment, const char *argument, char text[FIXTURE_TEXT]) {
    char program[FIXTURE_PATH];
    char command[8 * FIXTURE_PATH];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    assert_in_range(length, 1, sizeof program - 2);
    program[length] = '\0';
    snprintf(command, sizeof command, "%s '%s' %s 2>&1", environment, program, argument);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    size_t read = fread(text, 1, FIXTURE_TEXT - 1, output);
    text[read] = '\0';
    char rest[256];
    while (fread(rest, 1, sizeof rest, output) > 0) {
    }
    int status = pclose(output);
    // The shell reports a signal as 128 + its number.
    return WIFEXITED(status) && WEXITSTATUS(status) < 128 ? WEXITSTATUS(status) : -1;
}

#endif
