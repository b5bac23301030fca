// PyTorch's files, of both forms.
#include "fuzz_checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_checkpoint(encl_torch_read, data, size);
    return 0;
}
