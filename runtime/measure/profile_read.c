// What a profile says: the walk over a run's commands, sums over operators and layers, names for people.
#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/measure/profile.h"
#include "runtime/op/kernel.h"

// ---- The walk ---------------------------------------------------------------------------------------------

// `value`, or `floor` where it is before that: drivers do give such times.
static int64_t clamp(int64_t value, int64_t floor, encl_parts *parts) {
    if (value >= floor) {
        return value;
    }
    parts->residual += (double)floor - (double)value;
    parts->clamped += 1;
    return floor;
}

static double clamp_part(double part, encl_parts *parts) {
    if (part >= 0) {
        return part;
    }
    parts->residual -= part;
    parts->clamped += 1;
    return 0;
}

// The part of the idle time [from, to) that lies before `until`; moves *from on.
static double take_idle(int64_t *from, int64_t until, int64_t to) {
    const int64_t end = until < to ? until : to;
    if (end <= *from) {
        return 0;
    }
    const double taken = (double)encl_ns_between(*from, end);
    *from = end;
    return taken;
}

void encl_profile_row_add(encl_profile_row *row, const encl_profile_row *more) {
    row->calls += more->calls;
    row->exec += more->exec;
    row->queued += more->queued;
    row->submitted += more->submitted;
    row->host_gap += more->host_gap;
    row->queue_gap += more->queue_gap;
    row->launch_gap += more->launch_gap;
    row->flops += more->flops;
    row->bytes += more->bytes;
}

// The call, or where the clocks are not aligned the first QUEUED, → the first START.
static double lead_of(const encl_run_profile *run, const encl_clock_map *clock, int64_t start) {
    if (clock != NULL && clock->aligned) {
        return (double)encl_ns_between(run->begin_ns, encl_clock_map_host(clock, start));
    }
    return (double)encl_ns_between(run->records[0].queued_ns, start);
}

void encl_profile_walk(const encl_run_profile *run, const encl_clock_map *clock, encl_parts *parts,
                       encl_profile_row *rows) {
    encl_parts sums = {0};
    int64_t previous = 0; // latest END so far
    for (size_t i = 0; i < run->count; i++) {
        const encl_profile_record *record = &run->records[i];
        const int64_t submit = clamp(record->submit_ns, record->queued_ns, &sums);
        const int64_t start = clamp(record->start_ns, submit, &sums);
        const int64_t end = clamp(record->end_ns, start, &sums);
        encl_profile_row row = {.calls = 1,
                                .exec = (double)encl_ns_between(start, end),
                                .queued = (double)encl_ns_between(record->queued_ns, submit),
                                .submitted = (double)encl_ns_between(submit, start),
                                .flops = record->flops,
                                .bytes = record->bytes};
        if (i == 0) {
            sums.lead = clamp_part(lead_of(run, clock, start), &sums);
            previous = start;
        }
        row.host_gap = take_idle(&previous, record->queued_ns, start);
        row.queue_gap = take_idle(&previous, submit, start);
        row.launch_gap = take_idle(&previous, start, start);
        const double busy = take_idle(&previous, end, end); // what no earlier command covers
        sums.exec += busy;
        sums.overlap += row.exec - busy;
        sums.host_gap += row.host_gap;
        sums.queue_gap += row.queue_gap;
        sums.launch_gap += row.launch_gap;
        if (rows != NULL) {
            encl_profile_row_add(&rows[i], &row);
        }
    }
    const double before = sums.lead + sums.exec + sums.host_gap + sums.queue_gap + sums.launch_gap;
    sums.tail = clamp_part((double)encl_ns_between(run->begin_ns, run->end_ns) - before, &sums);
    parts->lead += sums.lead;
    parts->exec += sums.exec;
    parts->host_gap += sums.host_gap;
    parts->queue_gap += sums.queue_gap;
    parts->launch_gap += sums.launch_gap;
    parts->tail += sums.tail;
    parts->overlap += sums.overlap;
    parts->residual += sums.residual;
    parts->clamped += sums.clamped;
}

// ---- Groups -----------------------------------------------------------------------------------------------

