// A profile for programs: JSON lines. Times of a run are means, because means add up and medians do not.
#include <math.h>
#include <stdlib.h>

#include "host/cli/device_block.h"
#include "host/cli/profile/profile.h"
#include "host/cli/provenance.h"

// ---- Header -----------------------------------------------------------------------------------------------

encl_status encl_profile_print_header(const encl_call *call, const encl_model_info *model, const encl_device *device,
                                      const encl_profile *profile) {
    encl_line line;
    encl_line_start(&line);
    encl_line_text(&line, "schema", "encl.profile/1");
    encl_line_item(&line, "encl", encl_build_block());
    encl_line_item(&line, "run", encl_run_block(call->globals));
    encl_line_item(&line, "host", encl_host_block());
    encl_line_text(&line, "model", model->path);
    encl_line_item(&line, "device", encl_device_block(device, false));
    encl_line_item(&line, "peaks", encl_peaks_block(profile->peaks_known ? &profile->peaks : NULL));
    return encl_line_print(&line, stdout);
}

// ---- Case -------------------------------------------------------------------------------------------------

static cJSON *parts_block(const encl_parts *parts) {
    encl_line line;
    encl_line_start(&line);
    encl_line_number(&line, "lead_us", encl_profile_us(parts->lead));
    encl_line_number(&line, "exec_us", encl_profile_us(parts->exec));
    encl_line_number(&line, "host_gap_us", encl_profile_us(parts->host_gap));
    encl_line_number(&line, "queue_gap_us", encl_profile_us(parts->queue_gap));
    encl_line_number(&line, "launch_gap_us", encl_profile_us(parts->launch_gap));
    encl_line_number(&line, "tail_us", encl_profile_us(parts->tail));
    encl_line_number(&line, "overlap_us", encl_profile_us(parts->overlap));
    encl_line_number(&line, "residual_us", encl_profile_us(parts->residual));
    encl_line_number(&line, "clamped", parts->clamped);
    return encl_line_take(&line);
}

// Waits are a call's: those of commands overlap, so a sum would say nothing.
static cJSON *group_block(const encl_profile *profile, const encl_profile_case *of, const encl_profile_group *group,
                          encl_profile_grouping by) {
    const encl_roof roof = encl_profile_roof(profile, group->calls, group->flops, group->bytes, group->exec);
    const double calls = fmax(group->calls, 1);
    char name[16];
    encl_line line;
    encl_line_start(&line);
    if (by != ENCL_PROFILE_BY_OPERATOR) {
        encl_line_number(&line, "layer", group->layer);
        encl_line_text(&line, "name", encl_profile_layer(group->layer, profile->layers, name));
    }
    if (by != ENCL_PROFILE_BY_LAYER) {
        encl_line_text(&line, "op", group->op);
        encl_line_text(&line, "kernel", group->kernel);
        encl_line_text(&line, "why", group->why);
    }
    encl_line_number(&line, "calls", group->calls);
    encl_line_number(&line, "queued_us", encl_profile_us(group->queued / calls));
    encl_line_number(&line, "submit_us", encl_profile_us(group->submitted / calls));
    encl_line_number(&line, "exec_us", encl_profile_us(group->exec));
    encl_line_number(&line, "host_gap_us", encl_profile_us(group->host_gap));
    encl_line_number(&line, "queue_gap_us", encl_profile_us(group->queue_gap));
    encl_line_number(&line, "launch_gap_us", encl_profile_us(group->launch_gap));
    encl_line_number(&line, "pct_wall", encl_profile_pct(group->exec, of->wall));
    encl_line_number(&line, "flops", group->flops);
    encl_line_number(&line, "bytes", group->bytes);
    encl_line_number(&line, "gflops", encl_profile_rate(group->flops, group->exec));
    encl_line_number(&line, "gbs", encl_profile_rate(group->bytes, group->exec));
    if (by != ENCL_PROFILE_BY_LAYER) {
        encl_line_measured(&line, "ai", roof.intensity);
        encl_line_measured(&line, "roof_pct", roof.roof_pct);
        encl_line_text(&line, "bound", roof.bound[0] != '\0' ? roof.bound : NULL);
    }
    return encl_line_take(&line);
}

static cJSON *groups_block(const encl_profile *profile, const encl_profile_case *of, encl_profile_grouping by) {
    encl_profile_group *groups = NULL;
    size_t count = 0;
    cJSON *array = cJSON_CreateArray();
    bool complete = array != NULL && encl_profile_groups(of, by, &groups, &count) == ENCL_OK;
    for (size_t i = 0; i < count && complete; i++) {
        complete = encl_array_add(array, group_block(profile, of, &groups[i], by));
    }
    free(groups);
    if (!complete) {
        cJSON_Delete(array);
        array = NULL;
    }
    return array;
}

static cJSON *samples_block(const int64_t *samples, int64_t count) {
    cJSON *array = cJSON_CreateArray();
    for (int64_t i = 0; i < count; i++) {
        if (!encl_array_add(array, cJSON_CreateNumber((double)samples[i]))) {
            cJSON_Delete(array);
            return NULL;
        }
    }
    return array;
}

