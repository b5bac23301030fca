// The memory plan: every activation tensor gets a place in one arena; tensors whose lives do not meet share memory.
// Several slabs where the device's largest allocation is too small.
#ifndef ENCL_GRAPH_PLAN_H
#define ENCL_GRAPH_PLAN_H

#include "runtime/graph/schedule.h"

typedef struct encl_place {
    int32_t slab;
    uint64_t offset; // bytes, a multiple of the alignment
    uint64_t bytes;
} encl_place;

typedef struct encl_plan {
    encl_place *places; // [tensor_count]
    uint64_t *slabs;    // [slab_count] bytes
    size_t slab_count;
    uint64_t arena_bytes;    // Σ slabs
    uint64_t unshared_bytes; // Σ tensors
} encl_plan;

// capacity[ENCL_COUNTS]: the most rows of each kind. A tensor larger than max_allocation is DEVICE_MEMORY.
encl_status encl_plan_create(const encl_schedule *schedule, const int64_t *capacity, uint64_t alignment,
                             uint64_t max_allocation, encl_plan *plan);
void encl_plan_free(encl_plan *plan);

#endif
