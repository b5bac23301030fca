// The memory plan: tensors whose lives do not meet take turns in a slab, which is a buffer of the largest one's size.
// Whole buffers and no parts of one: NVIDIA's driver (580, on an H100) crashes when sub-buffers that overlap are
// released.
#ifndef ENCL_GRAPH_PLAN_H
#define ENCL_GRAPH_PLAN_H

#include "runtime/graph/schedule.h"

typedef struct encl_plan {
    size_t *slab_of; // [tensor_count] which slab a tensor lies in, from its beginning
    uint64_t *slabs; // [slab_count] bytes
    size_t slab_count;
    uint64_t arena_bytes;    // Σ slabs
    uint64_t unshared_bytes; // Σ tensors
} encl_plan;

// capacity[ENCL_COUNTS]: the most rows of each kind. A tensor larger than max_allocation is DEVICE_MEMORY.
encl_status encl_plan_create(const encl_schedule *schedule, const int64_t *capacity, uint64_t max_allocation,
                             encl_plan *plan);
void encl_plan_free(encl_plan *plan);

#endif
