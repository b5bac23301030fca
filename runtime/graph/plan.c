#include "runtime/graph/plan.h"

#include <stdlib.h>

static uint64_t round_up(uint64_t value, uint64_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

static bool lives_meet(const encl_tensor_plan *a, const encl_tensor_plan *b) {
    return a->first_step <= b->last_step && b->first_step <= a->last_step;
}

// The lowest offset in a slab where `bytes` meet no tensor that is placed already and lives at the same time.
static uint64_t lowest_offset(const encl_schedule *schedule, const encl_plan *plan, const bool *placed, size_t tensor,
                              int32_t slab) {
    uint64_t offset = 0;
    bool moved = true;
    while (moved) {
        moved = false;
        for (size_t i = 0; i < schedule->tensor_count; i++) {
            const encl_place *p = &plan->places[i];
            if (placed[i] && p->slab == slab && lives_meet(&schedule->tensors[i], &schedule->tensors[tensor]) &&
                offset < p->offset + p->bytes && p->offset < offset + plan->places[tensor].bytes) {
                offset = p->offset + p->bytes;
                moved = true;
            }
        }
    }
    return offset;
}

static encl_status place_tensor(const encl_schedule *schedule, encl_plan *plan, const bool *placed, size_t tensor,
                                uint64_t max_allocation) {
    encl_place *place = &plan->places[tensor];
    if (place->bytes > max_allocation) {
        return encl_fail(ENCL_DEVICE_MEMORY,
                         "an activation of %llu bytes is larger than the device's largest allocation of %llu bytes; "
                         "a batch of fewer tokens would fit",
                         (unsigned long long)place->bytes, (unsigned long long)max_allocation);
    }
    for (int32_t slab = 0;; slab++) {
        const uint64_t offset = lowest_offset(schedule, plan, placed, tensor, slab);
        if (offset + place->bytes <= max_allocation) {
            place->slab = slab;
            place->offset = offset;
            if ((size_t)slab == plan->slab_count) {
                plan->slabs[plan->slab_count++] = 0;
            }
            if (plan->slabs[slab] < offset + place->bytes) {
                plan->slabs[slab] = offset + place->bytes;
            }
            return ENCL_OK;
        }
    }
}

encl_status encl_plan_create(const encl_schedule *schedule, const int64_t *capacity, uint64_t alignment,
                             uint64_t max_allocation, encl_plan *plan) {
    encl_status status = ENCL_OK;
    const size_t count = schedule->tensor_count;
    encl_plan made = {0};
    bool *placed = NULL;
    *plan = made;
    max_allocation = max_allocation / alignment * alignment;
    ENCL_TRY(encl_allocate(count, sizeof *made.places, (void **)&made.places));
    ENCL_TRY(encl_allocate(count, sizeof *made.slabs, (void **)&made.slabs));
    ENCL_TRY(encl_allocate(count, sizeof *placed, (void **)&placed));
    for (size_t i = 0; i < count; i++) {
        const encl_tensor_plan *t = &schedule->tensors[i];
        const uint64_t rows = (uint64_t)capacity[t->count] + ENCL_ROW_PADDING;
        made.places[i].bytes = round_up(rows * (uint64_t)t->width * sizeof(float), alignment);
        made.unshared_bytes += made.places[i].bytes;
    }
    // Largest first leaves the fewest holes.
    for (size_t n = 0; n < count; n++) {
        size_t largest = count;
        for (size_t i = 0; i < count; i++) {
            if (!placed[i] && (largest == count || made.places[i].bytes > made.places[largest].bytes)) {
                largest = i;
            }
        }
        ENCL_TRY(place_tensor(schedule, &made, placed, largest, max_allocation));
        placed[largest] = true;
    }
    for (size_t i = 0; i < made.slab_count; i++) {
        made.arena_bytes += made.slabs[i];
    }
    *plan = made;
    made = (encl_plan){0};
cleanup:
    encl_plan_free(&made);
    free(placed);
    return status;
}

void encl_plan_free(encl_plan *plan) {
    free(plan->places);
    free(plan->slabs);
    *plan = (encl_plan){0};
}
