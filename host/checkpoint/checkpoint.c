#include "host/checkpoint/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "host/checkpoint/format.h"

// In the order in which a folder is searched: transformers prefers the single file too.
static const encl_format formats[] = {
    {"safetensors", "model.safetensors", encl_safetensors_detect, encl_safetensors_open},
    {"safetensors", "model.safetensors.index.json", encl_shards_detect, encl_shards_open},
};
enum { FORMATS = sizeof formats / sizeof formats[0] };

// "model.safetensors, model.safetensors.index.json"
static encl_status list_file_names(encl_string *list) {
    encl_status status = ENCL_OK;
    for (size_t i = 0; i < FORMATS && status == ENCL_OK; i++) {
        status = encl_string_format(list, "%s%s", i == 0 ? "" : ", ", formats[i].file_name);
    }
    return status;
}

// Finds the file to open: in a folder by the names that formats have, else the file itself by what it looks like.
// *format stays NULL where nothing fits. Caller frees *file_path.
static encl_status choose_format(const char *path, const encl_format **format, char **file_path) {
    encl_status status = ENCL_OK;
    encl_file file = {0};
    const bool is_folder = encl_path_is_folder(path);
    if (!is_folder) {
        ENCL_TRY(encl_file_map(path, &file));
    }
    for (size_t i = 0; i < FORMATS && *format == NULL; i++) {
        free(*file_path);
        *file_path = NULL;
        ENCL_TRY(is_folder ? encl_path_join(path, formats[i].file_name, file_path)
                           : encl_copy_text(path, strlen(path), file_path));
        if (is_folder ? encl_path_exists(*file_path) : formats[i].detect(path, &file)) {
            *format = &formats[i];
        }
    }
cleanup:
    encl_file_unmap(&file);
    return status;
}

static encl_status fail_without_format(const char *path) {
    encl_string names = {0};
    encl_status status = list_file_names(&names);
    if (status == ENCL_OK && encl_path_is_folder(path)) {
        status = encl_fail(ENCL_NOT_FOUND, "%s: no weights found; looked for %s", path, names.text);
    } else if (status == ENCL_OK) {
        status =
            encl_fail(ENCL_FORMAT, "%s: found no known weight format; expected a file such as %s", path, names.text);
    }
    encl_string_free(&names);
    return status;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(((const encl_tensor *)a)->name, ((const encl_tensor *)b)->name);
}

void encl_checkpoint_sort(encl_checkpoint *checkpoint, size_t first) {
    if (checkpoint->count > first) {
        qsort(checkpoint->tensors + first, checkpoint->count - first, sizeof *checkpoint->tensors, compare_names);
    }
}

static encl_status check_names(const encl_checkpoint *checkpoint, const char *path) {
    for (size_t i = 1; i < checkpoint->count; i++) {
        if (strcmp(checkpoint->tensors[i - 1].name, checkpoint->tensors[i].name) == 0) {
            return encl_fail(ENCL_FORMAT, "%s: found tensor '%s' twice, expected once", path,
                             checkpoint->tensors[i].name);
        }
    }
    return ENCL_OK;
}

encl_status encl_checkpoint_open(const char *path, encl_checkpoint **checkpoint) {
    encl_status status = ENCL_OK;
    encl_checkpoint *opened = NULL;
    const encl_format *format = NULL;
    char *file_path = NULL;
    *checkpoint = NULL;
    if (path == NULL) {
        return encl_fail(ENCL_INVALID, "no path: found NULL, expected a model folder or a weight file");
    }
    ENCL_TRY(encl_allocate(1, sizeof *opened, (void **)&opened));
    ENCL_TRY(choose_format(path, &format, &file_path));
    if (format == NULL) {
        ENCL_TRY(fail_without_format(path));
    }
    opened->format = format->name;
    ENCL_TRY(encl_path_folder(file_path, &opened->folder));
    ENCL_TRY(format->open(opened, file_path));
    encl_checkpoint_sort(opened, 0);
    ENCL_TRY(check_names(opened, file_path));
    *checkpoint = opened;
    opened = NULL;
cleanup:
    free(file_path);
    encl_checkpoint_close(opened);
    return status;
}

void encl_checkpoint_close(encl_checkpoint *checkpoint) {
    if (checkpoint == NULL) {
        return;
    }
    for (size_t i = 0; i < checkpoint->count; i++) {
        free((char *)checkpoint->tensors[i].name);
    }
    for (size_t i = 0; i < checkpoint->file_count; i++) {
        encl_file_unmap(checkpoint->files[i]);
        free(checkpoint->files[i]);
    }
    free(checkpoint->tensors);
    free(checkpoint->files);
    free(checkpoint->folder);
    free(checkpoint);
}

encl_status encl_checkpoint_map(encl_checkpoint *checkpoint, const char *path, const encl_file **file) {
    encl_status status = ENCL_OK;
    encl_file *mapped = NULL;
    *file = NULL;
    ENCL_TRY(encl_reserve((void **)&checkpoint->files, &checkpoint->file_capacity, checkpoint->file_count + 1,
                          sizeof *checkpoint->files));
    ENCL_TRY(encl_allocate(1, sizeof *mapped, (void **)&mapped));
    ENCL_TRY(encl_file_map(path, mapped));
    checkpoint->files[checkpoint->file_count++] = mapped;
    *file = mapped;
    mapped = NULL;
cleanup:
    free(mapped);
    return status;
}

encl_status encl_checkpoint_add(encl_checkpoint *checkpoint, const encl_tensor *tensor) {
    encl_status status = ENCL_OK;
    char *name = NULL;
    ENCL_TRY(encl_reserve((void **)&checkpoint->tensors, &checkpoint->capacity, checkpoint->count + 1,
                          sizeof *checkpoint->tensors));
    ENCL_TRY(encl_copy_text(tensor->name, strlen(tensor->name), &name));
    checkpoint->tensors[checkpoint->count] = *tensor;
    checkpoint->tensors[checkpoint->count].name = name;
    checkpoint->count++;
cleanup:
    return status;
}

const char *encl_checkpoint_format(const encl_checkpoint *checkpoint) {
    return checkpoint->format;
}

const char *encl_checkpoint_folder(const encl_checkpoint *checkpoint) {
    return checkpoint->folder;
}

size_t encl_checkpoint_count(const encl_checkpoint *checkpoint) {
    return checkpoint->count;
}

const encl_tensor *encl_checkpoint_at(const encl_checkpoint *checkpoint, size_t index) {
    return index < checkpoint->count ? &checkpoint->tensors[index] : NULL;
}

const encl_tensor *encl_checkpoint_find(const encl_checkpoint *checkpoint, const char *name) {
    if (checkpoint->count == 0) {
        return NULL;
    }
    const encl_tensor key = {.name = name};
    return bsearch(&key, checkpoint->tensors, checkpoint->count, sizeof key, compare_names);
}

void encl_tensor_drop(const encl_tensor *tensor) {
    const encl_file *file = tensor->source;
    if (tensor->bytes > 0) {
        encl_file_advise_drop(file, (size_t)(tensor->data - file->data), tensor->bytes);
    }
}

bool encl_text_ends(const char *text, const char *ending) {
    const size_t length = strlen(text);
    const size_t ending_length = strlen(ending);
    return length >= ending_length && strcmp(text + length - ending_length, ending) == 0;
}
