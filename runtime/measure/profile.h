// Profiles: what the runs of a program, a command or a benchmark case did on the device and where their wall time went.
// Collected run by run (encl_profile_collect), then finished and read; the tables, CSV, traces and pages of host/cli
// are made from this. All times are nanoseconds.
#ifndef ENCL_MEASURE_PROFILE_H
#define ENCL_MEASURE_PROFILE_H

#include "runtime/encl.h"
#include "runtime/measure/clock_map.h"
#include "runtime/measure/roofline.h"

// What a wall time consists of: sums to it.
typedef struct encl_parts {
    double lead;       // the call → first START (where the clocks are not aligned: first QUEUED → first START)
    double exec;       // a command runs
    double host_gap;   // idle, nothing is enqueued
    double queue_gap;  // idle, QUEUED → SUBMIT
    double launch_gap; // idle, SUBMIT → START
    double tail;       // last END → the call returned; the rest
    double overlap;    // Σ of commands' times − exec; 0 on one in-order queue
    double residual;   // what had to be clamped because times were out of order
    double clamped;    // how many times that was
} encl_parts;

// A command, or commands that are the same but for their rows, with all runs added up. Of one run where a case is
// repeated (means), of all runs where a whole command is collected (sums): see encl_profile_case.
typedef struct encl_profile_row {
    // Of the last such command; texts belong to the profile. rows is 0 where the commands' rows differ.
    encl_profile_record record;
    double calls;
    double exec;
    double exec_p50;  // of a call; NAN where it is not known
    double queued;    // QUEUED → SUBMIT } waits overlap other work: never sum them
    double submitted; // SUBMIT → START }
    double host_gap, queue_gap, launch_gap;
    double flops, bytes;
} encl_profile_row;

// A run as it is drawn.
typedef struct encl_profile_timeline {
    encl_run_profile run; // records and texts belong to the profile
    encl_clock_map clock;
    int32_t executable; // index in the case's executables
} encl_profile_timeline;

// An executable that runs belong to.
typedef struct encl_profile_executable {
    encl_executable_info info;
    char gemm[16]; // info.gemm points here
} encl_profile_executable;

enum { ENCL_PROFILE_TIMELINE_RECORDS = 1 << 16 };

typedef struct encl_profile_case {
    char *name;                // "rbt3 8x128", "texts", "embed"
    int32_t sequences, tokens; // of a run; in all where `repeated` is false
    int32_t length;            // of every sequence; 0 where they differ
    // true: every run did the same, and rows, parts and wall are means over the runs, a row for each command of a run.
    // false: runs of different batches; rows (one for each layer, operator, kernel and shape but its rows), parts and
    // wall are sums over all of them.
    bool repeated;
    int64_t runs;     // profiled
    int64_t *wall_ns; // [runs] of each profiled run
    // [plain_runs] of the same without profiling; NULL: not measured. Set it between begin and end; the profile frees
    // it.
    int64_t *plain_ns;
    int64_t plain_runs;
    encl_statistics profiled, plain;
    encl_ratio cost; // of medians, profiled / plain: what profiling costs; NAN where it was not measured; lo and hi
                     // where runs were few
    double wall;     // measured; Σ parts but for what the residual says
    double outside;  // host time around the runs (a whole command's time − wall); 0 where repeated
    encl_parts parts;
    bool reconciled;
    int64_t first_ns, create_ns, tokenize_ns; // 0: not known; set by who knows
    encl_profile_row *rows;
    size_t row_count;
    // The first runs, of ENCL_PROFILE_TIMELINE_RECORDS commands in all at most; of repeated ones the last run only.
    encl_profile_timeline *timeline;
    size_t timeline_count;
    int64_t timeline_left_out; // runs that were too many to keep (they count in rows and parts)
    encl_profile_executable *executables;
    size_t executable_count;
} encl_profile_case;

typedef struct encl_profile_store encl_profile_store; // what collecting needs

// Zero-initialise.
typedef struct encl_profile {
    const encl_device_info *device; // NULL until a run was collected
    encl_peaks peaks;
    bool peaks_known;
    char *command;  // the command line, for people; NULL
    int32_t layers; // of the model; −1: not known
    encl_profile_case *cases;
    size_t case_count, case_capacity;
    encl_profile_store *store;
} encl_profile;

// How rows are added up.
typedef enum encl_profile_grouping {
    ENCL_PROFILE_BY_OPERATOR, // and kernel; longest first
    ENCL_PROFILE_BY_LAYER,    // in order
    ENCL_PROFILE_BY_BOTH,     // a layer's operators and kernels, in order
} encl_profile_grouping;

// Rows added up.
typedef struct encl_profile_group {
    int32_t layer;           // of the first row where grouped by operator
    const char *op, *kernel; // "" for a layer
    const char *why;         // of the last row; "" for a layer
    double calls, exec, flops, bytes;
    double queued, submitted, host_gap, queue_gap, launch_gap;
} encl_profile_group;

// ---- Making one -------------------------------------------------------------------------------------------

// A zeroed profile may be freed. command is freed with it.
void encl_profile_free(encl_profile *profile);
// Begins a case; runs that are collected after it belong to it.
encl_status encl_profile_case_begin(encl_profile *profile, const char *name, bool repeated);
// Adds a run; for encl_executable_options.on_profile (context: the encl_profile). Runs of a repeated case must have the
// same commands, else INTERNAL. The executable may be gone when the profile is read. One thread at a time.
encl_status encl_profile_collect(void *context, const encl_executable *executable, const encl_run_profile *run);
// Ends the case: means or sums, statistics, whether it is reconciled. command_ns: the time of the whole command, 0:
// none.
encl_status encl_profile_case_end(encl_profile *profile, int64_t command_ns);

// ---- Reading it -------------------------------------------------------------------------------------------

// Caller frees *groups; its texts are the profile's.
encl_status encl_profile_groups(const encl_profile_case *of, encl_profile_grouping by, encl_profile_group **groups,
                                size_t *count);
// "128x768x3072", "128x768": the shape of a command; "*x768" where rows differ, "" where it has none.
enum { ENCL_PROFILE_SHAPE_TEXT = 48 };
const char *encl_profile_shape(const encl_profile_record *record, char text[ENCL_PROFILE_SHAPE_TEXT]);
// "before", "1" … "12", "after", "read back": layers as a person sees them. layers < 0: the model's number is not
// known.
const char *encl_profile_layer(int32_t layer, int32_t layers, char text[16]);

// The family of a kernel by its name: "plain", "tile", "group"; "library" for CLBlast, "" for copies.
const char *encl_profile_variant(const char *kernel);

// Adds up one run's records: parts of its wall time and (added to them) each command's row but for its `record`. rows
// may be NULL. clock: NULL or not aligned: lead begins at the first QUEUED.
void encl_profile_walk(const encl_run_profile *run, const encl_clock_map *clock, encl_parts *parts,
                       encl_profile_row *rows);
// Adds the sums of a row to another's; `record` and exec_p50 stay.
void encl_profile_row_add(encl_profile_row *row, const encl_profile_row *more);

#endif
