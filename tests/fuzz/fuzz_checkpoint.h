// What the fuzz targets of checkpoint readers share: a file in memory, all of its tensors read.
#ifndef ENCL_FUZZ_CHECKPOINT_H
#define ENCL_FUZZ_CHECKPOINT_H

#include "fuzz.h"
#include "host/checkpoint/format.h"

// Reads every element of every tensor that is read as floats.
static inline void fuzz_read_all(const encl_checkpoint *checkpoint) {
    enum { PART = 1024 };
    static float values[PART];
    for (size_t i = 0; i < encl_checkpoint_count(checkpoint); i++) {
        const encl_tensor *tensor = encl_checkpoint_at(checkpoint, i);
        for (int64_t first = 0, count = 0; first < tensor->elements; first += count) {
            count = tensor->elements - first < PART ? tensor->elements - first : PART;
            if (encl_tensor_read(tensor, first, count, values) != ENCL_OK) {
                break; // another dtype, or a wrong checksum
            }
        }
    }
}

static inline void fuzz_checkpoint(encl_read_function *read, const uint8_t *data, size_t size) {
    const encl_file file = {.data = data, .size = size};
    encl_checkpoint *checkpoint = NULL;
    if (encl_allocate(1, sizeof *checkpoint, (void **)&checkpoint) != ENCL_OK) {
        return;
    }
    if (read(checkpoint, "fuzz", &file) == ENCL_OK) {
        encl_checkpoint_sort(checkpoint, 0);
        fuzz_read_all(checkpoint);
    }
    encl_checkpoint_close(checkpoint);
}

#endif
