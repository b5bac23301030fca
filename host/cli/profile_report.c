// A profile for people (tables) and for programs (JSON lines).
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "host/cli/profile.h"

static double per_second(double amount, double ns) {
    return ns > 0 ? amount / ns : 0; // of giga-units
}

static double share(double part, double whole) {
    return whole > 0 ? 100 * part / whole : 0;
}

// "before", "1" … "12", "after", "read back": groups of the graph as a person sees them.
static const char *layer_name(int32_t layer, int32_t layers, char text[16]) {
    if (layer <= 0) {
        return "before";
    }
    if (layer > layers) {
        return layer == layers + 1 ? "after" : "read back";
    }
    snprintf(text, 16, "%d", layer);
    return text;
}

// ---- Tables -----------------------------------------------------------------------------------------------

static encl_status print_operators(const encl_profile_result *result) {
    static const char *const headings[] = {"operator", "kernel", ">calls", ">ms", ">% wall", ">GF/s", ">GB/s"};
    encl_status status = ENCL_OK;
    encl_profile_group *groups = NULL;
    size_t count = 0;
    encl_table *table = NULL;
    ENCL_TRY(encl_profile_group_rows(result, false, &groups, &count));
    ENCL_TRY(encl_table_create(headings, sizeof headings / sizeof headings[0], &table));
    for (size_t i = 0; i < count; i++) {
        const encl_profile_group *group = &groups[i];
        ENCL_TRY(encl_table_cell(table, "%s", group->op));
        ENCL_TRY(encl_table_cell(table, "%s", group->kernel));
        ENCL_TRY(encl_table_cell(table, "%" PRId64, group->calls));
        ENCL_TRY(encl_table_cell(table, "%.3f", group->exec / 1e6));
        ENCL_TRY(encl_table_cell(table, "%.1f", share(group->exec, result->wall)));
        ENCL_TRY(encl_table_cell(table, "%.1f", per_second(group->flops, group->exec)));
        ENCL_TRY(encl_table_cell(table, "%.1f", per_second(group->bytes, group->exec)));
    }
    ENCL_TRY(encl_table_print(table, stdout));
cleanup:
    encl_table_destroy(table);
    free(groups);
    return status;
}

static encl_status print_layers(const encl_profile_result *result, int32_t layers) {
    static const char *const headings[] = {">layer", ">calls", ">ms", ">% wall"};
    encl_status status = ENCL_OK;
    encl_profile_group *groups = NULL;
    size_t count = 0;
    encl_table *table = NULL;
    char name[16];
    ENCL_TRY(encl_profile_group_rows(result, true, &groups, &count));
    ENCL_TRY(encl_table_create(headings, sizeof headings / sizeof headings[0], &table));
    for (size_t i = 0; i < count; i++) {
        ENCL_TRY(encl_table_cell(table, "%s", layer_name(groups[i].layer, layers, name)));
        ENCL_TRY(encl_table_cell(table, "%" PRId64, groups[i].calls));
        ENCL_TRY(encl_table_cell(table, "%.3f", groups[i].exec / 1e6));
        ENCL_TRY(encl_table_cell(table, "%.1f", share(groups[i].exec, result->wall)));
    }
    ENCL_TRY(encl_table_print(table, stdout));
cleanup:
    encl_table_destroy(table);
    free(groups);
    return status;
}

static encl_status print_parts(const encl_profile_result *result) {
    static const char *const headings[] = {"wall time", ">ms", ">%"};
    const encl_parts *parts = &result->parts;
    const struct {
        const char *name;
        double ns;
    } rows[] = {{"lead", parts->lead},           {"commands", parts->exec},         {"host gap", parts->host_gap},
                {"queue gap", parts->queue_gap}, {"launch gap", parts->launch_gap}, {"tail", parts->tail}};
    encl_status status = ENCL_OK;
    encl_table *table = NULL;
    ENCL_TRY(encl_table_create(headings, 3, &table));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ENCL_TRY(encl_table_cell(table, "%s", rows[i].name));
        ENCL_TRY(encl_table_cell(table, "%.3f", rows[i].ns / 1e6));
        ENCL_TRY(encl_table_cell(table, "%.1f", share(rows[i].ns, result->wall)));
    }
    ENCL_TRY(encl_table_rule(table));
    ENCL_TRY(encl_table_cell(table, "wall"));
    ENCL_TRY(encl_table_cell(table, "%.3f", result->wall / 1e6));
    ENCL_TRY(encl_table_cell(table, "100.0"));
    ENCL_TRY(encl_table_print(table, stdout));
