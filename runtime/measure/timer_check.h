// The profiling clock of a device: whether its times are times, and how they stand to the host's.
#ifndef ENCL_MEASURE_TIMER_CHECK_H
#define ENCL_MEASURE_TIMER_CHECK_H

#include "runtime/device/device.h"
#include "runtime/measure/clock_map.h"

typedef struct encl_timer_check {
    int32_t commands;  // that were timed
    int32_t unordered; // of them, those whose four times fall: QUEUED ≤ SUBMIT ≤ START ≤ END does not hold
    int32_t backwards; // commands that began before the one before them had ended, on a queue in order
    bool constant;     // QUEUED is the same for every command: no clock at all
    double rate;       // device seconds in a host second, from an early command's START to a late one's
    double rate_doubt; // the rate is known to ± this
    int64_t step_ns;   // the smallest difference other than 0 between two times; 0: none was seen
    encl_clock_map clock;
} encl_timer_check;

// Times small uploads for about duration_ns on the profiling queue. The device must be acquired.
encl_status encl_timer_check_run(const encl_device *device, int64_t duration_ns, encl_timer_check *result);

#endif
