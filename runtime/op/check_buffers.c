#include "runtime/op/check_buffers.h"

#include <stdlib.h>

static const size_t guard_bytes = (size_t)ENCL_CHECK_GUARD * 4;

static size_t whole_words(const encl_check_inputs *inputs) {
    return inputs->out_words + 2 * (size_t)ENCL_CHECK_GUARD;
}

size_t encl_check_buffers_bytes(const encl_check_inputs *inputs) {
    size_t words = whole_words(inputs);
    for (size_t i = 0; i < ENCL_OPERATOR_BUFFERS; i++) {
        const encl_check_operand *o = &inputs->operands[i];
        words += o->device != NULL ? o->device_words : o->words;
    }
    return words * 4;
}

static encl_status make_untouched(const encl_check_inputs *inputs, uint32_t **words) {
    encl_status status = encl_allocate(whole_words(inputs), sizeof **words, (void **)words);
    for (size_t i = 0; status == ENCL_OK && i < whole_words(inputs); i++) {
        (*words)[i] = ENCL_CHECK_UNTOUCHED;
    }
    return status;
}

encl_status encl_check_buffers_create(const encl_device *device, const encl_check_inputs *inputs, bool as_given,
                                      encl_check_buffers *buffers) {
    encl_status status = ENCL_OK;
    const cl_context context = encl_device_context(device);
    const size_t output = encl_operator_output(inputs->op);
    const size_t total = whole_words(inputs) * 4;
    // The guard before the output must keep sub-buffers aligned, so the output is its own buffer with both guards and
    // the kernel gets a sub-buffer where the device's alignment allows; else the guards stand only behind.
    const bool front = encl_device_get_info(device)->base_alignment <= guard_bytes;
    const size_t before = front ? guard_bytes : 0;
    const cl_buffer_region region = {before, total - before - (front ? guard_bytes : 0)};
    uint32_t *untouched = NULL;
    cl_int error = CL_SUCCESS;
    encl_check_buffers made = {.front = front};
    *buffers = (encl_check_buffers){0};
    for (size_t i = 0; i < encl_operator_buffers(inputs->op); i++) {
        const encl_check_operand *o = &inputs->operands[i];
        const bool own = o->device != NULL && !as_given;
        const size_t words = own ? o->device_words : o->words;
        if (i != output) {
            made.at[i] = clCreateBuffer(context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, words == 0 ? 4 : words * 4,
                                        own ? o->device : o->host, &error);
            ENCL_TRY(error == CL_SUCCESS ? ENCL_OK : encl_cl_fail(error, "clCreateBuffer"));
        }
    }
    ENCL_TRY(make_untouched(inputs, &untouched));
    made.whole = clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, total, untouched, &error);
    ENCL_TRY(error == CL_SUCCESS ? ENCL_OK : encl_cl_fail(error, "clCreateBuffer"));
    made.at[output] = clCreateSubBuffer(made.whole, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &error);
    ENCL_TRY(error == CL_SUCCESS ? ENCL_OK : encl_cl_fail(error, "clCreateSubBuffer"));
    *buffers = made;
    made = (encl_check_buffers){0};
cleanup:
    encl_check_buffers_free(&made);
    free(untouched);
    return status;
}

encl_status encl_check_buffers_read(const encl_device *device, const encl_check_inputs *inputs,
                                    const encl_check_buffers *buffers, uint32_t **found) {
    encl_status status = ENCL_OK;
    uint32_t *words = NULL;
    const size_t bytes = whole_words(inputs) * 4 - (buffers->front ? 0 : guard_bytes);
    *found = NULL;
    ENCL_TRY(make_untouched(inputs, &words));
    ENCL_CL_TRY(clEnqueueReadBuffer(encl_device_queue(device), buffers->whole, CL_TRUE, 0, bytes,
                                    buffers->front ? words : words + ENCL_CHECK_GUARD, 0, NULL, NULL));
    *found = words;
    words = NULL;
cleanup:
    free(words);
    return status;
}

void encl_check_buffers_free(encl_check_buffers *buffers) {
    for (size_t i = 0; i < ENCL_OPERATOR_BUFFERS; i++) {
        encl_buffer_release(buffers->at[i]);
    }
    encl_buffer_release(buffers->whole);
    *buffers = (encl_check_buffers){0};
}