cleanup:
    encl_table_destroy(table);
    return status;
}

encl_status encl_profile_print(const encl_profile_case *measured, const encl_profile_result *result, int32_t layers) {
    encl_status status = ENCL_OK;
    const encl_executable_info *info = &result->info;
    char weights[ENCL_BYTES_TEXT];
    char arena[ENCL_BYTES_TEXT];
    printf("%s: %d sequences, %d tokens\n", measured->name, measured->batch.sequences, measured->batch.tokens);
    printf("build %.0f ms (%d programs, %d from the cache), upload %.0f ms, weights %s, arena %s, products by %s\n",
           (double)info->build_ns / 1e6, info->programs, info->programs_from_cache, (double)info->upload_ns / 1e6,
           encl_bytes_text(info->weight_bytes, weights), encl_bytes_text(info->arena_bytes, arena), result->gemm);
    if (measured->tokenize_ns > 0) {
        printf("tokenize %.3f ms (not in the wall time)\n", (double)measured->tokenize_ns / 1e6);
    }
    printf("plain p50 %.3f ms, %.0f tokens/s; first run %.3f ms; profiled p50 %.3f ms (%+.1f %%); %" PRId64
           " runs each\n\n",
           result->plain_median / 1e6, (double)measured->batch.tokens * 1e9 / fmax(result->plain_median, 1),
           (double)result->first_ns / 1e6, result->profiled_median / 1e6,
           share(result->profiled_median - result->plain_median, result->plain_median), result->repeat);
    ENCL_TRY(print_operators(result));
    putchar('\n');
    ENCL_TRY(print_layers(result, layers));
    putchar('\n');
    ENCL_TRY(print_parts(result));
    printf("%s: %.3f us of times out of order, %.3f us of overlap\n",
           result->reconciled ? "reconciled" : "NOT RECONCILED", result->parts.residual / 1e3,
           result->parts.overlap / 1e3);
cleanup:
    return status;
}

// ---- JSON -------------------------------------------------------------------------------------------------

static cJSON *device_block(const encl_device_info *device) {
    encl_line line;
    encl_line_start(&line);
    encl_line_number(&line, "index", device->index);
    encl_line_text(&line, "platform", device->platform);
    encl_line_text(&line, "platform_version", device->platform_version);
    encl_line_text(&line, "name", device->name);
    encl_line_number(&line, "vendor_id", device->vendor_id);
    encl_line_text(&line, "driver", device->driver);
    encl_line_text(&line, "opencl_c", device->opencl_c);
    encl_line_number(&line, "compute_units", device->compute_units);
    encl_line_number(&line, "clock_mhz", device->clock_mhz);
    encl_line_number(&line, "global_mem_bytes", (double)device->global_memory);
    encl_line_number(&line, "local_mem_bytes", (double)device->local_memory);
    encl_line_number(&line, "timer_resolution_ns", (double)device->timer_resolution_ns);
    return encl_line_take(&line);
}

static cJSON *encl_block(void) {
    encl_line line;
    encl_line_start(&line);
    encl_line_text(&line, "version", encl_version());
    encl_line_text(&line, "commit", encl_commit());
    return encl_line_take(&line);
}

encl_status encl_profile_print_header(const encl_model_info *model, const encl_device_info *device) {
    encl_line line;
    encl_line_start(&line);
    encl_line_text(&line, "schema", "encl.profile/1");
    encl_line_item(&line, "encl", encl_block());
    encl_line_text(&line, "model", model->path);
    encl_line_item(&line, "device", device_block(device));
    return encl_line_print(&line, stdout);
}

static cJSON *parts_block(const encl_parts *parts) {
    encl_line line;
    encl_line_start(&line);
    encl_line_number(&line, "lead_us", parts->lead / 1e3);
    encl_line_number(&line, "exec_us", parts->exec / 1e3);
    encl_line_number(&line, "host_gap_us", parts->host_gap / 1e3);
    encl_line_number(&line, "queue_gap_us", parts->queue_gap / 1e3);
    encl_line_number(&line, "launch_gap_us", parts->launch_gap / 1e3);
    encl_line_number(&line, "tail_us", parts->tail / 1e3);
    encl_line_number(&line, "overlap_us", parts->overlap / 1e3);
    encl_line_number(&line, "residual_us", parts->residual / 1e3);
    encl_line_number(&line, "clamped", parts->clamped);
    return encl_line_take(&line);
}

