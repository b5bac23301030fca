// Paths: pure text, but for the questions whether something exists.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/file.h"

bool encl_path_exists(const char *path) {
    struct stat state;
    return path != NULL && stat(path, &state) == 0;
}

bool encl_path_is_folder(const char *path) {
    struct stat state;
    return path != NULL && stat(path, &state) == 0 && S_ISDIR(state.st_mode);
}

encl_status encl_path_join(const char *folder, const char *name, char **path) {
    *path = NULL;
    const size_t length = strlen(folder);
    if (name[0] == '/' || length == 0) {
        return encl_copy_text(name, strlen(name), path);
    }
    encl_string joined = {0};
    encl_status status = encl_string_format(&joined, "%s%s%s", folder, folder[length - 1] == '/' ? "" : "/", name);
    if (status == ENCL_OK) {
        *path = joined.text;
    }
    return status;
}

encl_status encl_path_folder(const char *path, char **folder) {
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/') { // "a/b/" names the same as "a/b"
        end--;
    }
    while (end > 0 && path[end - 1] != '/') {
        end--;
    }
    while (end > 1 && path[end - 1] == '/') {
        end--;
    }
    if (end > 0) {
        return encl_copy_text(path, end, folder);
    }
    return encl_copy_text(path[0] == '/' ? "/" : ".", 1, folder);
}

static encl_status make_one(const char *path) {
    if (mkdir(path, 0700) == 0) {
        return ENCL_OK;
    }
    const int error = errno;
    if (encl_path_is_folder(path)) {
        return ENCL_OK; // was there, or another process was faster
    }
    if (error == EEXIST) {
        return encl_fail(ENCL_IO, "%s: found a file, expected a folder", path);
    }
    return encl_fail(ENCL_IO, "%s: cannot make this folder: %s", path, strerror(error));
}

encl_status encl_path_make_folder(const char *path) {
    if (path == NULL || path[0] == '\0') {
        return encl_fail(ENCL_INVALID, "no path: found an empty name, expected the name of a folder");
    }
    if (encl_path_is_folder(path)) {
        return ENCL_OK;
    }
    char *part = NULL;
    encl_status status = encl_copy_text(path, strlen(path), &part);
    for (char *slash = part; status == ENCL_OK && (slash = strchr(slash + 1, '/')) != NULL;) {
        *slash = '\0';
        status = make_one(part);
        *slash = '/';
    }
    if (status == ENCL_OK) {
        status = make_one(path);
    }
    free(part);
    return status;
}

encl_status encl_path_cache(char **folder) {
    *folder = NULL;
    const char *own = getenv("ENCL_CACHE_DIR");
    if (own != NULL && own[0] != '\0') {
        return encl_copy_text(own, strlen(own), folder);
    }
    // The XDG Base Directory Specification says that a relative path is to be ignored.
    const char *shared = getenv("XDG_CACHE_HOME");
    if (shared != NULL && shared[0] == '/') {
        return encl_path_join(shared, "encl", folder);
    }
    const char *home = getenv("HOME");
    if (home != NULL && home[0] != '\0') {
        return encl_path_join(home, ".cache/encl", folder);
    }
    return encl_fail(ENCL_NOT_FOUND, "no cache folder: none of ENCL_CACHE_DIR, XDG_CACHE_HOME and HOME is set");
}
