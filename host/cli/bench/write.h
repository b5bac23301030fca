// Writers of rows: Markdown for people, CSV for spreadsheets, JSON Lines for programs.
//
// JSON Lines: a header line, then one result a line with all samples, then a footer line with "complete".
// CSV: a line of names, then one result a line. Where it comes from (device, driver, version, commit, command line, …)
// stands in columns at the end of every line, so that lines of several files may be put together and no reader has to
// know of comments. A file that is not complete ends with a line whose status is "incomplete".
#ifndef ENCL_CLI_BENCH_WRITE_H
#define ENCL_CLI_BENCH_WRITE_H

#include "host/cli/bench/columns.h"

typedef struct encl_bench_cell {
    char *text;    // of text columns; NULL: empty
    double number; // of the others; NAN: empty
} encl_bench_cell;

typedef struct encl_bench_result {
    const encl_bench_cell *cells; // one a column
    const int64_t *samples_ns;    // NULL: none
    size_t sample_count;
    int32_t device; // its place in the header's "devices"; −1: none
    size_t place;   // in a table for people
} encl_bench_result;

typedef struct encl_bench_writer encl_bench_writer;

// path NULL: standard output. The file is there under its name once the writer is finished.
encl_status encl_bench_writer_open(encl_bench_format format, const char *path, encl_bench_kind kind,
                                   encl_bench_writer **writer);
// header lives until the writer is gone.
encl_status encl_bench_writer_begin(encl_bench_writer *writer, const cJSON *header);
encl_status encl_bench_writer_row(encl_bench_writer *writer, const encl_bench_result *result);
// Writes what comes last, commits the file and frees the writer, in any case. notes: lines for people; may be NULL.
encl_status encl_bench_writer_finish(encl_bench_writer *writer, bool complete, const char *notes);
void encl_bench_writer_abandon(encl_bench_writer *writer); // NULL is allowed

#endif
