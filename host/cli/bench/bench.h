// `encl bench`: what its commands share. A run of one of them is a bench run: options in, rows out, as a table for
// people (md), as CSV or as JSON Lines, all from one table of columns.
//
//     encl_bench_open → for every case { encl_bench_row, values by column name, encl_bench_row_end } →
//     encl_bench_finish
//
// Ctrl-C: what was measured is written, with "complete": false.
#ifndef ENCL_CLI_BENCH_H
#define ENCL_CLI_BENCH_H

#include "host/cli/command.h"
#include "host/cli/output.h"
#include "runtime/measure/peaks.h"
#include "runtime/measure/roofline.h"

// The commands below `bench`, each in a file of its own.
extern const encl_command encl_command_bench_peak;
extern const encl_command encl_command_bench_kernels;
extern const encl_command encl_command_bench_gemm;
extern const encl_command encl_command_bench_model;
extern const encl_command encl_command_bench_tokenizer;
extern const encl_command encl_command_bench_compare;
extern const encl_command encl_command_bench_ab;

typedef enum encl_bench_kind {
    ENCL_BENCH_PEAK,
    ENCL_BENCH_KERNELS,
    ENCL_BENCH_GEMM,
    ENCL_BENCH_MODEL,
    ENCL_BENCH_TOKENIZER,
    ENCL_BENCH_COMPARE, // compare and ab; their schema is "encl.compare/1"
} encl_bench_kind;

typedef enum encl_bench_format { ENCL_BENCH_MD, ENCL_BENCH_CSV, ENCL_BENCH_JSONL } encl_bench_format;

// Options that every measuring command takes. Zero means the default.
typedef struct encl_bench_options {
    encl_bench_format format; // of standard output; --json means jsonl
    bool format_given;
    const char *csv; // further files
    const char *jsonl;
    int64_t min_ms, max_ms, most_samples;
    int64_t seed; // of the order of the cases and of random numbers
    bool hot;     // buffers stay the same from launch to launch, so that caches hold them
} encl_bench_options;

// A command's own keys begin at ENCL_BENCH_KEYS_END.
enum {
    ENCL_BENCH_KEY_CSV = 0x3000,
    ENCL_BENCH_KEY_JSONL,
    ENCL_BENCH_KEY_MIN_MS,
    ENCL_BENCH_KEY_MAX_MS,
    ENCL_BENCH_KEY_SAMPLES,
    ENCL_BENCH_KEY_SEED,
    ENCL_BENCH_KEY_HOT,
    ENCL_BENCH_KEYS_END,
};
// clang-format off
#define ENCL_BENCH_OPTIONS_OUTPUT                                                                                     \
    {"output", 'o', "FORMAT", 0, "md (default), csv or jsonl on standard output", 0},                                 \
    {"csv", ENCL_BENCH_KEY_CSV, "FILE", 0, "Also write CSV to a file", 0},                                            \
    {"jsonl", ENCL_BENCH_KEY_JSONL, "FILE", 0, "Also write JSON Lines with everything to a file", 0}
#define ENCL_BENCH_OPTIONS                                                                                            \
    ENCL_BENCH_OPTIONS_OUTPUT,                                                                                        \
    {"min-ms", ENCL_BENCH_KEY_MIN_MS, "N", 0, "Sample each case for at least N ms (default 1000)", 0},                \
    {"max-ms", ENCL_BENCH_KEY_MAX_MS, "N", 0, "Stop sampling a case after N ms (default 10000)", 0},                  \
    {"samples", ENCL_BENCH_KEY_SAMPLES, "N", 0, "Take at most N samples of a case", 0},                               \
    {"seed", ENCL_BENCH_KEY_SEED, "N", 0, "Of the cases' order and of random numbers (default 1)", 0}
#define ENCL_BENCH_OPTION_HOT                                                                                         \
    {"hot", ENCL_BENCH_KEY_HOT, NULL, 0, "Use the same buffers at every launch, so that caches hold them", 0}
