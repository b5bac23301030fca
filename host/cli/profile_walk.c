// Where a run's time went: the walk over its commands, and sums over operators and layers.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/profile.h"

// The time by which `value` is before `floor`, and `value` moved there: drivers do give such times.
static int64_t clamp(int64_t value, int64_t floor, encl_parts *parts) {
    if (value >= floor) {
        return value;
    }
    parts->residual += (double)(floor - value);
    parts->clamped += 1;
    return floor;
}

// The part of the idle time [from, to) that lies before `until`; moves *from on.
static double take_idle(int64_t *from, int64_t until, int64_t to) {
    int64_t end = until < to ? until : to;
    if (end <= *from) {
        return 0;
    }
    double taken = (double)(end - *from);
    *from = end;
    return taken;
}

void encl_profile_walk(const encl_profile_record *records, size_t count, int64_t wall_ns, encl_parts *parts,
                       encl_profile_row *rows) {
    encl_parts run = {0};
    int64_t previous = 0; // latest END so far
    for (size_t i = 0; i < count; i++) {
        const encl_profile_record *record = &records[i];
        int64_t submit = clamp(record->submit_ns, record->queued_ns, &run);
        int64_t start = clamp(record->start_ns, submit, &run);
        int64_t end = clamp(record->end_ns, start, &run);
        encl_profile_row row = {.exec = (double)(end - start)};
        if (i == 0) {
            run.lead = (double)(start - record->queued_ns);
            previous = start;
        }
        row.host_gap = take_idle(&previous, record->queued_ns, start);
        row.queue_gap = take_idle(&previous, submit, start);
        row.launch_gap = take_idle(&previous, start, start);
        double busy = take_idle(&previous, end, end); // what no earlier command covers
        run.exec += busy;
        run.overlap += row.exec - busy;
        run.host_gap += row.host_gap;
        run.queue_gap += row.queue_gap;
        run.launch_gap += row.launch_gap;
        if (rows != NULL) {
            rows[i].exec += row.exec;
            rows[i].queued += (double)(submit - record->queued_ns);
            rows[i].submitted += (double)(start - submit);
            rows[i].host_gap += row.host_gap;
            rows[i].queue_gap += row.queue_gap;
            rows[i].launch_gap += row.launch_gap;
        }
    }
    run.tail = (double)wall_ns - (run.lead + run.exec + run.host_gap + run.queue_gap + run.launch_gap);
    if (run.tail < 0) {
        run.residual -= run.tail;
        run.clamped += 1;
        run.tail = 0;
    }
    parts->lead += run.lead;
    parts->exec += run.exec;
    parts->host_gap += run.host_gap;
    parts->queue_gap += run.queue_gap;
    parts->launch_gap += run.launch_gap;
    parts->tail += run.tail;
    parts->overlap += run.overlap;
    parts->residual += run.residual;
    parts->clamped += run.clamped;
}

static int compare_time(const void *a, const void *b) {
    double left = ((const encl_profile_group *)a)->exec;
    double right = ((const encl_profile_group *)b)->exec;
    return (left < right) - (left > right);
}

static int compare_layer(const void *a, const void *b) {
    int32_t left = ((const encl_profile_group *)a)->layer;
    int32_t right = ((const encl_profile_group *)b)->layer;
    return (left > right) - (left < right);
}

static bool belongs(const encl_profile_group *group, const encl_profile_record *record, bool by_layer) {
    return by_layer ? group->layer == record->layer
                    : strcmp(group->op, record->op) == 0 && strcmp(group->kernel, record->kernel) == 0;
}

encl_status encl_profile_group_rows(const encl_profile_result *result, bool by_layer, encl_profile_group **groups,
                                    size_t *count) {
    void *memory = NULL;
    *groups = NULL;
    *count = 0;
    encl_status status = encl_allocate(result->row_count, sizeof(encl_profile_group), &memory);
    if (status != ENCL_OK) {
        return status;
    }
    encl_profile_group *list = memory;
    size_t length = 0;
    for (size_t i = 0; i < result->row_count; i++) {
        const encl_profile_row *row = &result->rows[i];
        size_t place = 0;
        while (place < length && !belongs(&list[place], &row->record, by_layer)) {
            place++;
        }
        if (place == length) {
            list[length++] =
                (encl_profile_group){.layer = row->record.layer, .op = row->record.op, .kernel = row->record.kernel};
        }
        list[place].calls++;
        list[place].exec += row->exec;
        list[place].flops += row->record.flops;
        list[place].bytes += row->record.bytes;
    }
    qsort(list, length, sizeof *list, by_layer ? compare_layer : compare_time);
    *groups = list;
    *count = length;
    return ENCL_OK;
}
