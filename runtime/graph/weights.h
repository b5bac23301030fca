// Weights on the device: read row by row from their source, checked to be finite, laid out, uploaded once.
#ifndef ENCL_GRAPH_WEIGHTS_H
#define ENCL_GRAPH_WEIGHTS_H

#include "runtime/graph/kernels.h"

typedef struct encl_weight_part {
    encl_buffer buffer;
    int64_t first_row;
    int64_t rows;
} encl_weight_part;

typedef struct encl_device_weight {
    encl_weight_part *parts;
    size_t part_count;
    int64_t part_rows; // of every part but the last
} encl_device_weight;

// Bytes of `rows` rows of a weight on the device.
uint64_t encl_weight_bytes(const encl_weight_plan *plan, int64_t rows);

// Makes the weight of its bytes as they lie on a device. Where host and device share memory, its buffers are these
// bytes, which must stay as they are; others get a copy, which is under way when this returns.
encl_status encl_weight_take(const encl_device *device, const encl_weight_plan *plan, const void *data,
                             encl_device_weight *weight);

// kernels: the schedule's. The device must be acquired. *bytes is what all weights take on the device, those
// included that stay where they are.
encl_status encl_weights_upload(const encl_device *device, const encl_graph *graph, const encl_schedule *schedule,
                                const encl_kernel_set *kernels, encl_device_weight **weights, uint64_t *bytes);
void encl_weights_free(encl_device_weight *weights, size_t count);

#endif
