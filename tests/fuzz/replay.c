// The main function of a fuzz target that is built as a test: runs every file of the folders it is given once, and
// every prefix of small ones. What it looks for are crashes, sanitizer reports and hangs.
#include <dirent.h>

#include "fuzz.h"

enum { PREFIX_BYTES = 512, FILE_BYTES = 1 << 20 };

// A block of its own, so that a sanitizer sees its end.
static void replay(const uint8_t *bytes, size_t size) {
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static int replay_file(const char *path) {
    static uint8_t bytes[FILE_BYTES];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s: cannot read\n", path);
        exit(1);
    }
    const size_t size = fread(bytes, 1, FILE_BYTES, file);
    fclose(file);
    for (size_t prefix = 0; size <= PREFIX_BYTES && prefix < size; prefix++) {
        replay(bytes, prefix);
    }
    replay(bytes, size);
    return 1;
}

int main(int count, char **arguments) {
    int files = 0;
    for (int i = 1; i < count; i++) {
        DIR *directory = opendir(arguments[i]);
        for (const struct dirent *entry = directory == NULL ? NULL : readdir(directory); entry != NULL;
             entry = readdir(directory)) {
            char path[512];
            snprintf(path, sizeof path, "%s/%s", arguments[i], entry->d_name);
            files += entry->d_name[0] == '.' ? 0 : replay_file(path);
        }
        if (directory != NULL) {
            closedir(directory);
        }
    }
    printf("replayed %d files\n", files);
    return files == 0; // without a seed nothing was tested
}
