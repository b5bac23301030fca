// Runs one case, plain and profiled in turn, so that what drifts (clocks, other programs) does not look like a cost.
#include <math.h>
#include <stdlib.h>

#include "host/cli/interrupt.h"
#include "host/cli/profile/profile.h"
#include "runtime/base/clock.h"

enum { WARM_RUNS = 3 };
static const int64_t warm_ns = 200000000;

static encl_status run_plain(encl_executable *executable, const encl_batch *batch, int64_t *wall_ns) {
    encl_event *event = NULL;
    encl_status status = encl_interrupt_check();
    if (status != ENCL_OK) {
        return status;
    }
    const int64_t start = encl_clock_raw_ns();
    status = encl_executable_run(executable, batch, false, &event);
    if (status == ENCL_OK) {
        status = encl_event_wait(event, -1);
        *wall_ns = encl_clock_raw_ns() - start;
        encl_event_release(event);
    }
    return status;
}

static encl_status run_profiled(encl_executable *executable, const encl_batch *batch, encl_profile *profile) {
    encl_status status = ENCL_OK;
    encl_event *event = NULL;
    const encl_run_profile *run = NULL;
    ENCL_TRY(encl_interrupt_check());
    ENCL_TRY(encl_executable_run(executable, batch, true, &event));
    ENCL_TRY(encl_event_wait(event, -1));
    ENCL_TRY(encl_event_profile(event, &run));
    ENCL_TRY(encl_profile_collect(profile, executable, run));
cleanup:
    encl_event_release(event);
    return status;
}

static encl_status warm_up(encl_executable *executable, const encl_batch *batch) {
    const int64_t start = encl_clock_ns();
    for (int run = 0; run < WARM_RUNS || encl_clock_ns() - start < warm_ns; run++) {
        int64_t ignored = 0;
        encl_status status = run_plain(executable, batch, &ignored);
        if (status != ENCL_OK) {
            return status;
        }
    }
    return ENCL_OK;
}

static encl_status run_pairs(encl_executable *executable, const encl_profile_input *input, int64_t repeat,
                             encl_progress *progress, encl_profile *profile) {
    encl_status status = ENCL_OK;
    encl_profile_case *c = &profile->cases[profile->case_count - 1];
    ENCL_TRY(encl_allocate((size_t)repeat, sizeof *c->plain_ns, (void **)&c->plain_ns));
    for (int64_t i = 0; i < repeat; i++) {
        ENCL_TRY(run_plain(executable, &input->batch, &c->plain_ns[i]));
        c->plain_runs++;
        ENCL_TRY(run_profiled(executable, &input->batch, profile));
        encl_progress_update(progress, i + 1);
    }
cleanup:
    return status;
}

encl_status encl_profile_measure(const encl_device *device, const encl_graph *graph, const encl_profile_input *input,
                                 const encl_executable_options *options, int64_t repeat, encl_progress *progress,
                                 encl_profile *profile) {
    encl_status status = ENCL_OK;
    encl_executable *executable = NULL;
    ENCL_TRY(encl_profile_case_begin(profile, input->name, true));
    encl_profile_case *c = &profile->cases[profile->case_count - 1];
    c->length = input->length;
    c->tokenize_ns = input->tokenize_ns;
    const int64_t start = encl_clock_ns();
    status = encl_executable_create(device, graph, options, &executable);
    c->create_ns = encl_clock_ns() - start;
    if (status == ENCL_OK) {
        status = run_plain(executable, &input->batch, &c->first_ns);
    }
    if (status == ENCL_OK) {
        status = warm_up(executable, &input->batch);
    }
    if (status == ENCL_OK) {
        status = run_pairs(executable, input, repeat, progress, profile);
    }
    const encl_status ended = encl_profile_case_end(profile, 0);
    status = status != ENCL_OK ? status : ended;
cleanup:
    if (executable != NULL) {
        encl_executable_destroy(executable);
    }
    return status;
}
