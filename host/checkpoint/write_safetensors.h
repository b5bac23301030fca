// The one writer of weight files: safetensors (safetensors.c has the format).
#ifndef ENCL_CHECKPOINT_WRITE_SAFETENSORS_H
#define ENCL_CHECKPOINT_WRITE_SAFETENSORS_H

#include "host/checkpoint/checkpoint.h"

typedef struct encl_named_tensor {
    const char *name; // in the file
    const encl_tensor *tensor;
} encl_named_tensor;

// Writes the tensors with their dtypes into one file, under a temporary name until it is complete. Larger elements come
// first, so that all are aligned, then names in order; `tensors` is sorted so. At most a mebibyte of data is held, and
// the pages of a tensor are dropped once it is written. proceed() is asked between parts and ends the writing with its
// status; NULL: nothing is asked. *bytes is the file's size. Two tensors of one name,
// or one called __metadata__, which the format keeps for itself, are INVALID.
encl_status encl_safetensors_write(const char *path, encl_named_tensor *tensors, size_t count,
                                   encl_status (*proceed)(void), int64_t *bytes);

#endif
