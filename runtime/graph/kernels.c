#include "runtime/graph/kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/log.h"
#include "runtime/op/kernel_make.h"
#include "runtime/op/rehearsal.h"

// Two shapes of one operator want the same program where these agree (encl_operator_options).
static bool same_options(const encl_shape *a, const encl_shape *b) {
    return a->head_size == b->head_size && a->pooling == b->pooling && a->top_k == b->top_k;
}

const encl_kernel *encl_kernels_find(const encl_kernel_set *set, const encl_kernel_row *row, const encl_shape *shape) {
    for (size_t i = 0; i < set->count; i++) {
        if (set->kernels[i].row == row && same_options(&set->shapes[i], shape)) {
            return &set->kernels[i];
        }
    }
    return NULL;
}

static encl_status want(encl_kernel_set *set, const encl_kernel_row *row, const encl_shape *shape) {
    encl_status status = ENCL_OK;
    const encl_kernel *found = encl_kernels_find(set, row, shape);
    if (found != NULL) {
        // One program serves all activations; its self-check takes the one that is there to get wrong, and a residual.
        encl_shape *checked = &set->shapes[found - set->kernels];
        checked->activation = checked->activation == ENCL_ACTIVATION_NONE ? shape->activation : checked->activation;
        checked->residual = checked->residual || shape->residual;
        return ENCL_OK;
    }
    ENCL_TRY(encl_reserve((void **)&set->kernels, &set->capacity, set->count + 1, sizeof *set->kernels));
    ENCL_TRY(encl_reserve((void **)&set->shapes, &set->shape_capacity, set->count + 1, sizeof *set->shapes));
    set->kernels[set->count] = (encl_kernel){.row = row};
    set->shapes[set->count] = *shape;
    set->count++;
cleanup:
    return status;
}

static encl_status want_all(encl_kernel_set *set, const encl_schedule *schedule) {
    encl_status status = ENCL_OK;
    for (size_t i = 0; i < schedule->step_count; i++) {
        const encl_step *step = &schedule->steps[i];
        for (size_t j = 0; j < step->row_count; j++) {
            ENCL_TRY(want(set, step->rows[j], &step->shape));
        }
    }
    for (size_t i = 0; i < schedule->weight_count; i++) {
        const encl_shape shape = {.precision = schedule->weights[i].format.precision};
        ENCL_TRY(schedule->weights[i].pack != NULL ? want(set, schedule->weights[i].pack, &shape) : ENCL_OK);
    }
cleanup:
    return status;
}

// What came of making one kernel.
typedef struct outcome {
    encl_status status; // BUILD, DEVICE, DEVICE_MEMORY: the row is of no use here; others end the executable
    bool lost;          // the device does nothing any more: it is not the row's fault
    char *detail;       // why, for these; NULL for OK
} outcome;

typedef struct build_work {
    const encl_device *device;
    encl_kernel_set *set;
    outcome *outcomes;
} build_work;

// One kernel from start to end, but for those that did not come through their rehearsal.
static void make_one(void *context, size_t i) {
    build_work *work = context;
    encl_kernel *kernel = &work->set->kernels[i];
    const encl_kernel_row *row = kernel->row;
    outcome *result = &work->outcomes[i];
    if (result->status != ENCL_OK) {
        return;
    }
    result->status = encl_kernel_make(work->device, row, &work->set->shapes[i], kernel);
    if (result->status != ENCL_OK) {
        const char *detail = encl_status_detail();
        if (encl_copy_text(detail, strlen(detail), &result->detail) != ENCL_OK) {
            result->detail = NULL;
        }
        result->lost = result->status != ENCL_BUILD && !encl_device_works(work->device);
        kernel->row = row;
    }
}

// Has the kernels that may end a process started in another one first (rehearsal.h).
static encl_status rehearse(const build_work *work) {
    encl_status status = ENCL_OK;
    const encl_kernel_set *set = work->set;
    encl_rehearsal *parts = NULL;
    size_t *indices = NULL; // of parts
    size_t count = 0;
    ENCL_TRY(encl_allocate(set->count, sizeof *parts, (void **)&parts));
    ENCL_TRY(encl_allocate(set->count, sizeof *indices, (void **)&indices));
    for (size_t i = 0; i < set->count; i++) {
        if (encl_rehearsal_is_due(set->kernels[i].row)) {
            parts[count] = (encl_rehearsal){.row = set->kernels[i].row, .shape = &set->shapes[i]};
            indices[count++] = i;
        }
    }
    ENCL_TRY(encl_rehearse(work->device, parts, count));
    for (size_t i = 0; i < count; i++) {
        if (parts[i].failure != NULL) {
            work->outcomes[indices[i]] = (outcome){.status = ENCL_BUILD, .detail = parts[i].failure};
            parts[i].failure = NULL;
        }
    }
cleanup:
    encl_rehearsal_free(parts, count);
    free(parts);
    free(indices);
    return status;
}

encl_status encl_kernels_open(const encl_device *device, const encl_schedule *schedule, bool *quarantined, bool *again,
                              encl_kernel_set *set) {
    encl_status status = ENCL_OK;
    encl_kernel_set made = {0};
    build_work work = {.device = device, .set = &made};
    size_t count = 0;
    *again = false;
    ENCL_TRY(want_all(&made, schedule));
    count = made.count;
    ENCL_TRY(encl_allocate(count, sizeof *work.outcomes, (void **)&work.outcomes));
    ENCL_TRY(rehearse(&work));
    encl_parallel(count, encl_device_takes_threads(device) ? encl_machine_threads() : 1, make_one, &work);
    // What ends the executable ends it before rows are blamed.
    for (size_t i = 0; i < count; i++) {
        if (work.outcomes[i].status != ENCL_OK &&
            (work.outcomes[i].lost || !encl_kernel_is_to_blame(work.outcomes[i].status))) {
            status = work.outcomes[i].status;
            encl_status_set_detail(work.outcomes[i].detail);
            goto cleanup;
        }
    }
    for (size_t i = 0; i < count; i++) {
        const char *detail = work.outcomes[i].detail == NULL ? "" : work.outcomes[i].detail;
        if (work.outcomes[i].status != ENCL_OK) {
            const encl_kernel_row *row = made.kernels[i].row;
            if (!quarantined[row - encl_kernel_rows]) {
                encl_warn("kernel %s is not used on %s: %s", row->name, encl_device_get_info(device)->name, detail);
                snprintf(set->failure, sizeof set->failure, "%s: %s", row->name, detail);
            }
            quarantined[row - encl_kernel_rows] = true;
            *again = true;
        } else {
            made.from_cache += made.kernels[i].program->from_cache;
        }
    }
    if (!*again) {
        *set = made;
        made = (encl_kernel_set){0};
    }
cleanup:
    for (size_t i = 0; work.outcomes != NULL && i < count; i++) {
        free(work.outcomes[i].detail);
    }
    free(work.outcomes);
    encl_kernels_close(&made);
    return status;
}

void encl_kernels_close(encl_kernel_set *set) {
    for (size_t i = 0; i < set->count; i++) {
        encl_kernel_close(&set->kernels[i]);
    }
    free(set->kernels);
    free(set->shapes);
    memset(set, 0, sizeof *set);
}
