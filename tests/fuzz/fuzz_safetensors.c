// safetensors: the input is a file; tensors that a file passes for are read to their ends.
#include "fuzz.h"
#include "host/checkpoint/checkpoint.h"

static void read_all(const encl_checkpoint *checkpoint) {
    for (size_t i = 0; i < encl_checkpoint_count(checkpoint); i++) {
        const encl_tensor *tensor = encl_checkpoint_at(checkpoint, i);
        float values[16];
        const int64_t count = tensor->elements < 16 ? tensor->elements : 16;
        (void)encl_tensor_read(tensor, 0, count, values);
        (void)encl_tensor_read(tensor, tensor->elements - count, count, values);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    encl_checkpoint *checkpoint = NULL;
    fuzz_write("model.safetensors", data, size);
    if (encl_checkpoint_open(fuzz_folder(), &checkpoint) == ENCL_OK) {
        read_all(checkpoint);
    }
    encl_checkpoint_close(checkpoint);
    return 0;
}
