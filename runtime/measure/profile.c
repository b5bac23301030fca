// Collects a profile, run by run. What lives only as long as an executable or a run is copied.
#include "runtime/measure/profile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/graph/executable.h"

static const uint64_t cost_seed = 1;

struct encl_profile_store {
    char **texts; // every text of records once, sorted
    size_t text_count, text_capacity;
    // Of the case that is collected:
    bool open;
    size_t row_capacity, wall_capacity, timeline_capacity, executable_capacity;
    size_t timeline_records;
    int64_t *samples; // [runs, rows] of a repeated case: commands' times
    size_t sample_capacity;
    encl_profile_row *scratch; // a run's rows
    size_t scratch_capacity;
};

// ---- Memory -----------------------------------------------------------------------------------------------

static void free_case(encl_profile_case *c) {
    for (size_t i = 0; i < c->timeline_count; i++) {
        free((void *)c->timeline[i].run.records);
    }
    free(c->name);
    free(c->wall_ns);
    free(c->plain_ns);
    free(c->rows);
    free(c->timeline);
    free(c->executables);
}

void encl_profile_free(encl_profile *profile) {
    for (size_t i = 0; i < profile->case_count; i++) {
        free_case(&profile->cases[i]);
    }
    if (profile->store != NULL) {
        for (size_t i = 0; i < profile->store->text_count; i++) {
            free(profile->store->texts[i]);
        }
        free(profile->store->texts);
        free(profile->store->samples);
        free(profile->store->scratch);
        free(profile->store);
    }
    free(profile->cases);
    free(profile->command);
    *profile = (encl_profile){0};
}

