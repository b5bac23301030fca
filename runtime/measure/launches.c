#include "runtime/measure/launches.h"

#include <stdlib.h>

#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include "runtime/device/details.h"

enum {
    TRIES = 3,                  // launches that say how long one takes, and whether the device's clock is sane
    MOST_INNER = 1000,          // launches in a sample
    LEAST_STEPS = 1000,         // steps of the clock in a sample
    LEAST_EVENT_NS = 20,        // no command is over sooner: a driver that says so counts something else
    LEAST_WHOLE_NS = 500 * 1000 // of a sample that ends with a wait, so that the wait is small beside it
};

typedef struct timing {
    const encl_launches *of;
    encl_launch_times *times;
    encl_command *commands; // [MOST_INNER]
    bool decided;           // timer and inner are
    int64_t *walls;
    size_t wall_count, wall_capacity;
    size_t next; // index of the next launch
} timing;

// ---- One sample -------------------------------------------------------------------------------------------

static void release(encl_command *commands, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        encl_command_release(commands[i]);
        commands[i] = NULL;
    }
}

// From START to END, or −1 where the four times are out of order.
static encl_status time_of(encl_command command, int64_t *ns, int64_t *end) {
    int64_t at[4];
    const encl_status status = encl_command_times(command, at);
    if (status == ENCL_OK) {
        *ns = at[0] <= at[1] && at[1] <= at[2] && at[2] <= at[3] ? at[3] - at[2] : -1;
        *end = at[3];
    }
    return status;
}

// Waits for a marker: clFinish of some drivers returns before what was flushed earlier is over.
static encl_status wait_all(encl_queue queue) {
    encl_command mark = NULL;
    encl_status status = encl_queue_mark(queue, &mark);
    if (status == ENCL_OK) {
        status = encl_command_wait(mark);
    }
    encl_command_release(mark);
    return status;
}

// By the host's clock, from the first enqueue to the end of the wait.
static encl_status time_by_host(timing *t, int64_t inner, int64_t *ns) {
    const encl_queue queue = encl_device_queue(t->of->device);
    encl_status status = ENCL_OK;
    const int64_t start = encl_clock_ns();
    for (int64_t i = 0; i < inner; i++) {
        ENCL_TRY(t->of->launch(t->of->context, queue, t->next, NULL));
        t->next++;
    }
    ENCL_TRY(wait_all(queue));
    *ns = encl_clock_ns() - start;
cleanup:
    return status;
}

// By the device's clock: Σ of the commands' times.
static encl_status time_by_commands(timing *t, int64_t inner, int64_t *ns) {
    const encl_queue queue = encl_device_profile_queue(t->of->device);
    encl_status status = ENCL_OK;
    int64_t made = 0;
    *ns = 0;
    for (; made < inner; made++) {
        ENCL_TRY(t->of->launch(t->of->context, queue, t->next, &t->commands[made]));
        t->next++;
    }
    ENCL_TRY(encl_command_wait(t->commands[inner - 1]));
    for (int64_t i = 0; i < inner; i++) {
        int64_t each = 0;
        int64_t end = 0;
        ENCL_TRY(time_of(t->commands[i], &each, &end));
        *ns = each < 0 || *ns < 0 ? -1 : *ns + each;
    }
cleanup:
    release(t->commands, made);
    return status;
}

// By the device's clock: from the end of a marker to the end of the next.
static encl_status time_between_marks(timing *t, int64_t inner, int64_t *ns) {
    const encl_queue queue = encl_device_profile_queue(t->of->device);
    encl_status status = ENCL_OK;
    int64_t ends[2] = {0};
    encl_command marks[2] = {NULL};
    ENCL_TRY(encl_queue_mark(queue, &marks[0]));
    for (int64_t i = 0; i < inner; i++) {
        ENCL_TRY(t->of->launch(t->of->context, queue, t->next, NULL));
        t->next++;
    }
    ENCL_TRY(encl_queue_mark(queue, &marks[1]));
    ENCL_TRY(encl_command_wait(marks[1]));
    for (int i = 0; i < 2; i++) {
        int64_t own = 0;
        ENCL_TRY(time_of(marks[i], &own, &ends[i]));
    }
    *ns = ends[1] - ends[0];
cleanup:
    release(marks, 2);
    return status;
}

static encl_status time_by_device(timing *t, int64_t inner, int64_t *ns) {
    return t->of->marked ? time_between_marks(t, inner, ns) : time_by_commands(t, inner, ns);
}

// ---- Which clock, and how many launches -------------------------------------------------------------------

static int64_t event_step(const encl_device *device) {
    const int64_t stated = (int64_t)encl_device_get_info(device)->timer_resolution_ns;
    int64_t seen = 0;
    if (encl_device_timer_step(device, &seen) != ENCL_OK) {
        seen = 0; // a clock that cannot be read is found out by its times
    }
    return seen > stated ? seen : stated;
}

