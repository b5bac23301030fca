// One kernel on one case: how long it takes, and whether what it wrote while it was timed is right.
#ifndef ENCL_MEASURE_TRIAL_H
#define ENCL_MEASURE_TRIAL_H

#include "runtime/measure/sampler.h"
#include "runtime/op/check.h"

typedef struct encl_launch_times {
    encl_samples samples; // of one launch, by `timer`
    const char *timer;    // "event" or "wall"
    int64_t inner;        // launches in a sample
    encl_statistics wall; // of one launch, where it was asked for and timer is "event"; else as samples.statistics
    size_t last;          // index of the last launch
} encl_launch_times;

typedef struct encl_trial_options {
    encl_sampling sampling;
    bool hot;    // one set of buffers; else as many as exceed twice the device's cache, in turn
    bool marked; // by the device's clock from marker to marker, as a library must be timed, to compare with one; else
                 // by the kernel's own START and END
    bool wall;   // besides by the host's clock
} encl_trial_options;

typedef struct encl_trial {
    encl_launch_times times;
    encl_check_result check; // of the last launch's output
    size_t sets;             // of buffers, used in turn
    double flops, bytes;     // of one launch
    encl_launch launch;
    uint64_t local_bytes, private_bytes; // 0 where the driver does not say
} encl_trial;

// Builds the row (or loads it; its binary is kept where its numbers are right), launches it again and again on inputs
// that are made once, and compares. The device must be acquired. Numbers that are wrong are no failure: see check. A
// row that does not serve the shape is UNSUPPORTED. On failure *trial is zeroed, which may be freed too.
encl_status encl_trial_run(const encl_device *device, const encl_kernel_row *row, const encl_check_case *check,
                           const encl_trial_options *options, encl_trial *trial);
void encl_trial_free(encl_trial *trial);

// What the reference may compute for one comparison: some 50 ms.
#define ENCL_TRIAL_REFERENCE_FLOPS 50e6

#endif
