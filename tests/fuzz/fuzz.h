// What the fuzz targets share. A target is one file fuzz_<name>.c with LLVMFuzzerTestOneInput; its seeds are in
// corpus/<name>, inputs that once broke something in crashes/<name>. scripts/fuzz.sh runs targets under libFuzzer; the
// tests fuzz/<name> only replay both folders (replay.c).
#ifndef ENCL_FUZZ_H
#define ENCL_FUZZ_H

#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/encl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Readers read folders: an empty one in memory where the system has that, made once and removed at the end.
static char fuzz_path[64];

static inline int fuzz_remove_one(const char *path, const struct stat *state, int type, struct FTW *walk) {
    (void)state;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline void fuzz_remove(void) {
    nftw(fuzz_path, fuzz_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline const char *fuzz_folder(void) {
    if (fuzz_path[0] == '\0') {
        snprintf(fuzz_path, sizeof fuzz_path, "%s/encl-fuzz-XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        if (mkdtemp(fuzz_path) == NULL) {
            abort();
        }
        atexit(fuzz_remove);
        encl_log_set_level(ENCL_LOG_QUIET);
    }
    return fuzz_path;
}

// Writes a file of the folder, replacing what it held.
static inline void fuzz_write(const char *name, const void *bytes, size_t size) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) {
        abort();
    }
}

#endif
