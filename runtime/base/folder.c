#include "runtime/base/folder.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"

struct encl_folder {
    char *path;
};

encl_status encl_folder_open(const char *path, encl_folder **folder) {
    encl_status status = ENCL_OK;
    encl_folder *opened = NULL;
    *folder = NULL;
    if (path == NULL) {
        return encl_fail(ENCL_INVALID, "no path: found NULL, expected a folder");
    }
    if (!encl_path_exists(path)) {
        return encl_fail(ENCL_NOT_FOUND, "%s: found nothing, expected a folder", path);
    }
    if (!encl_path_is_folder(path)) {
        return encl_fail(ENCL_FORMAT, "%s: found a file, expected a folder", path);
    }
    ENCL_TRY(encl_allocate(1, sizeof *opened, (void **)&opened));
    ENCL_TRY(encl_copy_text(path, strlen(path), &opened->path));
    *folder = opened;
    opened = NULL;
cleanup:
    encl_folder_close(opened);
    return status;
}

encl_status encl_folder_open_inner(const encl_folder *parent, const char *name, encl_folder **folder) {
    encl_status status = ENCL_OK;
    char *path = NULL;
    *folder = NULL;
    ENCL_TRY(encl_folder_place(parent, name, &path));
    status = encl_folder_open(path, folder);
cleanup:
    free(path);
    return status;
}

void encl_folder_close(encl_folder *folder) {
    if (folder != NULL) {
        free(folder->path);
        free(folder);
    }
}

encl_status encl_folder_resolve(const char *path, encl_folder **folder, char **file) {
    encl_status status = ENCL_OK;
    encl_string name = {0};
    char *parent = NULL;
    *folder = NULL;
    *file = NULL;
    if (path == NULL || encl_path_is_folder(path)) {
        return encl_folder_open(path, folder);
    }
    const char *slash = strrchr(path, '/');
    ENCL_TRY(encl_string_format(&name, "%s.index", path));
    if (encl_path_exists(path) || !encl_path_exists(name.text)) {
        name.length -= strlen(".index");
        name.text[name.length] = '\0';
    }
    if (!encl_path_exists(name.text)) {
        status = encl_fail(ENCL_NOT_FOUND, "%s: found nothing, expected a model's folder or a weight file", path);
        goto cleanup;
    }
    ENCL_TRY(encl_path_folder(path, &parent));
    ENCL_TRY(encl_copy_text(name.text + (slash == NULL ? 0 : slash - path + 1),
                            name.length - (slash == NULL ? 0 : (size_t)(slash - path + 1)), file));
    status = encl_folder_open(parent, folder);
cleanup:
    if (status != ENCL_OK) {
        free(*file);
        *file = NULL;
    }
    encl_string_free(&name);
    free(parent);
    return status;
}

const char *encl_folder_path(const encl_folder *folder) {
    return folder->path;
}

bool encl_path_is_inside(const char *path) {
    if (path[0] == '/' || strchr(path, '\\') != NULL) {
        return false;
    }
    for (const char *part = path; part != NULL; part = strchr(part, '/')) {
        part += part[0] == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '\0' || part[2] == '/')) {
            return false;
        }
    }
    return true;
}

encl_status encl_folder_place(const encl_folder *folder, const char *name, char **place) {
    *place = NULL;
    if (!encl_path_is_inside(name)) {
        return encl_fail(ENCL_INVALID, "%s: found the name '%s', expected one inside the folder", folder->path, name);
    }
    return name[0] == '\0' ? encl_copy_text(folder->path, strlen(folder->path), place)
                           : encl_path_join(folder->path, name, place);
}

// No allocation: exhausted memory must not look like a file that is not there.
bool encl_folder_has(const encl_folder *folder, const char *name) {
    char path[PATH_MAX];
    const int length = snprintf(path, sizeof path, "%s/%s", folder->path, name);
    return encl_path_is_inside(name) && length > 0 && (size_t)length < sizeof path && encl_path_exists(path);
}

// ---- Listing ----------------------------------------------------------------------------------------------

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void encl_folder_free_names(char **names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
}

encl_status encl_folder_list(const encl_folder *folder, char ***names, size_t *count) {
    encl_status status = ENCL_OK;
    char **listed = NULL;
    size_t found = 0;
    size_t capacity = 0;
    *names = NULL;
    *count = 0;
    DIR *directory = opendir(folder->path);
    if (directory == NULL) {
        return encl_fail(ENCL_IO, "%s: cannot list the folder: %s", folder->path, strerror(errno));
    }
    for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (entry->d_name[0] == '.') { // hidden files are no model's, and neither are "." and ".."
            continue;
        }
        ENCL_TRY(encl_reserve((void **)&listed, &capacity, found + 1, sizeof *listed));
        ENCL_TRY(encl_copy_text(entry->d_name, strlen(entry->d_name), &listed[found]));
        found++;
    }
    if (found > 0) {
        qsort(listed, found, sizeof *listed, compare_texts);
    }
    *names = listed;
    *count = found;
    listed = NULL;
cleanup:
    if (listed != NULL) {
        encl_folder_free_names(listed, found);
    }
    closedir(directory);
    return status;
}

// ---- Reading ----------------------------------------------------------------------------------------------

encl_status encl_folder_map(const encl_folder *folder, const char *name, encl_file *file) {
    char *path = NULL;
    *file = (encl_file){0};
    encl_status status = encl_folder_place(folder, name, &path);
    if (status == ENCL_OK) {
        status = encl_file_map(path, file);
    }
    free(path);
    return status;
}

encl_status encl_folder_read(const encl_folder *folder, const char *name, size_t limit, char **text, size_t *length) {
    char *path = NULL;
    *text = NULL;
    *length = 0;
    encl_status status = encl_folder_place(folder, name, &path);
    if (status == ENCL_OK) {
        status = encl_file_read(path, limit, text, length);
    }
    free(path);
    return status;
}

encl_status encl_folder_read_json(const encl_folder *folder, const char *name, size_t limit, cJSON **json) {
    encl_status status = ENCL_OK;
    char *place = NULL;
    char *text = NULL;
    size_t length = 0;
    *json = NULL;
    ENCL_TRY(encl_folder_place(folder, name, &place));
    ENCL_TRY(encl_folder_read(folder, name, limit, &text, &length));
    status = encl_json_parse_object(place, text, length, json);
cleanup:
    free(text);
    free(place);
    return status;
}
