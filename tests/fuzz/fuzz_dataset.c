// Data sets: the first byte of the input chooses one, the rest is its file.
#include "fuzz.h"
#include "host/task/dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t count = 0;
    const encl_dataset_kind *kinds = encl_dataset_kinds(&count);
    encl_dataset *dataset = NULL;
    char path[128];
    if (size == 0) {
        return 0;
    }
    fuzz_write("data", data + 1, size - 1);
    snprintf(path, sizeof path, "%s/data", fuzz_folder());
    if (encl_dataset_open(&kinds[data[0] % count], path, &dataset) == ENCL_OK) {
        if (dataset->count == 0) {
            abort(); // promised: at least one example
        }
        encl_dataset_close(dataset);
    }
    return 0;
}
