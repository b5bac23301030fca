// The columns of every kind of benchmark: what CSV and JSON Lines write, and which of them a table shows. Within a
// major version of the schema columns are only added, at the end of their block.
#ifndef ENCL_CLI_BENCH_COLUMNS_H
#define ENCL_CLI_BENCH_COLUMNS_H

#include <stddef.h>

#include "host/cli/bench/bench.h"

typedef enum encl_bench_type {
    ENCL_BENCH_TEXT,
    ENCL_BENCH_COUNT, // a whole number
    ENCL_BENCH_BYTES, // the same; people see KiB, MiB, …
    ENCL_BENCH_REAL,
} encl_bench_type;

typedef struct encl_bench_column {
    const char *name; // of CSV and JSON
    encl_bench_type type;
    int digits;          // behind the point, in CSV, and in the table where the number is small
    const char *heading; // in the table; NULL: not shown there
} encl_bench_column;

// The columns of a kind, in order; static.
const encl_bench_column *encl_bench_columns(encl_bench_kind kind, size_t *count);
const char *encl_bench_kind_name(encl_bench_kind kind); // "kernels"

#endif
