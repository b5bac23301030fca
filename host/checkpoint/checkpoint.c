#include "host/checkpoint/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "host/checkpoint/format.h"

// In the order in which a folder is searched, which is that of transformers behind encl's own.
static const encl_format formats[] = {
    {"packed", ENCL_DIALECT_TORCH, "encl.json", NULL, encl_packed_detect, encl_packed_open},
    {"safetensors", ENCL_DIALECT_TORCH, "model.safetensors", NULL, encl_safetensors_detect, encl_safetensors_open},
    {"safetensors", ENCL_DIALECT_TORCH, "model.safetensors.index.json", NULL, encl_safetensors_shards_detect,
     encl_safetensors_shards_open},
    {"pytorch", ENCL_DIALECT_TORCH, "pytorch_model.bin", NULL, encl_torch_detect, encl_torch_open},
    {"pytorch", ENCL_DIALECT_TORCH, "pytorch_model.bin.index.json", NULL, encl_torch_shards_detect,
     encl_torch_shards_open},
    {"paddle", ENCL_DIALECT_PADDLE, "model_state.pdparams", encl_paddle_find, encl_paddle_detect, encl_paddle_open},
    {"tensorflow", ENCL_DIALECT_TENSORFLOW, "bert_model.ckpt.index", encl_tensorflow_find, encl_tensorflow_detect,
     encl_tensorflow_open},
};
enum { FORMATS = sizeof formats / sizeof formats[0] };

// "model.safetensors, model.safetensors.index.json"
static encl_status list_file_names(encl_string *list) {
    encl_status status = ENCL_OK;
    for (size_t i = 0; i < FORMATS && status == ENCL_OK; i++) {
        status = encl_string_list(list, formats[i].file_name);
    }
    return status;
}

static encl_status fail_without_format(const encl_folder *folder, const char *file) {
    encl_string names = {0};
    encl_status status = list_file_names(&names);
    if (status == ENCL_OK && file == NULL) {
        status = encl_fail(ENCL_NOT_FOUND, "%s: no weights found; looked for %s", encl_folder_path(folder), names.text);
    } else if (status == ENCL_OK) {
        status = encl_fail(ENCL_FORMAT, "%s/%s: found no known weight format; expected a file such as %s",
                           encl_folder_path(folder), file, names.text);
    }
    encl_string_free(&names);
    return status;
}

// Searches the folder in the order of the formats. Caller frees *file.
static encl_status find_format(const encl_folder *folder, const encl_format **format, char **file) {
    for (size_t i = 0; i < FORMATS; i++) {
        const char *name = formats[i].file_name;
        encl_status status = formats[i].find != NULL         ? formats[i].find(folder, file)
                             : encl_folder_has(folder, name) ? encl_copy_text(name, strlen(name), file)
                                                             : ENCL_OK;
        if (status != ENCL_OK) {
            return status;
        }
        if (*file != NULL) {
            *format = &formats[i];
            return ENCL_OK;
        }
    }
    return fail_without_format(folder, NULL);
}

