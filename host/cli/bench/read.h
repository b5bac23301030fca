// Reads back what `encl bench … -o jsonl` wrote.
#ifndef ENCL_CLI_BENCH_READ_H
#define ENCL_CLI_BENCH_READ_H

#include "host/cli/output.h"

// One result.
typedef struct encl_bench_entry {
    const char *case_id, *status, *reason, *device; // texts of the file's; reason "" where there is none
    const char *sha256;                             // of the model; "" where the row says none
    int64_t *samples_ns;                            // [count]; NULL where status is not "ok"
    size_t count;
    size_t line; // in the file, from 1
} encl_bench_entry;

typedef struct encl_bench_file {
    char *place; // the path, for messages
    cJSON *header;
    cJSON *results;            // an array of lines: what the entries' texts belong to
    encl_bench_entry *entries; // by case and device, whatever their order in the file
    size_t count, capacity;
    bool complete;
} encl_bench_file;

// FORMAT, with place:line, for what is damaged, cut off, empty or not of "encl.bench/1", and for two results of one
// case on one device; UNSUPPORTED for another major version. On a failure *file is empty.
encl_status encl_bench_read(const char *path, encl_bench_file *file);
// The same of a text.
encl_status encl_bench_parse(const char *place, const char *text, size_t length, encl_bench_file *file);
void encl_bench_file_free(encl_bench_file *file); // a zeroed one is allowed

// The entry of a case on a device (NULL: on any); NULL: none.
const encl_bench_entry *encl_bench_find(const encl_bench_file *file, const char *case_id, const char *device);

#endif
