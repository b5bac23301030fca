#include "host/cli/profile/place.h"

#include <stdlib.h>

#include "runtime/base/memory.h"

static int compare_placed(const void *a, const void *b) {
    const encl_placed *left = a;
    const encl_placed *right = b;
    if (left->start != right->start) {
        return left->start < right->start ? -1 : 1;
    }
    return left->index < right->index ? -1 : 1; // equal ones in one order, whatever the C library's sort does
}

static encl_clock_map clock_of(const encl_profile_timeline *drawn) {
    const encl_run_profile *run = &drawn->run;
    if (drawn->clock.aligned || run->count == 0) {
        return drawn->clock;
    }
    int64_t first = run->records[0].queued_ns;
    for (size_t i = 1; i < run->count; i++) {
        first = run->records[i].queued_ns < first ? run->records[i].queued_ns : first;
    }
    return (encl_clock_map){.offset_ns = encl_ns_between(first, run->begin_ns)};
}

encl_status encl_profile_place(const encl_profile_timeline *drawn, encl_placed **commands) {
    const encl_run_profile *run = &drawn->run;
    const encl_clock_map clock = clock_of(drawn);
    void *memory = NULL;
    *commands = NULL;
    const encl_status status = encl_allocate(run->count, sizeof(encl_placed), &memory);
    if (status != ENCL_OK) {
        return status;
    }
    encl_placed *list = memory;
    for (size_t i = 0; i < run->count; i++) {
        const encl_profile_record *record = &run->records[i];
        list[i] = (encl_placed){.queued = encl_clock_map_host(&clock, record->queued_ns),
                                .start = encl_clock_map_host(&clock, record->start_ns),
                                .end = encl_clock_map_host(&clock, record->end_ns),
                                .index = i};
        list[i].end = list[i].end > list[i].start ? list[i].end : list[i].start;
    }
    if (run->count > 0) {
        qsort(list, run->count, sizeof *list, compare_placed);
    }
    *commands = list;
    return ENCL_OK;
}

void encl_span_after(int64_t *last_end, int64_t *start, int64_t *end) {
    *start = *start > *last_end ? *start : *last_end;
    *end = *end > *start ? *end : *start;
    *last_end = *end;
}

int encl_lanes_take(encl_lanes *lanes, int64_t *start, int64_t *end) {
    int lane = 0;
    while (lane < lanes->count && lanes->ends[lane] > *start) {
        lane++;
    }
    if (lane == ENCL_LANES_MOST) {
        lane--;
    } else if (lane == lanes->count) {
        lanes->ends[lanes->count++] = *start;
    }
    encl_span_after(&lanes->ends[lane], start, end);
    return lane;
}
