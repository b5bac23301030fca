// The parts of `encl profile`: measuring one case, and telling people, JSON readers, spreadsheets and trace viewers.
// All times are nanoseconds; of profiled runs they are means, because means add up and medians do not.
#ifndef ENCL_CLI_PROFILE_H
#define ENCL_CLI_PROFILE_H

#include "host/cli/output.h"
#include "host/encl_model.h"
#include "runtime/base/progress.h"

// What a wall time consists of. Device and host clocks are not aligned: lead begins at the first command's QUEUED,
// and what the host did before that is in tail.
typedef struct encl_parts {
    double lead;       // first QUEUED → first START
    double exec;       // a command runs
    double host_gap;   // idle, nothing is enqueued
    double queue_gap;  // idle, QUEUED → SUBMIT
    double launch_gap; // idle, SUBMIT → START
    double tail;       // the rest of the wall time
    double overlap;    // Σ of commands' times − exec; 0 on one in-order queue
    double residual;   // what had to be clamped because times were out of order
    double clamped;    // how many times that was
} encl_parts;

// One command, with the same command of every repeat added up.
typedef struct encl_profile_row {
    encl_profile_record record; // of the last repeat; its texts live as long as the result
    double exec;
    double exec_median;
    double queued;    // QUEUED → SUBMIT
    double submitted; // SUBMIT → START
    double host_gap, queue_gap, launch_gap;
} encl_profile_row;

// What is profiled: one packed batch.
typedef struct encl_profile_case {
    char name[64]; // "rbt3 8x128"
    int32_t batch_size;
    int32_t length; // of every sequence; 0 where they differ
    encl_batch batch;
    int32_t *ids;
    int32_t *offsets;
    int64_t tokenize_ns; // 0: not from texts
} encl_profile_case;

typedef struct encl_profile_result {
    encl_executable_info info; // but for its texts that of the executable
    char gemm[32];
    int64_t create_ns;
    int64_t first_ns;  // the first run
    int64_t *plain;    // [repeat] wall times without profiling
    int64_t *profiled; // [repeat]
    int64_t repeat;
    double plain_median;
    double profiled_median;
    double wall; // mean of profiled
    encl_parts parts;
    encl_profile_row *rows;
    size_t row_count;
    encl_string names; // of operators and kernels
    bool reconciled;
} encl_profile_result;

// Time of one operator (or layer) in all.
typedef struct encl_profile_group {
    int32_t layer;
    const char *op;
    const char *kernel;
    int64_t calls;
    double exec, flops, bytes;
} encl_profile_group;

// Adds up one run's records: parts of its wall time, and (added to them) each command's. rows may be NULL.
void encl_profile_walk(const encl_profile_record *records, size_t count, int64_t wall_ns, encl_parts *parts,
                       encl_profile_row *rows);
// Groups by operator and kernel, longest first, or by layer, in order. Caller frees *groups.
encl_status encl_profile_group_rows(const encl_profile_result *result, bool by_layer, encl_profile_group **groups,
                                    size_t *count);

// Makes an executable for the case and runs it: once, to warm up, `repeat` times plain, `repeat` times profiled.
encl_status encl_profile_measure(const encl_device *device, const encl_graph *graph, const encl_profile_case *measured,
                                 const encl_executable_options *options, int64_t repeat, encl_progress *progress,
                                 encl_profile_result *measurement);
void encl_profile_result_free(encl_profile_result *result);

encl_status encl_profile_print(const encl_profile_case *measured, const encl_profile_result *result, int32_t layers);
encl_status encl_profile_print_header(const encl_model_info *model, const encl_device_info *device);
encl_status encl_profile_print_json(const encl_profile_case *measured, const encl_profile_result *result);

// The columns of a spreadsheet, and one case's lines.
encl_status encl_profile_csv_header(FILE *stream);
encl_status encl_profile_csv(FILE *stream, const encl_profile_case *measured, const encl_profile_result *result);
// Appends one case's last profiled run to a list of trace events, *start_us after the trace's start, and moves it on.
encl_status encl_profile_trace(cJSON *events, const encl_profile_case *measured, const encl_profile_result *result,
                               double *start_us);
// Writes a Chrome trace of these events.
encl_status encl_profile_trace_write(const char *path, cJSON *events, const encl_device_info *device);

#endif
