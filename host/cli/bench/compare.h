// What `encl bench compare` and `encl bench ab` share: two sets of results, row by row.
#ifndef ENCL_CLI_BENCH_COMPARE_H
#define ENCL_CLI_BENCH_COMPARE_H

#include "host/cli/bench/bench.h"
#include "host/cli/bench/read.h"

// Options of both.
typedef struct encl_compare_options {
    encl_bench_options bench;
    double threshold_pct; // 0: the default
    bool fail_on_slower;
} encl_compare_options;

enum { ENCL_COMPARE_KEY_THRESHOLD = ENCL_BENCH_KEYS_END, ENCL_COMPARE_KEY_FAIL_ON, ENCL_COMPARE_KEYS_END };
// clang-format off
#define ENCL_COMPARE_OPTIONS                                                                                          \
    {"threshold", ENCL_COMPARE_KEY_THRESHOLD, "PCT", 0, "Changes within this many percent are the same (default 2)", 0}, \
    {"fail-on", ENCL_COMPARE_KEY_FAIL_ON, "VERDICT", 0, "slower: exit with 3 where a row is slower", 0},              \
    ENCL_BENCH_OPTIONS_OUTPUT
// clang-format on
encl_status encl_compare_option(encl_compare_options *options, int key, const char *value);

// How the samples of the two came about: said below the table.
typedef enum encl_compare_kind {
    ENCL_COMPARE_FILES, // all samples of a row are of one process
    ENCL_COMPARE_PAIRS, // a sample is the median of a process of its own
} encl_compare_kind;

// Writes one row for every case of a and b: the ratio of medians b / a with its 95 % confidence interval, the verdict
// (faster, slower, same, unclear; missing, new), and last the geometric mean. Warns where device, driver or model
// differ. complete: what encl_bench_finish is told. INVALID where the two are of different kinds. *slower counts rows.
encl_status encl_compare_report(const encl_compare_options *options, const encl_call *call, encl_compare_kind kind,
                                const encl_bench_file *a, const encl_bench_file *b, bool complete, size_t *slower);

#endif
