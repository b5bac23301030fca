#include "host/cli/bench/session.h"

#include <stdlib.h>
#include <string.h>

#include "host/cli/interrupt.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"

static encl_status read_peaks(encl_bench_session *s, size_t i) {
    const encl_status status = encl_peaks_get(s->devices[i], &s->peaks_memory[i]);
    if (status == ENCL_INTERRUPTED) {
        return status;
    }
    if (status == ENCL_OK) {
        s->peaks[i] = &s->peaks_memory[i];
    } else {
        encl_warn("%s: no share of its peaks: %s", encl_device_get_info(s->devices[i])->name, encl_status_detail());
    }
    return encl_interrupt_check();
}

static void close_devices(encl_bench_session *s) {
    for (size_t i = 0; i < s->acquired; i++) {
        encl_device_release(s->devices[i]);
    }
    free((void *)s->devices);
    free(s->families);
    free((void *)s->peaks);
    free(s->peaks_memory);
    *s = (encl_bench_session){0};
}

encl_status encl_bench_session_open(const encl_bench_options *options, encl_call *call, encl_bench_kind kind,
                                    encl_bench_session *session) {
    encl_status status = ENCL_OK;
    encl_bench_session *s = session;
    *s = (encl_bench_session){.options = options, .call = call};
    ENCL_TRY(encl_bench_devices(call->globals, &s->devices, &s->device_count));
    ENCL_TRY(encl_allocate(s->device_count, sizeof *s->families, (void **)&s->families));
    ENCL_TRY(encl_allocate(s->device_count, sizeof *s->peaks, (void **)&s->peaks));
    ENCL_TRY(encl_allocate(s->device_count, sizeof *s->peaks_memory, (void **)&s->peaks_memory));
    for (size_t i = 0; i < s->device_count; i++) {
        ENCL_TRY(encl_device_acquire(s->devices[i]));
        s->acquired++;
        (void)encl_family_parse(encl_device_family(s->devices[i]), &s->families[i]);
        ENCL_TRY(read_peaks(s, i));
    }
    ENCL_TRY(encl_bench_open(options, call, kind, s->devices, s->peaks, s->device_count, &s->bench));
cleanup:
    if (status != ENCL_OK) {
        close_devices(s);
    }
    return status;
}

encl_status encl_bench_session_close(encl_bench_session *s, encl_status status) {
    status = encl_bench_close(s->bench, status);
    if (s->wrong > 0) {
        encl_log(ENCL_LOG_ERROR, "%zu of %zu rows have the status error: their reason says why", s->wrong, s->rows);
        s->call->exit_code = ENCL_EXIT_FAILED;
    }
    close_devices(s);
    return status;
}

void encl_bench_trial(encl_bench_session *s, size_t device, const encl_trial *trial) {
    const encl_samples *samples = &trial->times.samples;
    const encl_check_result *check = &trial->check;
    encl_bench_samples(s->bench, samples, trial->times.inner, trial->times.timer);
    encl_bench_roof(s->bench, s->peaks[device], trial->flops, trial->bytes, samples->statistics.p50);
    encl_bench_number(s->bench, "max_abs_err", check->max_error);
    encl_bench_number(s->bench, "max_rel_err",
                      check->largest > 0 ? check->max_error / check->largest : check->max_error);
    encl_bench_number(s->bench, "rows_checked", (double)check->rows_checked);
    encl_bench_number(s->bench, "buffer_sets", (double)trial->sets);
    if (!check->passed) {
        encl_string reason = {0};
        const encl_status status =
            encl_string_format(&reason, "wrong numbers: %s at element %lld, error %g, tolerance %g", check->reason,
                               (long long)check->where, check->max_error, check->tolerance);
        encl_bench_status(s->bench, "error", status == ENCL_OK ? reason.text : check->reason);
        encl_string_free(&reason);
        s->wrong++;
    }
}

void encl_bench_failure(encl_bench_session *s, encl_status status) {
    const bool error = status != ENCL_UNSUPPORTED;
    encl_bench_status(s->bench, error ? "error" : "unsupported", encl_status_detail());
    s->wrong += error;
}

encl_status encl_bench_session_row_end(encl_bench_session *s, encl_status status) {
    if (status == ENCL_INTERRUPTED) {
        return status; // the row that was begun is left out
    }
    if (status != ENCL_OK) {
        encl_bench_failure(s, status);
    }
    s->rows++;
    return encl_bench_row_end(s->bench);
}
