// Paddle's files.
#include "fuzz_checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_checkpoint(encl_paddle_read, data, size);
    return 0;
}
