#include "runtime/base/folder.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/archive_folder.h"
#include "runtime/base/json.h"

// On disk, or in a zip: then `archive` is there, and the folder is what has names beginning with `prefix`.
struct encl_folder {
    char *path; // for messages: "folder", "model.zip/folder"
    encl_archive *archive;
    char *prefix;
    encl_file file; // the zip
    bool is_inner;  // the archive is another folder's
};

// ---- Opening ----------------------------------------------------------------------------------------------

static encl_status open_on_disk(const char *path, encl_folder **folder) {
    encl_status status = ENCL_OK;
    encl_folder *opened = NULL;
    *folder = NULL;
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

// Makes the folder the one with this prefix in the zip `zip`, whose path has no slash at its end.
static encl_status enter(encl_folder *folder, const char *zip, const char *prefix) {
    encl_string path = {0};
    const size_t length = strlen(prefix);
    encl_status status =
        encl_string_format(&path, "%s%s%.*s", zip, length > 0 ? "/" : "", length > 0 ? (int)length - 1 : 0, prefix);
    char *copy = NULL;
    if (status == ENCL_OK) {
        status = encl_copy_text(prefix, length, &copy);
    }
    if (status != ENCL_OK) {
        encl_string_free(&path);
        return status;
    }
    free(folder->path);
    free(folder->prefix);
    folder->path = path.text;
    folder->prefix = copy;
    return ENCL_OK;
}

// The top of a zip; *folder stays NULL for a file that is none, and for one of PyTorch's.
static encl_status open_zip(const char *path, encl_folder **folder) {
    encl_status status = ENCL_OK;
    encl_folder *opened = NULL;
    *folder = NULL;
    ENCL_TRY(encl_allocate(1, sizeof *opened, (void **)&opened));
    ENCL_TRY(encl_file_map(path, &opened->file));
    if (!encl_archive_detect(&opened->file)) {
        goto cleanup;
    }
    ENCL_TRY(encl_archive_open(&opened->file, path, &opened->archive));
    if (encl_archive_is_torch(opened->archive)) {
        goto cleanup;
    }
    ENCL_TRY(enter(opened, path, ""));
    *folder = opened;
    opened = NULL;
cleanup:
    encl_folder_close(opened);
    return status;
}

static encl_status fail_absent(const char *path) {
    return encl_fail(ENCL_NOT_FOUND, "%s: found nothing, expected a model's folder, a zip of one, or a weight file",
                     path);
}

// What `name` is in a zip, counted from the zip's top: "" asks for the model's folder.
static encl_status resolve_in_zip(const char *path, const char *zip, const char *name, encl_folder *folder,
                                  char **file) {
    encl_status status = ENCL_OK;
    encl_string inner = {0};
    char *prefix = NULL;
    if (name[0] == '\0') {
        ENCL_TRY(encl_archive_find_root(folder->archive, zip, &prefix));
        ENCL_TRY(enter(folder, zip, prefix));
        goto cleanup;
    }
    ENCL_TRY(encl_string_append(&inner, name, strlen(name)));
    while (inner.length > 1 && inner.text[inner.length - 1] == '/') {
        inner.text[--inner.length] = '\0';
    }
    encl_archive_entry entry = encl_archive_look_up(folder->archive, "", inner.text);
    if (entry == ENCL_ARCHIVE_FOLDER) {
        ENCL_TRY(encl_string_append(&inner, "/", 1));
        ENCL_TRY(enter(folder, zip, inner.text));
        goto cleanup;
    }
    if (entry == ENCL_ARCHIVE_NOTHING) {
        ENCL_TRY(encl_string_append(&inner, ".index", strlen(".index")));
        entry = encl_archive_look_up(folder->archive, "", inner.text);
    }
    if (entry != ENCL_ARCHIVE_FILE) {
        status = fail_absent(path);
        goto cleanup;
    }
    const char *slash = strrchr(inner.text, '/');
    const size_t length = slash == NULL ? 0 : (size_t)(slash - inner.text) + 1;
    ENCL_TRY(encl_copy_text(inner.text + length, inner.length - length, file));
    inner.text[length] = '\0';
    ENCL_TRY(enter(folder, zip, inner.text));
cleanup:
    free(prefix);
    encl_string_free(&inner);
    return status;
}

// Splits "a/model.zip/b/c" at the file that is not a folder; *rest is "" where there is nothing behind it, NULL where
// no part is a file. Caller frees *outer.
static encl_status split_at_file(const char *path, char **outer, const char **rest) {
    *rest = NULL;
    encl_status status = encl_copy_text(path, strlen(path), outer);
    if (status != ENCL_OK) {
        return status;
    }
    for (size_t length = strlen(path); length > 0;) {
        (*outer)[length] = '\0';
        if (encl_path_exists(*outer)) {
            *rest = encl_path_is_folder(*outer) ? NULL : path + length + strspn(path + length, "/");
            break;
        }
        while (length > 0 && path[length - 1] != '/') {
            length--;
        }
        while (length > 0 && path[length - 1] == '/') {
            length--;
        }
    }
    return ENCL_OK;
}

// A weight file on disk, or the prefix of a TensorFlow checkpoint.
static encl_status resolve_file(const char *path, encl_folder **folder, char **file) {
    encl_status status = ENCL_OK;
    encl_string name = {0};
    char *parent = NULL;
    const char *slash = strrchr(path, '/');
    ENCL_TRY(encl_string_format(&name, "%s.index", path));
    if (encl_path_exists(path) || !encl_path_exists(name.text)) {
        name.length -= strlen(".index");
        name.text[name.length] = '\0';
    }
    if (!encl_path_exists(name.text)) {
        status = fail_absent(path);
        goto cleanup;
    }
    ENCL_TRY(encl_path_folder(path, &parent));
    ENCL_TRY(encl_copy_text(name.text + (slash == NULL ? 0 : slash - path + 1),
                            name.length - (slash == NULL ? 0 : (size_t)(slash - path + 1)), file));
    status = open_on_disk(parent, folder);
cleanup:
    encl_string_free(&name);
    free(parent);
    return status;
}

encl_status encl_folder_resolve(const char *path, encl_folder **folder, char **file) {
    encl_status status = ENCL_OK;
    encl_folder *opened = NULL;
    char *outer = NULL;
    const char *rest = NULL;
    *folder = NULL;
    *file = NULL;
    if (path == NULL) {
        return encl_fail(ENCL_INVALID,
                         "no path: found NULL, expected a model's folder, a zip of one, or a weight file");
    }
    if (encl_path_is_folder(path)) {
        return open_on_disk(path, folder);
    }
    ENCL_TRY(split_at_file(path, &outer, &rest));
    if (rest != NULL) {
        ENCL_TRY(open_zip(outer, &opened));
    }
    ENCL_TRY(opened != NULL ? resolve_in_zip(path, outer, rest, opened, file) : resolve_file(path, &opened, file));
    *folder = opened;
    opened = NULL;
cleanup:
    if (status != ENCL_OK) {
        free(*file);
        *file = NULL;
    }
    encl_folder_close(opened);
    free(outer);
    return status;
}

encl_status encl_folder_open(const char *path, encl_folder **folder) {
    char *file = NULL;
    encl_status status = encl_folder_resolve(path, folder, &file);
    if (status == ENCL_OK && file != NULL) {
        encl_folder_close(*folder);
        *folder = NULL;
        status = encl_fail(ENCL_FORMAT, "%s: found a file, expected a folder or a zip of one", path);
    }
    free(file);
    return status;
}

encl_status encl_folder_open_inner(const encl_folder *parent, const char *name, encl_folder **folder) {
    encl_status status = ENCL_OK;
    encl_folder *opened = NULL;
    encl_string prefix = {0};
    char *path = NULL;
    *folder = NULL;
    ENCL_TRY(encl_folder_place(parent, name, &path));
    if (parent->archive == NULL) {
        status = open_on_disk(path, folder);
        goto cleanup;
    }
    const encl_archive_entry entry = encl_archive_look_up(parent->archive, parent->prefix, name);
    if (entry != ENCL_ARCHIVE_FOLDER) {
        const bool file = entry == ENCL_ARCHIVE_FILE;
        status = encl_fail(file ? ENCL_FORMAT : ENCL_NOT_FOUND, "%s: found %s, expected a folder", path,
                           file ? "a file" : "nothing");
        goto cleanup;
    }
    ENCL_TRY(encl_allocate(1, sizeof *opened, (void **)&opened));
    opened->archive = parent->archive;
    opened->is_inner = true;
    const size_t length = strlen(name);
    ENCL_TRY(
        encl_string_format(&prefix, "%s%s%s", parent->prefix, name, length > 0 && name[length - 1] != '/' ? "/" : ""));
    opened->prefix = prefix.text;
    prefix = (encl_string){0};
    opened->path = path;
    path = NULL;
    *folder = opened;
    opened = NULL;
cleanup:
    encl_folder_close(opened);
    encl_string_free(&prefix);
    free(path);
    return status;
}

void encl_folder_close(encl_folder *folder) {
    if (folder != NULL) {
        if (!folder->is_inner) {
            encl_archive_close(folder->archive);
            encl_file_unmap(&folder->file);
        }
        free(folder->prefix);
        free(folder->path);
        free(folder);
    }
}

bool encl_folder_is_archive(const encl_folder *folder) {
    return folder->archive != NULL;
}

uint64_t encl_folder_inflated_bytes(const encl_folder *folder) {
    return folder->archive == NULL ? 0 : encl_archive_inflated_bytes(folder->archive);
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
    if (folder->archive != NULL) {
        return encl_path_is_inside(name) &&
               encl_archive_look_up(folder->archive, folder->prefix, name) != ENCL_ARCHIVE_NOTHING;
    }
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

static encl_status list_on_disk(const char *path, char ***names, size_t *count) {
    encl_status status = ENCL_OK;
    char **listed = NULL;
    size_t found = 0;
    size_t capacity = 0;
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return encl_fail(errno == ENOMEM ? ENCL_OUT_OF_MEMORY : ENCL_IO, "%s: cannot list the folder: %s", path,
                         strerror(errno));
    }
    for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (entry->d_name[0] == '.') { // hidden files are no model's, and neither are "." and ".."
            continue;
        }
        ENCL_TRY(encl_reserve((void **)&listed, &capacity, found + 1, sizeof *listed));
        ENCL_TRY(encl_copy_text(entry->d_name, strlen(entry->d_name), &listed[found]));
        found++;
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

encl_status encl_folder_list(const encl_folder *folder, char ***names, size_t *count) {
    *names = NULL;
    *count = 0;
    const encl_status status = folder->archive != NULL
                                   ? encl_archive_list(folder->archive, folder->prefix, names, count)
                                   : list_on_disk(folder->path, names, count);
    if (*count > 0) {
        qsort((void *)*names, *count, sizeof **names, compare_texts);
    }
    return status;
}

// ---- Reading ----------------------------------------------------------------------------------------------

// The member of the folder's zip that has the name.
static encl_status find_member(const encl_folder *folder, const char *name, const char *place, size_t *index) {
    encl_string member = {0};
    encl_status status = encl_string_format(&member, "%s%s", folder->prefix, name);
    if (status != ENCL_OK) {
        return status;
    }
    const int64_t found = encl_archive_find(folder->archive, member.text);
    encl_string_free(&member);
    if (found < 0 || encl_archive_look_up(folder->archive, folder->prefix, name) != ENCL_ARCHIVE_FILE) {
        const bool is_folder = encl_folder_has(folder, name);
        return encl_fail(is_folder ? ENCL_IO : ENCL_NOT_FOUND, "%s: found %s in the zip, expected a file", place,
                         is_folder ? "a folder" : "nothing");
    }
    *index = (size_t)found;
    return ENCL_OK;
}

encl_status encl_folder_map(const encl_folder *folder, const char *name, encl_file *file) {
    encl_status status = ENCL_OK;
    char *path = NULL;
    size_t index = 0;
    *file = (encl_file){0};
    ENCL_TRY(encl_folder_place(folder, name, &path));
    if (folder->archive == NULL) {
        ENCL_TRY(encl_file_map(path, file));
    } else {
        ENCL_TRY(find_member(folder, name, path, &index));
        ENCL_TRY(encl_archive_map(folder->archive, index, file));
    }
cleanup:
    free(path);
    return status;
}

static encl_status read_member(const encl_folder *folder, const char *name, const char *place, size_t limit,
                               char **text, size_t *length) {
    encl_file file = {0};
    size_t index = 0;
    encl_status status = find_member(folder, name, place, &index);
    if (status == ENCL_OK && encl_archive_size(folder->archive, index) > limit) {
        status = encl_fail(ENCL_FORMAT, "%s: found %llu bytes, expected at most %zu", place,
                           (unsigned long long)encl_archive_size(folder->archive, index), limit);
    }
    if (status == ENCL_OK) {
        status = encl_archive_map(folder->archive, index, &file);
    }
    if (status == ENCL_OK) {
        status = encl_copy_text((const char *)file.data, file.size, text);
        *length = status == ENCL_OK ? file.size : 0;
    }
    encl_file_unmap(&file);
    return status;
}

encl_status encl_folder_read(const encl_folder *folder, const char *name, size_t limit, char **text, size_t *length) {
    encl_status status = ENCL_OK;
    char *path = NULL;
    *text = NULL;
    *length = 0;
    ENCL_TRY(encl_folder_place(folder, name, &path));
    status = folder->archive == NULL ? encl_file_read(path, limit, text, length)
                                     : read_member(folder, name, path, limit, text, length);
cleanup:
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

encl_status encl_folder_verify(const encl_folder *folder, encl_status (*proceed)(void), size_t *files) {
    const size_t count = folder->archive != NULL ? encl_archive_count(folder->archive) : 0;
    *files = 0;
    for (size_t i = 0; i < count; i++) {
        if (encl_text_ends(encl_archive_name(folder->archive, i), "/")) {
            continue;
        }
        encl_status status = encl_archive_verify(folder->archive, i);
        if (status == ENCL_OK && proceed != NULL) {
            status = proceed();
        }
        if (status != ENCL_OK) {
            return status;
        }
        *files += 1;
    }
    return ENCL_OK;
}
