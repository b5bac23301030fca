// Weights in the layout of a device: what they are called, taken from a store instead of packed, and read back for one.
#ifndef ENCL_GRAPH_PACKED_H
#define ENCL_GRAPH_PACKED_H

#include "runtime/graph/weights.h"

// The key of every weight of the schedule (encl.h, encl_executable_weight_key). Caller frees with
// encl_packed_free_keys.
encl_status encl_packed_keys(const encl_graph *graph, const encl_schedule *schedule, char ***keys);
void encl_packed_free_keys(char **keys, size_t count); // NULL is allowed

// The options that an executable of the graph has: with a store, its precision and exact layers. INVALID where the
// options ask for another precision.
encl_status encl_packed_options(const encl_graph *graph, encl_executable_options *options);

// As encl_weights_upload, with every weight from the graph's store. A CPU device's buffers are the store's memory.
encl_status encl_packed_take(const encl_device *device, const encl_graph *graph, const encl_schedule *schedule,
                             char *const *keys, encl_device_weight **weights, uint64_t *bytes);

#endif
