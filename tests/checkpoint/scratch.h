// A temporary folder for tests that need files of their own. Any failure of the system ends the test.
#ifndef ENCL_TEST_SCRATCH_H
#define ENCL_TEST_SCRATCH_H

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

typedef struct encl_scratch {
    char folder[64];
    char path[512]; // of the last scratch_path
} encl_scratch;

static inline int scratch_setup(void **state) {
    encl_scratch *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return -1;
    }
    strcpy(made->folder, "/tmp/encl-test-XXXXXX");
    if (mkdtemp(made->folder) == NULL) {
        free(made);
        return -1;
    }
    *state = made;
    return 0;
}

static inline int scratch_remove(const char *path, const struct stat *status, int type, struct FTW *walk) {
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline int scratch_teardown(void **state) {
    encl_scratch *made = *state;
    const int result = nftw(made->folder, scratch_remove, 8, FTW_DEPTH | FTW_PHYS);
    free(made);
    return result;
}

static inline const char *scratch_path(encl_scratch *scratch, const char *name) {
    const int length = snprintf(scratch->path, sizeof scratch->path, "%s/%s", scratch->folder, name);
    assert_in_range(length, 1, sizeof scratch->path - 1);
    return scratch->path;
}

static inline void scratch_make_folder(encl_scratch *scratch, const char *name) {
    assert_int_equal(mkdir(scratch_path(scratch, name), 0700), 0);
}

// Entries of a folder, hidden ones too.
static inline size_t scratch_count(const char *folder) {
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    size_t count = 0;
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count - 2; // "." and ".."
}

static inline void scratch_write(encl_scratch *scratch, const char *name, const void *bytes, size_t length) {
    remove(scratch_path(scratch, name)); // ext4 waits for the disk when a file is emptied and written again
    FILE *file = fopen(scratch->path, "wb");
    assert_non_null(file);
    if (length > 0) {
        assert_int_equal(fwrite(bytes, 1, length, file), length);
    }
    assert_int_equal(fclose(file), 0);
}

static inline void scratch_write_text(encl_scratch *scratch, const char *name, const char *text) {
    scratch_write(scratch, name, text, strlen(text));
}

// The last message must hold `part`.
static inline void assert_detail_has(const char *part) {
    if (strstr(encl_status_detail(), part) == NULL) {
        fail_msg("found message '%s', expected '%s' in it", encl_status_detail(), part);
    }
}

// The status is `expected` and its message holds `part`.
static inline void assert_fails(encl_status status, encl_status expected, const char *part) {
    if (status != expected) {
        fail_msg("found status %s (%s), expected %s with '%s'", encl_status_name(status),
                 status == ENCL_OK ? "" : encl_status_detail(), encl_status_name(expected), part);
    }
    assert_detail_has(part);
}

#endif
