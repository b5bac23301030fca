// A profile for people: tables that fit 110 columns.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/profile/profile.h"
#include "host/cli/provenance.h"

// ---- Figures ----------------------------------------------------------------------------------------------

double encl_profile_us(double ns) {
    return ns / 1e3;
}

double encl_profile_pct(double part, double whole) {
    return whole > 0 ? 100 * part / whole : 0;
}

double encl_profile_rate(double amount, double ns) {
    return ns > 0 ? amount / ns : 0;
}

double encl_profile_cost_pct(const encl_profile_case *of) {
    return 100 * (of->cost.ratio - 1);
}

encl_roof encl_profile_roof(const encl_profile *profile, double calls, double flops, double bytes, double exec) {
    const double each = fmax(calls, 1);
    return encl_roof_of(profile->peaks_known ? &profile->peaks : NULL, flops / each, bytes / each, exec / each);
}

// ---- Cells ------------------------------------------------------------------------------------------------

// What is not known is a dash.
static encl_status put(encl_table *table, int decimals, double value) {
    return isfinite(value) ? encl_table_cell(table, "%.*f", decimals, value) : encl_table_cell(table, "-");
}

static encl_status put_ms(encl_table *table, double ns) {
    return put(table, 3, ns / 1e6);
}

static const char *plural(double count, const char *one, const char *many) {
    return count == 1 ? one : many;
}

// Calls are whole but where runs of a case are means of different ones.
static encl_status put_calls(encl_table *table, double calls) {
    return put(table, calls == floor(calls) ? 0 : 1, calls);
}

enum { LEAST_NS = 10 }; // no command takes less, but for drivers that give no times

// Not known where there was none of it, or no time.
static encl_status put_rate(encl_table *table, double amount, const encl_profile_group *group) {
    const bool known = amount > 0 && group->exec >= LEAST_NS * group->calls;
    return put(table, 1, known ? encl_profile_rate(amount, group->exec) : NAN);
}

// What every table of groups says behind its names.
#define GROUP_HEADINGS ">calls", ">run ms", ">% wall", ">gap ms", ">GF/s", ">GB/s"

static encl_status put_group(encl_table *table, const encl_profile_case *of, const encl_profile_group *group) {
    encl_status status = ENCL_OK;
    ENCL_TRY(put_calls(table, group->calls));
    ENCL_TRY(put_ms(table, group->exec));
    ENCL_TRY(put(table, 1, encl_profile_pct(group->exec, of->wall)));
    ENCL_TRY(put_ms(table, group->host_gap));
    ENCL_TRY(put_rate(table, group->flops, group));
    ENCL_TRY(put_rate(table, group->bytes, group));
cleanup:
    return status;
}

const char *encl_profile_bound(const encl_roof *roof) {
    return roof->roof_pct > 100 && strcmp(roof->bound, "memory") == 0 ? "cache" : roof->bound;
}

static encl_status put_roof(encl_table *table, const encl_profile *profile, const encl_profile_group *group) {
    const encl_roof roof = encl_profile_roof(profile, group->calls, group->flops, group->bytes, group->exec);
    encl_status status = put(table, 0, roof.roof_pct);
    return status == ENCL_OK ? encl_table_cell(table, "%s", encl_profile_bound(&roof)) : status;
}

// ---- Tables -----------------------------------------------------------------------------------------------

// `by` both: a layer's operators, with the layer's name before them.
static encl_status print_operators(const encl_profile *profile, const encl_profile_case *of, encl_profile_grouping by) {
    static const char *const headings[] = {"layer", "operator", "kernel", GROUP_HEADINGS, ">% peak", "bound"};
    encl_status status = ENCL_OK;
    const size_t skipped = by == ENCL_PROFILE_BY_BOTH ? 0 : 1;
    encl_profile_group *groups = NULL;
    size_t count = 0;
    encl_table *table = NULL;
    char name[16];
    ENCL_TRY(encl_profile_groups(of, by, &groups, &count));
    ENCL_TRY(encl_table_create(headings + skipped, sizeof headings / sizeof headings[0] - skipped, &table));
    for (size_t i = 0; i < count; i++) {
        if (by == ENCL_PROFILE_BY_BOTH) {
            if (i > 0 && groups[i].layer != groups[i - 1].layer) {
                ENCL_TRY(encl_table_rule(table));
            }
            ENCL_TRY(encl_table_cell(table, "%s", encl_profile_layer(groups[i].layer, profile->layers, name)));
        }
        ENCL_TRY(encl_table_cell(table, "%s", groups[i].op));
        ENCL_TRY(encl_table_cell(table, "%s", groups[i].kernel));
        ENCL_TRY(put_group(table, of, &groups[i]));
        ENCL_TRY(put_roof(table, profile, &groups[i]));
    }
    ENCL_TRY(encl_table_print(table, stdout));
cleanup:
    encl_table_destroy(table);
    free(groups);
    return status;
}

