// Zips: the input is a file in memory; every member is mapped and read to its end, and the names are seen as folders.
#include "fuzz.h"
#include "runtime/base/archive_folder.h"
#include "runtime/base/folder.h"

static uint64_t read_members(const encl_archive *archive) {
    uint64_t sum = 0;
    for (size_t i = 0; i < encl_archive_count(archive); i++) {
        encl_file file;
        if (encl_archive_map(archive, i, &file) == ENCL_OK) {
            for (size_t at = 0; at < file.size; at++) {
                sum += file.data[at];
            }
            encl_file_unmap(&file);
        }
    }
    return sum;
}

static void look_around(const encl_archive *archive) {
    char *root = NULL;
    char **names = NULL;
    size_t count = 0;
    (void)encl_archive_is_torch(archive);
    if (encl_archive_find_root(archive, "fuzz.zip", &root) != ENCL_OK) {
        return;
    }
    if (encl_archive_list(archive, root, &names, &count) == ENCL_OK) {
        for (size_t i = 0; i < count; i++) {
            if (encl_archive_look_up(archive, root, names[i]) == ENCL_ARCHIVE_NOTHING) {
                abort(); // what is listed is there
            }
        }
        encl_folder_free_names(names, count);
    }
    free(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const encl_file file = {.data = data, .size = size};
    encl_archive *archive = NULL;
    if (encl_archive_open(&file, "fuzz.zip", &archive) == ENCL_OK) {
        (void)read_members(archive);
        look_around(archive);
    }
    encl_archive_close(archive);
    return 0;
}
