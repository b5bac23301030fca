#include "runtime/measure/sampler.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "runtime/base/clock.h"
#include "runtime/base/memory.h"

static const int64_t millisecond = 1000000;

encl_sampling encl_sampling_default(void) {
    return (encl_sampling){
        .warm_count = 3,
        .warm_ns = 200 * millisecond,
        .warm_most_ns = 5000 * millisecond,
        .least_count = 10,
        .least_ns = 1000 * millisecond,
        .precision = 0.01,
        .most_ns = 10000 * millisecond,
    };
}

static int64_t now(const encl_sampling *sampling) {
    return sampling->clock != NULL ? sampling->clock() : encl_clock_ns();
}

// What is called again and again.
typedef struct subject {
    const encl_sampling *sampling;
    encl_status (*once)(void *context, int64_t *ns);
    void *context;
} subject;

static encl_status run_once(const subject *of, int64_t *ns) {
    encl_status status = ENCL_OK;
    *ns = 0;
    if (of->sampling->check != NULL) {
        ENCL_TRY(of->sampling->check(of->sampling->check_context));
    }
    ENCL_TRY(of->once(of->context, ns));
    if (*ns < 0) {
        status = encl_fail(ENCL_INTERNAL, "sampling: a run of %lld ns, expected at least 0", (long long)*ns);
    }

cleanup:
    return status;
}

enum { LAST = 5 };

static bool is_stable(const int64_t last[LAST]) {
    int64_t least = last[0];
    int64_t most = last[0];
    for (size_t i = 1; i < LAST; i++) {
        least = last[i] < least ? last[i] : least;
        most = last[i] > most ? last[i] : most;
    }
    return (double)(most - least) < 0.01 * (double)least || most == least;
}

static encl_status warm_up(const subject *of, encl_samples *samples) {
    encl_status status = ENCL_OK;
    const encl_sampling *by = of->sampling;
    int64_t last[LAST] = {0};
    ENCL_TRY(run_once(of, &samples->first_ns));
    samples->warmup = 1;
    const int64_t start = now(by);
    for (int32_t runs = 0;; runs++) {
        const int64_t spent = now(by) - start;
        const bool enough = runs >= by->warm_count && spent >= by->warm_ns && runs >= LAST && is_stable(last);
        if (enough || spent >= by->warm_most_ns) {
            break;
        }
        ENCL_TRY(run_once(of, &last[runs % LAST]));
        samples->warmup++;
    }

cleanup:
    return status;
}

static encl_status add(encl_samples *samples, int64_t ns) {
    void *memory = samples->ns;
    const encl_status status = encl_reserve(&memory, &samples->capacity, samples->count + 1, sizeof *samples->ns);
    samples->ns = memory;
    if (status == ENCL_OK) {
        samples->ns[samples->count++] = ns;
    }
    return status;
}

static encl_status is_precise(const encl_samples *samples, double precision, bool *precise) {
    encl_statistics of;
    const encl_status status = encl_statistics_of(samples->ns, samples->count, &of);
    const double bound = precision * of.p50;
    *precise = of.p50 - of.ci_lo <= bound && of.ci_hi - of.p50 <= bound; // false where the interval is not known
    return status;
}

static encl_status take_samples(const subject *of, encl_samples *samples) {
    encl_status status = ENCL_OK;
    const encl_sampling *by = of->sampling;
    const int64_t start = now(by);
    size_t look = 0; // the interval costs a sort, so it is looked at whenever there are an eighth more samples
    while (samples->stop == NULL) {
        int64_t ns = 0;
        ENCL_TRY(run_once(of, &ns));
        ENCL_TRY(add(samples, ns));
        const int64_t spent = now(by) - start;
        const int64_t count = (int64_t)samples->count;
        if (count >= by->least_count && spent >= by->least_ns && samples->count >= look) {
            bool precise = false;
            ENCL_TRY(is_precise(samples, by->precision, &precise));
            samples->stop = precise ? "ci" : NULL;
            look = samples->count + samples->count / 8 + 1;
        }
        if (samples->stop == NULL && by->most_count > 0 && count >= by->most_count) {
            samples->stop = "count";
        }
        if (samples->stop == NULL && spent >= by->most_ns) {
            samples->stop = "time";
        }
    }

cleanup:
    return status;
}

encl_status encl_sample(const encl_sampling *sampling, encl_status (*once)(void *context, int64_t *ns), void *context,
                        encl_samples *samples) {
    encl_status status = ENCL_OK;
    const subject of = {sampling, once, context};
    *samples = (encl_samples){0};
    ENCL_TRY(warm_up(&of, samples));
    ENCL_TRY(take_samples(&of, samples));
    ENCL_TRY(encl_statistics_of(samples->ns, samples->count, &samples->statistics));

cleanup:
    if (status != ENCL_OK) {
        encl_samples_free(samples);
    }
    return status;
}

void encl_samples_free(encl_samples *samples) {
    free(samples->ns);
    *samples = (encl_samples){0};
}

int64_t encl_timer_step_ns(void) {
    enum { STEPS = 200 };
    static _Atomic int64_t known = 0;
    int64_t least = atomic_load(&known);
    if (least > 0) {
        return least;
    }
    for (int step = 0; step < STEPS; step++) {
        const int64_t before = encl_clock_ns();
        int64_t after = before;
        while (after == before) {
            after = encl_clock_ns();
        }
        least = least == 0 || after - before < least ? after - before : least;
    }
    atomic_store(&known, least);
    return least;
}