static int64_t launches_for(int64_t each_ns, int64_t whole_ns) {
    const int64_t inner = each_ns > 0 ? (whole_ns + each_ns - 1) / each_ns : MOST_INNER;
    return inner < 1 ? 1 : inner > MOST_INNER ? MOST_INNER : inner;
}

// The device's times are sane where they are in order, not longer than the host waited for them, and not next to
// nothing.
static encl_status decide(timing *t) {
    encl_status status = ENCL_OK;
    encl_launch_times *times = t->times;
    int64_t events = 0;
    int64_t walls = 0;
    bool sane = true;
    for (int i = 0; i < TRIES; i++) {
        int64_t ns = -1;
        const int64_t start = encl_clock_ns();
        sane = time_by_device(t, 1, &ns) == ENCL_OK && sane;
        walls += encl_clock_ns() - start;
        sane = sane && ns >= 0;
        events += ns;
    }
    sane = sane && events >= (int64_t)TRIES * LEAST_EVENT_NS && events <= walls;
    if (!sane) {
        ENCL_TRY(time_by_host(t, 1, &walls));
        walls *= TRIES;
    }
    const int64_t each = (sane ? events : walls) / TRIES;
    const int64_t steps = LEAST_STEPS * (sane ? event_step(t->of->device) : encl_timer_step_ns());
    const bool waits = !sane || t->of->marked || t->of->wall;
    times->timer = sane ? "event" : "wall";
    times->inner = launches_for(each, waits && steps < LEAST_WHOLE_NS ? LEAST_WHOLE_NS : steps);
    t->decided = true;
cleanup:
    return status;
}

// ---- Sampling ---------------------------------------------------------------------------------------------

static encl_status keep_wall(timing *t, int64_t ns) {
    const encl_status status = encl_reserve((void **)&t->walls, &t->wall_capacity, t->wall_count + 1, sizeof *t->walls);
    if (status == ENCL_OK) {
        t->walls[t->wall_count++] = ns;
    }
    return status;
}

// A driver whose times were sane at first may still give some that are not: those are no samples.
static encl_status time_sanely(timing *t, int64_t inner, int64_t *ns) {
    for (int i = 0; i < TRIES; i++) {
        const encl_status status = time_by_device(t, inner, ns);
        if (status != ENCL_OK || *ns >= inner) {
            return status;
        }
    }
    return encl_fail(ENCL_DEVICE, "the device's clock: found %d samples with times out of order or next to nothing",
                     TRIES);
}

static encl_status once(void *context, int64_t *ns) {
    timing *t = context;
    encl_status status = ENCL_OK;
    const encl_launch_times *times = t->times;
    if (!t->decided) {
        // The very first launch, which may compile: by the host's clock, because drivers count that as waiting.
        ENCL_TRY(time_by_host(t, 1, ns));
        return decide(t);
    }
    if (times->timer[0] == 'w') {
        ENCL_TRY(time_by_host(t, times->inner, ns));
    } else {
        ENCL_TRY(time_sanely(t, times->inner, ns));
        if (t->of->wall) {
            int64_t wall = 0;
            ENCL_TRY(time_by_host(t, times->inner, &wall));
            ENCL_TRY(keep_wall(t, wall / times->inner));
        }
    }
    *ns /= times->inner;
cleanup:
    return status;
}

encl_status encl_launches_time(const encl_launches *launches, const encl_sampling *sampling, encl_launch_times *times) {
    encl_status status = ENCL_OK;
    timing t = {.of = launches, .times = times};
    *times = (encl_launch_times){0};
    ENCL_TRY(encl_allocate(MOST_INNER, sizeof(encl_command), (void **)&t.commands));
    ENCL_TRY(encl_sample(sampling, once, &t, &times->samples));
    times->last = t.next - 1;
    times->wall = times->samples.statistics;
    if (t.wall_count > 0) {
        // Those of the warm-up come first.
        const size_t count = times->samples.count < t.wall_count ? times->samples.count : t.wall_count;
        ENCL_TRY(encl_statistics_of(t.walls + (t.wall_count - count), count, &times->wall));
    }
cleanup:
    // After a failure something may still run and read what the caller is going to free.
    if (status != ENCL_OK) {
        (void)wait_all(encl_device_queue(launches->device));
        (void)wait_all(encl_device_profile_queue(launches->device));
        encl_launch_times_free(times);
    }
    free(t.commands);
    free(t.walls);
    return status;
}

void encl_launch_times_free(encl_launch_times *times) {
    encl_samples_free(&times->samples);
    *times = (encl_launch_times){0};
}
