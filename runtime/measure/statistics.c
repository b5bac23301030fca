#include "runtime/measure/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/random.h"

static int compare_times(const void *left, const void *right) {
    const int64_t a = *(const int64_t *)left;
    const int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static int compare_numbers(const void *left, const void *right) {
    const double a = *(const double *)left;
    const double b = *(const double *)right;
    return (a > b) - (a < b);
}

// The samples in ascending order. Caller frees.
static encl_status sort_copy(const int64_t *samples, size_t count, int64_t **sorted) {
    const encl_status status = encl_allocate(count, sizeof **sorted, (void **)sorted);
    if (status == ENCL_OK && count > 0) {
        memcpy(*sorted, samples, count * sizeof **sorted);
        qsort(*sorted, count, sizeof **sorted, compare_times);
    }
    return status;
}

static double middle(const int64_t *sorted, size_t count) {
    const int64_t low = sorted[(count - 1) / 2];
    const int64_t high = sorted[count / 2];
    return (double)low + ((double)high - (double)low) / 2.0;
}

// Between the two samples that stand around the place (count − 1) · part (Hyndman & Fan 1996, definition 7).
static double quantile(const int64_t *sorted, size_t count, double part) {
    const double place = (double)(count - 1) * part;
    const size_t below = (size_t)place;
    const size_t above = below + 1 < count ? below + 1 : below;
    const double low = (double)sorted[below];
    return low + (place - (double)below) * ((double)sorted[above] - low);
}

// The smallest sample that at least so many percent of all do not exceed.
static double percentile(const int64_t *sorted, size_t count, size_t percent, size_t least_count) {
    const size_t rank = count / 100 * percent + (count % 100 * percent + 99) / 100;
    return count >= least_count ? (double)sorted[rank - 1] : NAN;
}

static double logarithm_of_factorial(double number) {
    int sign = 0;
    return lgamma_r(number + 1.0, &sign);
}

// The lower half of the distribution is summed from its known end, the middle, downwards: about √count steps.
size_t encl_median_rank(size_t count) {
    const double n = (double)count;
    size_t below = count / 2; // P(X ≤ below) is known for n odd, P(X < below) for n even
    double term = exp(logarithm_of_factorial(n) - logarithm_of_factorial((double)below) -
                      logarithm_of_factorial(n - (double)below) - n * log(2.0)); // P(X = below)
    double tail = count % 2 == 1 ? 0.5 - term : 0.5 - term / 2.0;                // P(X < below)
    while (below > 0 && tail > 0.025) {
        term *= (double)below / (n - (double)below + 1.0);
        below--;
        tail -= term;
    }
    return below;
}

static void describe_spread(const int64_t *sorted, size_t count, encl_statistics *of) {
    double squares = 0.0;
    for (size_t i = 0; i < count; i++) {
        const double off = (double)sorted[i] - of->mean;
        squares += off * off;
    }
    if (count > 1) {
        of->sd = sqrt(squares / (double)(count - 1));
        of->riqr_pct =
            of->p50 > 0.0 ? (quantile(sorted, count, 0.75) - quantile(sorted, count, 0.25)) / of->p50 * 100.0 : NAN;
    }
    const size_t rank = encl_median_rank(count);
    if (rank > 0) {
        of->ci_lo = (double)sorted[rank - 1];
        of->ci_hi = (double)sorted[count - rank];
    }
}

static encl_status count_outliers(const int64_t *sorted, size_t count, encl_statistics *of) {
    double *off = NULL;
    const encl_status status = encl_allocate(count, sizeof *off, (void **)&off);
    if (status != ENCL_OK) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        off[i] = fabs((double)sorted[i] - of->p50);
    }
    qsort(off, count, sizeof *off, compare_numbers);
    const double limit = 14.8 * (off[(count - 1) / 2] + off[count / 2]) / 2.0;
    while (of->outliers < count && off[count - 1 - of->outliers] > limit) {
        of->outliers++;
    }
    free(off);
    return ENCL_OK;
}

encl_status encl_statistics_of(const int64_t *samples, size_t count, encl_statistics *statistics) {
    encl_status status = ENCL_OK;
    int64_t *sorted = NULL;
    encl_statistics of = {count, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, 0};
    *statistics = of;
    if (count == 0) {
        return ENCL_OK;
    }
    ENCL_TRY(sort_copy(samples, count, &sorted));
    of.min = (double)sorted[0];
    of.max = (double)sorted[count - 1];
    of.p50 = middle(sorted, count);
    of.mean = 0.0;
    for (size_t i = 0; i < count; i++) {
        of.mean += ((double)sorted[i] - of.mean) / (double)(i + 1); // never beyond the largest, whatever the count
    }
    of.p90 = percentile(sorted, count, 90, 29);
    of.p95 = percentile(sorted, count, 95, 59);
    of.p99 = percentile(sorted, count, 99, 299);
    describe_spread(sorted, count, &of);
    ENCL_TRY(count_outliers(sorted, count, &of));
    *statistics = of;

cleanup:
    free(sorted);
    return status;
}

