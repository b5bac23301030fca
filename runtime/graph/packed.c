#include "runtime/graph/packed.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/graph/executable.h"

// ---- Keys -------------------------------------------------------------------------------------------------

// Layout and numbers, all that says where a source's element stands and how it is written. (Integers are bounded for
// the instructions that add their products: another product's could overflow with them.)
static encl_status append_format(const encl_weight_plan *plan, encl_string *key) {
    if (plan->layout == ENCL_LAYOUT_ROWS) {
        return encl_string_format(key, "rows fp32: ");
    }
    const encl_product_format *format = &plan->format;
    return format->precision == ENCL_PRECISION_INT8
               ? encl_string_format(key, "panels[%d] int8 to %d by %d, %d words: ", ENCL_PANEL, (int)format->limit,
                                    (int)format->levels, (int)format->short_words)
               : encl_string_format(key, "panels[%d] %s: ", ENCL_PANEL, encl_precision_name(format->precision));
}

static encl_status make_key(const encl_graph *graph, const encl_weight_plan *plan, char **key) {
    encl_status status = ENCL_OK;
    encl_string text = {0};
    ENCL_TRY(append_format(plan, &text));
    for (int32_t i = 0; i < plan->source_count; i++) {
        const char *join = i > 0 ? "+" : "";
        ENCL_TRY(plan->sources[i] < 0
                     ? encl_string_format(&text, "%s%lld zeros", join, (long long)(plan->rows / plan->source_count))
                     : encl_string_format(&text, "%s%s", join, graph->weights[plan->sources[i]].name));
    }
    *key = text.text;
    text = (encl_string){0};
cleanup:
    encl_string_free(&text);
    return status;
}

encl_status encl_packed_keys(const encl_graph *graph, const encl_schedule *schedule, char ***keys) {
    encl_status status = ENCL_OK;
    char **made = NULL;
    *keys = NULL;
    ENCL_TRY(encl_allocate(schedule->weight_count, sizeof *made, (void **)&made));
    for (size_t i = 0; i < schedule->weight_count; i++) {
        ENCL_TRY(make_key(graph, &schedule->weights[i], &made[i]));
    }
    *keys = made;
    made = NULL;
cleanup:
    encl_packed_free_keys(made, schedule->weight_count);
    return status;
}

void encl_packed_free_keys(char **keys, size_t count) {
    for (size_t i = 0; keys != NULL && i < count; i++) {
        free(keys[i]);
    }
    free((void *)keys);
}

// ---- The store --------------------------------------------------------------------------------------------

encl_status encl_packed_options(const encl_graph *graph, encl_executable_options *options) {
    const encl_weight_store *store = &graph->store;
    if (store->find == NULL) {
        return ENCL_OK;
    }
    if (options->precision != ENCL_PRECISION_FP32 && options->precision != store->precision) {
        return encl_fail(ENCL_INVALID, "found weights packed for precision %s, the executable is to compute in %s",
                         encl_precision_name(store->precision), encl_precision_name(options->precision));
    }
    options->precision = store->precision;
    options->exact_layers = store->exact_layers;
    options->exact_layer_count = store->exact_layer_count;
    return ENCL_OK;
}

static encl_status find(const encl_graph *graph, const encl_weight_plan *plan, const char *key, const void **data) {
    uint64_t bytes = 0;
    encl_status status = graph->store.find(graph->store.context, key, data, &bytes);
    if (status == ENCL_OK && bytes != encl_weight_bytes(plan, plan->rows)) {
        status = encl_fail(ENCL_FORMAT, "packed weight '%s': found %llu bytes, expected %llu", key,
                           (unsigned long long)bytes, (unsigned long long)encl_weight_bytes(plan, plan->rows));
    }
    return status;
}

encl_status encl_packed_take(const encl_device *device, const encl_graph *graph, const encl_schedule *schedule,
                             char *const *keys, encl_device_weight **weights, uint64_t *bytes) {
    encl_status status = ENCL_OK;
    encl_device_weight *made = NULL;
    *weights = NULL;
    *bytes = 0;
    ENCL_TRY(encl_allocate(schedule->weight_count, sizeof *made, (void **)&made));
    for (size_t i = 0; i < schedule->weight_count; i++) {
        const encl_weight_plan *plan = &schedule->weights[i];
        const void *data = NULL;
        status = find(graph, plan, keys[i], &data);
        if (status != ENCL_OK) {
            const encl_device_info *info = encl_device_get_info(device);
            encl_fail_context(status, "device %d (%s)", (int)info->index, info->name);
            goto cleanup;
        }
        ENCL_TRY(encl_weight_take(device, plan, data, &made[i]));
        *bytes += encl_weight_bytes(plan, plan->rows);
    }
    ENCL_TRY(encl_queue_finish(encl_device_queue(device)));
    *weights = made;
    made = NULL;
cleanup:
    if (status != ENCL_OK) {
        (void)encl_queue_drain(encl_device_queue(device));
    }
    encl_weights_free(made, schedule->weight_count);
    return status;
}

void encl_graph_use_store(encl_graph *graph, const encl_weight_store *store) {
    graph->store = *store;
}

// ---- Reading them back ------------------------------------------------------------------------------------

size_t encl_executable_weight_count(const encl_executable *executable) {
    return executable->schedule->weight_count;
}

const char *encl_executable_weight_key(const encl_executable *executable, size_t index) {
    return index < executable->schedule->weight_count ? executable->keys[index] : NULL;
}

uint64_t encl_executable_weight_bytes(const encl_executable *executable, size_t index) {
    const encl_schedule *schedule = executable->schedule;
    return index < schedule->weight_count ? encl_weight_bytes(&schedule->weights[index], schedule->weights[index].rows)
                                          : 0;
}

encl_status encl_executable_weight_read(const encl_executable *executable, size_t index, uint64_t offset,
                                        uint64_t bytes, void *destination) {
    encl_status status = ENCL_OK;
    const uint64_t whole = encl_executable_weight_bytes(executable, index);
    const encl_queue queue = encl_device_queue(executable->device);
    uint8_t *at = destination;
    if (index >= executable->schedule->weight_count || offset > whole || bytes > whole - offset) {
        return encl_fail(ENCL_INVALID, "weight %zu: asked for %llu bytes from %llu, it has %llu", index,
                         (unsigned long long)bytes, (unsigned long long)offset, (unsigned long long)whole);
    }
    const encl_weight_plan *plan = &executable->schedule->weights[index];
    const encl_device_weight *weight = &executable->weights[index];
    for (size_t i = 0; i < weight->part_count && bytes > 0; i++) {
        const uint64_t first = encl_weight_bytes(plan, weight->parts[i].first_row);
        const uint64_t end = first + encl_weight_bytes(plan, weight->parts[i].rows);
        if (offset >= end) {
            continue;
        }
        const uint64_t count = bytes < end - offset ? bytes : end - offset;
        ENCL_TRY(encl_queue_read(queue, weight->parts[i].buffer, offset - first, count, at, NULL));
        at += count;
        offset += count;
        bytes -= count;
    }
    ENCL_TRY(encl_queue_finish(queue));
cleanup:
    if (status != ENCL_OK) {
        (void)encl_queue_drain(queue); // reads may be under way
    }
    return status;
}