static cJSON *group_block(const encl_profile_group *group, double wall, bool by_layer) {
    encl_line line;
    encl_line_start(&line);
    if (by_layer) {
        encl_line_number(&line, "layer", group->layer);
    } else {
        encl_line_text(&line, "op", group->op);
        encl_line_text(&line, "kernel", group->kernel);
    }
    encl_line_number(&line, "calls", (double)group->calls);
    encl_line_number(&line, "exec_us", group->exec / 1e3);
    encl_line_number(&line, "pct_wall", share(group->exec, wall));
    encl_line_number(&line, "flops", group->flops);
    encl_line_number(&line, "bytes", group->bytes);
    encl_line_number(&line, "gflops", per_second(group->flops, group->exec));
    encl_line_number(&line, "gbs", per_second(group->bytes, group->exec));
    return encl_line_take(&line);
}

static cJSON *groups_block(const encl_profile_result *result, bool by_layer) {
    encl_profile_group *groups = NULL;
    size_t count = 0;
    cJSON *array = cJSON_CreateArray();
    bool complete = array != NULL && encl_profile_group_rows(result, by_layer, &groups, &count) == ENCL_OK;
    for (size_t i = 0; i < count && complete; i++) {
        complete = encl_array_add(array, group_block(&groups[i], result->wall, by_layer));
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

encl_status encl_profile_print_json(const encl_profile_case *measured, const encl_profile_result *result) {
    const encl_executable_info *info = &result->info;
    encl_line line;
    encl_line_start(&line);
    encl_line_text(&line, "case_id", measured->name);
    encl_line_number(&line, "batch", measured->batch_size);
    encl_line_item(&line, "seq", measured->length > 0 ? cJSON_CreateNumber(measured->length) : cJSON_CreateNull());
    encl_line_number(&line, "real_tokens", measured->batch.tokens);
    encl_line_number(&line, "repeat", (double)result->repeat);
    encl_line_number(&line, "create_us", (double)result->create_ns / 1e3);
    encl_line_number(&line, "build_us", (double)info->build_ns / 1e3);
    encl_line_number(&line, "upload_us", (double)info->upload_ns / 1e3);
    encl_line_text(&line, "cache", info->programs_from_cache == info->programs ? "warm" : "cold");
    encl_line_number(&line, "programs", info->programs);
    encl_line_number(&line, "programs_from_cache", info->programs_from_cache);
    encl_line_number(&line, "weight_bytes", (double)info->weight_bytes);
    encl_line_number(&line, "arena_bytes", (double)info->arena_bytes);
    encl_line_number(&line, "unshared_bytes", (double)info->unshared_bytes);
    encl_line_text(&line, "gemm", result->gemm);
    encl_line_bool(&line, "same_bits", info->same_bits);
    encl_line_number(&line, "tokenize_us", (double)measured->tokenize_ns / 1e3);
    encl_line_number(&line, "first_us", (double)result->first_ns / 1e3);
    encl_line_number(&line, "plain_p50_us", result->plain_median / 1e3);
    encl_line_number(&line, "profiled_p50_us", result->profiled_median / 1e3);
    encl_line_number(&line, "perturb_pct", share(result->profiled_median - result->plain_median, result->plain_median));
    encl_line_number(&line, "tokens_per_s", measured->batch.tokens * 1e9 / fmax(result->plain_median, 1));
    encl_line_text(&line, "clock", "unaligned");
    encl_line_number(&line, "wall_us", result->wall / 1e3);
    encl_line_item(&line, "parts", parts_block(&result->parts));
    encl_line_bool(&line, "reconciled", result->reconciled);
    encl_line_item(&line, "operators", groups_block(result, false));
    encl_line_item(&line, "layers", groups_block(result, true));
    encl_line_item(&line, "plain_samples_ns", samples_block(result->plain, result->repeat));
    encl_line_item(&line, "profiled_samples_ns", samples_block(result->profiled, result->repeat));
    return encl_line_print(&line, stdout);
}