// clang-format on
// Takes one of these options.
encl_status encl_bench_option(encl_bench_options *options, int key, const char *value);
// What only all options together tell: INVALID where --min-ms is more than --max-ms, or two outputs are one file.
encl_status encl_bench_options_check(const encl_bench_options *options);
// How to sample by these options; the sampling asks encl_interrupt_check before every sample.
encl_sampling encl_bench_sampling(const encl_bench_options *options);
uint64_t encl_bench_seed(const encl_bench_options *options); // 1 where none was given
// The devices that --device chooses (several are allowed here); UNSUPPORTED where there are no kernels of --precision.
// Caller frees *devices (not what they point to).
encl_status encl_bench_devices(const encl_globals *globals, const encl_device ***devices, size_t *count);
// A seeded order of 0 … count − 1 to run cases in. Caller frees.
encl_status encl_bench_order(size_t count, uint64_t seed, size_t **order);

typedef struct encl_bench encl_bench; // a run of a bench command

// Opens the outputs and prepares the header: schema "encl.bench/1", kind, encl (version, commit, compiler, build flags,
// kernels' hash), run (command line, start time, environment, settings), host (processor, cores, governor, memory,
// system, load), devices, peaks. It is written with the first row. peaks[i] belongs to devices[i]; NULL, or NULL
// within: not known. On a failure *bench is NULL.
encl_status encl_bench_open(const encl_bench_options *options, const encl_call *call, encl_bench_kind kind,
                            const encl_device *const *devices, const encl_peaks *const *peaks, size_t device_count,
                            encl_bench **bench);
// Adds to the header what a command has to say of all its rows: before the first one. Takes the item; NULL: no memory.
void encl_bench_header(encl_bench *bench, const char *key, cJSON *item);
// How many rows there will be, for the progress shown on stderr; 0, as at first: not known.
void encl_bench_expect(encl_bench *bench, size_t rows);
// Begins a row. Rows are matched by case_id and device when files are compared: it must name all that makes the case.
// Of one device, no two rows may have the same case_id. device NULL: none (compare).
encl_status encl_bench_row(encl_bench *bench, const encl_device *device, const char *case_id);
// Where the row stands in the table for people, who need not see in what order cases ran; by itself behind the one
// before. CSV and JSON Lines keep the order of the runs.
void encl_bench_place(encl_bench *bench, size_t place);
// Values of the row by column name (columns.c lists the columns of every kind). NULL and NAN are empty cells. A
// name that the kind has not is INTERNAL, told by encl_bench_row_end.
void encl_bench_text(encl_bench *bench, const char *column, const char *value);
void encl_bench_number(encl_bench *bench, const char *column, double value);
// What the column dtype calls a precision.
const char *encl_bench_dtype(encl_precision precision);
// n, warmup, first_us, min_us … max_us, outliers, stop, samples_ns from samples of one launch, `inner` launches each;
// timer: "event" or "wall". The end of the run warns of rows where the noise (riqr_pct) is over 5 %.
void encl_bench_samples(encl_bench *bench, const encl_samples *samples, int64_t inner, const char *timer);
// flops, bytes, gflops, gbs, ai, roof_pct, bound from one launch's work and its median time. peaks may be NULL.
void encl_bench_roof(encl_bench *bench, const encl_peaks *peaks, double flops, double bytes, double ns);
// "ok", as it is without this call; or "skipped", "unsupported", "error" and why.
void encl_bench_status(encl_bench *bench, const char *status, const char *reason);
encl_status encl_bench_row_end(encl_bench *bench);
// Adds a line for people below the table (and to the footer's "notes").
encl_status encl_bench_note(encl_bench *bench, const char *format, ...) ENCL_PRINTF(2, 3);
// Ends the table, commits the files. complete: false after an interruption; a row that was begun is left out then.
// Frees the bench in any case.
encl_status encl_bench_finish(encl_bench *bench, bool complete);
void encl_bench_abandon(encl_bench *bench); // without results; NULL is allowed
// How every command ends: finishes a bench (NULL is allowed), complete where `status` is OK, and gives the status back,
// or the finish's own where it was OK. What was measured before a failure is written too.
encl_status encl_bench_close(encl_bench *bench, encl_status status);

#endif
