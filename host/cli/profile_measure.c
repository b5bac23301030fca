// Runs one case, first plain and then with profiling, and adds up what the runs' commands took.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/interrupt.h"
#include "host/cli/profile.h"
#include "runtime/base/clock.h"

enum { WARM_RUNS = 3 };
static const int64_t warm_ns = 200000000;

static int compare_int64(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

// Sorts a copy in `scratch`.
static double median(const int64_t *values, size_t count, int64_t *scratch) {
    memcpy(scratch, values, count * sizeof *values);
    qsort(scratch, count, sizeof *scratch, compare_int64);
    const size_t lower = (count - 1) / 2; // the same where count is odd
    const size_t upper = count / 2;
    return ((double)scratch[lower] + (double)scratch[upper]) / 2;
}

static encl_status run_plain(encl_executable *executable, const encl_batch *batch, int64_t *wall_ns) {
    encl_event *event = NULL;
    encl_status status = encl_interrupt_check();
    if (status != ENCL_OK) {
        return status;
    }
    int64_t start = encl_clock_ns();
    status = encl_executable_run(executable, batch, false, &event);
    if (status == ENCL_OK) {
        status = encl_event_wait(event, -1);
        *wall_ns = encl_clock_ns() - start;
        encl_event_release(event);
    }
    return status;
}

static encl_status warm_up(encl_executable *executable, const encl_batch *batch) {
    int64_t start = encl_clock_ns();
    for (int run = 0; run < WARM_RUNS || encl_clock_ns() - start < warm_ns; run++) {
        int64_t ignored = 0;
        encl_status status = run_plain(executable, batch, &ignored);
        if (status != ENCL_OK) {
            return status;
        }
    }
    return ENCL_OK;
}

// Copies a record's texts into the result, where they are once the event is gone.
static encl_status keep_records(encl_profile_result *result, const encl_profile_record *records, size_t count) {
    encl_status status = ENCL_OK;
    for (size_t i = 0; i < count && status == ENCL_OK; i++) {
        const char *kernel = records[i].kernel != NULL ? records[i].kernel : "";
        status = encl_string_append(&result->names, records[i].op, strlen(records[i].op) + 1);
        if (status == ENCL_OK) {
            status = encl_string_append(&result->names, kernel, strlen(kernel) + 1);
        }
    }
    const char *name = result->names.text;
    for (size_t i = 0; i < count && status == ENCL_OK; i++) {
        result->rows[i].record = records[i];
        result->rows[i].record.op = name;
        name += strlen(name) + 1;
        result->rows[i].record.kernel = name;
        name += strlen(name) + 1;
    }
    return status;
}

// samples: [repeat, rows] of commands' times; allocated at the first run, when the number of commands is known.
static encl_status take_records(encl_profile_result *result, const encl_profile_record *records, size_t count,
                                int64_t run, int64_t **samples) {
    encl_status status = ENCL_OK;
    void *memory = NULL;
    size_t total = 0;
    if (run == 0) {
        ENCL_TRY(encl_allocate(count, sizeof(encl_profile_row), &memory));
        result->rows = memory;
        result->row_count = count;
        if (!encl_multiply(count, (size_t)result->repeat, &total)) {
            total = SIZE_MAX;
        }
        ENCL_TRY(encl_allocate(total, sizeof(int64_t), &memory));
        *samples = memory;
    }
    if (count != result->row_count) {
        status = encl_fail(ENCL_INTERNAL, "profile: found %zu commands in a run, expected %zu as in the first", count,
                           result->row_count);
        goto cleanup;
    }
    encl_profile_walk(records, count, result->profiled[run], &result->parts, result->rows);
    for (size_t i = 0; i < count; i++) {
        (*samples)[i * (size_t)result->repeat + (size_t)run] = records[i].end_ns - records[i].start_ns;
    }
    if (run + 1 == result->repeat) {
        ENCL_TRY(keep_records(result, records, count));
    }
cleanup:
    return status;
}

static encl_status run_profiled(encl_executable *executable, const encl_batch *batch, int64_t run,
                                encl_profile_result *result, int64_t **samples) {
    encl_status status = ENCL_OK;
    encl_event *event = NULL;
    const encl_run_profile *profile = NULL;
    ENCL_TRY(encl_interrupt_check());
    ENCL_TRY(encl_executable_run(executable, batch, true, &event));
    ENCL_TRY(encl_event_wait(event, -1));
    ENCL_TRY(encl_event_profile(event, &profile));
    result->profiled[run] = profile->end_ns - profile->begin_ns;
    ENCL_TRY(take_records(result, profile->records, profile->count, run, samples));
cleanup:
    if (event != NULL) {
        encl_event_release(event);
    }
    return status;
}

// Sums over the repeats become means.
static void divide(encl_profile_result *result, const int64_t *samples, int64_t *scratch) {
    double runs = (double)result->repeat;
    double *parts[] = {&result->parts.lead,      &result->parts.exec,       &result->parts.host_gap,
                       &result->parts.queue_gap, &result->parts.launch_gap, &result->parts.tail,
                       &result->parts.overlap,   &result->parts.residual};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        *parts[i] /= runs;
    }
    for (size_t i = 0; i < result->row_count; i++) {
        encl_profile_row *row = &result->rows[i];
        row->exec /= runs;
        row->exec_median = median(samples + i * (size_t)result->repeat, (size_t)result->repeat, scratch);
        row->queued /= runs;
        row->submitted /= runs;
        row->host_gap /= runs;
        row->queue_gap /= runs;
        row->launch_gap /= runs;
    }
    for (int64_t i = 0; i < result->repeat; i++) {
        result->wall += (double)result->profiled[i] / runs;
    }
    result->plain_median = median(result->plain, (size_t)result->repeat, scratch);
    result->profiled_median = median(result->profiled, (size_t)result->repeat, scratch);
    // What was clamped is the doubt about the sum; one in-order queue has nothing to overlap.
    result->reconciled = result->parts.residual <= fmax(0.005 * result->wall, 10000) && result->parts.overlap <= 0;
}

