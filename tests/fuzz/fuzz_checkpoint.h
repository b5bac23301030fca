// What the fuzz targets of checkpoint readers share: a file in memory, all of its tensors read.
#ifndef ENCL_FUZZ_CHECKPOINT_H
#define ENCL_FUZZ_CHECKPOINT_H

#include "fuzz.h"
#include "host/checkpoint/format.h"

static inline void fuzz_checkpoint(encl_status (*read)(encl_checkpoint *, const char *, const encl_file *),
                                   const uint8_t *data, size_t size) {
    enum { PART = 1024 };
    static float values[PART];
    const encl_file file = {.data = data, .size = size};
    encl_checkpoint *checkpoint = NULL;
    if (encl_allocate(1, sizeof *checkpoint, (void **)&checkpoint) != ENCL_OK) {
        return;
    }
    if (read(checkpoint, "fuzz", &file) == ENCL_OK) {
        encl_checkpoint_sort(checkpoint, 0);
        for (size_t i = 0; i < encl_checkpoint_count(checkpoint); i++) {
            const encl_tensor *tensor = encl_checkpoint_at(checkpoint, i);
            for (int64_t first = 0, count = 0; first < tensor->elements; first += count) {
                count = tensor->elements - first < PART ? tensor->elements - first : PART;
                if (encl_tensor_read(tensor, first, count, values) != ENCL_OK) {
                    break; // a dtype that is not read as floats
                }
            }
        }
    }
    encl_checkpoint_close(checkpoint);
}

#endif
