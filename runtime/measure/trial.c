#include "runtime/measure/trial.h"

#include <stdlib.h>

#include "runtime/measure/launches.h"
#include "runtime/op/rehearsal.h"

typedef struct subject {
    const encl_kernel *kernel;
    const encl_check_inputs *inputs;
    const encl_buffer_sets *sets;
} subject;

static encl_status launch(void *context, encl_queue queue, size_t index, encl_command *command) {
    const subject *s = context;
    return encl_kernel_enqueue(s->kernel, queue, &s->inputs->shape, s->sets->sets[index % s->sets->count].at, command);
}

encl_status encl_launches_try(const encl_launches *launches, const encl_sampling *sampling,
                              const encl_check_inputs *inputs, const encl_buffer_sets *sets, encl_trial *trial) {
    encl_status status = ENCL_OK;
    uint32_t *found = NULL;
    ENCL_TRY(encl_launches_time(launches, sampling, &trial->times));
    ENCL_TRY(encl_check_buffers_read(launches->device, inputs, &sets->sets[trial->times.last % sets->count], &found));
    ENCL_TRY(encl_check_compare(inputs, found, ENCL_TRIAL_REFERENCE_FLOPS, &trial->check));
    trial->sets = sets->count;
    trial->flops = inputs->flops;
    trial->bytes = inputs->bytes;
cleanup:
    free(found);
    return status;
}

encl_status encl_trial_run(const encl_device *device, const encl_kernel_row *row, const encl_check_case *check,
                           const encl_trial_options *options, encl_trial *trial) {
    encl_status status = ENCL_OK;
    encl_check_inputs inputs = {0};
    encl_buffer_sets sets = {0};
    encl_kernel kernel = {0};
    subject s = {&kernel, &inputs, &sets};
    const encl_launches launches = {
        .device = device, .launch = launch, .context = &s, .marked = options->marked, .wall = options->wall};
    *trial = (encl_trial){0};
    encl_check_case own = *check;
    encl_kernel_take_format(row, &own.shape);
    if (own.shape.x != ENCL_NUMBERS_FLOATS) {
        own.shape.x_stride = 0; // the case's is one of floats
    }
    if (!encl_kernel_is_possible(row, device)) {
        return encl_fail(ENCL_UNSUPPORTED, "kernel %s: the device does not have all of: %s", row->name, row->needs);
    }
    if (!encl_kernel_serves(row, &own.shape)) {
        return encl_fail(ENCL_UNSUPPORTED, "kernel %s: its domain does not hold columns %d with heads of %d", row->name,
                         (int)check->shape.columns, (int)check->shape.head_size);
    }
    ENCL_TRY(encl_check_inputs_make(row, &own, &inputs));
    trial->launch = encl_kernel_launch(row, &inputs.shape);
    if (trial->launch.global[0] == 0 || trial->launch.global[1] == 0) {
        status = encl_fail(ENCL_INVALID, "kernel %s: the case has nothing to compute", row->name);
        goto cleanup;
    }
    ENCL_TRY(encl_rehearse_one(device, row, &check->shape));
    ENCL_TRY(encl_kernel_open(device, row, &check->shape, &kernel));
    ENCL_TRY(encl_buffer_sets_create(device, &inputs, false, options->hot, &sets));
    ENCL_TRY(encl_launches_try(&launches, &options->sampling, &inputs, &sets, trial));
    if (trial->check.passed) {
        encl_program_keep(kernel.program);
    }
    if (encl_kernel_memory(&kernel, &trial->local_bytes, &trial->private_bytes) != ENCL_OK) {
        trial->local_bytes = trial->private_bytes = 0;
    }
cleanup:
    encl_kernel_close(&kernel);
    encl_buffer_sets_free(&sets);
    encl_check_inputs_free(&inputs);
    if (status != ENCL_OK) {
        encl_trial_free(trial);
    }
    return status;
}

void encl_trial_free(encl_trial *trial) {
    encl_launch_times_free(&trial->times);
    *trial = (encl_trial){0};
}
