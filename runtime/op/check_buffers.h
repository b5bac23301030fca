// A call's inputs on a device, with an output between guard words.
#ifndef ENCL_OP_CHECK_BUFFERS_H
#define ENCL_OP_CHECK_BUFFERS_H

#include "runtime/op/check_compare.h"
#include "runtime/op/kernel.h"

typedef struct encl_check_buffers {
    encl_buffer at[ENCL_OPERATOR_BUFFERS]; // in the operator's order
    encl_buffer whole;                     // the output with its guard words
    bool front;                            // they stand before it too
} encl_check_buffers;

// Bytes that a set of these takes on the device.
size_t encl_check_buffers_bytes(const encl_check_inputs *inputs);
// Uploads the inputs and an output that nothing has touched. as_given: matrices as rows, for the library, and not as
// kernels read them. The device must be acquired. On failure *buffers is zeroed, which may be freed too.
encl_status encl_check_buffers_create(const encl_device *device, const encl_check_inputs *inputs, bool as_given,
                                      encl_check_buffers *buffers);
// The output with its guard words, [GUARD + out_words + GUARD]. Waits for the device's plain queue alone: what was
// launched on another must be over. Caller frees *found.
encl_status encl_check_buffers_read(const encl_device *device, const encl_check_inputs *inputs,
                                    const encl_check_buffers *buffers, uint32_t **found);
void encl_check_buffers_free(encl_check_buffers *buffers);

#endif
