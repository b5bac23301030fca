#include "runtime/measure/peak_session.h"

#include <math.h>
#include <stdio.h>

#include "runtime/base/clock.h"
#include "runtime/base/log.h"

// ---- Kernels ----------------------------------------------------------------------------------------------

encl_status encl_peak_entry_open(const encl_peak_session *session, const char *file, const char *options,
                                 const char *name, encl_peak_entry *entry) {
    *entry = (encl_peak_entry){0};
    encl_status status = encl_program_build(session->device, file, options, &entry->program);
    if (status == ENCL_OK) {
        status = encl_program_kernel(entry->program, name, &entry->entry);
    }
    if (status != ENCL_OK) {
        encl_peak_entry_close(entry);
    }
    return status;
}

void encl_peak_entry_keep(const encl_peak_entry *entry) {
    encl_program_keep(entry->program);
}

void encl_peak_entry_close(encl_peak_entry *entry) {
    encl_entry_release(entry->entry);
    encl_program_destroy(entry->program);
    *entry = (encl_peak_entry){0};
}

// ---- Times ------------------------------------------------------------------------------------------------

// By the device's clock, launch by launch: what lies between them does not count.
static encl_status time_by_events(const encl_peak_launch *launch, int64_t *ns) {
    encl_status status = ENCL_OK;
    encl_queue queue = encl_device_profile_queue(launch->session->device);
    int64_t sum = 0;
    for (int64_t i = 0; i < launch->inner && status == ENCL_OK; i++) {
        encl_command command = NULL;
        int64_t times[4] = {0};
        status = encl_queue_launch(queue, launch->entry, launch->global, launch->local, &command);
        if (status == ENCL_OK) {
            status = encl_queue_finish(queue);
        }
        if (status == ENCL_OK) {
            status = encl_command_times(command, times);
        }
        if (status == ENCL_OK && times[3] < times[2]) {
            status =
                encl_fail(ENCL_DEVICE, "a launch ended %lld ns before it started", (long long)(times[2] - times[3]));
        }
        encl_command_release(command);
        sum += times[3] - times[2];
    }
    *ns = sum / launch->inner;
    return status;
}

static encl_status time_by_wall(const encl_peak_launch *launch, int64_t *ns) {
    encl_status status = ENCL_OK;
    encl_queue queue = encl_device_queue(launch->session->device);
    const int64_t start = encl_clock_ns();
    for (int64_t i = 0; i < launch->inner; i++) {
        ENCL_TRY(encl_queue_launch(queue, launch->entry, launch->global, launch->local, NULL));
    }
    ENCL_TRY(encl_queue_finish(queue));
    *ns = (encl_clock_ns() - start) / launch->inner;

cleanup:
    return status;
}

encl_status encl_peak_time(const encl_peak_launch *launch, int64_t *ns) {
    *ns = 0;
    return launch->session->trust == ENCL_PEAK_TRUST_EVENTS ? time_by_events(launch, ns) : time_by_wall(launch, ns);
}

encl_status encl_peak_time_twice(const encl_peak_launch *launch, int64_t *ns) {
    int64_t again = 0;
    encl_status status = encl_peak_time(launch, ns);
    if (status == ENCL_OK) {
        status = encl_peak_time(launch, &again);
    }
    *ns = again < *ns ? again : *ns;
    return status;
}

const char *encl_peak_timer(const encl_peak_session *session) {
    return session->trust == ENCL_PEAK_TRUST_EVENTS ? "event" : "wall";
}

int64_t encl_peak_target_ns(const encl_peak_session *session) {
    return session->options->quick ? 1000000 : 4000000;
}

double encl_peak_growth(const encl_peak_session *session, int64_t ns) {
    const double factor = 1.25 * (double)encl_peak_target_ns(session) / (double)(ns > 0 ? ns : 1);
    if (ns >= encl_peak_target_ns(session)) {
        return 1.0;
    }
    return factor < 16.0 ? factor : 16.0;
}

int64_t encl_peak_batch(int64_t step_ns, int64_t ns) {
    enum { MOST = 1000 };
    const int64_t needed = 1000 * step_ns / (ns > 0 ? ns : 1) + 1;
    return needed < MOST ? needed : MOST;
}

