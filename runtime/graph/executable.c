#include "runtime/graph/executable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/log.h"

// Tokens of a batch where the caller names none. A CPU's caches hold the activations of this many: larger batches are
// no faster there, up to 4,096, and take more memory.
static const int32_t default_cpu_tokens = 1024;
static const int32_t default_gpu_tokens = 16384;
static const int32_t default_selected = 1024;
// Of work-groups in a grid's second dimension.
static const int32_t most_gpu_tokens = 65535;
// Activations, weights and read-back share the device with others: a default capacity takes at most half of its memory.
static const uint64_t memory_share = 2;

static void set_capacity(encl_executable *e, const encl_capacity *wanted, int32_t tokens) {
    encl_capacity *c = &e->info.capacity;
    *c = *wanted;
    c->tokens = c->tokens > 0 ? c->tokens : tokens;
    c->sequences = c->sequences > 0 ? c->sequences : (c->tokens - 1) / 8 + 1;
    c->selected = c->selected > 0 ? c->selected : default_selected;
    const int64_t panels = (c->tokens - 1) / ENCL_PANEL + 1 + (int64_t)c->sequences;
    c->panels = c->panels > 0 ? c->panels : (int32_t)(panels < INT32_MAX ? panels : INT32_MAX);
    const int32_t queries = e->schedule->queries;
    e->capacity[ENCL_COUNT_TOKENS] = c->tokens;
    e->capacity[ENCL_COUNT_SEQUENCES] = c->sequences;
    e->capacity[ENCL_COUNT_SELECTED] = c->selected;
    e->capacity[ENCL_COUNT_PANELS] = c->panels;
    e->capacity[ENCL_COUNT_BLOCKS_ALL] = c->tokens / queries + (int64_t)c->sequences;
    e->capacity[ENCL_COUNT_BLOCKS_FIRST] = c->sequences;
    e->capacity[ENCL_COUNT_BLOCKS_SELECTED] = c->selected;
}

static uint64_t weight_bytes(const encl_schedule *schedule) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < schedule->weight_count; i++) {
        bytes += encl_weight_bytes(&schedule->weights[i], schedule->weights[i].rows);
    }
    return bytes;
}

static int32_t default_tokens(const encl_executable *e) {
    const bool cpu = encl_device_get_info(e->device)->type == ENCL_DEVICE_CPU;
    const int32_t tokens = cpu ? default_cpu_tokens : default_gpu_tokens;
    const int32_t longest = e->schedule->max_position;
    return longest == INT32_MAX || longest < tokens ? tokens : longest;
}

// True where activations, weights and the library's scratch memory fit the device.
static bool fits(const encl_executable *e) {
    const encl_device_info *info = encl_device_get_info(e->device);
    const uint64_t total = e->plan.arena_bytes + weight_bytes(e->schedule) + e->scratch_bytes;
    return total <= info->global_memory / memory_share && e->scratch_bytes <= info->max_allocation;
}

// A default capacity may be halved as long as it holds the longest sequence.
static bool may_halve(const encl_executable *e, const encl_capacity *wanted, int32_t tokens) {
    const int32_t longest = e->schedule->max_position == INT32_MAX ? 512 : e->schedule->max_position;
    return wanted->tokens <= 0 && tokens / 2 >= longest;
}

// Plans memory for the wanted capacity; a default one, of at most *tokens, is halved until it fits the device, or holds
// one sequence only.
static encl_status plan_memory(encl_executable *e, const encl_capacity *wanted, int32_t *tokens) {
    const encl_device_info *info = encl_device_get_info(e->device);
    for (;; *tokens /= 2) {
        const bool may_shrink = may_halve(e, wanted, *tokens);
        set_capacity(e, wanted, *tokens);
        encl_status status = encl_products_scratch(e);
        if (status != ENCL_OK) {
            return status;
        }
        status = encl_plan_create(e->schedule, e->capacity, info->max_allocation, &e->plan);
        if (status == ENCL_OK && (fits(e) || !may_shrink)) {
            return ENCL_OK;
        }
        if (status != ENCL_OK && (status != ENCL_DEVICE_MEMORY || !may_shrink)) {
            return status;
        }
        encl_plan_free(&e->plan);
    }
}

