// Events: a run as its caller sees it, from the start to the release.
#include <stdio.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/graph/executable.h"

void encl_event_finish(encl_event *run, encl_status status, const char *detail) {
    encl_executable *e = run->executable;
    encl_mutex_lock(&e->mutex);
    void (*on_done)(void *, encl_status) = run->on_done;
    void *context = run->on_done_context;
    run->status = status;
    snprintf(run->detail, sizeof run->detail, "%s", detail);
    run->on_done = NULL;
    run->over = true;
    run->told = on_done == NULL;
    encl_condition_broadcast(&e->condition);
    encl_mutex_unlock(&e->mutex);
    if (on_done != NULL) {
        on_done(context, status);
        encl_mutex_lock(&e->mutex);
        run->told = true;
        encl_condition_broadcast(&e->condition);
        encl_mutex_unlock(&e->mutex);
    }
}

void encl_event_drop_commands(encl_event *run) {
    for (size_t i = 0; i < run->record_count; i++) {
        encl_command_release(run->commands[i]);
        encl_command_release(run->begins[i]);
    }
    run->record_count = 0;
    encl_command_release(run->last);
    run->last = NULL;
    encl_notice_release(run->notice);
    run->notice = NULL;
}

// Some drivers never call back for a command that is over, or whose device is lost. So they are asked now and then.
static void ask_driver(encl_event *run) {
    bool over = false;
    const encl_status status = encl_command_ask(run->last, &over);
    if (over && encl_notice_cancel(run->notice)) {
        encl_event_finish(run, status, status == ENCL_OK ? "" : encl_status_detail());
    }
}

// Waits with the executable's mutex locked until a run is over and, where wanted, told; false at the deadline.
static bool wait_until_over(encl_event *run, bool and_told, int64_t deadline) {
    static const int64_t patience_ns = 1000000000;
    encl_executable *e = run->executable;
    while (!run->over || (and_told && !run->told)) {
        const int64_t soon = encl_clock_ns() + patience_ns;
        const bool last = deadline < soon;
        if (encl_condition_wait_until(&e->condition, &e->mutex, last ? deadline : soon) || run->over) {
            continue;
        }
        if (last) {
            return false;
        }
        encl_mutex_unlock(&e->mutex);
        ask_driver(run);
        encl_mutex_lock(&e->mutex);
    }
    return true;
}

encl_status encl_event_wait(encl_event *event, int64_t timeout_ns) {
    encl_executable *e = event->executable;
    const int64_t now = encl_clock_ns();
    const int64_t deadline = timeout_ns >= 0 && timeout_ns < INT64_MAX - now ? now + timeout_ns : INT64_MAX;
    encl_mutex_lock(&e->mutex);
    if (!wait_until_over(event, false, deadline)) {
        encl_mutex_unlock(&e->mutex);
        return encl_fail(ENCL_TIMEOUT, "the run is not over after %lld ms", (long long)(timeout_ns / 1000000));
    }
    const encl_status status = event->status;
    if (status != ENCL_OK) {
        encl_status_set_detail(event->detail);
    }
    encl_mutex_unlock(&e->mutex);
    return status;
}

bool encl_event_poll(encl_event *event) {
    encl_mutex_lock(&event->executable->mutex);
    const bool over = event->over;
    encl_mutex_unlock(&event->executable->mutex);
    return over;
}

encl_status encl_event_on_done(encl_event *event, void (*done)(void *context, encl_status status), void *context) {
    encl_mutex_lock(&event->executable->mutex);
    const bool over = event->over;
    if (!over && event->on_done != NULL) {
        encl_mutex_unlock(&event->executable->mutex);
        return encl_fail(ENCL_INVALID, "the event has an on_done already");
    }
    if (!over) {
        event->on_done = done;
        event->on_done_context = context;
    }
    encl_mutex_unlock(&event->executable->mutex);
    if (over) {
        done(context, event->status);
    }
    return ENCL_OK;
}

encl_status encl_event_output(encl_event *event, size_t index, const float **data, int64_t *rows, int64_t *columns) {
    const encl_executable *e = event->executable;
    *data = NULL;
    *rows = 0;
    *columns = 0;
    if (index >= e->schedule->output_count) {
        return encl_fail(ENCL_INVALID, "output %zu, the executable has %zu", index, e->schedule->output_count);
    }
    if (!encl_event_poll(event) || event->status != ENCL_OK) {
        return encl_fail(ENCL_INVALID, "the run has no outputs yet, or failed");
    }
    const encl_slot *slot = &e->slots[event == &e->slots[0].event ? 0 : 1];
    *data = slot->outputs[index];
    *rows = event->counts[e->schedule->outputs[index].count];
    *columns = e->schedule->outputs[index].width;
    return ENCL_OK;
}

encl_status encl_event_profile(encl_event *event, const encl_run_profile **profile) {
    *profile = NULL;
    if (!event->profiled || !encl_event_poll(event) || event->status != ENCL_OK) {
        return encl_fail(ENCL_INVALID, "the run was not profiled, is not over, or failed");
    }
    *profile = &event->profile;
    return ENCL_OK;
}

int64_t encl_host_clock_ns(void) {
    return encl_clock_raw_ns();
}

void encl_event_release(encl_event *event) {
    if (event == NULL || !event->taken) {
        return;
    }
    encl_executable *e = event->executable;
    encl_mutex_lock(&e->mutex);
    (void)wait_until_over(event, true, INT64_MAX);
    encl_mutex_unlock(&e->mutex);
    encl_event_drop_commands(event);
    event->taken = false;
}
