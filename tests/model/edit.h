// Models like a fixture, but for some tensors.
#ifndef ENCL_TEST_EDIT_H
#define ENCL_TEST_EDIT_H

#include "checkpoint/scratch.h"
#include "host/checkpoint/write_safetensors.h"
#include "host/encl_model.h"

// A tensor of the fixture under another name; to = NULL: without it.
typedef struct edit {
    const char *from;
    const char *to;
} edit;

static inline void copy_text_file(encl_scratch *scratch, const char *folder, const char *name) {
    char path[256];
    encl_file file;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(encl_file_map(path, &file));
    scratch_write(scratch, name, file.data, file.size);
    encl_file_unmap(&file);
}

// A float vector or matrix (columns > 0) of one value, for `more` below. Its data must live on.
static inline encl_tensor constant_tensor(const char *name, int64_t rows, int64_t columns, const float *values) {
    encl_tensor tensor = {.name = name, .dtype = ENCL_DTYPE_F32, .dimensions = columns == 0 ? 1 : 2};
    tensor.shape[0] = rows;
    tensor.shape[1] = columns;
    tensor.elements = rows * (columns == 0 ? 1 : columns);
    tensor.bytes = (size_t)tensor.elements * sizeof *values;
    tensor.data = (const uint8_t *)values;
    encl_tensor_set_dense(&tensor);
    return tensor;
}

// Writes the fixture's vocabulary, `config` (NULL: the fixture's) and its tensors, edited, into the scratch folder.
// A name of `edits` that ends with '*' stands for all that begin so.
static inline void write_edited(encl_scratch *scratch, const char *fixture, const char *config, const edit *edits,
                                size_t edit_count, const encl_tensor *more, size_t more_count) {
    encl_checkpoint *checkpoint = NULL;
    encl_named_tensor tensors[128];
    size_t count = 0;
    int64_t bytes = 0;
    assert_ok(encl_checkpoint_open(fixture, &checkpoint));
    for (size_t i = 0; i < encl_checkpoint_count(checkpoint); i++) {
        const encl_tensor *tensor = encl_checkpoint_at(checkpoint, i);
        const char *name = tensor->name;
        for (size_t j = 0; j < edit_count && name != NULL; j++) {
            const size_t length = strlen(edits[j].from) - 1;
            const bool all = edits[j].from[length] == '*';
            const bool fits = all ? strncmp(edits[j].from, name, length) == 0 : strcmp(edits[j].from, name) == 0;
            name = fits ? edits[j].to : name;
        }
        if (name != NULL) {
            tensors[count++] = (encl_named_tensor){name, tensor};
        }
    }
    for (size_t i = 0; i < more_count; i++) {
        tensors[count++] = (encl_named_tensor){more[i].name, &more[i]};
    }
    assert_ok(encl_safetensors_write(scratch_path(scratch, "model.safetensors"), tensors, count, NULL, &bytes));
    encl_checkpoint_close(checkpoint);
    copy_text_file(scratch, fixture, "vocab.txt");
    if (config != NULL) {
        scratch_write_text(scratch, "config.json", config);
    } else {
        copy_text_file(scratch, fixture, "config.json");
    }
}

#endif