// Event times make sense where they are in order and tell about the time that passed outside: rusticl 22.3 says 0, 1, 2
// and 3 ns of everything.
static encl_status find_trust(encl_peak_launch *launch) {
    enum { ATTEMPTS = 5 };
    encl_peak_session *session = launch->session;
    encl_queue queue = encl_device_profile_queue(session->device);
    encl_status status = ENCL_OK;
    bool sane = false;
    for (int i = 0; i < ATTEMPTS && !sane && status == ENCL_OK; i++) {
        int64_t times[4] = {0};
        encl_command command = NULL;
        const int64_t start = encl_clock_raw_ns();
        status = encl_queue_launch(queue, launch->entry, launch->global, launch->local, &command);
        if (status == ENCL_OK) {
            status = encl_queue_finish(queue);
        }
        const int64_t passed = encl_clock_raw_ns() - start;
        // A driver that cannot say it is not trusted either.
        if (status == ENCL_OK && encl_command_times(command, times) == ENCL_OK) {
            const int64_t ran = times[3] - times[2];
            sane = times[0] <= times[1] && times[1] <= times[2] && ran >= passed / 2 && ran <= passed + passed / 50;
        }
        encl_command_release(command);
    }
    if (status == ENCL_OK) {
        session->trust = sane ? ENCL_PEAK_TRUST_EVENTS : ENCL_PEAK_TRUST_WALL;
        encl_debug("%s: event times %s", session->device->info.name, sane ? "make sense" : "make no sense");
    }
    return status;
}

encl_status encl_peak_settle(encl_peak_launch *launch) {
    encl_status status = ENCL_OK;
    encl_peak_session *session = launch->session;
    int64_t ns = 0;
    launch->inner = 1;
    if (session->trust == ENCL_PEAK_TRUST_UNKNOWN) {
        ENCL_TRY(find_trust(launch));
    }
    ENCL_TRY(encl_peak_time(launch, &ns));
    const int64_t step = session->trust == ENCL_PEAK_TRUST_EVENTS ? (int64_t)session->device->info.timer_resolution_ns
                                                                  : encl_timer_step_ns();
    launch->inner = encl_peak_batch(step, ns);

cleanup:
    return status;
}

// ---- Samples ----------------------------------------------------------------------------------------------

static encl_status ask(void *context) {
    encl_peak_session *session = context;
    const encl_sampling *sampling = &session->options->sampling;
    const encl_status status = sampling->check != NULL ? sampling->check(sampling->check_context) : ENCL_OK;
    session->ended = session->ended || status != ENCL_OK;
    return status;
}

encl_status encl_peak_sample(encl_peak_session *session, encl_status (*once)(void *context, int64_t *ns), void *context,
                             encl_samples *samples) {
    encl_sampling sampling = session->options->sampling;
    sampling.check = ask;
    sampling.check_context = session;
    return encl_sample(&sampling, once, context, samples);
}

static encl_status time_launch(void *launch, int64_t *ns) {
    return encl_peak_time(launch, ns);
}

encl_status encl_peak_sample_launch(encl_peak_launch *launch, encl_samples *samples) {
    return encl_peak_sample(launch->session, time_launch, launch, samples);
}

encl_status encl_peak_rate(const encl_samples *samples, double work, double *rate) {
    *rate = NAN;
    if (samples->statistics.min < 1.0) {
        return encl_fail(ENCL_DEVICE, "a launch took 0 ns, expected some time");
    }
    *rate = work / samples->statistics.min;
    return ENCL_OK;
}

// ---- Telling ----------------------------------------------------------------------------------------------

static encl_status tell(encl_peak_session *session, const encl_peak_figure *figure) {
    const encl_peak_options *options = session->options;
    const encl_status status = options->told != NULL ? options->told(options->told_context, figure) : ENCL_OK;
    session->ended = session->ended || status != ENCL_OK;
    return status;
}

encl_status encl_peak_tell(encl_peak_session *session, encl_peak_figure *figure, encl_status status) {
    char reason[512] = "";
    if (session->ended) {
        return status;
    }
    figure->status = "ok";
    figure->reason = "";
    if (status != ENCL_OK) {
        snprintf(reason, sizeof reason, "%s", encl_status_detail());
        figure->status = "error";
        figure->reason = reason;
        figure->value = NAN;
        figure->samples = NULL;
    }
    return tell(session, figure);
}

encl_status encl_peak_tell_unsupported(encl_peak_session *session, const char *name, const char *unit,
                                       const char *reason) {
    const encl_peak_figure figure = {.name = name,
                                     .kernel = "",
                                     .variant = "",
                                     .value = NAN,
                                     .unit = unit,
                                     .timer = "",
                                     .status = "unsupported",
                                     .reason = reason};
    return tell(session, &figure);
}