static encl_status make_arena(encl_executable *e) {
    encl_status status = ENCL_OK;
    ENCL_TRY(encl_allocate(e->plan.slab_count, sizeof(encl_buffer), (void **)&e->slabs));
    ENCL_TRY(encl_allocate(e->schedule->tensor_count, sizeof(encl_buffer), (void **)&e->tensors));
    for (size_t i = 0; i < e->plan.slab_count; i++) {
        ENCL_TRY(encl_buffer_create(e->device, e->plan.slabs[i], &e->slabs[i]));
        ENCL_TRY(
            encl_buffer_prefer_large_pages(e->device, encl_device_queue(e->device), e->slabs[i], e->plan.slabs[i]));
    }
    for (size_t i = 0; i < e->schedule->tensor_count; i++) {
        e->tensors[i] = e->slabs[e->plan.slab_of[i]];
    }
    e->info.arena_bytes = e->plan.arena_bytes;
    e->info.unshared_bytes = e->plan.unshared_bytes;
    e->info.arena_slabs = e->plan.slab_count;
cleanup:
    return status;
}

static encl_status make_slot(encl_executable *e, encl_slot *slot) {
    encl_status status = ENCL_OK;
    slot->event.executable = e;
    for (int i = 0; i < ENCL_INPUTS; i++) {
        const size_t words = encl_input_words((encl_input)i, e->capacity);
        ENCL_TRY(encl_allocate(words, 4, &slot->host_inputs[i]));
        if (e->schedule->inputs[i]) {
            ENCL_TRY(encl_buffer_create(e->device, words * 4, &slot->inputs[i]));
            e->info.device_bytes += words * 4;
        }
    }
    ENCL_TRY(encl_allocate(e->schedule->output_count, sizeof *slot->outputs, (void **)&slot->outputs));
    for (size_t i = 0; i < e->schedule->output_count; i++) {
        const size_t rows = (size_t)e->capacity[e->schedule->outputs[i].count];
        // calloc's pages cost nothing until a run writes them.
        ENCL_TRY(
            encl_allocate(rows * (size_t)e->schedule->outputs[i].width, sizeof(float), (void **)&slot->outputs[i]));
    }
cleanup:
    return status;
}

static void free_slot(encl_executable *e, encl_slot *slot) {
    for (int i = 0; i < ENCL_INPUTS; i++) {
        free(slot->host_inputs[i]);
        encl_buffer_release(slot->inputs[i]);
    }
    for (size_t i = 0; slot->outputs != NULL && i < e->schedule->output_count; i++) {
        free(slot->outputs[i]);
    }
    free(slot->outputs);
    free(slot->event.records);
    free(slot->event.commands);
    free(slot->event.begins);
}

// Everything that grows with the capacity.
static encl_status make_memory(encl_executable *e) {
    encl_status status = ENCL_OK;
    ENCL_TRY(make_arena(e));
    ENCL_TRY(encl_allocate(2 * (size_t)e->info.capacity.sequences, sizeof *e->order, (void **)&e->order));
    for (int32_t i = 0; i < e->depth; i++) {
        ENCL_TRY(make_slot(e, &e->slots[i]));
    }
    ENCL_TRY(encl_products_warm(e));
cleanup:
    return status;
}

static void free_memory(encl_executable *e) {
    for (int32_t i = 0; i < e->depth && e->schedule != NULL; i++) {
        free_slot(e, &e->slots[i]);
    }
    for (size_t i = 0; e->slabs != NULL && i < e->plan.slab_count; i++) {
        encl_buffer_release(e->slabs[i]);
    }
    encl_buffer_release(e->scratch);
    free(e->tensors);
    free(e->slabs);
    free(e->order);
    encl_plan_free(&e->plan);
    memset(e->slots, 0, sizeof e->slots);
    e->info.device_bytes = 0;
    e->scratch = NULL;
    e->tensors = NULL;
    e->slabs = NULL;
    e->order = NULL;
}

// Memory for the planned capacity. Where the device gives less than it says, a default capacity is halved further.
static encl_status find_memory(encl_executable *e, const encl_capacity *wanted, int32_t tokens) {
    const encl_device_info *info = encl_device_get_info(e->device);
    for (;;) {
        encl_status status = make_memory(e);
        if (status != ENCL_DEVICE_MEMORY || !may_halve(e, wanted, tokens)) {
            return status;
        }
        encl_warn("device %d (%s) has no memory for batches of %d tokens, going on with %d: %s", (int)info->index,
                  info->name, (int)tokens, (int)tokens / 2, encl_status_detail());
        (void)encl_queue_drain(encl_device_queue(e->device));
        free_memory(e);
        tokens /= 2;
        status = plan_memory(e, wanted, &tokens);
        if (status != ENCL_OK) {
            return status;
        }
    }
}

