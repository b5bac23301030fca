// What the readers of the checkpoint room share: the object behind encl_checkpoint and the table of formats.
// A new format is a source file with `find`, `detect` and `open`, and a row in checkpoint.c.
#ifndef ENCL_CHECKPOINT_FORMAT_H
#define ENCL_CHECKPOINT_FORMAT_H

#include "host/checkpoint/packed.h"

struct encl_checkpoint {
    const char *format;
    encl_dialect dialect;
    const encl_folder *folder;
    encl_folder *own_folder; // where the checkpoint opened it itself
    char *file;
    const encl_file *named; // `file` as it is mapped already, where a user named it: in a zip it is inflated once
    encl_file **files;      // each allocated by itself: tensors point at them
    size_t file_count;
    size_t file_capacity;
    void **blocks; // memory of tensors that do not lie in a file as they are
    size_t block_count;
    size_t block_capacity;
    encl_tensor *tensors; // in file order while a format reads them, by name afterwards
    size_t count;
    size_t capacity;
    encl_packed *packed; // NULL but for a packed model
};

// Maps the file of a name and adds its tensors, after every check that the format allows.
typedef encl_status encl_open_function(encl_checkpoint *checkpoint, const char *name);
// Adds the tensors of a file that must outlive the checkpoint; `place` names it in messages.
typedef encl_status encl_read_function(encl_checkpoint *checkpoint, const char *place, const encl_file *file);

typedef struct encl_format {
    const char *name; // what encl_checkpoint_format says
    encl_dialect dialect;
    const char *file_name; // what a model folder calls it; for messages, and the name that is looked for without `find`
    // Looks for a weight file of this format in a folder; *file stays NULL where there is none. Caller frees *file.
    // NULL: file_name.
    encl_status (*find)(const encl_folder *folder, char **file);
    // Whether a file that was named directly is of this format, by its name or its first bytes.
    bool (*detect)(const char *name, const encl_file *file);
    encl_open_function *open;
} encl_format;

// "folder/name" for messages. Caller frees.
encl_status encl_checkpoint_place(const encl_checkpoint *checkpoint, const char *name, char **place);
// Maps a file of the checkpoint's folder; it stays mapped as long as the checkpoint, which owns it.
encl_status encl_checkpoint_map(encl_checkpoint *checkpoint, const char *name, const encl_file **file);
// Maps a file and lets `read` add its tensors.
encl_status encl_checkpoint_read(encl_checkpoint *checkpoint, const char *name, encl_read_function *read);
// Zeroed memory that lives as long as the checkpoint, which owns it.
encl_status encl_checkpoint_own(encl_checkpoint *checkpoint, size_t bytes, void **memory);
// Takes over a file: *file is zeroed, what it mapped is given back with the checkpoint.
encl_status encl_checkpoint_keep(encl_checkpoint *checkpoint, encl_file *file);
// Adds a tensor; its name is copied.
encl_status encl_checkpoint_add(encl_checkpoint *checkpoint, const encl_tensor *tensor);
// Sorts tensors [first, count) by name.
void encl_checkpoint_sort(encl_checkpoint *checkpoint, size_t first);

bool encl_packed_detect(const char *name, const encl_file *file);
encl_status encl_packed_open(encl_checkpoint *checkpoint, const char *name);
bool encl_safetensors_detect(const char *name, const encl_file *file);
encl_status encl_safetensors_open(encl_checkpoint *checkpoint, const char *name);
bool encl_safetensors_shards_detect(const char *name, const encl_file *file);
encl_status encl_safetensors_shards_open(encl_checkpoint *checkpoint, const char *name);
bool encl_torch_detect(const char *name, const encl_file *file);
encl_status encl_torch_open(encl_checkpoint *checkpoint, const char *name);
bool encl_torch_shards_detect(const char *name, const encl_file *file);
encl_status encl_torch_shards_open(encl_checkpoint *checkpoint, const char *name);
encl_status encl_torch_read(encl_checkpoint *checkpoint, const char *place, const encl_file *file);
encl_status encl_paddle_find(const encl_folder *folder, char **file);
bool encl_paddle_detect(const char *name, const encl_file *file);
encl_status encl_paddle_open(encl_checkpoint *checkpoint, const char *name);
encl_status encl_paddle_read(encl_checkpoint *checkpoint, const char *place, const encl_file *file);
encl_status encl_tensorflow_find(const encl_folder *folder, char **file);
bool encl_tensorflow_detect(const char *name, const encl_file *file);
encl_status encl_tensorflow_open(encl_checkpoint *checkpoint, const char *name);
// A file of shards, {weight_map: {tensor: file}}, each of which `open` reads.
encl_status encl_shards_open(encl_checkpoint *checkpoint, const char *name, encl_open_function *open);

// The dtype that a format calls `name` ("F32"); false where there is none.
bool encl_dtype_parse(const char *name, encl_dtype *dtype);

#endif
