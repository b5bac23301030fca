// Times something that is launched again and again: by the device's clock where that can be trusted, else by the
// host's; many launches a sample where one is too short for the clock.
#ifndef ENCL_MEASURE_LAUNCHES_H
#define ENCL_MEASURE_LAUNCHES_H

#include "runtime/measure/trial.h"
#include "runtime/op/check_buffers.h"

// What is launched. launch() enqueues number `index` (from 0, one higher at every launch); where command is not NULL,
// it receives the handle of a command whose time is the launch's, for the caller to release.
typedef struct encl_launches {
    const encl_device *device;
    encl_status (*launch)(void *context, encl_queue queue, size_t index, encl_command *command);
    void *context;
    bool marked; // by the device's clock from a marker before a sample's launches to one behind them, not by each
                 // launch's own command: for libraries, whose events cover only some of their kernels
    bool wall;   // besides, by the host's clock, on the queue that has no profiling
} encl_launches;

// The device must be acquired. On failure *times is zeroed, which may be freed too; nothing is running any more in
// either case.
encl_status encl_launches_time(const encl_launches *launches, const encl_sampling *sampling, encl_launch_times *times);
void encl_launch_times_free(encl_launch_times *times);

// ---- Copies of buffers ------------------------------------------------------------------------------------

// For launches in turn that find none of them in the device's cache: as many as exceed twice that, within bounds; with
// `hot`, one. as_given: see encl_check_buffers_create.
typedef struct encl_buffer_sets {
    encl_check_buffers *sets;
    size_t count;
} encl_buffer_sets;
encl_status encl_buffer_sets_create(const encl_device *device, const encl_check_inputs *inputs, bool as_given, bool hot,
                                    encl_buffer_sets *sets);
void encl_buffer_sets_free(encl_buffer_sets *sets);

// Times launches that take these sets in turn, and compares what the last one wrote: fills trial's times, check, sets,
// flops and bytes. On failure trial is the caller's to free.
encl_status encl_launches_try(const encl_launches *launches, const encl_sampling *sampling,
                              const encl_check_inputs *inputs, const encl_buffer_sets *sets, encl_trial *trial);

#endif
