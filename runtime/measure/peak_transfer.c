// Launching, and moving data between host and device: what the host waits for, so by its clock.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include "runtime/base/random.h"
#include "runtime/measure/peak_session.h"

// ---- Launches ---------------------------------------------------------------------------------------------

typedef enum cost { LAUNCH, ENQUEUE, FINISH } cost;

typedef struct empty_test {
    encl_peak_session *session;
    encl_entry entry;
    cost what;
    int64_t inner;
} empty_test;

// LAUNCH: many at once, until all are over. ENQUEUE: only until the driver has taken them. FINISH: one at a time.
static encl_status time_empty(void *context, int64_t *ns) {
    const empty_test *test = context;
    encl_queue queue = encl_device_queue(test->session->device);
    encl_status status = ENCL_OK;
    const int64_t start = encl_clock_ns();
    for (int64_t i = 0; i < test->inner; i++) {
        ENCL_TRY(encl_queue_launch(queue, test->entry, 1, 1, NULL));
        if (test->what == FINISH) {
            ENCL_TRY(encl_queue_finish(queue));
        }
    }
    const int64_t enqueued = encl_clock_ns();
    ENCL_TRY(encl_queue_finish(queue));
    *ns = ((test->what == LAUNCH ? encl_clock_ns() : enqueued) - start) / test->inner;

cleanup:
    return status;
}

static encl_status measure_empty(encl_peak_session *session, const encl_peak_entry *entry, const char *name, cost what,
                                 double *us) {
    encl_status status = ENCL_OK;
    encl_samples samples = {0};
    empty_test test = {session, entry->entry, what, session->options->quick ? 64 : 256};
    encl_peak_figure figure = {.name = name,
                               .kernel = "peak_empty",
                               .variant = "",
                               .value = NAN,
                               .unit = "us",
                               .timer = "wall",
                               .inner = test.inner,
                               .samples = &samples};
    ENCL_TRY(encl_peak_sample(session, time_empty, &test, &samples));
    figure.value = samples.statistics.p50 / 1000.0;
    *us = figure.value;

cleanup:
    status = encl_peak_tell(session, &figure, status);
    encl_samples_free(&samples);
    return status;
}

encl_status encl_peak_measure_latency(encl_peak_session *session) {
    encl_peaks *peaks = session->peaks;
    const struct {
        const char *name;
        cost what;
        double *us;
    } figures[] = {
        {"launch", LAUNCH, &peaks->launch_us},
        {"enqueue", ENQUEUE, &peaks->enqueue_us},
        {"finish", FINISH, &peaks->finish_us},
    };
    encl_peak_entry entry = {0};
    encl_buffer unused = NULL;
    encl_status status = encl_peak_entry_open(session, "peak_empty.cl", "", "peak_empty", &entry);
    const encl_argument argument = {&unused, sizeof unused};
    if (status == ENCL_OK) {
        status = encl_buffer_create(session->device, sizeof(int32_t), &unused);
    }
    if (status == ENCL_OK) {
        status = encl_entry_arguments(entry.entry, &argument, 1);
    }
    const encl_status opened = status;
    status = ENCL_OK;
    for (size_t i = 0; i < sizeof figures / sizeof figures[0] && opened != ENCL_OK; i++) {
        encl_peak_figure figure = {
            .name = figures[i].name, .kernel = "peak_empty", .variant = "", .unit = "us", .timer = ""};
        ENCL_TRY(encl_peak_tell(session, &figure, opened));
    }
    if (opened != ENCL_OK) {
        goto cleanup;
    }
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        ENCL_TRY(measure_empty(session, &entry, figures[i].name, figures[i].what, figures[i].us));
        if (i == 0) {
            encl_peak_entry_keep(&entry);
        }
    }

cleanup:
    encl_peak_entry_close(&entry);
    encl_buffer_release(unused);
    return status;
}

// ---- Transfers --------------------------------------------------------------------------------------------

typedef struct transfer_test {
    encl_peak_session *session;
    encl_buffer buffer;
    uint64_t *host; // [bytes / 8]
    size_t bytes;
    bool down;
    int64_t inner;
} transfer_test;

static encl_status transfer(const transfer_test *test, bool down, void *host) {
    encl_queue queue = encl_device_queue(test->session->device);
    const encl_status status = down ? encl_queue_read(queue, test->buffer, 0, test->bytes, host, NULL)
                                    : encl_queue_write(queue, test->buffer, 0, test->bytes, host, NULL);
    return status == ENCL_OK ? encl_queue_finish(queue) : status;
}