static void add_executable(encl_line *line, const encl_executable_info *info) {
    encl_line_number(line, "build_us", (double)info->build_ns / 1e3);
    encl_line_number(line, "upload_us", (double)info->upload_ns / 1e3);
    encl_line_text(line, "cache", info->programs_from_cache == info->programs ? "warm" : "cold");
    encl_line_number(line, "programs", info->programs);
    encl_line_number(line, "programs_from_cache", info->programs_from_cache);
    encl_line_number(line, "quarantined", info->quarantined);
    encl_line_number(line, "device_bytes", (double)info->device_bytes);
    encl_line_number(line, "weight_bytes", (double)info->weight_bytes);
    encl_line_number(line, "arena_bytes", (double)info->arena_bytes);
    encl_line_number(line, "unshared_bytes", (double)info->unshared_bytes);
    encl_line_text(line, "gemm", info->gemm);
    encl_line_precision(line, info);
    encl_line_bool(line, "same_bits", info->same_bits);
}

static cJSON *statistics_block(const encl_statistics *statistics) {
    encl_line line;
    encl_line_start(&line);
    encl_line_number(&line, "n", (double)statistics->count);
    encl_line_measured(&line, "min_us", encl_profile_us(statistics->min));
    encl_line_measured(&line, "p50_us", encl_profile_us(statistics->p50));
    encl_line_measured(&line, "mean_us", encl_profile_us(statistics->mean));
    encl_line_measured(&line, "sd_us", encl_profile_us(statistics->sd));
    encl_line_measured(&line, "riqr_pct", statistics->riqr_pct);
    encl_line_measured(&line, "ci_lo_us", encl_profile_us(statistics->ci_lo));
    encl_line_measured(&line, "ci_hi_us", encl_profile_us(statistics->ci_hi));
    encl_line_measured(&line, "p90_us", encl_profile_us(statistics->p90));
    encl_line_measured(&line, "p95_us", encl_profile_us(statistics->p95));
    encl_line_measured(&line, "p99_us", encl_profile_us(statistics->p99));
    encl_line_measured(&line, "max_us", encl_profile_us(statistics->max));
    encl_line_number(&line, "outliers", (double)statistics->outliers);
    return encl_line_take(&line);
}

static void add_clock(encl_line *line, const encl_profile_case *of) {
    const encl_clock_map *clock = of->timeline_count > 0 ? &of->timeline[of->timeline_count - 1].clock : NULL;
    const bool aligned = clock != NULL && clock->aligned;
    encl_line_text(line, "clock", aligned ? "aligned" : "unaligned");
    encl_line_measured(line, "clock_width_us", aligned ? (double)clock->width_ns / 1e3 : NAN);
}

encl_status encl_profile_print_json(FILE *stream, const encl_profile *profile, const encl_profile_case *of) {
    encl_line line;
    encl_line_start(&line);
    encl_line_text(&line, "case_id", of->name);
    encl_line_number(&line, "batch", of->sequences);
    encl_line_item(&line, "seq", of->length > 0 ? cJSON_CreateNumber(of->length) : cJSON_CreateNull());
    encl_line_number(&line, "real_tokens", of->tokens);
    encl_line_number(&line, "repeat", (double)of->runs);
    encl_line_number(&line, "create_us", (double)of->create_ns / 1e3);
    if (of->executable_count > 0) {
        add_executable(&line, &of->executables[0].info);
    }
    encl_line_number(&line, "tokenize_us", (double)of->tokenize_ns / 1e3);
    encl_line_number(&line, "first_us", (double)of->first_ns / 1e3);
    encl_line_measured(&line, "plain_p50_us", encl_profile_us(of->plain.p50));
    encl_line_measured(&line, "profiled_p50_us", encl_profile_us(of->profiled.p50));
    encl_line_measured(&line, "perturb_pct", encl_profile_cost_pct(of));
    encl_line_measured(&line, "perturb_lo_pct", 100 * (of->cost.lo - 1));
    encl_line_measured(&line, "perturb_hi_pct", 100 * (of->cost.hi - 1));
    encl_line_measured(&line, "tokens_per_s", of->plain.p50 > 0 ? of->tokens * 1e9 / of->plain.p50 : NAN);
    encl_line_item(&line, "plain", statistics_block(&of->plain));
    encl_line_item(&line, "profiled", statistics_block(&of->profiled));
    add_clock(&line, of);
    encl_line_number(&line, "wall_us", encl_profile_us(of->wall));
    encl_line_item(&line, "parts", parts_block(&of->parts));
    encl_line_bool(&line, "reconciled", of->reconciled);
    encl_line_item(&line, "operators", groups_block(profile, of, ENCL_PROFILE_BY_OPERATOR));
    encl_line_item(&line, "layers", groups_block(profile, of, ENCL_PROFILE_BY_LAYER));
    encl_line_item(&line, "layer_operators", groups_block(profile, of, ENCL_PROFILE_BY_BOTH));
    encl_line_item(&line, "plain_samples_ns", samples_block(of->plain_ns, of->plain_runs));
    encl_line_item(&line, "profiled_samples_ns", samples_block(of->wall_ns, of->runs));
    return encl_line_print(&line, stream);
}
