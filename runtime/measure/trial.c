#include "runtime/measure/trial.h"

#include <stdlib.h>

#include "runtime/base/memory.h"
#include "runtime/device/details.h"

enum { MOST_SETS = 256 };
static const uint64_t default_cache = (uint64_t)32 << 20; // where the driver does not say
static const uint64_t most_bytes = (uint64_t)1 << 30;     // of all sets

// ---- Sets of buffers --------------------------------------------------------------------------------------

// As many as exceed twice the cache, but no more than a quarter of the device's memory holds.
static size_t sets_for(const encl_device *device, uint64_t bytes) {
    const uint64_t quarter = encl_device_get_info(device)->global_memory / 4;
    const uint64_t most = quarter < most_bytes ? quarter : most_bytes;
    encl_device_details details;
    encl_device_read_details(device, &details);
    const uint64_t cache = details.cache_bytes > 0 ? details.cache_bytes : default_cache;
    uint64_t sets = 2 * cache / bytes + 1;
    sets = sets * bytes > most ? most / bytes : sets;
    return sets < 1 ? 1 : sets > MOST_SETS ? MOST_SETS : (size_t)sets;
}

encl_status encl_trial_sets_create(const encl_device *device, const encl_check_inputs *inputs, bool as_given, bool hot,
                                   encl_trial_sets *sets) {
    encl_status status = ENCL_OK;
    const size_t wanted = hot ? 1 : sets_for(device, encl_check_buffers_bytes(inputs));
    *sets = (encl_trial_sets){0};
    ENCL_TRY(encl_allocate(wanted, sizeof *sets->sets, (void **)&sets->sets));
    for (size_t i = 0; i < wanted; i++) {
        ENCL_TRY(encl_check_buffers_create(device, inputs, as_given, &sets->sets[i]));
        sets->count++;
    }
cleanup:
    if (status != ENCL_OK) {
        encl_trial_sets_free(sets);
    }
    return status;
}

void encl_trial_sets_free(encl_trial_sets *sets) {
    for (size_t i = 0; i < sets->count; i++) {
        encl_check_buffers_free(&sets->sets[i]);
    }
    free(sets->sets);
    *sets = (encl_trial_sets){0};
}

// ---- A trial ----------------------------------------------------------------------------------------------

typedef struct subject {
    const encl_kernel *kernel;
    const encl_check_inputs *inputs;
    const encl_trial_sets *sets;
} subject;

static encl_status launch(void *context, encl_queue queue, size_t index, encl_command *command) {
    const subject *s = context;
    return encl_kernel_enqueue(s->kernel, queue, &s->inputs->shape, s->sets->sets[index % s->sets->count].at, command);
}

encl_status encl_trial_run(const encl_device *device, const encl_kernel *kernel, const encl_check_case *check,
                           const encl_trial_options *options, encl_trial *trial) {
    encl_status status = ENCL_OK;
    encl_check_inputs inputs = {0};
    encl_trial_sets sets = {0};
    uint32_t *found = NULL;
    subject s = {kernel, &inputs, &sets};
    const encl_launches launches = {
        .device = device, .launch = launch, .context = &s, .marked = options->marked, .wall = options->wall};
    *trial = (encl_trial){0};
    ENCL_TRY(encl_check_inputs_make(kernel->row, check, &inputs));
    trial->launch = encl_kernel_launch(kernel->row, &inputs.shape);
    if (trial->launch.global[0] == 0 || trial->launch.global[1] == 0) {
        status = encl_fail(ENCL_INVALID, "kernel %s: the case has nothing to compute", kernel->row->name);
        goto cleanup;
    }
    ENCL_TRY(encl_trial_sets_create(device, &inputs, false, options->hot, &sets));
    ENCL_TRY(encl_launches_time(&launches, &options->sampling, &trial->times));
    ENCL_TRY(encl_check_buffers_read(device, &inputs, &sets.sets[trial->times.last % sets.count], &found));
    ENCL_TRY(encl_check_compare(&inputs, found, ENCL_TRIAL_REFERENCE_FLOPS, &trial->check));
    trial->sets = sets.count;
    trial->flops = inputs.flops;
    trial->bytes = inputs.bytes;
    if (encl_kernel_memory(kernel, &trial->local_bytes, &trial->private_bytes) != ENCL_OK) {
        trial->local_bytes = trial->private_bytes = 0;
    }
cleanup:
    encl_trial_sets_free(&sets);
    encl_check_inputs_free(&inputs);
    free(found);
    if (status != ENCL_OK) {
        encl_trial_free(trial);
    }
    return status;
}

void encl_trial_free(encl_trial *trial) {
    encl_launch_times_free(&trial->times);
    *trial = (encl_trial){0};
}
