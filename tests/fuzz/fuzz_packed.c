// Packed models: the input is a manifest beside one file of weights; what it lets through is looked up by its keys.
#include "fuzz_checkpoint.h"
#include "host/checkpoint/packed.h"

enum { WEIGHT_BYTES = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t weight[WEIGHT_BYTES];
    encl_checkpoint *checkpoint = NULL;
    fuzz_write("w", weight, sizeof weight);
    fuzz_write("encl.json", data, size);
    if (encl_checkpoint_open(fuzz_folder(), &checkpoint) == ENCL_OK) {
        const encl_packed *packed = encl_checkpoint_packed(checkpoint);
        for (size_t i = 0; i < packed->count; i++) {
            const encl_packed_weight *found = encl_packed_find(packed, packed->weights[i].key);
            if (found != &packed->weights[i] || found->bytes != WEIGHT_BYTES || found->data[WEIGHT_BYTES - 1] != 0) {
                abort(); // every key is there once, and its bytes are the file's
            }
        }
        fuzz_read_all(checkpoint);
    }
    encl_checkpoint_close(checkpoint);
    return 0;
}
