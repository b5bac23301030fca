#include "runtime/base/archive_folder.h"

#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/folder.h"

// What shows that a folder is a model's.
static const char *const marks[] = {"config.json",  "bert_config*.json", "model_config.json", "encl.json",
                                    "modules.json", "*.index",           "*.safetensors",     "*.bin",
                                    "*.pdparams"};

bool encl_archive_is_torch(const encl_archive *archive) {
    for (size_t i = 0; i < encl_archive_count(archive); i++) {
        const char *slash = strchr(encl_archive_name(archive, i), '/');
        if (slash != NULL && strcmp(slash, "/data.pkl") == 0) {
            return true;
        }
    }
    return false;
}

// Hidden files, and what macOS puts beside every file.
static bool is_ignored(const char *name) {
    for (const char *part = name; part != NULL; part = strchr(part, '/')) {
        part += part[0] == '/';
        if (part[0] == '.' || encl_text_begins(part, "__MACOSX/")) {
            return true;
        }
    }
    return false;
}

static bool is_mark(const char *file) {
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (fnmatch(marks[i], file, 0) == 0) {
            return true;
        }
    }
    return false;
}

static size_t depth_of(const char *name) {
    size_t depth = 0;
    for (const char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        depth++;
    }
    return depth;
}

// Length of the folder's part, its slash included.
static size_t folder_length(const char *name) {
    const char *slash = strrchr(name, '/');
    return slash == NULL ? 0 : (size_t)(slash - name) + 1;
}

encl_status encl_archive_find_root(const encl_archive *archive, const char *place, char **prefix) {
    const char *found = "";
    const char *other = NULL; // in another folder as deep
    size_t found_depth = SIZE_MAX;
    *prefix = NULL;
    for (size_t i = 0; i < encl_archive_count(archive); i++) {
        const char *name = encl_archive_name(archive, i);
        const size_t depth = depth_of(name);
        if (is_ignored(name) || depth > found_depth || !is_mark(name + folder_length(name))) {
            continue;
        }
        if (depth < found_depth) {
            found = name;
            found_depth = depth;
            other = NULL;
        } else if (folder_length(name) != folder_length(found) || strncmp(name, found, folder_length(name)) != 0) {
            other = name;
        }
    }
    if (other != NULL) {
        return encl_fail(ENCL_FORMAT,
                         "%s: found the models '%.*s' and '%.*s' in the zip, expected one; name it: %s/%.*s", place,
                         (int)folder_length(found) - 1, found, (int)folder_length(other) - 1, other, place,
                         (int)folder_length(found) - 1, found);
    }
    return encl_copy_text(found, folder_length(found), prefix);
}

// No allocation: exhausted memory must not look like a file that is not there.
encl_archive_entry encl_archive_look_up(const encl_archive *archive, const char *prefix, const char *name) {
    char path[PATH_MAX];
    const int length = snprintf(path, sizeof path - 1, "%s%s", prefix, name);
    if (length < 0 || (size_t)length >= sizeof path - 1) {
        return ENCL_ARCHIVE_NOTHING;
    }
    if (encl_archive_find(archive, path) >= 0 && name[0] != '\0') {
        return path[length - 1] == '/' ? ENCL_ARCHIVE_FOLDER : ENCL_ARCHIVE_FILE;
    }
    if (length > 0 && path[length - 1] != '/') {
        path[length] = '/';
        path[length + 1] = '\0';
    }
    const size_t index = encl_archive_lower_bound(archive, path);
    const bool found = index < encl_archive_count(archive) && encl_text_begins(encl_archive_name(archive, index), path);
    return found || length == 0 ? ENCL_ARCHIVE_FOLDER : ENCL_ARCHIVE_NOTHING;
}

encl_status encl_archive_list(const encl_archive *archive, const char *prefix, char ***names, size_t *count) {
    encl_status status = ENCL_OK;
    char **listed = NULL;
    size_t found = 0;
    size_t capacity = 0;
    *names = NULL;
    *count = 0;
    for (size_t i = encl_archive_lower_bound(archive, prefix); i < encl_archive_count(archive); i++) {
        const char *name = encl_archive_name(archive, i);
        if (!encl_text_begins(name, prefix)) {
            break;
        }
        name += strlen(prefix);
        const size_t length = strcspn(name, "/");
        const bool again = found > 0 && strncmp(listed[found - 1], name, length) == 0 && listed[found - 1][length] == 0;
        if (length == 0 || again || is_ignored(name)) {
            continue;
        }
        ENCL_TRY(encl_reserve((void **)&listed, &capacity, found + 1, sizeof *listed));
        ENCL_TRY(encl_copy_text(name, length, &listed[found]));
        found++;
    }
    *names = listed;
    *count = found;
    listed = NULL;
cleanup:
    if (listed != NULL) {
        encl_folder_free_names(listed, found);
    }
    return status;
}
