// safetensors: the input is a file; tensors that a file passes for are read to their ends.
#include "fuzz_checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    encl_checkpoint *checkpoint = NULL;
    fuzz_write("model.safetensors", data, size);
    if (encl_checkpoint_open(fuzz_folder(), &checkpoint) == ENCL_OK) {
        fuzz_read_all(checkpoint);
    }
    encl_checkpoint_close(checkpoint);
    return 0;
}