// The profile's own copy of a text.
static encl_status keep_text(encl_profile_store *store, const char *text, const char **kept) {
    encl_status status = ENCL_OK;
    size_t low = 0;
    size_t high = store->text_count;
    text = text == NULL ? "" : text;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(store->texts[middle], text);
        if (order == 0) {
            *kept = store->texts[middle];
            return ENCL_OK;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    char *copy = NULL;
    ENCL_TRY(encl_reserve((void **)&store->texts, &store->text_capacity, store->text_count + 1, sizeof *store->texts));
    ENCL_TRY(encl_copy_text(text, strlen(text), &copy));
    memmove(store->texts + low + 1, store->texts + low, (store->text_count - low) * sizeof *store->texts);
    store->texts[low] = copy;
    store->text_count++;
    *kept = copy;
cleanup:
    return status;
}

static encl_status keep_record(encl_profile_store *store, const encl_profile_record *from, encl_profile_record *to) {
    encl_status status = ENCL_OK;
    encl_profile_record kept = *from;
    ENCL_TRY(keep_text(store, from->op, &kept.op));
    ENCL_TRY(keep_text(store, from->kernel, &kept.kernel));
    ENCL_TRY(keep_text(store, from->why, &kept.why));
    ENCL_TRY(keep_text(store, from->fused, &kept.fused));
    *to = kept;
cleanup:
    return status;
}

// ---- A run ------------------------------------------------------------------------------------------------

// created_ns tells executables apart: an address may be another's by now.
static encl_status find_executable(encl_profile *profile, encl_profile_case *c, const encl_executable *executable,
                                   int32_t *index) {
    encl_status status = ENCL_OK;
    const encl_executable_info *info = encl_executable_get_info(executable);
    for (size_t i = 0; i < c->executable_count; i++) {
        if (c->executables[i].info.created_ns == info->created_ns) {
            *index = (int32_t)i;
            return ENCL_OK;
        }
    }
    ENCL_TRY(encl_reserve((void **)&c->executables, &profile->store->executable_capacity, c->executable_count + 1,
                          sizeof *c->executables));
    for (size_t i = 0; i < c->executable_count; i++) {
        c->executables[i].info.gemm = c->executables[i].gemm; // they may have moved
    }
    encl_profile_executable *added = &c->executables[c->executable_count];
    *added = (encl_profile_executable){.info = *info};
    snprintf(added->gemm, sizeof added->gemm, "%s", info->gemm == NULL ? "" : info->gemm);
    added->info.gemm = added->gemm;
    *index = (int32_t)c->executable_count++;
    profile->device = executable->device == NULL ? profile->device : encl_device_get_info(executable->device);
cleanup:
    return status;
}

static bool same_command(const encl_profile_record *a, const encl_profile_record *b) {
    return a->layer == b->layer && a->columns == b->columns && a->depth == b->depth && a->op == b->op &&
           a->kernel == b->kernel && a->fused == b->fused;
}

static void add_row(encl_profile_row *row, const encl_profile_row *more) {
    const int32_t rows = row->record.rows == more->record.rows ? row->record.rows : 0;
    row->record = more->record;
    row->record.rows = rows;
    encl_profile_row_add(row, more);
}

// Adds a run's rows to those of commands that are the same. Runs are much alike, so the search for one goes on where
// the last was found.
static encl_status merge_rows(encl_profile_store *store, encl_profile_case *c, size_t count) {
    encl_status status = ENCL_OK;
    size_t place = 0;
    for (size_t i = 0; i < count; i++) {
        const encl_profile_row *row = &store->scratch[i];
        size_t tried = 0;
        while (tried < c->row_count && !same_command(&c->rows[place].record, &row->record)) {
            place = place + 1 < c->row_count ? place + 1 : 0;
            tried++;
        }
        if (tried < c->row_count) {
            add_row(&c->rows[place], row);
            continue;
        }
        ENCL_TRY(encl_reserve((void **)&c->rows, &store->row_capacity, c->row_count + 1, sizeof *c->rows));
        c->rows[c->row_count++] = *row;
    }
cleanup:
    return status;
}

// A row for every command; all runs have the same ones.
static encl_status repeat_rows(encl_profile_store *store, encl_profile_case *c, size_t count) {
    encl_status status = ENCL_OK;
    if (c->runs == 0) {
        ENCL_TRY(encl_reserve((void **)&c->rows, &store->row_capacity, count, sizeof *c->rows));
        memcpy(c->rows, store->scratch, count * sizeof *c->rows);
        c->row_count = count;
    } else if (c->row_count != count) {
        return encl_fail(ENCL_INTERNAL, "profile of %s: found %zu commands in a run, expected %zu as in the first",
                         c->name, count, c->row_count);
    } else {
        for (size_t i = 0; i < count; i++) {
            const encl_profile_record *now = &store->scratch[i].record;
            if (!same_command(&c->rows[i].record, now) || c->rows[i].record.rows != now->rows) {
                return encl_fail(ENCL_INTERNAL,
                                 "profile of %s: found %s as command %zu of a run, expected %s as in "
                                 "the first",
                                 c->name, now->op, i, c->rows[i].record.op);
            }
        }
        for (size_t i = 0; i < count; i++) {
            add_row(&c->rows[i], &store->scratch[i]);
        }
    }
    const size_t used = (size_t)c->runs * count;
    ENCL_TRY(encl_reserve((void **)&store->samples, &store->sample_capacity, used + count, sizeof *store->samples));
    for (size_t i = 0; i < count; i++) {
        store->samples[used + i] = (int64_t)store->scratch[i].exec;
    }
cleanup:
    return status;
}

// Copies the run for drawing, unless there are enough of them.
static encl_status keep_timeline(encl_profile_store *store, encl_profile_case *c, const encl_run_profile *run,
                                 const encl_clock_map *clock, int32_t executable) {
    encl_status status = ENCL_OK;
    encl_profile_record *records = NULL;
    encl_profile_timeline drawn = {.run = *run, .clock = *clock, .executable = executable};
    if (c->repeated && c->timeline_count > 0) {
        free((void *)c->timeline[0].run.records);
        c->timeline_count = 0;
        store->timeline_records = 0;
    }
    if (c->timeline_left_out > 0 ||
        (c->timeline_count > 0 && store->timeline_records + run->count > ENCL_PROFILE_TIMELINE_RECORDS)) {
        c->timeline_left_out++;
        return ENCL_OK;
    }
    ENCL_TRY(
        encl_reserve((void **)&c->timeline, &store->timeline_capacity, c->timeline_count + 1, sizeof *c->timeline));
    ENCL_TRY(encl_allocate(run->count, sizeof *records, (void **)&records));
    for (size_t i = 0; i < run->count; i++) {
        ENCL_TRY(keep_record(store, &run->records[i], &records[i]));
    }
    drawn.run.records = records;
    records = NULL;
    c->timeline[c->timeline_count++] = drawn;
    store->timeline_records += run->count;
cleanup:
    free(records);
    return status;
}

encl_status encl_profile_collect(void *context, const encl_executable *executable, const encl_run_profile *run) {
    encl_status status = ENCL_OK;
    encl_profile *profile = context;
    encl_profile_store *store = profile->store;
    int32_t index = 0;
    if (store == NULL || !store->open) {
        return encl_fail(ENCL_INTERNAL, "profile: found a run outside of a case");
    }
    encl_profile_case *c = &profile->cases[profile->case_count - 1];
    const encl_clock_map clock = encl_clock_map_of(run->records, run->count);
    ENCL_TRY(find_executable(profile, c, executable, &index));
    ENCL_TRY(encl_reserve((void **)&store->scratch, &store->scratch_capacity, run->count, sizeof *store->scratch));
    for (size_t i = 0; i < run->count; i++) {
        store->scratch[i] = (encl_profile_row){.exec_p50 = NAN};
        ENCL_TRY(keep_record(store, &run->records[i], &store->scratch[i].record));
    }
    encl_parts parts = {0};
    encl_profile_walk(run, &clock, &parts, store->scratch);
    ENCL_TRY(encl_reserve((void **)&c->wall_ns, &store->wall_capacity, (size_t)c->runs + 1, sizeof *c->wall_ns));
    ENCL_TRY(c->repeated ? repeat_rows(store, c, run->count) : merge_rows(store, c, run->count));
    ENCL_TRY(keep_timeline(store, c, run, &clock, index));
    encl_profile_walk(run, &clock, &c->parts, NULL);
    c->wall_ns[c->runs++] = encl_ns_between(run->begin_ns, run->end_ns);
    c->sequences = c->repeated ? run->sequences : c->sequences + run->sequences;
    c->tokens = c->repeated ? run->tokens : c->tokens + run->tokens;
cleanup:
    return status;
}

// ---- A case -----------------------------------------------------------------------------------------------

encl_status encl_profile_case_begin(encl_profile *profile, const char *name, bool repeated) {
    encl_status status = ENCL_OK;
    encl_profile_case begun = {.repeated = repeated};
    if (profile->store == NULL) {
        ENCL_TRY(encl_allocate(1, sizeof *profile->store, (void **)&profile->store));
    }
    ENCL_TRY(encl_reserve((void **)&profile->cases, &profile->case_capacity, profile->case_count + 1,
                          sizeof *profile->cases));
    ENCL_TRY(encl_copy_text(name, strlen(name), &begun.name));
    profile->cases[profile->case_count++] = begun;
    encl_profile_store *store = profile->store;
    store->row_capacity = store->wall_capacity = store->timeline_capacity = store->executable_capacity = 0;
    store->timeline_records = 0;
    store->open = true;
cleanup:
    return status;
}

// Medians of the commands' times; column is scratch memory for one command's.
static encl_status find_medians(const encl_profile_store *store, encl_profile_case *c) {
    encl_status status = ENCL_OK;
    int64_t *column = NULL;
    const size_t runs = (size_t)c->runs;
    ENCL_TRY(encl_allocate(runs, sizeof *column, (void **)&column));
    for (size_t i = 0; i < c->row_count; i++) {
        encl_statistics statistics;
        for (size_t run = 0; run < runs; run++) {
            column[run] = store->samples[run * c->row_count + i];
        }
        ENCL_TRY(encl_statistics_of(column, runs, &statistics));
        c->rows[i].exec_p50 = statistics.p50;
    }
cleanup:
    free(column);
    return status;
}

// Sums over the runs become means.
static void divide(encl_profile_case *c) {
    const double runs = (double)c->runs;
    double *parts[] = {&c->parts.lead, &c->parts.exec,    &c->parts.host_gap, &c->parts.queue_gap, &c->parts.launch_gap,
                       &c->parts.tail, &c->parts.overlap, &c->parts.residual, &c->parts.clamped,   &c->wall};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        *parts[i] /= runs;
    }
    for (size_t i = 0; i < c->row_count; i++) {
        encl_profile_row *row = &c->rows[i];
        double *values[] = {&row->calls,     &row->exec,       &row->queued, &row->submitted, &row->host_gap,
                            &row->queue_gap, &row->launch_gap, &row->flops,  &row->bytes};
        for (size_t j = 0; j < sizeof values / sizeof values[0]; j++) {
            *values[j] /= runs;
        }
    }
}