// ---- The ratio of medians ---------------------------------------------------------------------------------

// In (0, 1).
static double draw_uniform(uint64_t *state) {
    return ((double)(encl_random_next(state) >> 11) + 0.5) * 0x1p-53;
}

// Box & Muller 1958.
static double draw_normal(uint64_t *state) {
    const double radius = sqrt(-2.0 * log(draw_uniform(state)));
    return radius * cos(6.283185307179586 * draw_uniform(state));
}

// The gamma distribution of a shape of at least 1 (Marsaglia & Tsang 2000).
static double draw_gamma(double shape, uint64_t *state) {
    const double d = shape - 1.0 / 3.0;
    const double c = 1.0 / sqrt(9.0 * d);
    for (;;) {
        const double x = draw_normal(state);
        const double root = 1.0 + c * x;
        const double v = root * root * root;
        if (v > 0.0 && log(draw_uniform(state)) < 0.5 * x * x + d - d * v + d * log(v)) {
            return d * v;
        }
    }
}

// The median of `count` samples that are drawn from `sorted` with replacement. Drawing a sample is drawing a place,
// uniform in [0, 1); so the median is at the middle one of `count` such places, which is beta-distributed, and needs
// no others. Where the count is even, the next place is the lowest of those that are left.
static double resampled_median(const int64_t *sorted, size_t count, uint64_t *state) {
    const size_t rank = (count + 1) / 2;
    const double left = draw_gamma((double)rank, state);
    const double right = draw_gamma((double)(count + 1 - rank), state);
    const double place = left / (left + right);
    const double next = 1.0 - (1.0 - place) * pow(draw_uniform(state), 1.0 / (double)(count - rank));
    const size_t low = (size_t)(place * (double)count);
    const size_t high = count % 2 == 1 ? low : (size_t)(next * (double)count);
    const double below = (double)sorted[low < count ? low : count - 1];
    const double above = (double)sorted[high < count ? high : count - 1];
    return below + (above - below) / 2.0;
}

static encl_status bootstrap(const int64_t *before, size_t before_count, const int64_t *after, size_t after_count,
                             uint64_t seed, encl_ratio *ratio) {
    enum { RESAMPLES = 4000, CUT = RESAMPLES / 40 }; // 2.5 % at each end
    double *ratios = NULL;
    const encl_status status = encl_allocate(RESAMPLES, sizeof *ratios, (void **)&ratios);
    if (status != ENCL_OK) {
        return status;
    }
    for (size_t i = 0; i < RESAMPLES; i++) {
        const double divisor = resampled_median(before, before_count, &seed);
        ratios[i] = resampled_median(after, after_count, &seed) / divisor;
    }
    qsort(ratios, RESAMPLES, sizeof *ratios, compare_numbers);
    ratio->lo = ratios[CUT];
    ratio->hi = ratios[RESAMPLES - 1 - CUT];
    free(ratios);
    return ENCL_OK;
}

encl_status encl_ratio_of_medians(const int64_t *before, size_t before_count, const int64_t *after, size_t after_count,
                                  uint64_t seed, encl_ratio *ratio) {
    encl_status status = ENCL_OK;
    int64_t *sorted_before = NULL;
    int64_t *sorted_after = NULL;
    encl_ratio found = {NAN, NAN, NAN};
    *ratio = found;
    if (before_count == 0 || after_count == 0) {
        return encl_fail(ENCL_INVALID, "ratio of medians: %zu samples before and %zu after, expected at least 1",
                         before_count, after_count);
    }
    ENCL_TRY(sort_copy(before, before_count, &sorted_before));
    ENCL_TRY(sort_copy(after, after_count, &sorted_after));
    if (sorted_before[0] < 1 || sorted_after[0] < 1) {
        const int64_t bad = sorted_before[0] < 1 ? sorted_before[0] : sorted_after[0];
        status = encl_fail(ENCL_INVALID, "ratio of medians: a sample of %lld ns, expected at least 1", (long long)bad);
        goto cleanup;
    }
    found.ratio = middle(sorted_after, after_count) / middle(sorted_before, before_count);
    if (encl_median_rank(before_count) > 0 && encl_median_rank(after_count) > 0) {
        ENCL_TRY(bootstrap(sorted_before, before_count, sorted_after, after_count, seed, &found));
    }
    *ratio = found;

cleanup:
    free(sorted_before);
    free(sorted_after);
    return status;
}

encl_verdict encl_verdict_of(const encl_ratio *ratio, double threshold) {
    if (ratio->lo > 1.0 + threshold) {
        return ENCL_VERDICT_SLOWER;
    }
    if (ratio->hi < 1.0 - threshold) {
        return ENCL_VERDICT_FASTER;
    }
    return ratio->lo >= 1.0 - threshold && ratio->hi <= 1.0 + threshold ? ENCL_VERDICT_SAME : ENCL_VERDICT_UNCLEAR;
}

const char *encl_verdict_name(encl_verdict verdict) {
    static const char *const names[] = {"faster", "slower", "same", "unclear"};
    return names[verdict];
}
