// One kernel on one case: how long it takes, and whether what it wrote while it was timed is right.
#ifndef ENCL_MEASURE_TRIAL_H
#define ENCL_MEASURE_TRIAL_H

#include "runtime/measure/launches.h"
#include "runtime/op/check_buffers.h"

typedef struct encl_trial_options {
    encl_sampling sampling;
    bool hot;    // one set of buffers; else as many as exceed twice the device's cache, in turn
    bool marked; // times as for a library (encl_launches), to compare with one
    bool wall;
} encl_trial_options;

typedef struct encl_trial {
    encl_launch_times times;
    encl_check_result check; // of the last launch's output
    size_t sets;             // of buffers, used in turn
    double flops, bytes;     // of one launch
    encl_launch launch;
    uint64_t local_bytes, private_bytes; // 0 where the driver does not say
} encl_trial;

// The device must be acquired. Numbers that are wrong are no failure: see check. On failure *trial is zeroed, which may
// be freed too.
encl_status encl_trial_run(const encl_device *device, const encl_kernel *kernel, const encl_check_case *check,
                           const encl_trial_options *options, encl_trial *trial);
void encl_trial_free(encl_trial *trial);

// What the reference may compute for one comparison: some 50 ms.
#define ENCL_TRIAL_REFERENCE_FLOPS 50e6

// Copies of a call's buffers, for launches in turn that find none of them in the device's cache: as many as exceed
// twice that, within bounds; with `hot`, one. as_given: see encl_check_buffers_create.
typedef struct encl_trial_sets {
    encl_check_buffers *sets;
    size_t count;
} encl_trial_sets;
encl_status encl_trial_sets_create(const encl_device *device, const encl_check_inputs *inputs, bool as_given, bool hot,
                                   encl_trial_sets *sets);
void encl_trial_sets_free(encl_trial_sets *sets);

#endif
