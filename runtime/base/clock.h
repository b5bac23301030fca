// The one timer.
#ifndef ENCL_BASE_CLOCK_H
#define ENCL_BASE_CLOCK_H

#include <stdint.h>

// Monotonic time in nanoseconds since an arbitrary start (CLOCK_MONOTONIC). Any thread.
int64_t encl_clock_ns(void);

#endif
