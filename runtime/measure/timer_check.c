#include "runtime/measure/timer_check.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include "runtime/device/command.h"

enum { COMMANDS = 64, BYTES = 4096 };

// One upload, waited for: its times by the device, and the host's time around all of it.
static encl_status time_one(encl_queue queue, encl_buffer buffer, const void *host, encl_profile_record *record,
                            int64_t *done_ns) {
    encl_status status = ENCL_OK;
    encl_command command = NULL;
    int64_t times[4];
    record->enqueue_begin_ns = encl_clock_raw_ns();
    status = encl_queue_write(queue, buffer, 0, BYTES, host, &command);
    record->enqueue_end_ns = encl_clock_raw_ns();
    ENCL_TRY(status);
    ENCL_TRY(encl_queue_flush(queue));
    ENCL_TRY(encl_command_wait(command));
    *done_ns = encl_clock_raw_ns();
    ENCL_TRY(encl_command_times(command, times));
    record->queued_ns = times[0];
    record->submit_ns = times[1];
    record->start_ns = times[2];
    record->end_ns = times[3];
cleanup:
    encl_command_release(command);
    return status;
}

static void wait_ns(int64_t ns) {
    const struct timespec time = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
    nanosleep(&time, NULL); // shorter is as good
}

static void take_step(int64_t from, int64_t to, int64_t *step) {
    const int64_t signed_difference = encl_ns_between(from, to);
    const int64_t difference = signed_difference < 0 ? encl_ns_between(signed_difference, 0) : signed_difference;
    if (difference > 0 && (*step == 0 || difference < *step)) {
        *step = difference;
    }
}

static void look_at(const encl_profile_record *records, size_t count, encl_timer_check *result) {
    result->constant = true;
    for (size_t i = 0; i < count; i++) {
        const encl_profile_record *r = &records[i];
        const int64_t times[] = {r->queued_ns, r->submit_ns, r->start_ns, r->end_ns};
        bool ordered = true;
        for (size_t j = 1; j < 4; j++) {
            ordered = ordered && times[j - 1] <= times[j];
            take_step(times[j - 1], times[j], &result->step_ns);
        }
        result->unordered += ordered ? 0 : 1;
        if (i > 0) {
            result->constant = result->constant && r->queued_ns == records[0].queued_ns;
            result->backwards += r->start_ns < records[i - 1].end_ns ? 1 : 0;
            take_step(records[i - 1].queued_ns, r->queued_ns, &result->step_ns);
        }
    }
}

// The command that the host saw for the shortest time, of those from `begin` to `end`: its START is known best.
static size_t shortest(const encl_profile_record *records, const int64_t *done, size_t begin, size_t end) {
    size_t best = begin;
    for (size_t i = begin; i < end; i++) {
        best = done[i] - records[i].enqueue_begin_ns < done[best] - records[best].enqueue_begin_ns ? i : best;
    }
    return best;
}

static void find_rate(const encl_profile_record *records, const int64_t *done, encl_timer_check *result) {
    const size_t first = shortest(records, done, 0, COMMANDS / 4);
    const size_t last = shortest(records, done, COMMANDS - COMMANDS / 4, COMMANDS);
    const int64_t first_ns = records[first].enqueue_begin_ns;
    const int64_t last_ns = records[last].enqueue_begin_ns;
    const double host_ns = (double)(last_ns - first_ns);
    if (host_ns > 0) {
        result->rate = (double)encl_ns_between(records[first].start_ns, records[last].start_ns) / host_ns;
        // START lies somewhere in the time that the host saw pass.
        result->rate_doubt = (double)(done[first] - first_ns + done[last] - last_ns) / host_ns;
    }
}

encl_status encl_timer_check_run(const encl_device *device, int64_t duration_ns, encl_timer_check *result) {
    encl_status status = ENCL_OK;
    static const char host[BYTES];
    const encl_queue queue = encl_device_profile_queue(device);
    encl_buffer buffer = NULL;
    encl_profile_record *records = NULL;
    int64_t *done = NULL;
    *result = (encl_timer_check){.rate = NAN, .rate_doubt = NAN};
    ENCL_TRY(encl_buffer_create(device, BYTES, &buffer));
    ENCL_TRY(encl_allocate(COMMANDS, sizeof *records, (void **)&records));
    ENCL_TRY(encl_allocate(COMMANDS, sizeof *done, (void **)&done));
    ENCL_TRY(time_one(queue, buffer, host, &records[0], &done[0])); // the first one may compile or map something
    for (size_t i = 0; i < COMMANDS; i++) {
        ENCL_TRY(time_one(queue, buffer, host, &records[i], &done[i]));
        wait_ns(duration_ns / COMMANDS);
    }
    result->commands = COMMANDS;
    look_at(records, COMMANDS, result);
    if (!result->constant) {
        find_rate(records, done, result);
    }
    result->clock = encl_clock_map_of(records, COMMANDS);
cleanup:
    encl_buffer_release(buffer);
    free(records);
    free(done);
    return status;
}