// Takes the format of the checkpoint's file, which was named, by what it looks like.
static encl_status detect_format(encl_checkpoint *checkpoint, const encl_format **format) {
    encl_status status = encl_checkpoint_map(checkpoint, checkpoint->file, &checkpoint->named);
    for (size_t i = 0; i < FORMATS && status == ENCL_OK && *format == NULL; i++) {
        *format = formats[i].detect(checkpoint->file, checkpoint->named) ? &formats[i] : NULL;
    }
    if (status == ENCL_OK && *format == NULL) {
        status = fail_without_format(checkpoint->folder, checkpoint->file);
    }
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

static encl_status check_names(const encl_checkpoint *checkpoint) {
    for (size_t i = 1; i < checkpoint->count; i++) {
        if (strcmp(checkpoint->tensors[i - 1].name, checkpoint->tensors[i].name) == 0) {
            return encl_fail(ENCL_FORMAT, "%s/%s: found tensor '%s' twice, expected once",
                             encl_folder_path(checkpoint->folder), checkpoint->file, checkpoint->tensors[i].name);
        }
    }
    return ENCL_OK;
}

encl_status encl_checkpoint_open_in(const encl_folder *folder, const char *file, encl_checkpoint **checkpoint) {
    encl_status status = ENCL_OK;
    encl_checkpoint *opened = NULL;
    const encl_format *format = NULL;
    *checkpoint = NULL;
    ENCL_TRY(encl_allocate(1, sizeof *opened, (void **)&opened));
    opened->folder = folder;
    if (file == NULL) {
        ENCL_TRY(find_format(folder, &format, &opened->file));
    } else {
        ENCL_TRY(encl_copy_text(file, strlen(file), &opened->file));
        ENCL_TRY(detect_format(opened, &format));
    }
    opened->format = format->name;
    opened->dialect = format->dialect; // a packed model's is that of what it was made of
    ENCL_TRY(format->open(opened, opened->file));
    encl_checkpoint_sort(opened, 0);
    ENCL_TRY(check_names(opened));
    *checkpoint = opened;
    opened = NULL;
cleanup:
    encl_checkpoint_close(opened);
    return status;
}

encl_status encl_checkpoint_open(const char *path, encl_checkpoint **checkpoint) {
    encl_status status = ENCL_OK;
    encl_folder *folder = NULL;
    char *file = NULL;
    *checkpoint = NULL;
    ENCL_TRY(encl_folder_resolve(path, &folder, &file));
    ENCL_TRY(encl_checkpoint_open_in(folder, file, checkpoint));
    (*checkpoint)->own_folder = folder;
    folder = NULL;
cleanup:
    free(file);
    encl_folder_close(folder);
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
    for (size_t i = 0; i < checkpoint->block_count; i++) {
        free(checkpoint->blocks[i]);
    }
    if (checkpoint->packed != NULL) {
        encl_packed_free(checkpoint->packed);
        free(checkpoint->packed);
    }
    free(checkpoint->tensors);
    free(checkpoint->files);
    free(checkpoint->blocks);
    free(checkpoint->file);
    encl_folder_close(checkpoint->own_folder);
    free(checkpoint);
}

encl_status encl_checkpoint_place(const encl_checkpoint *checkpoint, const char *name, char **place) {
    return encl_folder_place(checkpoint->folder, name, place);
}

encl_status encl_checkpoint_map(encl_checkpoint *checkpoint, const char *name, const encl_file **file) {
    encl_status status = ENCL_OK;
    encl_file mapped = {0};
    *file = NULL;
    if (checkpoint->named != NULL && strcmp(name, checkpoint->file) == 0) {
        *file = checkpoint->named;
        return ENCL_OK;
    }
    ENCL_TRY(encl_folder_map(checkpoint->folder, name, &mapped));
    ENCL_TRY(encl_checkpoint_keep(checkpoint, &mapped));
    *file = checkpoint->files[checkpoint->file_count - 1];
cleanup:
    encl_file_unmap(&mapped);
    return status;
}

encl_status encl_checkpoint_read(encl_checkpoint *checkpoint, const char *name, encl_read_function *read) {
    encl_status status = ENCL_OK;
    char *place = NULL;
    const encl_file *file = NULL;
    ENCL_TRY(encl_checkpoint_place(checkpoint, name, &place));
    ENCL_TRY(encl_checkpoint_map(checkpoint, name, &file));
    status = read(checkpoint, place, file);
cleanup:
    free(place);
    return status;
}

encl_status encl_checkpoint_keep(encl_checkpoint *checkpoint, encl_file *file) {
    encl_status status = ENCL_OK;
    encl_file *kept = NULL;
    ENCL_TRY(encl_reserve((void **)&checkpoint->files, &checkpoint->file_capacity, checkpoint->file_count + 1,
                          sizeof *checkpoint->files));
    ENCL_TRY(encl_allocate(1, sizeof *kept, (void **)&kept));
    *kept = *file;
    *file = (encl_file){0};
    checkpoint->files[checkpoint->file_count++] = kept;
cleanup:
    return status;
}

encl_status encl_checkpoint_own(encl_checkpoint *checkpoint, size_t bytes, void **memory) {
    *memory = NULL;
    encl_status status = encl_reserve((void **)&checkpoint->blocks, &checkpoint->block_capacity,
                                      checkpoint->block_count + 1, sizeof *checkpoint->blocks);
    if (status == ENCL_OK) {
        status = encl_allocate(bytes, 1, memory);
    }
    if (status == ENCL_OK) {
        checkpoint->blocks[checkpoint->block_count++] = *memory;
    }
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

encl_dialect encl_checkpoint_dialect(const encl_checkpoint *checkpoint) {
    return checkpoint->dialect;
}

const encl_folder *encl_checkpoint_folder(const encl_checkpoint *checkpoint) {
    return checkpoint->folder;
}

const char *encl_checkpoint_file(const encl_checkpoint *checkpoint) {
    return checkpoint->file;
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
    if (file != NULL && tensor->elements > 0) {
        int64_t last = 0; // of its elements, in the file's order
        for (int32_t i = 0; i < tensor->dimensions; i++) {
            last += (tensor->shape[i] - 1) * tensor->strides[i];
        }
        encl_file_advise_drop(file, (size_t)(tensor->data - file->data),
                              ((size_t)last + 1) * encl_dtype_bytes(tensor->dtype));
    }
}