static encl_status print_layers(const encl_profile *profile, const encl_profile_case *of) {
    static const char *const headings[] = {">layer", GROUP_HEADINGS};
    encl_status status = ENCL_OK;
    encl_profile_group *groups = NULL;
    size_t count = 0;
    encl_table *table = NULL;
    char name[16];
    ENCL_TRY(encl_profile_groups(of, ENCL_PROFILE_BY_LAYER, &groups, &count));
    ENCL_TRY(encl_table_create(headings, sizeof headings / sizeof headings[0], &table));
    for (size_t i = 0; i < count; i++) {
        ENCL_TRY(encl_table_cell(table, "%s", encl_profile_layer(groups[i].layer, profile->layers, name)));
        ENCL_TRY(put_group(table, of, &groups[i]));
    }
    ENCL_TRY(encl_table_print(table, stdout));
cleanup:
    encl_table_destroy(table);
    free(groups);
    return status;
}

#define WAIT_HEADINGS ">calls", ">queued ms", ">submit ms", ">host gap ms", ">queue gap ms", ">launch gap ms"

// How long a call waited, and what the device was idle for before these commands. Waits are a call's, because they
// overlap; idle times are sums.
static encl_status print_waits(const encl_profile *profile, const encl_profile_case *of, encl_profile_grouping by) {
    static const char *const headings[] = {"operator", "kernel", WAIT_HEADINGS};
    static const char *const layer_headings[] = {">layer", WAIT_HEADINGS};
    encl_status status = ENCL_OK;
    const bool layers = by == ENCL_PROFILE_BY_LAYER;
    encl_profile_group *groups = NULL;
    size_t count = 0;
    encl_table *table = NULL;
    char name[16];
    ENCL_TRY(encl_profile_groups(of, by, &groups, &count));
    ENCL_TRY(encl_table_create(layers ? layer_headings : headings,
                               (layers ? sizeof layer_headings : sizeof headings) / sizeof headings[0], &table));
    for (size_t i = 0; i < count; i++) {
        const encl_profile_group *group = &groups[i];
        const double calls = fmax(group->calls, 1);
        if (layers) {
            ENCL_TRY(encl_table_cell(table, "%s", encl_profile_layer(group->layer, profile->layers, name)));
        } else {
            ENCL_TRY(encl_table_cell(table, "%s", group->op));
            ENCL_TRY(encl_table_cell(table, "%s", group->kernel));
        }
        ENCL_TRY(put_calls(table, group->calls));
        ENCL_TRY(put_ms(table, group->queued / calls));
        ENCL_TRY(put_ms(table, group->submitted / calls));
        ENCL_TRY(put_ms(table, group->host_gap));
        ENCL_TRY(put_ms(table, group->queue_gap));
        ENCL_TRY(put_ms(table, group->launch_gap));
    }
    ENCL_TRY(encl_table_print(table, stdout));
cleanup:
    encl_table_destroy(table);
    free(groups);
    return status;
}

// Which kernels serve, and why. Copies have no reason.
static encl_status print_choices(const encl_profile_case *of) {
    static const char *const headings[] = {"operator", "kernel", "why"};
    encl_status status = ENCL_OK;
    encl_table *table = NULL;
    ENCL_TRY(encl_table_create(headings, 3, &table));
    for (size_t i = 0; i < of->row_count; i++) {
        const encl_profile_record *record = &of->rows[i].record;
        bool seen = record->why[0] == '\0';
        for (size_t j = 0; j < i && !seen; j++) {
            const encl_profile_record *before = &of->rows[j].record;
            seen = strcmp(before->op, record->op) == 0 && strcmp(before->kernel, record->kernel) == 0 &&
                   strcmp(before->why, record->why) == 0;
        }
        if (!seen) {
            ENCL_TRY(encl_table_cell(table, "%s", record->op));
            ENCL_TRY(encl_table_cell(table, "%s", record->kernel));
            ENCL_TRY(encl_table_cell(table, "%s", record->why));
        }
    }
    ENCL_TRY(encl_table_print(table, stdout));
cleanup:
    encl_table_destroy(table);
    return status;
}

