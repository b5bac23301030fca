// Files of results that `encl bench compare` reads.
#include "fuzz.h"
#include "host/cli/bench/read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    encl_bench_file file;
    (void)fuzz_folder(); // keeps the log quiet
    if (encl_bench_parse("results", (const char *)data, size, &file) != ENCL_OK) {
        return 0;
    }
    if (file.count == 0) {
        abort(); // promised: at least one
    }
    for (size_t i = 0; i < file.count; i++) {
        const encl_bench_entry *entry = &file.entries[i];
        const bool ok = strcmp(entry->status, "ok") == 0;
        if (encl_bench_find(&file, entry->case_id, entry->device) != entry || ok != (entry->count > 0)) {
            abort(); // promised: each case once, with samples where it could be measured
        }
    }
    encl_bench_file_free(&file);
    return 0;
}