// What was clamped is the doubt about the sum; one in-order queue has nothing to overlap; and commands' times are what
// the rows say.
static bool is_reconciled(const encl_profile_case *c) {
    const double runs = c->repeated ? 1 : (double)c->runs;
    double rows = 0;
    for (size_t i = 0; i < c->row_count; i++) {
        rows += c->rows[i].exec;
    }
    const bool rows_agree = fabs(rows - c->parts.exec - c->parts.overlap) <= 1e-9 * fmax(rows, 1e9);
    return c->runs > 0 && c->parts.residual <= fmax(0.005 * c->wall, 10000 * runs) && c->parts.overlap <= 0 &&
           rows_agree;
}

encl_status encl_profile_case_end(encl_profile *profile, int64_t command_ns) {
    encl_status status = ENCL_OK;
    encl_profile_store *store = profile->store;
    if (store == NULL || !store->open) {
        return encl_fail(ENCL_INTERNAL, "profile: found the end of a case that was not begun");
    }
    encl_profile_case *c = &profile->cases[profile->case_count - 1];
    store->open = false;
    ENCL_TRY(encl_statistics_of(c->wall_ns, (size_t)c->runs, &c->profiled));
    ENCL_TRY(encl_statistics_of(c->plain_ns, (size_t)c->plain_runs, &c->plain));
    c->cost = (encl_ratio){NAN, NAN, NAN};
    if (c->profiled.min >= 1 && c->plain.min >= 1) { // false where there are none
        ENCL_TRY(encl_ratio_of_medians(c->plain_ns, (size_t)c->plain_runs, c->wall_ns, (size_t)c->runs, cost_seed,
                                       &c->cost));
    }
    for (int64_t i = 0; i < c->runs; i++) {
        c->wall += (double)c->wall_ns[i];
    }
    if (c->repeated && c->runs > 0) {
        ENCL_TRY(find_medians(store, c));
        divide(c);
    } else if (!c->repeated && command_ns > 0) {
        c->outside = fmax((double)command_ns - c->wall, 0);
    }
    c->reconciled = is_reconciled(c);
cleanup:
    free(store->samples);
    store->samples = NULL;
    store->sample_capacity = 0;
    return status;
}