// Lets the library show what it can. Where nobody asked for it, and it cannot, own kernels serve.
static encl_status check_library(const encl_device *device, encl_lowering *lowering) {
    const char *name = encl_device_get_info(device)->name;
    const encl_status status = encl_products_check(device);
    if (status == ENCL_OK) {
        return ENCL_OK;
    }
    if (lowering->gemm_asked || !encl_device_works(device)) {
        return encl_fail_context(status, "CLBlast on %s", name);
    }
    encl_warn("CLBlast is not used on %s: %s", name, encl_status_detail());
    lowering->library = false;
    return ENCL_OK;
}

// Of the products in the executable's precision, else of all.
static const char *provider(const encl_schedule *schedule) {
    const char *name = "none";
    for (size_t i = 0; i < schedule->step_count; i++) {
        const encl_step *step = &schedule->steps[i];
        if (step->op == ENCL_OP_LINEAR) {
            name = step->library ? "clblast" : encl_family_name(step->rows[0]->family);
            if (step->shape.precision != ENCL_PRECISION_FP32) {
                break;
            }
        }
    }
    return name;
}

// The numbers of exact layers, where that says something: "3,7".
static void list_exact_layers(const encl_lowering *lowering, char text[ENCL_EXACT_LAYERS_TEXT]) {
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < lowering->exact_layer_count && lowering->precision != ENCL_PRECISION_FP32; i++) {
        char number[24];
        const int length = snprintf(number, sizeof number, "%s%zu", used == 0 ? "" : ",", i);
        if (lowering->exact_layers[i] && used + (size_t)length < ENCL_EXACT_LAYERS_TEXT) {
            memcpy(text + used, number, (size_t)length + 1);
            used += (size_t)length;
        }
    }
}

// Chooses families and providers, then lowers and builds until every kernel passes its self-check.
static encl_status compile(encl_executable *e, const encl_graph *graph, const encl_executable_options *options) {
    encl_status status = ENCL_OK;
    const encl_device_info *info = encl_device_get_info(e->device);
    const char *family = options->family != NULL ? options->family : encl_device_family(e->device);
    encl_lowering lowering = {0};
    bool *quarantined = NULL;
    bool impossible[ENCL_KERNEL_ROWS_MOST];
    bool again = true;
    if (!encl_family_parse(family, &lowering.family)) {
        return encl_fail(ENCL_INVALID, "kernel family '%s', expected plain, tile or group", family);
    }
    e->info.same_bits = encl_kernel_keeps_bits(options->same_bits, info->type);
    lowering.float_width = encl_device_get_info(e->device)->native_float_width;
    lowering.one_order = e->info.same_bits;
    lowering.library = encl_kernel_prefers_library(options->gemm, lowering.family, e->info.same_bits);
    lowering.family_asked = options->family != NULL;
    lowering.gemm_asked = options->gemm != ENCL_GEMM_AUTO;
    lowering.precision = options->precision;
    lowering.exact_layers = options->exact_layers;
    lowering.exact_layer_count = options->exact_layers == NULL ? 0 : options->exact_layer_count;
    if (options->gemm == ENCL_GEMM_CLBLAST && options->precision != ENCL_PRECISION_FP32) {
        return encl_fail(ENCL_INVALID, "CLBlast multiplies in float32 only, so it cannot serve precision %s",
                         encl_precision_name(options->precision));
    }
    if (lowering.library && options->same_bits == ENCL_SAME_BITS_ON) {
        return encl_fail(ENCL_INVALID, "CLBlast states no order of summation, so it cannot serve --same-bits");
    }
    if (lowering.library) {
        ENCL_TRY(check_library(e->device, &lowering));
    }
    e->info.same_bits = e->info.same_bits && !lowering.library;
    ENCL_TRY(encl_allocate(encl_kernel_row_count, sizeof *quarantined, (void **)&quarantined));
    const size_t impossible_count = encl_kernel_mark_impossible(e->device, quarantined);
    memcpy(impossible, quarantined, encl_kernel_row_count * sizeof *quarantined);
    lowering.quarantined = quarantined;
    lowering.impossible = impossible;
    while (again) {
        encl_schedule_destroy(e->schedule);
        e->schedule = NULL;
        status = encl_schedule_create(graph, &lowering, &e->schedule);
        if (status == ENCL_OK) {
            status = encl_kernels_open(e->device, e->schedule, quarantined, &again, &e->kernels);
        }
        if (status == ENCL_UNSUPPORTED && e->kernels.failure[0] != '\0') {
            encl_fail(status, "%s (%s)", encl_status_detail(), e->kernels.failure);
        }
        ENCL_TRY(status);
    }
    e->info.gemm = provider(e->schedule);
    e->info.precision = options->precision;
    e->info.low_products = e->schedule->low_products;
    list_exact_layers(&lowering, e->info.exact_layers);
    e->info.nodes = e->schedule->step_count;
    e->info.outputs = e->schedule->output_count;
    e->info.programs = (int32_t)e->kernels.count;
    e->info.programs_from_cache = e->kernels.from_cache;
    for (size_t i = 0; i < encl_kernel_row_count; i++) {
        e->info.quarantined += quarantined[i] ? 1 : 0;
    }
    e->info.quarantined -= (int32_t)impossible_count;
cleanup:
    free(quarantined);
    return status;
}

