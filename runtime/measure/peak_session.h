// What the measurements of peaks share: launches and their times. Private to this room.
#ifndef ENCL_MEASURE_PEAK_SESSION_H
#define ENCL_MEASURE_PEAK_SESSION_H

#include "runtime/device/command.h"
#include "runtime/device/program.h"
#include "runtime/measure/peaks.h"

typedef enum encl_peak_trust { ENCL_PEAK_TRUST_UNKNOWN, ENCL_PEAK_TRUST_EVENTS, ENCL_PEAK_TRUST_WALL } encl_peak_trust;

typedef struct encl_peak_session {
    const encl_device *device;
    const encl_peak_options *options;
    encl_peaks *peaks;
    encl_peak_trust trust; // whether the device's event times make sense: known once something long enough ran
    bool ended;            // who was asked or told wants no more: that status is the measurement's
} encl_peak_session;

// A kernel function of kernels/ in a program of its own. A zeroed one may be closed.
typedef struct encl_peak_entry {
    encl_program *program;
    encl_entry entry;
} encl_peak_entry;
encl_status encl_peak_entry_open(const encl_peak_session *session, const char *file, const char *options,
                                 const char *name, encl_peak_entry *entry);
// Saves the program; after its first launch.
void encl_peak_entry_keep(const encl_peak_entry *entry);
void encl_peak_entry_close(encl_peak_entry *entry);

// Something to launch, with its arguments set.
typedef struct encl_peak_launch {
    encl_peak_session *session;
    encl_entry entry;
    size_t global, local;
    int64_t inner; // launches in a sample
} encl_peak_launch;

// Runs it `inner` times; *ns is the time of one.
encl_status encl_peak_time(const encl_peak_launch *launch, int64_t *ns);
// The shorter of two such times: one may have been disturbed.
encl_status encl_peak_time_twice(const encl_peak_launch *launch, int64_t *ns);
// How long a launch should take, so that what it is not about (dispatch, the clock's steps) does not count.
int64_t encl_peak_target_ns(const encl_peak_session *session);
// By what factor there should be more work in a launch that took so long: 1 where it is enough, at most 16.
double encl_peak_growth(const encl_peak_session *session, int64_t ns);
// Called when the work is enough: finds out whether events are to be trusted, and how many launches make a sample of at
// least 1,000 steps of the clock.
encl_status encl_peak_settle(encl_peak_launch *launch);
const char *encl_peak_timer(const encl_peak_session *session);
// The same number of repetitions for what is timed by the host's clock and takes so long.
int64_t encl_peak_batch(int64_t step_ns, int64_t ns);

// Samples by the session's options.
encl_status encl_peak_sample(encl_peak_session *session, encl_status (*once)(void *context, int64_t *ns), void *context,
                             encl_samples *samples);
// encl_peak_sample of a launch.
encl_status encl_peak_sample_launch(encl_peak_launch *launch, encl_samples *samples);

// Work in a nanosecond by the best sample; DEVICE where that took no time.
encl_status encl_peak_rate(const encl_samples *samples, double work, double *rate);

// Tells a figure, whose status is "ok" or else "error" with the detail of `status`. Gives what ends the measurement,
// else OK.
encl_status encl_peak_tell(encl_peak_session *session, encl_peak_figure *figure, encl_status status);
// Tells a figure that the device has not.
encl_status encl_peak_tell_unsupported(encl_peak_session *session, const char *name, const char *unit,
                                       const char *reason);

// What there is to measure. Each tells its figures, writes session->peaks, and gives what ends the measurement.
encl_status encl_peak_measure_memory(encl_peak_session *session); // read, write, copy
encl_status encl_peak_measure_compute(encl_peak_session *session);
encl_status encl_peak_measure_latency(encl_peak_session *session);   // launch, enqueue, finish
encl_status encl_peak_measure_transfers(encl_peak_session *session); // upload, download
// The sizes of buffers, rising: how many of at most ENCL_PEAK_SIZES.
size_t encl_peak_sizes(const encl_device *device, const encl_peak_options *options, uint64_t sizes[ENCL_PEAK_SIZES]);

#endif
