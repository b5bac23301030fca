// One reader for every weight format: name → dtype, shape, bytes. Files are mapped, never copied whole.
// A checkpoint is immutable once opened and may be shared by threads.
#ifndef ENCL_CHECKPOINT_H
#define ENCL_CHECKPOINT_H

#include "runtime/base/memory.h"

typedef struct encl_checkpoint encl_checkpoint;

// X(name, bytes per element)
#define ENCL_DTYPE_LIST(X) \
    X(BOOL, 1)             \
    X(U8, 1)               \
    X(I8, 1) X(I16, 2) X(U16, 2) X(F16, 2) X(BF16, 2) X(I32, 4) X(U32, 4) X(F32, 4) X(F64, 8) X(I64, 8) X(U64, 8)
typedef enum encl_dtype {
#define ENCL_DTYPE_ENUM(name, bytes) ENCL_DTYPE_##name,
    ENCL_DTYPE_LIST(ENCL_DTYPE_ENUM)
#undef ENCL_DTYPE_ENUM
} encl_dtype;
const char *encl_dtype_name(encl_dtype dtype); // "F32"
size_t encl_dtype_bytes(encl_dtype dtype);

enum { ENCL_TENSOR_DIMENSIONS = 8 };

// A stored tensor, row-major and dense. Lives as long as its checkpoint. `data` may be unaligned.
typedef struct encl_tensor {
    const char *name;
    encl_dtype dtype;
    int32_t dimensions; // 0: scalar
    int64_t shape[ENCL_TENSOR_DIMENSIONS];
    int64_t elements;
    const uint8_t *data;
    size_t bytes;
    const void *source; // private: the file it lies in
} encl_tensor;

// Opens a model folder or a weight file in one. Formats are rows of one table (format.h); so far safetensors,
// single and sharded (model.safetensors.index.json). NOT_FOUND says which files were looked for.
encl_status encl_checkpoint_open(const char *path, encl_checkpoint **checkpoint);
void encl_checkpoint_close(encl_checkpoint *checkpoint);

const char *encl_checkpoint_format(const encl_checkpoint *checkpoint); // "safetensors"
const char *encl_checkpoint_folder(const encl_checkpoint *checkpoint); // where config.json and vocab.txt are
size_t encl_checkpoint_count(const encl_checkpoint *checkpoint);
const encl_tensor *encl_checkpoint_at(const encl_checkpoint *checkpoint, size_t index);       // sorted by name
const encl_tensor *encl_checkpoint_find(const encl_checkpoint *checkpoint, const char *name); // NULL: none

// Writes elements [first, first + count) as float32 (F32, F16, BF16 and F64; other dtypes are FORMAT).
encl_status encl_tensor_read(const encl_tensor *tensor, int64_t first, int64_t count, float *destination);
// Says that the tensor's pages will not be needed again soon. A hint.
void encl_tensor_drop(const encl_tensor *tensor);

#endif
