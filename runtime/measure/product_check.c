// Matrix products of every provider, small and large, against sums in double precision.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/random.h"
#include "runtime/measure/self_check.h"
#include "runtime/op/kernel.h"
#include "runtime/op/library.h"

enum {
    ROW_PADDING = 16, // rows that a kernel may read beyond x
    SAMPLED_ROWS = 8,
};

size_t encl_self_check_providers(const encl_device *device, encl_self_check_provider *providers, size_t capacity) {
    enum { MOST = 32 };
    const encl_kernel_row *rows[MOST];
    const encl_shape shape = {.columns = 768, .depth = 768};
    encl_family family = ENCL_FAMILY_PLAIN;
    encl_family_parse(encl_device_family(device), &family);
    const size_t found = encl_kernel_candidates(ENCL_OP_LINEAR, &shape, family, NULL, rows, MOST);
    size_t count = 0;
    for (; count < found && count < MOST; count++) {
        if (count < capacity) {
            providers[count] = (encl_self_check_provider){rows[count]->name, rows[count]};
        }
    }
    if (count < capacity) {
        providers[count] = (encl_self_check_provider){"clblast", NULL};
    }
    return count + 1;
}

typedef struct product {
    int32_t m, n, k;
    float *x;      // [m + ROW_PADDING, k]
    float *weight; // [n, k]
    float *packed; // the same in panels of ENCL_PANEL columns, [panels][k][ENCL_PANEL]; NULL: not wanted
    float *zeros;  // [n]: a bias
    float *out;    // [m, n]
    size_t packed_words;
    encl_buffer buffers[5]; // x, weight, bias, scratch, out
} product;

static encl_status make_host(product *p, bool panels) {
    encl_status status = ENCL_OK;
    const size_t x_words = (size_t)(p->m + ROW_PADDING) * (size_t)p->k;
    const size_t weight_words = (size_t)p->n * (size_t)p->k;
    uint64_t random = 1;
    ENCL_TRY(encl_allocate(x_words, sizeof(float), (void **)&p->x));
    ENCL_TRY(encl_allocate(weight_words, sizeof(float), (void **)&p->weight));
    ENCL_TRY(encl_allocate((size_t)p->n, sizeof(float), (void **)&p->zeros));
    ENCL_TRY(encl_allocate((size_t)p->m * (size_t)p->n, sizeof(float), (void **)&p->out));
    for (size_t i = 0; i < x_words; i++) {
        p->x[i] = encl_random_float(encl_random_next(&random));
    }
    for (size_t i = 0; i < weight_words; i++) {
        p->weight[i] = encl_random_float(encl_random_next(&random));
    }
    for (size_t i = 0; i < (size_t)p->m * (size_t)p->n; i++) {
        p->out[i] = NAN; // what stays so was not written
    }
    if (panels) {
        p->packed_words = (size_t)((p->n + ENCL_PANEL - 1) / ENCL_PANEL) * ENCL_PANEL * (size_t)p->k;
        ENCL_TRY(encl_allocate(p->packed_words, sizeof(float), (void **)&p->packed));
        for (int64_t n = 0; n < p->n; n++) {
            for (int64_t k = 0; k < p->k; k++) {
                p->packed[(n / ENCL_PANEL * p->k + k) * ENCL_PANEL + n % ENCL_PANEL] = p->weight[n * p->k + k];
            }
        }
    }
cleanup:
    return status;
}

static encl_status upload(const encl_device *device, size_t words, const float *host, encl_buffer *buffer) {
    const encl_status status = encl_buffer_create(device, words * sizeof(float), buffer);
    return status != ENCL_OK
               ? status
               : encl_queue_write(encl_device_queue(device), *buffer, 0, words * sizeof(float), host, NULL);
}

static encl_status make_buffers(const encl_device *device, product *p) {
    encl_status status = ENCL_OK;
    const bool panels = p->packed != NULL;
    ENCL_TRY(upload(device, (size_t)(p->m + ROW_PADDING) * (size_t)p->k, p->x, &p->buffers[0]));
    ENCL_TRY(upload(device, panels ? p->packed_words : (size_t)p->n * (size_t)p->k, panels ? p->packed : p->weight,
                    &p->buffers[1]));
    ENCL_TRY(upload(device, (size_t)p->n, p->zeros, &p->buffers[2]));
    ENCL_TRY(upload(device, (size_t)p->m * (size_t)p->n, p->out, &p->buffers[4]));
cleanup:
    return status;
}

