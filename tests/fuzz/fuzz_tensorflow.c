// TensorFlow checkpoints: the input's first byte says what the rest is: 0 a whole index, else the entries of a block,
// around which a sound table is made, checksums and all: past them a fuzzer does not find its way by itself.
#include "fuzz.h"
#include "host/checkpoint/checkpoint.h"
#include "tests/checkpoint/bundle_writer.h"

static void read_all(const encl_checkpoint *checkpoint) {
    for (size_t i = 0; i < encl_checkpoint_count(checkpoint); i++) {
        const encl_tensor *tensor = encl_checkpoint_at(checkpoint, i);
        float values[16];
        const int64_t count = tensor->elements < 16 ? tensor->elements : 16;
        (void)encl_tensor_read(tensor, 0, count, values);
        (void)encl_tensor_read(tensor, tensor->elements - count, count, values);
    }
}

static void write_data(void) {
    static const char *const names[] = {"m.data-00000-of-00001", "m.data-00000-of-00002", "m.data-00001-of-00002"};
    static const uint8_t zeros[4096];
    static bool written;
    for (size_t i = 0; i < 3 && !written; i++) {
        fuzz_write(names[i], zeros, sizeof zeros);
    }
    written = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static encl_written entries;
    static encl_written file;
    encl_checkpoint *checkpoint = NULL;
    if (size < 1 || size > sizeof entries.bytes / 2) {
        return 0;
    }
    write_data();
    if (data[0] == 0) {
        fuzz_write("m.index", data + 1, size - 1);
    } else {
        entries.length = 0;
        written_add(&entries, data + 1, size - 1);
        written_table(&file, &entries, 0);
        fuzz_write("m.index", file.bytes, file.length);
    }
    if (encl_checkpoint_open(fuzz_folder(), &checkpoint) == ENCL_OK) {
        read_all(checkpoint);
    }
    encl_checkpoint_close(checkpoint);
    return 0;
}