static bool belongs(const encl_profile_group *group, const encl_profile_record *record, encl_profile_grouping by) {
    const bool layer = by == ENCL_PROFILE_BY_OPERATOR || group->layer == record->layer;
    const bool op = by == ENCL_PROFILE_BY_LAYER ||
                    (strcmp(group->op, record->op) == 0 && strcmp(group->kernel, record->kernel) == 0);
    return layer && op;
}

static bool comes_before(const encl_profile_group *a, const encl_profile_group *b, encl_profile_grouping by) {
    return by == ENCL_PROFILE_BY_OPERATOR ? a->exec > b->exec : a->layer < b->layer;
}

// Equal ones stay as they are: in the order they ran.
static void sort_groups(encl_profile_group *groups, size_t count, encl_profile_grouping by) {
    for (size_t i = 1; i < count; i++) {
        const encl_profile_group moved = groups[i];
        size_t place = i;
        while (place > 0 && comes_before(&moved, &groups[place - 1], by)) {
            groups[place] = groups[place - 1];
            place--;
        }
        groups[place] = moved;
    }
}

static void add_to_group(encl_profile_group *group, const encl_profile_row *row, encl_profile_grouping by) {
    group->why = by == ENCL_PROFILE_BY_LAYER ? "" : row->record.why;
    group->calls += row->calls;
    group->exec += row->exec;
    group->flops += row->flops;
    group->bytes += row->bytes;
    group->queued += row->queued;
    group->submitted += row->submitted;
    group->host_gap += row->host_gap;
    group->queue_gap += row->queue_gap;
    group->launch_gap += row->launch_gap;
}

encl_status encl_profile_groups(const encl_profile_case *of, encl_profile_grouping by, encl_profile_group **groups,
                                size_t *count) {
    void *memory = NULL;
    *groups = NULL;
    *count = 0;
    encl_status status = encl_allocate(of->row_count, sizeof(encl_profile_group), &memory);
    if (status != ENCL_OK) {
        return status;
    }
    encl_profile_group *list = memory;
    size_t length = 0;
    for (size_t i = 0; i < of->row_count; i++) {
        const encl_profile_record *record = &of->rows[i].record;
        size_t place = 0;
        while (place < length && !belongs(&list[place], record, by)) {
            place++;
        }
        if (place == length) {
            const bool whole = by == ENCL_PROFILE_BY_LAYER;
            list[length++] = (encl_profile_group){
                .layer = record->layer, .op = whole ? "" : record->op, .kernel = whole ? "" : record->kernel};
        }
        add_to_group(&list[place], &of->rows[i], by);
    }
    sort_groups(list, length, by);
    *groups = list;
    *count = length;
    return ENCL_OK;
}

// ---- Names ------------------------------------------------------------------------------------------------

const char *encl_profile_shape(const encl_profile_record *record, char text[ENCL_PROFILE_SHAPE_TEXT]) {
    char rows[16] = "*";
    text[0] = '\0';
    if (record->columns == 0) {
        return text;
    }
    if (record->rows != 0) {
        snprintf(rows, sizeof rows, "%d", (int)record->rows);
    }
    if (record->depth > 0) {
        snprintf(text, ENCL_PROFILE_SHAPE_TEXT, "%sx%dx%d", rows, (int)record->columns, (int)record->depth);
    } else {
        snprintf(text, ENCL_PROFILE_SHAPE_TEXT, "%sx%d", rows, (int)record->columns);
    }
    return text;
}

const char *encl_profile_layer(int32_t layer, int32_t layers, char text[16]) {
    if (layer <= 0) {
        return "before";
    }
    if (layer == INT32_MAX || (layers >= 0 && layer > layers + 1)) {
        return "read back";
    }
    if (layers >= 0 && layer == layers + 1) {
        return "after";
    }
    snprintf(text, 16, "%d", (int)layer);
    return text;
}

const char *encl_profile_variant(const char *kernel) {
    for (size_t i = 0; i < encl_kernel_row_count; i++) {
        if (strcmp(encl_kernel_rows[i].name, kernel) == 0) {
            return encl_family_name(encl_kernel_rows[i].family);
        }
    }
    return strcmp(kernel, "clblast") == 0 ? "library" : "";
}
