// Statistics of timings, for bench, profile and doctor. Times are nanoseconds unless a name says otherwise.
#ifndef ENCL_MEASURE_STATISTICS_H
#define ENCL_MEASURE_STATISTICS_H

#include "runtime/base/status.h"

// What is not known is NAN.
typedef struct encl_statistics {
    size_t count;
    double min, p50, mean, sd, max; // sd from 2 samples on
    double riqr_pct;                // (p75 − p25) / p50 · 100, from 2 samples on
    // 95 % confidence interval of the median, from order statistics (no distribution assumed); from 6 samples on: fewer
    // hold the median between them in less than 95 % of cases
    double ci_lo, ci_hi;
    double p90, p95,
        p99;         // from 29, 59, 299 samples on: then the largest sample exceeds the percentile in 95 % of cases
    size_t outliers; // |x − p50| > 14.8 · median absolute deviation; counted, never dropped
} encl_statistics;

// samples: [count], unsorted, left as they are. count 0 gives NAN everywhere.
encl_status encl_statistics_of(const int64_t *samples, size_t count, encl_statistics *statistics);

// The largest k for which the k-th smallest (from 1) and the k-th largest of `count` samples enclose the median in at
// least 95 % of cases, whatever the distribution: P(X < k) ≤ 2.5 %, X binomial (count, 1/2). 0: there is none.
size_t encl_median_rank(size_t count);

// median(after) / median(before), with its 95 % confidence interval, which is NAN where a side has fewer than 6
// samples.
typedef struct encl_ratio {
    double ratio, lo, hi;
} encl_ratio;

// By a percentile bootstrap with seeded resampling (Efron 1979); the time does not depend on the counts, but for the
// sorting. INVALID for an empty side and for samples below 1.
encl_status encl_ratio_of_medians(const int64_t *before, size_t before_count, const int64_t *after, size_t after_count,
                                  uint64_t seed, encl_ratio *ratio);

typedef enum encl_verdict {
    ENCL_VERDICT_FASTER,
    ENCL_VERDICT_SLOWER,
    ENCL_VERDICT_SAME,
    ENCL_VERDICT_UNCLEAR
} encl_verdict;
// Faster or slower: the interval lies wholly beyond 1 ∓ threshold; same: wholly inside; else unclear.
encl_verdict encl_verdict_of(const encl_ratio *ratio, double threshold);
const char *encl_verdict_name(encl_verdict verdict);

#endif
