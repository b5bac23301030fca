// A packed model: weights in the layouts of a device, each in a file of its own, beside the files that the model had.
// `encl.json` lists them. All of it lies in a zip whose files begin on pages (runtime/base/archive_write.h), so that
// the weights are used where they lie; unpacked into a folder it is as good.
#ifndef ENCL_CHECKPOINT_PACKED_H
#define ENCL_CHECKPOINT_PACKED_H

#include "host/checkpoint/checkpoint.h"

enum { ENCL_PACKED_FORMAT = 1, ENCL_PACKED_PAGE = 4096, ENCL_PACKED_LAYERS = 4096 };

extern const char encl_packed_manifest[]; // "encl.json"

typedef struct encl_packed_weight {
    char *key;  // encl_executable_weight_key
    char *file; // in the folder
    uint64_t bytes;
    const uint8_t *data; // begins on a page; since encl_packed_read
} encl_packed_weight;

// What the manifest says. Texts are never NULL.
typedef struct encl_packed {
    char *version;  // of encl that packed it
    char *device;   // that it was packed on
    char *provider; // of its matrix products there: encl_executable_info.gemm
    char *source;   // format of the checkpoint it was made of
    encl_precision precision;
    bool *exact_layers; // [exact_layer_count]
    size_t exact_layer_count;
    bool mlm_untrained;
    encl_dialect dialect; // of the tensors' names
    encl_packed_weight *weights;
    size_t count, capacity;
    uint64_t bytes; // of the weights
} encl_packed;

// The checkpoint's, NULL where it is none of this format. Its tensors then have names and shapes, no numbers: reading
// one is UNSUPPORTED. Weights are sorted by key.
const encl_packed *encl_checkpoint_packed(const encl_checkpoint *checkpoint);
const encl_packed_weight *encl_packed_find(const encl_packed *packed, const char *key); // NULL: none

// ---- Writing ----------------------------------------------------------------------------------------------

// The text of a manifest with these tensors. Caller frees with free().
encl_status encl_packed_write(const encl_packed *packed, const encl_tensor *const *tensors, size_t count, char **text);
encl_status encl_packed_add(encl_packed *packed, const char *key, const char *file, uint64_t bytes);
void encl_packed_free(encl_packed *packed); // a zeroed one is allowed

#endif