static encl_status run_row(const encl_device *device, const encl_kernel_row *row, const product *p) {
    encl_status status = ENCL_OK;
    const encl_shape shape = {.rows = p->m, .columns = p->n, .depth = p->k, .x_stride = p->k, .out_stride = p->n};
    // The residual is not read; it needs a buffer all the same.
    const encl_buffer buffers[ENCL_OPERATOR_BUFFERS] = {p->buffers[0], p->buffers[1], p->buffers[2], p->buffers[2],
                                                        p->buffers[4]};
    encl_kernel kernel = {0};
    ENCL_TRY(encl_kernel_open(device, row, &shape, &kernel));
    ENCL_TRY(encl_kernel_enqueue(&kernel, encl_device_queue(device), &shape, buffers, NULL));
    ENCL_TRY(encl_queue_finish(encl_device_queue(device)));
cleanup:
    encl_kernel_close(&kernel);
    return status;
}

static encl_status run_library(const encl_device *device, product *p) {
    encl_status status = ENCL_OK;
    const encl_library_product call = {.rows = (size_t)p->m,
                                       .columns = (size_t)p->n,
                                       .depth = (size_t)p->k,
                                       .x = p->buffers[0],
                                       .weight = p->buffers[1],
                                       .out = p->buffers[4],
                                       .out_stride = (size_t)p->n};
    size_t bytes = 0;
    ENCL_TRY(encl_library_scratch(device, &call, &bytes));
    if (bytes > 0) {
        ENCL_TRY(encl_buffer_create(device, bytes, &p->buffers[3]));
    }
    ENCL_TRY(encl_library_enqueue(encl_device_queue(device), &call, p->buffers[3]));
cleanup:
    return status;
}

// Random products of −1 … 1 add up to about √K / 3 and are rounded K times; 4e-6 is about 32 units in the last place
// of 1.
static void compare(const product *p, encl_self_check *result) {
    double largest = sqrt((double)p->k) / 2.5;
    const int32_t samples = p->m < SAMPLED_ROWS ? p->m : SAMPLED_ROWS;
    *result = (encl_self_check){.passed = true};
    snprintf(result->shape, sizeof result->shape, "%dx%dx%d", p->m, p->n, p->k);
    for (int64_t i = 0; i < (int64_t)p->m * p->n; i++) {
        if (!isfinite(p->out[i]) && result->reason == NULL) {
            result->reason = "not finite";
            result->max_error = INFINITY;
            result->where = i;
        }
    }
    for (int32_t sample = 0; sample < samples && result->reason == NULL; sample++) {
        const int64_t row = samples == 1 ? 0 : (int64_t)sample * (p->m - 1) / (samples - 1);
        for (int64_t n = 0; n < p->n; n++) {
            double sum = 0;
            for (int64_t k = 0; k < p->k; k++) {
                sum += (double)p->x[row * p->k + k] * (double)p->weight[n * p->k + k];
            }
            const double error = fabs((double)p->out[row * p->n + n] - sum);
            largest = fmax(largest, fabs(sum));
            if (error > result->max_error) {
                result->max_error = error;
                result->where = row * p->n + n;
            }
        }
    }
    result->tolerance = 4e-6 * fmax(1, largest);
    if (result->reason == NULL && result->max_error > result->tolerance) {
        result->reason = "error too large";
    }
    result->passed = result->reason == NULL;
}

static void free_product(product *p) {
    for (size_t i = 0; i < sizeof p->buffers / sizeof p->buffers[0]; i++) {
        encl_buffer_release(p->buffers[i]);
    }
    free(p->x);
    free(p->weight);
    free(p->packed);
    free(p->zeros);
    free(p->out);
}

encl_status encl_self_check_product(const encl_device *device, const encl_self_check_provider *provider, int32_t m,
                                    int32_t n, int32_t k, encl_self_check *result) {
    const int64_t start = encl_clock_ns();
    encl_status status = ENCL_OK;
    const encl_queue queue = encl_device_queue(device);
    product p = {.m = m, .n = n, .k = k};
    encl_command command = NULL;
    *result = (encl_self_check){0};
    ENCL_TRY(make_host(&p, provider->row != NULL));
    ENCL_TRY(make_buffers(device, &p));
    ENCL_TRY(provider->row != NULL ? run_row(device, provider->row, &p) : run_library(device, &p));
    ENCL_TRY(encl_queue_read(queue, p.buffers[4], 0, (size_t)m * (size_t)n * sizeof(float), p.out, &command));
    ENCL_TRY(encl_queue_flush(queue));
    ENCL_TRY(encl_command_wait(command));
    compare(&p, result);
cleanup:
    encl_command_release(command);
    if (encl_queue_finish(queue) != ENCL_OK && status == ENCL_OK) { // nothing may still use what is freed
        status = encl_fail(ENCL_DEVICE, "the queue could not be finished");
    }
    free_product(&p);
    result->time_ns = encl_clock_ns() - start;
    return status;
}
