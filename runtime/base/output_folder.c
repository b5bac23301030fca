#include "runtime/base/output_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/output.h"

static encl_status check_empty(const char *path) {
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return encl_output_fail(path, "list the folder", errno);
    }
    const struct dirent *entry = readdir(directory);
    while (entry != NULL && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)) {
        entry = readdir(directory);
    }
    const encl_status status =
        entry == NULL
            ? ENCL_OK
            : encl_fail(ENCL_IO, "%s: found '%s' in it, expected an empty folder or a new name", path, entry->d_name);
    closedir(directory);
    return status;
}

// What the folder will be called: of a link, what it points to.
static encl_status resolve_target(const char *path, char **target) {
    struct stat state;
    *target = NULL;
    if (path == NULL || path[0] == '\0') {
        return encl_fail(ENCL_INVALID, "no path: found an empty name, expected the name of a folder to write");
    }
    if (lstat(path, &state) != 0) {
        size_t length = strlen(path);
        while (length > 1 && path[length - 1] == '/') {
            length--;
        }
        return encl_copy_text(path, length, target);
    }
    if (!encl_path_is_folder(path)) {
        return encl_fail(ENCL_IO, "%s: found a file, expected an empty folder or a new name", path);
    }
    const encl_status status = check_empty(path);
    if (status != ENCL_OK) {
        return status;
    }
    *target = realpath(path, NULL);
    return *target != NULL ? ENCL_OK : encl_output_fail(path, "resolve", errno);
}

static encl_status make_beside(const char *target, char **temporary) {
    static _Atomic unsigned serial;
    encl_status status = ENCL_OK;
    char *parent = NULL;
    encl_string name = {0};
    int error = EEXIST;
    ENCL_TRY(encl_path_folder(target, &parent));
    for (int attempt = 0; attempt < 100 && error == EEXIST; attempt++) {
        encl_string_free(&name);
        ENCL_TRY(encl_string_format(&name, "%s%s.encl-%ld-%llx-%u.tmp", parent, strcmp(parent, "/") == 0 ? "" : "/",
                                    (long)getpid(), (unsigned long long)encl_clock_ns(), atomic_fetch_add(&serial, 1)));
        error = mkdir(name.text, 0777) == 0 ? 0 : errno;
    }
    if (error != 0) {
        status = encl_output_fail(target, "make a temporary folder beside it", error);
        goto cleanup;
    }
    *temporary = name.text;
    name = (encl_string){0};
cleanup:
    encl_string_free(&name);
    free(parent);
    return status;
}

encl_status encl_output_folder_open(const char *path, encl_output_folder *folder) {
    encl_status status = ENCL_OK;
    encl_output_folder opened = {0};
    *folder = opened;
    ENCL_TRY(resolve_target(path, &opened.path));
    ENCL_TRY(make_beside(opened.path, &opened.temporary));
    *folder = opened;
    opened = (encl_output_folder){0};
cleanup:
    free(opened.path);
    return status;
}

encl_status encl_output_folder_commit(encl_output_folder *folder) {
    encl_status status = ENCL_OK;
    char *parent = NULL;
    if (folder->temporary == NULL) {
        return encl_fail(ENCL_INVALID, "no output folder is open");
    }
    ENCL_TRY(encl_path_folder(folder->path, &parent));
    encl_output_sync_folder(folder->temporary);
    if (rename(folder->temporary, folder->path) != 0) { // an empty folder of this name is replaced
        status = encl_output_fail(folder->path, "rename the finished folder to this name", errno);
        goto cleanup;
    }
    free(folder->temporary);
    folder->temporary = NULL;
    encl_output_sync_folder(parent);
cleanup:
    free(parent);
    encl_output_folder_abandon(folder);
    return status;
}

static int remove_entry(const char *path, const struct stat *state, int type, struct FTW *walk) {
    (void)state;
    (void)type;
    (void)walk;
    (void)remove(path); // the rest goes all the same
    return 0;
}

void encl_output_folder_abandon(encl_output_folder *folder) {
    if (folder->temporary != NULL) {
        nftw(folder->temporary, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    }
    free(folder->temporary);
    free(folder->path);
    *folder = (encl_output_folder){0};
}
