#include "runtime/graph/plan.h"

#include <stdlib.h>

static uint64_t tensor_bytes(const encl_tensor_plan *tensor, const int64_t *capacity) {
    return ((uint64_t)capacity[tensor->count] + ENCL_ROW_PADDING) * (uint64_t)tensor->width * sizeof(float);
}

static bool lives_meet(const encl_tensor_plan *a, const encl_tensor_plan *b) {
    return a->first_step <= b->last_step && b->first_step <= a->last_step;
}

// True where no tensor that was placed in the slab already lives at the same time.
static bool is_free(const encl_schedule *schedule, const encl_plan *plan, const bool *placed, size_t tensor,
                    size_t slab) {
    for (size_t i = 0; i < schedule->tensor_count; i++) {
        if (placed[i] && plan->slab_of[i] == slab && lives_meet(&schedule->tensors[i], &schedule->tensors[tensor])) {
            return false;
        }
    }
    return true;
}

// Tensors come largest first, so that every slab there is holds this one too. The last one that is free is the
// smallest.
static void place_tensor(const encl_schedule *schedule, encl_plan *plan, const bool *placed, size_t tensor,
                         uint64_t bytes) {
    size_t slab = plan->slab_count;
    for (size_t i = 0; i < plan->slab_count; i++) {
        slab = is_free(schedule, plan, placed, tensor, i) ? i : slab;
    }
    if (slab == plan->slab_count) {
        plan->slabs[plan->slab_count++] = bytes;
        plan->arena_bytes += bytes;
    }
    plan->slab_of[tensor] = slab;
}

encl_status encl_plan_create(const encl_schedule *schedule, const int64_t *capacity, uint64_t max_allocation,
                             encl_plan *plan) {
    encl_status status = ENCL_OK;
    const size_t count = schedule->tensor_count;
    encl_plan made = {0};
    bool *placed = NULL;
    *plan = made;
    ENCL_TRY(encl_allocate(count, sizeof *made.slab_of, (void **)&made.slab_of));
    ENCL_TRY(encl_allocate(count, sizeof *made.slabs, (void **)&made.slabs));
    ENCL_TRY(encl_allocate(count, sizeof *placed, (void **)&placed));
    for (size_t n = 0; n < count; n++) {
        size_t largest = count;
        uint64_t bytes = 0;
        for (size_t i = 0; i < count; i++) {
            const uint64_t wanted = tensor_bytes(&schedule->tensors[i], capacity);
            if (!placed[i] && (largest == count || wanted > bytes)) {
                largest = i;
                bytes = wanted;
            }
        }
        if (bytes > max_allocation) {
            status = encl_fail(ENCL_DEVICE_MEMORY,
                               "an activation of %llu bytes is larger than the device's largest allocation of %llu "
                               "bytes; a batch of fewer tokens would fit",
                               (unsigned long long)bytes, (unsigned long long)max_allocation);
            goto cleanup;
        }
        place_tensor(schedule, &made, placed, largest, bytes);
        placed[largest] = true;
        made.unshared_bytes += bytes;
    }
    *plan = made;
    made = (encl_plan){0};
cleanup:
    encl_plan_free(&made);
    free(placed);
    return status;
}

void encl_plan_free(encl_plan *plan) {
    free(plan->slab_of);
    free(plan->slabs);
    *plan = (encl_plan){0};
}