static encl_status time_transfer(void *context, int64_t *ns) {
    const transfer_test *test = context;
    encl_status status = ENCL_OK;
    const int64_t start = encl_clock_ns();
    for (int64_t i = 0; i < test->inner; i++) {
        ENCL_TRY(transfer(test, test->down, test->host));
    }
    *ns = (encl_clock_ns() - start) / test->inner;

cleanup:
    return status;
}

static void fill(const transfer_test *test, uint64_t seed) {
    for (size_t i = 0; i < test->bytes / sizeof test->host[0]; i++) {
        test->host[i] = encl_random_at(seed, i);
    }
}

// What went up comes down again, and what came down is what went up.
static encl_status check_transfer(const transfer_test *test, uint64_t seed) {
    encl_status status = ENCL_OK;
    if (!test->down) {
        memset(test->host, 0, test->bytes);
        ENCL_TRY(transfer(test, true, test->host));
    }
    for (size_t i = 0; i < test->bytes / sizeof test->host[0]; i++) {
        if (test->host[i] != encl_random_at(seed, i)) {
            status = encl_fail(ENCL_DEVICE, "%s: word %zu of %zu is not what was sent",
                               test->down ? "download" : "upload", i, test->bytes / sizeof test->host[0]);
            break;
        }
    }

cleanup:
    return status;
}

static encl_status prepare(transfer_test *test, uint64_t seed) {
    encl_status status = ENCL_OK;
    int64_t ns = 0;
    ENCL_TRY(encl_buffer_create(test->session->device, test->bytes, &test->buffer));
    ENCL_TRY(encl_allocate(test->bytes / sizeof test->host[0], sizeof test->host[0], (void **)&test->host));
    fill(test, seed);
    if (test->down) {
        ENCL_TRY(transfer(test, false, test->host));
        memset(test->host, 0, test->bytes);
    }
    test->inner = 1;
    ENCL_TRY(time_transfer(test, &ns));
    ENCL_TRY(time_transfer(test, &ns));
    test->inner = encl_peak_batch(encl_timer_step_ns(), ns);

cleanup:
    return status;
}

// *value is the time in microseconds where that is what is asked for, else the rate.
static encl_status measure_transfer(encl_peak_session *session, const char *name, size_t bytes, bool down, bool latency,
                                    double *value) {
    const uint64_t seed = 0x7ea5u + bytes + down;
    encl_status status = ENCL_OK;
    encl_samples samples = {0};
    transfer_test test = {.session = session, .bytes = bytes, .down = down};
    encl_peak_figure figure = {.name = name,
                               .kernel = "",
                               .variant = "",
                               .bytes = bytes,
                               .value = NAN,
                               .unit = latency ? "us" : "GB/s",
                               .moved_bytes = (double)bytes,
                               .timer = "wall",
                               .samples = &samples};
    ENCL_TRY(prepare(&test, seed));
    ENCL_TRY(encl_peak_sample(session, time_transfer, &test, &samples));
    ENCL_TRY(check_transfer(&test, seed));
    figure.inner = test.inner;
    if (latency) {
        figure.value = samples.statistics.p50 / 1000.0;
    } else {
        ENCL_TRY(encl_peak_rate(&samples, (double)bytes, &figure.value));
    }
    *value = figure.value;

cleanup:
    status = encl_peak_tell(session, &figure, status);
    encl_buffer_release(test.buffer);
    free(test.host);
    encl_samples_free(&samples);
    return status;
}

encl_status encl_peak_measure_transfers(encl_peak_session *session) {
    enum { SMALL = 64 };
    encl_status status = ENCL_OK;
    encl_peaks *peaks = session->peaks;
    uint64_t sizes[ENCL_PEAK_SIZES];
    const size_t count = encl_peak_sizes(session->device, session->options, sizes);
    const size_t most = (size_t)(session->options->quick ? 16 : 64) << 20;
    const size_t large = sizes[count - 1] < most ? (size_t)sizes[count - 1] : most;
    ENCL_TRY(measure_transfer(session, "upload", large, false, false, &peaks->upload_gbs));
    ENCL_TRY(measure_transfer(session, "download", large, true, false, &peaks->download_gbs));
    ENCL_TRY(measure_transfer(session, "upload_latency", SMALL, false, true, &peaks->upload_us));
    ENCL_TRY(measure_transfer(session, "download_latency", SMALL, true, true, &peaks->download_us));

cleanup:
    return status;
}
