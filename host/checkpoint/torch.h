// What the readers of PyTorch's two forms share (torch.c, torch_legacy.c, torch_tensors.c).
//
// Both hold a pickle of a state dict. A tensor in it is a call of torch._utils._rebuild_tensor_v2 with a storage, which
// is a persistent id ('storage', class, key, location, elements), and a view of it: offset, sizes and strides in
// elements. The storages' bytes lie elsewhere: in members of a zip, or behind the pickles.
#ifndef ENCL_CHECKPOINT_TORCH_H
#define ENCL_CHECKPOINT_TORCH_H

#include "host/checkpoint/pickle.h"

typedef struct encl_torch_storage {
    const encl_pickle_value *key; // BYTES or TEXT
    encl_dtype dtype;
    int64_t elements;
    size_t bytes;        // of all elements; never more than the file has
    const uint8_t *data; // NULL until the reader of the form finds it
    const void *source;  // as in encl_tensor
} encl_torch_storage;

typedef struct encl_torch {
    encl_checkpoint *checkpoint;
    const char *place; // of the file, for messages
    const encl_file *file;
    char *pickle_place;
    encl_pickle *pickle;
    encl_torch_storage *storages; // each once, sorted by key
    size_t storage_count;
} encl_torch;

extern const encl_pickle_rules encl_torch_rules;

// Fills storages from the pickle's persistent ids.
encl_status encl_torch_collect_storages(encl_torch *torch);
// NULL where the pickle names no such storage.
encl_torch_storage *encl_torch_find_storage(const encl_torch *torch, const encl_pickle_value *key);
// Adds the tensors of the state dict, once all storages have their data.
encl_status encl_torch_add_tensors(encl_torch *torch);

bool encl_torch_legacy_detect(const encl_file *file);
encl_status encl_torch_legacy_read(encl_torch *torch);

#endif
