// What `bench kernels` and `bench gemm` share: devices that are open, their peaks, and rows that hold a trial.
#ifndef ENCL_CLI_BENCH_SESSION_H
#define ENCL_CLI_BENCH_SESSION_H

#include "host/cli/bench/bench.h"
#include "runtime/measure/trial.h"

typedef struct encl_bench_session {
    const encl_bench_options *options;
    encl_call *call;
    encl_bench *bench;
    const encl_device **devices;
    encl_family *families;    // [device_count]
    const encl_peaks **peaks; // [device_count] NULL within: not known
    encl_peaks *peaks_memory;
    size_t device_count, acquired;
    size_t rows, wrong; // rows that were written; those whose status is "error"
} encl_bench_session;

// Opens the chosen devices, reads or measures their peaks, and opens the bench. On failure everything is closed again.
encl_status encl_bench_session_open(const encl_bench_options *options, encl_call *call, encl_bench_kind kind,
                                    encl_bench_session *session);
// Ends the bench (complete where `status` is OK), closes the devices, sets the exit code where rows were wrong, and
// gives the status back, or the bench's own where it was OK.
encl_status encl_bench_session_close(encl_bench_session *session, encl_status status);

// The row's values from a trial: times, roofline, errors, and status "error" where its numbers are wrong.
void encl_bench_trial(encl_bench_session *session, size_t device, const encl_trial *trial);
// The row's status from a failure, with this thread's detail: "unsupported" or "error".
void encl_bench_failure(encl_bench_session *session, encl_status status);
// Ends the row. A status that must end the command is given back: an interruption.
encl_status encl_bench_session_row_end(encl_bench_session *session, encl_status status);

#endif
