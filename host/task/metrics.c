// Classes and correlation.
#include "host/task/metrics.h"

#include <math.h>
#include <stdlib.h>

static double ratio(int64_t part, int64_t whole) {
    return whole > 0 ? (double)part / (double)whole : 0;
}

encl_f1 encl_tally_f1(const encl_tally *tally) {
    return (encl_f1){.precision = ratio(tally->right, tally->predicted),
                     .recall = ratio(tally->right, tally->gold),
                     .f1 = ratio(2 * tally->right, tally->predicted + tally->gold)};
}

encl_tally encl_tally_sum(const encl_tally *tallies, size_t count) {
    encl_tally sum = {0};
    for (size_t i = 0; i < count; i++) {
        sum.right += tallies[i].right;
        sum.predicted += tallies[i].predicted;
        sum.gold += tallies[i].gold;
    }
    return sum;
}

void encl_tally_classes(const int32_t *gold, const int32_t *predicted, size_t count, encl_tally *tallies) {
    for (size_t i = 0; i < count; i++) {
        tallies[gold[i]].gold++;
        if (predicted[i] >= 0) {
            tallies[predicted[i]].predicted++;
            tallies[predicted[i]].right += predicted[i] == gold[i];
        }
    }
}

// ---- Correlation ------------------------------------------------------------------------------------------

static double mean_of(const double *values, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
    }
    return sum / (double)count;
}

// Asked of the values themselves: their mean may be off by a rounding, and then they seem to vary.
static bool is_constant(const double *values, size_t count) {
    size_t i = 1;
    while (i < count && values[i] == values[0]) {
        i++;
    }
    return i >= count;
}

double encl_pearson(const double *a, const double *b, size_t count) {
    if (count < 2 || is_constant(a, count) || is_constant(b, count)) {
        return NAN;
    }
    const double mean_a = mean_of(a, count);
    const double mean_b = mean_of(b, count);
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (size_t i = 0; i < count; i++) {
        ab += (a[i] - mean_a) * (b[i] - mean_b);
        aa += (a[i] - mean_a) * (a[i] - mean_a);
        bb += (b[i] - mean_b) * (b[i] - mean_b);
    }
    const double length = sqrt(aa) * sqrt(bb);
    return length > 0 ? fmax(-1, fmin(1, ab / length)) : NAN;
}

typedef struct ranked {
    double value;
    size_t place;
} ranked;

static int compare_ranked(const void *left, const void *right) {
    const double a = ((const ranked *)left)->value;
    const double b = ((const ranked *)right)->value;
    return (a > b) - (a < b);
}

// ranks[i]: how many values are smaller than values[i], and half of those equal to it, itself included, plus 1/2.
static void rank(const double *values, size_t count, ranked *sorted, double *ranks) {
    for (size_t i = 0; i < count; i++) {
        sorted[i] = (ranked){values[i], i};
    }
    qsort(sorted, count, sizeof *sorted, compare_ranked);
    size_t end = 0;
    for (size_t first = 0; first < count; first = end) {
        for (end = first + 1; end < count && sorted[end].value == sorted[first].value;) {
            end++;
        }
        for (size_t i = first; i < end; i++) {
            ranks[sorted[i].place] = ((double)first + 1 + (double)end) / 2;
        }
    }
}

encl_status encl_spearman(const double *a, const double *b, size_t count, double *rho) {
    encl_status status = ENCL_OK;
    void *sorted = NULL;
    void *ranks_a = NULL;
    void *ranks_b = NULL;
    *rho = NAN;
    for (size_t i = 0; i < count; i++) {
        if (isnan(a[i]) || isnan(b[i])) {
            return ENCL_OK;
        }
    }
    ENCL_TRY(encl_allocate(count, sizeof(ranked), &sorted));
    ENCL_TRY(encl_allocate(count, sizeof(double), &ranks_a));
    ENCL_TRY(encl_allocate(count, sizeof(double), &ranks_b));
    rank(a, count, sorted, ranks_a);
    rank(b, count, sorted, ranks_b);
    *rho = encl_pearson(ranks_a, ranks_b, count);
cleanup:
    free(sorted);
    free(ranks_a);
    free(ranks_b);
    return status;
}
