#include "runtime/graph/kernels.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/log.h"
#include "runtime/op/check.h"

// Two shapes of one operator want the same program where these agree (encl_operator_options).
static bool same_options(const encl_shape *a, const encl_shape *b) {
    return a->activation == b->activation && a->residual == b->residual && a->head_size == b->head_size &&
           a->pooling == b->pooling;
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
    if (encl_kernels_find(set, row, shape) != NULL) {
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

static encl_status want_all(encl_kernel_set *set, const encl_schedule *schedule, const bool *quarantined) {
    encl_status status = ENCL_OK;
    bool panels = false;
    for (size_t i = 0; i < schedule->step_count; i++) {
        const encl_step *step = &schedule->steps[i];
        for (size_t j = 0; j < step->row_count; j++) {
            ENCL_TRY(want(set, step->rows[j], &step->shape));
        }
    }
    for (size_t i = 0; i < schedule->weight_count; i++) {
        panels = panels || schedule->weights[i].layout == ENCL_LAYOUT_PANELS;
    }
    if (panels) {
        const encl_shape shape = {0};
        const encl_kernel_row *row = NULL;
        if (encl_kernel_candidates(ENCL_OP_PACK, &shape, ENCL_FAMILY_PLAIN, quarantined, &row, 1) == 0) {
            return encl_fail(ENCL_UNSUPPORTED, "no kernel serves pack on this device");
        }
        ENCL_TRY(want(set, row, &shape));
    }
cleanup:
    return status;
}

typedef struct build_work {
    const encl_device *device;
    encl_kernel_set *set;
    encl_status *statuses;
    char **details;
} build_work;

static void build_one(void *context, size_t i) {
    build_work *work = context;
    const encl_kernel_row *row = work->set->kernels[i].row;
    work->statuses[i] = encl_kernel_open(work->device, row, &work->set->shapes[i], &work->set->kernels[i]);
    if (work->statuses[i] != ENCL_OK) {
        work->set->kernels[i].row = row;
        const char *detail = encl_status_detail();
        if (encl_copy_text(detail, strlen(detail), &work->details[i]) != ENCL_OK) {
            work->details[i] = NULL;
        }
    }
}

static void quarantine(const encl_kernel_row *row, const encl_device *device, const char *why, bool *quarantined) {
    encl_warn("kernel %s is not used on %s: %s", row->name, encl_device_get_info(device)->name, why);
    quarantined[row - encl_kernel_rows] = true;
}

// Checks a kernel; one that came from the cache and fails is built from source and checked once more.
static encl_status check_one(const encl_device *device, encl_kernel *kernel, const encl_shape *shape, bool *quarantined,
                             bool *again) {
    encl_status status = ENCL_OK;
    encl_check_case check;
    encl_check_result result = {0};
    const encl_kernel_row *row = kernel->row;
    encl_check_small(row, shape, &check);
    status = encl_check_kernel(device, kernel, &check, &result);
    if (kernel->program->from_cache && (status != ENCL_OK || !result.passed)) {
        encl_program_forget(kernel->program);
        encl_kernel_close(kernel);
        status = encl_kernel_open(device, row, shape, kernel);
        kernel->row = row;
        status = status != ENCL_OK ? status : encl_check_kernel(device, kernel, &check, &result);
    }
    if (status == ENCL_DEVICE || status == ENCL_BUILD) {
        quarantine(row, device, encl_status_detail(), quarantined);
        *again = true;
        return ENCL_OK;
    }
    ENCL_TRY(status);
    if (!result.passed) {
        encl_string why = {0};
        status = encl_string_format(&why, "its self-check failed (%s at element %lld, error %g, tolerance %g)",
                                    result.reason, (long long)result.where, result.max_error, result.tolerance);
        quarantine(kernel->row, device, status == ENCL_OK ? why.text : "its self-check failed", quarantined);
        encl_string_free(&why);
        *again = true;
        return ENCL_OK;
    }
    encl_program_keep(kernel->program);
cleanup:
    return status;
}

encl_status encl_kernels_open(const encl_device *device, const encl_schedule *schedule, bool *quarantined, bool *again,
                              encl_kernel_set *set) {
    encl_status status = ENCL_OK;
    encl_kernel_set made = {0};
    build_work work = {.device = device, .set = &made};
    size_t count = 0;
    *again = false;
    memset(set, 0, sizeof *set);
    ENCL_TRY(want_all(&made, schedule, quarantined));
    count = made.count;
    ENCL_TRY(encl_allocate(count, sizeof *work.statuses, (void **)&work.statuses));
    ENCL_TRY(encl_allocate(count, sizeof *work.details, (void **)&work.details));
    encl_parallel(count, encl_machine_threads(), build_one, &work);
    for (size_t i = 0; i < count; i++) {
        if (work.statuses[i] == ENCL_BUILD) {
            quarantine(made.kernels[i].row, device, work.details[i] == NULL ? "" : work.details[i], quarantined);
            *again = true;
        } else if (work.statuses[i] != ENCL_OK) {
            status = work.statuses[i];
            encl_status_set_detail(work.details[i] == NULL ? "" : work.details[i]);
            goto cleanup;
        }
    }
    for (size_t i = 0; i < count && !*again; i++) {
        ENCL_TRY(check_one(device, &made.kernels[i], &made.shapes[i], quarantined, again));
        made.from_cache += made.kernels[i].program->from_cache;
    }
    if (!*again) {
        *set = made;
        made = (encl_kernel_set){0};
    }
cleanup:
    for (size_t i = 0; work.details != NULL && i < count; i++) {
        free(work.details[i]);
    }
    free(work.details);
    free(work.statuses);
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