static encl_status allocate_samples(int64_t repeat, encl_profile_result *result, int64_t **scratch) {
    encl_status status = ENCL_OK;
    void *memory = NULL;
    ENCL_TRY(encl_allocate((size_t)repeat, sizeof(int64_t), &memory));
    result->plain = memory;
    ENCL_TRY(encl_allocate((size_t)repeat, sizeof(int64_t), &memory));
    result->profiled = memory;
    ENCL_TRY(encl_allocate((size_t)repeat, sizeof(int64_t), &memory));
    *scratch = memory;
cleanup:
    return status;
}

encl_status encl_profile_measure(const encl_device *device, const encl_graph *graph, const encl_profile_case *measured,
                                 const encl_executable_options *options, int64_t repeat, encl_progress *progress,
                                 encl_profile_result *measurement) {
    encl_status status = ENCL_OK;
    encl_executable *executable = NULL;
    encl_profile_result result = {.repeat = repeat};
    int64_t *scratch = NULL;
    int64_t *samples = NULL;
    *measurement = (encl_profile_result){0};
    ENCL_TRY(allocate_samples(repeat, &result, &scratch));
    int64_t start = encl_clock_ns();
    ENCL_TRY(encl_executable_create(device, graph, options, &executable));
    result.create_ns = encl_clock_ns() - start;
    result.info = *encl_executable_get_info(executable);
    snprintf(result.gemm, sizeof result.gemm, "%s", result.info.gemm);
    result.info.gemm = NULL;
    ENCL_TRY(run_plain(executable, &measured->batch, &result.first_ns));
    ENCL_TRY(warm_up(executable, &measured->batch));
    for (int64_t i = 0; i < repeat; i++) {
        ENCL_TRY(run_plain(executable, &measured->batch, &result.plain[i]));
        encl_progress_update(progress, i + 1);
    }
    for (int64_t i = 0; i < repeat; i++) {
        ENCL_TRY(run_profiled(executable, &measured->batch, i, &result, &samples));
        encl_progress_update(progress, repeat + i + 1);
    }
    divide(&result, samples, scratch);
    *measurement = result;
    result = (encl_profile_result){0};
cleanup:
    encl_profile_result_free(&result);
    free(samples);
    free(scratch);
    if (executable != NULL) {
        encl_executable_destroy(executable);
    }
    return status;
}

void encl_profile_result_free(encl_profile_result *result) {
    free(result->plain);
    free(result->profiled);
    free(result->rows);
    encl_string_free(&result->names);
    *result = (encl_profile_result){0};
}
