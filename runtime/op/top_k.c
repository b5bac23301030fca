// The host's half of TOP_K: the segments of a row, each with its own largest values, become one list.
#include <math.h>

#include "runtime/op/operator.h"

// Puts a value behind all that are not smaller, and drops the last.
static void insert(float value, float column, int32_t k, int32_t *indices, float *values) {
    int32_t at = k - 1;
    for (; at > 0 && value > values[at - 1]; at--) {
        values[at] = values[at - 1];
        indices[at] = indices[at - 1];
    }
    values[at] = value;
    indices[at] = (int32_t)column;
}

// log Σ e^x from each segment's largest value and its Σ e^(x − largest).
static double log_sum(const float *row, int64_t columns, int32_t k) {
    const int64_t stride = 2 * (int64_t)k + 1;
    double highest = -INFINITY;
    double sum = 0;
    for (int64_t i = 0; i < columns; i += stride) {
        highest = fmax(highest, (double)row[i]);
    }
    for (int64_t i = 0; i < columns; i += stride) {
        // A segment without a largest value sums to 0, or to NaN where it holds one.
        const double scale = isinf(row[i]) && row[i] < 0 ? 1 : exp((double)row[i] - highest);
        sum += (double)row[i + stride - 1] * scale;
    }
    return isinf(highest) && highest < 0 ? log(sum) : highest + log(sum);
}

encl_status encl_top_k_merge(const float *row, int64_t columns, int32_t k, int32_t *indices, float *values,
                             double *log_sum_exp) {
    if (k < 1 || k > ENCL_TOP_K_MOST || columns < 1 || columns % (2 * k + 1) != 0) {
        return encl_fail(ENCL_INVALID, "top_k: a row of %lld columns is none of a top %d", (long long)columns, (int)k);
    }
    for (int32_t i = 0; i < k; i++) {
        indices[i] = -1;
        values[i] = -INFINITY;
    }
    // Segments come by rising columns, so equal values keep their order.
    for (const float *segment = row; segment < row + columns; segment += 2 * k + 1) {
        for (int32_t i = 0; i < k && segment[i] > values[k - 1]; i++) {
            insert(segment[i], segment[k + i], k, indices, values);
        }
    }
    if (log_sum_exp != NULL) {
        *log_sum_exp = log_sum(row, columns, k);
    }
    return ENCL_OK;
}
