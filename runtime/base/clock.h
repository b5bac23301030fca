// The one timer.
#ifndef ENCL_BASE_CLOCK_H
#define ENCL_BASE_CLOCK_H

#include <stdint.h>

// Monotonic time in nanoseconds since an arbitrary start (CLOCK_MONOTONIC). Any thread.
int64_t encl_clock_ns(void);
// The same by a clock that no time service adjusts (CLOCK_MONOTONIC_RAW): what drivers take, so what is held against
// theirs.
int64_t encl_clock_raw_ns(void);

#endif
