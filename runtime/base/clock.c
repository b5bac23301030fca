#include "runtime/base/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t clock) {
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t encl_clock_ns(void) {
    return read_clock(CLOCK_MONOTONIC);
}

int64_t encl_clock_raw_ns(void) {
    return read_clock(CLOCK_MONOTONIC_RAW);
}
