// The kernels of one executable: every (row, options) pair that its steps can launch, built once, checked once.
#ifndef ENCL_GRAPH_KERNELS_H
#define ENCL_GRAPH_KERNELS_H

#include "runtime/graph/schedule.h"

typedef struct encl_kernel_set {
    encl_kernel *kernels;
    encl_shape *shapes; // of the first step that wants each, for its self-check
    size_t count, capacity, shape_capacity;
    int32_t from_cache;
    char failure[512]; // of a row that was quarantined; "" where none was
} encl_kernel_set;

// Builds (or loads) all kernels of the schedule, and those that pack its weights, on several threads; then checks
// each against the C reference, which launches it with its real local size, and saves what was built. A row that does
// not build or fails its check is marked in quarantined[row index] with a warning, and *again is set: the schedule
// must be made anew without it. `set` is zero before the first call, and keeps `failure` where a call does not fill it.
// A device that does nothing any more is the status, and no row's fault.
encl_status encl_kernels_open(const encl_device *device, const encl_schedule *schedule, bool *quarantined, bool *again,
                              encl_kernel_set *set);
void encl_kernels_close(encl_kernel_set *set);

// The kernel of a row with the options of a shape; NULL where the set has none.
const encl_kernel *encl_kernels_find(const encl_kernel_set *set, const encl_kernel_row *row, const encl_shape *shape);

#endif
