// TensorFlow checkpoints: the input's first byte says what the rest is: 0 a whole index, else the entries of a block,
// around which a sound table is made, checksums and all: past them a fuzzer does not find its way by itself.
#include "fuzz_checkpoint.h"
#include "tests/checkpoint/bundle_writer.h"

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
        fuzz_read_all(checkpoint);
    }
    encl_checkpoint_close(checkpoint);
    return 0;
}
