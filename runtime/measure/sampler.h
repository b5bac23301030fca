// Takes samples of something repeatable until they say enough.
#ifndef ENCL_MEASURE_SAMPLER_H
#define ENCL_MEASURE_SAMPLER_H

#include "runtime/measure/statistics.h"

// The very first run stands alone. Then
typedef struct encl_sampling {
    int32_t warm_count;   // warm-up: at least so many runs more and
    int64_t warm_ns;      // so long, until the last 5 differ by less than 1 %, or
    int64_t warm_most_ns; // so long (0: no warm-up but the first run)
    int32_t least_count;  // then samples: at least so many and
    int64_t least_ns;     // so long, until the median's confidence interval is
    double precision;     // within ± this part of it, or
    int64_t most_ns;      // so long, or
    int32_t most_count;   // so many (0: no bound); at least one
    // Asked before every run; a failure ends the sampling with its status. NULL: not asked.
    encl_status (*check)(void *context);
    void *check_context;
    // What tells how long it has been going on, in ns; NULL: encl_clock_ns.
    int64_t (*clock)(void);
} encl_sampling;

// 3 runs, 200 ms, 5 s; 10 samples, 1 s, ±1 %, 10 s.
encl_sampling encl_sampling_default(void);

typedef struct encl_samples {
    int64_t *ns; // [count]
    size_t count, capacity;
    int64_t first_ns; // the very first run, which may compile
    int32_t warmup;   // runs before the first sample, the very first included
    const char *stop; // "ci", "time", "count"
    encl_statistics statistics;
} encl_samples;

// once() does the thing and says how long it took (by whatever clock it trusts; below 0 is INTERNAL). On failure
// *samples is empty.
encl_status encl_sample(const encl_sampling *sampling, encl_status (*once)(void *context, int64_t *ns), void *context,
                        encl_samples *samples);
void encl_samples_free(encl_samples *samples);

// The smallest non-zero step of the host's clock that was seen. Measured once a process.
int64_t encl_timer_step_ns(void);

#endif
