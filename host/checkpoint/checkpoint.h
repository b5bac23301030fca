// One reader for every weight format: name → dtype, shape, bytes. Files are mapped, never copied whole. Names and
// layouts are the format's own; host/model/state_dict.h gives them Hugging Face's. A checkpoint is immutable once
// opened and may be shared by threads.
#ifndef ENCL_CHECKPOINT_H
#define ENCL_CHECKPOINT_H

#include "runtime/base/folder.h"

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

// A stored tensor. Lives as long as its checkpoint. `data`, the place of element 0, may be unaligned.
typedef struct encl_tensor encl_tensor;
struct encl_tensor {
    const char *name;
    encl_dtype dtype;
    int32_t dimensions; // 0: scalar
    int64_t shape[ENCL_TENSOR_DIMENSIONS];
    int64_t strides[ENCL_TENSOR_DIMENSIONS]; // elements from one index of a dimension to the next; never negative
    int64_t elements;
    const uint8_t *data; // NULL: a packed model's tensor, which has no numbers
    size_t bytes;        // of all elements, each counted once
    const void *source;  // private: the mapped file it lies in, NULL: memory of the checkpoint's
    // Compares the stored bytes with their checksum, FORMAT where they differ; NULL: the format has none.
    // encl_tensor_read calls it when it begins with element 0.
    encl_status (*verify)(const encl_tensor *tensor);
    uint32_t checksum; // for verify
};

// Fills strides as a dense row-major tensor of this shape and number of elements has them; all are 0 where it has none.
void encl_tensor_set_dense(encl_tensor *tensor);
bool encl_tensor_is_dense(const encl_tensor *tensor);

// Whose names the tensors have.
typedef enum encl_dialect {
    ENCL_DIALECT_TORCH,      // Hugging Face transformers: "bert.encoder.layer.0.output.dense.weight", [out, in]
    ENCL_DIALECT_TENSORFLOW, // Google's BERT: "bert/encoder/layer_0/output/dense/kernel", [in, out]
    ENCL_DIALECT_PADDLE,     // PaddleNLP: "bert.encoder.layers.0.linear2.weight", [in, out]
} encl_dialect;

// Opens what a user calls a model (encl_folder_resolve): a folder, or a weight file in one. Formats are rows of one
// table (format.h). NOT_FOUND says which files were looked for.
encl_status encl_checkpoint_open(const char *path, encl_checkpoint **checkpoint);
// The same in an open folder, which must outlive the checkpoint; file = NULL: the folder is searched.
encl_status encl_checkpoint_open_in(const encl_folder *folder, const char *file, encl_checkpoint **checkpoint);
void encl_checkpoint_close(encl_checkpoint *checkpoint); // NULL is allowed

const char *encl_checkpoint_format(const encl_checkpoint *checkpoint); // "safetensors"
encl_dialect encl_checkpoint_dialect(const encl_checkpoint *checkpoint);
const encl_folder *encl_checkpoint_folder(const encl_checkpoint *checkpoint); // where config.json and vocab.txt are
const char *encl_checkpoint_file(const encl_checkpoint *checkpoint);          // name of the file or index in the folder
size_t encl_checkpoint_count(const encl_checkpoint *checkpoint);
const encl_tensor *encl_checkpoint_at(const encl_checkpoint *checkpoint, size_t index);       // sorted by name
const encl_tensor *encl_checkpoint_find(const encl_checkpoint *checkpoint, const char *name); // NULL: none

// Writes elements [first, first + count), counted row-major whatever the strides, as float32 (F32, F16, BF16 and F64;
// other dtypes are FORMAT). A range outside the tensor is INVALID.
encl_status encl_tensor_read(const encl_tensor *tensor, int64_t first, int64_t count, float *destination);
// Writes the same elements as they are stored: count * encl_dtype_bytes bytes.
encl_status encl_tensor_copy(const encl_tensor *tensor, int64_t first, int64_t count, void *destination);
// Says that the tensor's pages will not be needed again soon. A hint.
void encl_tensor_drop(const encl_tensor *tensor);

#endif