static encl_status make_weights(encl_executable *e, const encl_graph *graph) {
    encl_status status = encl_packed_keys(graph, e->schedule, &e->keys);
    if (status != ENCL_OK) {
        return status;
    }
    return graph->store.find != NULL
               ? encl_packed_take(e->device, graph, e->schedule, e->keys, &e->weights, &e->info.weight_bytes)
               : encl_weights_upload(e->device, graph, e->schedule, &e->kernels, &e->weights, &e->info.weight_bytes);
}

encl_status encl_executable_create(const encl_device *device, const encl_graph *graph,
                                   const encl_executable_options *options, encl_executable **executable) {
    encl_executable_options settled = options == NULL ? (encl_executable_options){0} : *options;
    encl_status status = ENCL_OK;
    encl_executable *e = NULL;
    int32_t tokens = 0;
    int64_t start = encl_clock_ns();
    *executable = NULL;
    options = &settled;
    if (options->depth < 0 || options->depth > ENCL_MOST_SLOTS || options->capacity.tokens < 0 ||
        options->capacity.sequences < 0 || options->capacity.selected < 0 || options->capacity.panels < 0) {
        return encl_fail(ENCL_INVALID, "depth %d or a capacity is out of range", (int)options->depth);
    }
    if (options->capacity.tokens > most_gpu_tokens && encl_device_get_info(device)->type != ENCL_DEVICE_CPU) {
        return encl_fail(ENCL_INVALID, "a capacity of %d tokens, GPUs take at most %d work-groups in a row",
                         (int)options->capacity.tokens, (int)most_gpu_tokens);
    }
    ENCL_TRY(encl_packed_options(graph, &settled));
    ENCL_TRY(encl_allocate(1, sizeof *e, (void **)&e));
    e->device = device;
    e->on_profile = options->on_profile;
    e->on_profile_context = options->on_profile_context;
    e->info.created_ns = encl_clock_raw_ns();
    e->depth = options->depth == 0 ? ENCL_MOST_SLOTS : options->depth;
    ENCL_TRY(encl_mutex_init(&e->mutex));
    ENCL_TRY(encl_condition_init(&e->condition));
    e->synchronised = true;
    ENCL_TRY(encl_device_acquire(device));
    e->acquired = true;
    ENCL_TRY(compile(e, graph, options));
    e->info.build_ns = encl_clock_ns() - start;
    start = encl_clock_ns();
    tokens = default_tokens(e);
    ENCL_TRY(plan_memory(e, &options->capacity, &tokens));
    ENCL_TRY(make_weights(e, graph));
    e->info.upload_ns = encl_clock_ns() - start;
    start = encl_clock_ns();
    ENCL_TRY(find_memory(e, &options->capacity, tokens));
    e->info.build_ns += encl_clock_ns() - start;
    e->info.device_bytes += e->info.weight_bytes + e->info.arena_bytes; // beside the slots' inputs
    *executable = e;
    e = NULL;
cleanup:
    encl_executable_destroy(e);
    return status;
}

void encl_executable_destroy(encl_executable *e) {
    if (e == NULL) {
        return;
    }
    if (e->acquired) {
        (void)encl_queue_drain(encl_device_queue(e->device));
    }
    for (int32_t i = 0; i < e->depth && e->schedule != NULL; i++) {
        if (e->slots[i].event.taken) {
            encl_event_release(&e->slots[i].event);
        }
    }
    free_memory(e);
    encl_weights_free(e->weights, e->schedule == NULL ? 0 : e->schedule->weight_count);
    encl_packed_free_keys(e->keys, e->schedule == NULL ? 0 : e->schedule->weight_count);
    encl_kernels_close(&e->kernels);
    encl_schedule_destroy(e->schedule);
    if (e->acquired) {
        encl_device_release(e->device);
    }
    if (e->synchronised) {
        encl_condition_destroy(&e->condition);
        encl_mutex_destroy(&e->mutex);
    }
    free(e);
}

const encl_executable_info *encl_executable_get_info(const encl_executable *executable) {
    return &executable->info;
}