static encl_status print_parts(const encl_profile_case *of) {
    static const char *const headings[] = {"wall time", ">ms", ">%"};
    const encl_parts *parts = &of->parts;
    const struct {
        const char *name;
        double ns;
    } rows[] = {{"lead", parts->lead},           {"commands", parts->exec},         {"host gap", parts->host_gap},
                {"queue gap", parts->queue_gap}, {"launch gap", parts->launch_gap}, {"tail", parts->tail}};
    const size_t count = sizeof rows / sizeof rows[0];
    encl_status status = ENCL_OK;
    encl_table *table = NULL;
    ENCL_TRY(encl_table_create(headings, 3, &table));
    for (size_t i = 0; i < count; i++) {
        ENCL_TRY(encl_table_cell(table, "%s", rows[i].name));
        ENCL_TRY(put_ms(table, rows[i].ns));
        ENCL_TRY(put(table, 2, encl_profile_pct(rows[i].ns, of->wall)));
    }
    ENCL_TRY(encl_table_rule(table));
    ENCL_TRY(encl_table_cell(table, "wall"));
    ENCL_TRY(put_ms(table, of->wall));
    ENCL_TRY(put(table, 2, 100));
    ENCL_TRY(encl_table_cell(table, "residual"));
    ENCL_TRY(put_ms(table, parts->residual));
    ENCL_TRY(put(table, 2, encl_profile_pct(parts->residual, of->wall)));
    ENCL_TRY(encl_table_print(table, stdout));
cleanup:
    encl_table_destroy(table);
    return status;
}

static encl_status print_statistics(const encl_profile_case *of) {
    static const char *const headings[] = {"of a run", ">runs",   ">min ms",  ">p50 ms",
                                           ">p90 ms",  ">max ms", ">mean ms", ">spread %"};
    const struct {
        const char *name;
        const encl_statistics *statistics;
    } rows[] = {{"plain", &of->plain}, {"profiled", &of->profiled}};
    encl_status status = ENCL_OK;
    encl_table *table = NULL;
    ENCL_TRY(encl_table_create(headings, sizeof headings / sizeof headings[0], &table));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const encl_statistics *s = rows[i].statistics;
        if (s->count == 0) {
            continue;
        }
        ENCL_TRY(encl_table_cell(table, "%s", rows[i].name));
        ENCL_TRY(encl_table_cell(table, "%zu", s->count));
        ENCL_TRY(put_ms(table, s->min));
        ENCL_TRY(put_ms(table, s->p50));
        ENCL_TRY(put_ms(table, s->p90));
        ENCL_TRY(put_ms(table, s->max));
        ENCL_TRY(put_ms(table, s->mean));
        ENCL_TRY(put(table, 1, s->riqr_pct));
    }
    ENCL_TRY(encl_table_print(table, stdout));
cleanup:
    encl_table_destroy(table);
    return status;
}

// What to know first: how fast it is, without profiling, and what profiling adds.
static void print_head(const encl_profile *profile, const encl_profile_case *of) {
    printf("%s: %d %s, %d %s", of->name, of->sequences, plural(of->sequences, "sequence", "sequences"), of->tokens,
           plural(of->tokens, "token", "tokens"));
    if (profile->device != NULL) {
        printf(", on %s", profile->device->name);
    }
    putchar('\n');
    if (of->plain.p50 > 0) {
        printf("%.3f ms a run, %.0f tokens/s (median of %zu without profiling); profiling costs %+.1f %%",
               of->plain.p50 / 1e6, of->tokens * 1e9 / of->plain.p50, of->plain.count, encl_profile_cost_pct(of));
        if (isfinite(of->cost.lo)) {
            printf("\n  (95 %% sure: %+.1f to %+.1f %%)", 100 * (of->cost.lo - 1), 100 * (of->cost.hi - 1));
        }
        putchar('\n');
    }
    putchar('\n');
}

// What it took to get ready, and what a run is held against.
static void print_making(const encl_profile *profile, const encl_profile_case *of) {
    char weights[ENCL_BYTES_TEXT];
    char arena[ENCL_BYTES_TEXT];
    char all[ENCL_BYTES_TEXT];
    char measured[ENCL_TIME_TEXT];
    char precision[ENCL_PRECISION_TEXT];
    for (size_t i = 0; i < of->executable_count; i++) {
        const encl_executable_info *info = &of->executables[i].info;
        printf("build %.0f ms (%d %s, %d from the cache), upload %.0f ms, products by %s in %s\n",
               (double)info->build_ns / 1e6, info->programs, plural(info->programs, "program", "programs"),
               info->programs_from_cache, (double)info->upload_ns / 1e6, info->gemm,
               encl_precision_text(info, precision));
        printf("device memory %s: weights %s, arena %s\n", encl_bytes_text(info->device_bytes, all),
               encl_bytes_text(info->weight_bytes, weights), encl_bytes_text(info->arena_bytes, arena));
        if (info->quarantined > 0) {
            printf("%d kernel %s failed here and %s not used\n", info->quarantined,
                   plural(info->quarantined, "row", "rows"), plural(info->quarantined, "is", "are"));
        }
    }
    if (of->tokenize_ns > 0) {
        printf("tokenize %.3f ms (not in the wall time)\n", (double)of->tokenize_ns / 1e6);
    }
    if (of->first_ns > 0) {
        printf("first run %.3f ms\n", (double)of->first_ns / 1e6);
    }
    if (profile->peaks_known) {
        const encl_peaks *peaks = &profile->peaks;
        printf("peaks %.1f GF/s, %.1f GB/s, an empty kernel %.1f us (measured %s)\n", peaks->fp32_gflops,
               peaks->memory_gbs, peaks->launch_us, encl_time_text(peaks->measured_at, measured));
    }
}

static void print_reconciled(const encl_profile_case *of) {
    const encl_clock_map *clock = of->timeline_count > 0 ? &of->timeline[of->timeline_count - 1].clock : NULL;
    printf("%s: %.3f us of times out of order, %.3f us of overlap;\n", of->reconciled ? "reconciled" : "NOT RECONCILED",
           encl_profile_us(of->parts.residual), encl_profile_us(of->parts.overlap));
    if (clock != NULL && clock->aligned) {
        printf("  clocks aligned to %.1f us\n", (double)clock->width_ns / 1e3);
    } else {
        printf("  clocks not aligned (lead begins when the first command is queued)\n");
    }
    if (of->row_count > 0 && of->parts.exec < LEAST_NS * (double)of->row_count) {
        puts("  this driver gives no times of its commands, so only the times of whole runs mean something");
    }
}

// Explains what is not plain from the table of operators.
static void print_legend(const encl_profile *profile) {
    puts("gap: the device was idle before these commands, because nothing was enqueued");
    if (profile->peaks_known) {
        puts("% peak: of what the device can do in fp32 with as many operations a byte; "
             "over 100: the bytes came from a");
        puts("cache, or the numbers were of fewer bits");
    }
    putchar('\n');
}

static encl_status print_all(const encl_profile *profile, const encl_profile_case *of) {
    encl_status status = ENCL_OK;
    ENCL_TRY(print_operators(profile, of, ENCL_PROFILE_BY_BOTH));
    putchar('\n');
    ENCL_TRY(print_waits(profile, of, ENCL_PROFILE_BY_OPERATOR));
    putchar('\n');
    ENCL_TRY(print_waits(profile, of, ENCL_PROFILE_BY_LAYER));
    puts("queued, submit: how long a call waited before the driver took it, and then before it ran (means)");
    puts("Calls wait while others run, so do not add these up; gaps, when the device was idle, add up.\n");
cleanup:
    return status;
}

encl_status encl_profile_print(const encl_profile *profile, const encl_profile_case *of, bool all) {
    encl_status status = ENCL_OK;
    print_head(profile, of);
    ENCL_TRY(print_operators(profile, of, ENCL_PROFILE_BY_OPERATOR));
    print_legend(profile);
    ENCL_TRY(print_layers(profile, of));
    putchar('\n');
    if (all) {
        ENCL_TRY(print_all(profile, of));
    }
    ENCL_TRY(print_parts(of));
    print_reconciled(of);
    putchar('\n');
    ENCL_TRY(print_choices(of));
    putchar('\n');
    ENCL_TRY(print_statistics(of));
    putchar('\n');
    print_making(profile, of);
cleanup:
    return status;
}

encl_status encl_profile_print_summary(const encl_profile *profile) {
    static const char *const headings[] = {"case",        ">tokens", ">plain p50 ms", ">tokens/s",    ">wall ms",
                                           ">commands %", ">gaps %", ">residual %",   ">profiling %", "reconciled"};
    encl_status status = ENCL_OK;
    encl_table *table = NULL;
    ENCL_TRY(encl_table_create(headings, sizeof headings / sizeof headings[0], &table));
    for (size_t i = 0; i < profile->case_count; i++) {
        const encl_profile_case *c = &profile->cases[i];
        const double gaps = c->parts.host_gap + c->parts.queue_gap + c->parts.launch_gap;
        ENCL_TRY(encl_table_cell(table, "%s", c->name));
        ENCL_TRY(encl_table_cell(table, "%d", c->tokens));
        ENCL_TRY(put_ms(table, c->plain.p50));
        ENCL_TRY(put(table, 0, c->plain.p50 > 0 ? c->tokens * 1e9 / c->plain.p50 : NAN));
        ENCL_TRY(put_ms(table, c->wall));
        ENCL_TRY(put(table, 2, encl_profile_pct(c->parts.exec, c->wall)));
        ENCL_TRY(put(table, 2, encl_profile_pct(gaps, c->wall)));
        ENCL_TRY(put(table, 2, encl_profile_pct(c->parts.residual, c->wall)));
        ENCL_TRY(put(table, 1, encl_profile_cost_pct(c)));
        ENCL_TRY(encl_table_cell(table, "%s", c->reconciled ? "yes" : "NO"));
    }
    ENCL_TRY(encl_table_print(table, stdout));
cleanup:
    encl_table_destroy(table);
    return status;
}
