#include "runtime/device/command.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "runtime/base/memory.h"

static encl_status create_buffer(const encl_device *device, cl_mem_flags flags, size_t bytes, encl_buffer *buffer) {
    cl_int error = CL_SUCCESS;
    *buffer = NULL;
    cl_mem made = clCreateBuffer(encl_device_context(device), flags, bytes == 0 ? 4 : bytes, NULL, &error);
    if (error != CL_SUCCESS) {
        encl_status status = encl_cl_fail(error, "clCreateBuffer");
        return encl_fail_context(status, "a buffer of %zu bytes", bytes);
    }
    *buffer = made;
    return ENCL_OK;
}

bool encl_device_in_host_memory(const encl_device *device) {
    const encl_device_info *info = encl_device_get_info(device);
    // A software GPU driver has its own memory behind what it maps.
    return info->type == ENCL_DEVICE_CPU && !info->software && info->unified_memory;
}

encl_status encl_buffer_create(const encl_device *device, size_t bytes, encl_buffer *buffer) {
    return create_buffer(device, CL_MEM_READ_WRITE, bytes, buffer);
}

encl_status encl_buffer_create_shared(const encl_device *device, size_t bytes, encl_buffer *buffer) {
    return create_buffer(device, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, bytes, buffer);
}

encl_status encl_buffer_over(const encl_device *device, const void *memory, size_t bytes, encl_buffer *buffer) {
    cl_int error = CL_SUCCESS;
    *buffer = NULL;
    cl_mem made = clCreateBuffer(encl_device_context(device), CL_MEM_READ_ONLY | CL_MEM_USE_HOST_PTR, bytes,
                                 (void *)(uintptr_t)memory, &error);
    if (error != CL_SUCCESS) {
        encl_status status = encl_cl_fail(error, "clCreateBuffer");
        return encl_fail_context(status, "a buffer over %zu bytes of the host's", bytes);
    }
    *buffer = made;
    return ENCL_OK;
}

void encl_buffer_release(encl_buffer buffer) {
    if (buffer != NULL) {
        clReleaseMemObject(buffer);
    }
}

static encl_status check(cl_int error, const char *call) {
    return error == CL_SUCCESS ? ENCL_OK : encl_cl_fail(error, call);
}

encl_status encl_queue_write(encl_queue queue, encl_buffer buffer, size_t offset, size_t bytes, const void *host,
                             encl_command *command) {
    return check(clEnqueueWriteBuffer(queue, buffer, CL_FALSE, offset, bytes, host, 0, NULL, command),
                 "clEnqueueWriteBuffer");
}

encl_status encl_queue_read(encl_queue queue, encl_buffer buffer, size_t offset, size_t bytes, void *host,
                            encl_command *command) {
    return check(clEnqueueReadBuffer(queue, buffer, CL_FALSE, offset, bytes, host, 0, NULL, command),
                 "clEnqueueReadBuffer");
}

encl_status encl_queue_map(encl_queue queue, encl_buffer buffer, size_t bytes, void **host, encl_command *command) {
    cl_int error = CL_SUCCESS;
    *host =
        clEnqueueMapBuffer(queue, buffer, CL_FALSE, CL_MAP_WRITE_INVALIDATE_REGION, 0, bytes, 0, NULL, command, &error);
    if (error != CL_SUCCESS) {
        *host = NULL;
    }
    return check(error, "clEnqueueMapBuffer");
}

encl_status encl_queue_unmap(encl_queue queue, encl_buffer buffer, void *host) {
    return check(clEnqueueUnmapMemObject(queue, buffer, host, 0, NULL, NULL), "clEnqueueUnmapMemObject");
}

encl_status encl_buffer_prefer_large_pages(const encl_device *device, encl_queue queue, encl_buffer buffer,
                                           size_t bytes) {
    encl_status status = ENCL_OK;
    const uintptr_t page = (uintptr_t)2 << 20;
    void *host = NULL;
    if (!encl_device_in_host_memory(device) || bytes < 2 * page) {
        return ENCL_OK;
    }
    ENCL_TRY(encl_queue_map(queue, buffer, bytes, &host, NULL));
    const uintptr_t first = ((uintptr_t)host + page - 1) / page * page;
    const uintptr_t end = ((uintptr_t)host + bytes) / page * page;
    if (end > first) {
        (void)madvise((void *)first, end - first, MADV_HUGEPAGE); // a wish: without it all works as well
    }
    ENCL_TRY(encl_queue_unmap(queue, buffer, host));
cleanup:
    return status;
}

encl_status encl_queue_copy(encl_queue queue, encl_buffer source, encl_buffer destination, size_t offset,
                            size_t bytes) {
    return check(clEnqueueCopyBuffer(queue, source, destination, 0, offset, bytes, 0, NULL, NULL),
                 "clEnqueueCopyBuffer");
}

encl_status encl_entry_arguments(encl_entry entry, const encl_argument *arguments, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const cl_int error = clSetKernelArg(entry, (cl_uint)i, arguments[i].bytes, arguments[i].value);
        if (error != CL_SUCCESS) {
            encl_status status = encl_cl_fail(error, "clSetKernelArg");
            return encl_fail_context(status, "argument %zu", i);
        }
    }
    return ENCL_OK;
}

encl_status encl_queue_launch(encl_queue queue, encl_entry entry, size_t global, size_t local, encl_command *command) {
    return check(clEnqueueNDRangeKernel(queue, entry, 1, NULL, &global, &local, 0, NULL, command),
                 "clEnqueueNDRangeKernel");
}

void encl_entry_release(encl_entry entry) {
    if (entry != NULL) {
        clReleaseKernel(entry);
    }
}

encl_status encl_queue_zero(encl_queue queue, encl_buffer buffer, size_t offset, size_t bytes) {
    const float zero = 0.0f;
    return check(clEnqueueFillBuffer(queue, buffer, &zero, sizeof zero, offset, bytes, 0, NULL, NULL),
                 "clEnqueueFillBuffer");
}

encl_status encl_queue_mark(encl_queue queue, encl_command *command) {
    return check(clEnqueueMarkerWithWaitList(queue, 0, NULL, command), "clEnqueueMarkerWithWaitList");
}

encl_status encl_queue_flush(encl_queue queue) {
    return check(clFlush(queue), "clFlush");
}

encl_status encl_queue_finish(encl_queue queue) {
    return check(clFinish(queue), "clFinish");
}

bool encl_queue_drain(encl_queue queue) {
    return clFinish(queue) == CL_SUCCESS;
}

encl_status encl_command_wait(encl_command command) {
    return check(clWaitForEvents(1, &command), "clWaitForEvents");
}

void encl_command_drain(encl_command command) {
    if (command != NULL) {
        (void)clWaitForEvents(1, &command);
    }
}

// A command's negative state is the error that ended it.
static encl_status status_of_command(cl_int state) {
    return state >= 0 ? ENCL_OK : encl_cl_fail(state, "a command of the run");
}

encl_status encl_command_ask(encl_command command, bool *over) {
    cl_int state = CL_QUEUED;
    const cl_int error = clGetEventInfo(command, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL);
    *over = error != CL_SUCCESS || state <= CL_COMPLETE;
    return error != CL_SUCCESS ? encl_cl_fail(error, "clGetEventInfo") : status_of_command(state);
}

// The driver's and the caller's; whoever is last frees it.
struct encl_notice {
    void (*over)(void *context, encl_status status);
    void *context;
    atomic_bool taken; // by the call of over() or by its cancellation
    atomic_int users;
};

void encl_notice_release(encl_notice *notice) {
    if (notice != NULL && atomic_fetch_sub(&notice->users, 1) == 1) {
        free(notice);
    }
}

bool encl_notice_cancel(encl_notice *notice) {
    return !atomic_exchange(&notice->taken, true);
}

static void CL_CALLBACK give_notice(cl_event event, cl_int result, void *context) {
    encl_notice *notice = context;
    (void)event;
    if (!atomic_exchange(&notice->taken, true)) {
        notice->over(notice->context, status_of_command(result));
    }
    encl_notice_release(notice);
}

encl_status encl_command_notify(encl_command command, void (*over)(void *context, encl_status status), void *context,
                                encl_notice **notice) {
    encl_notice *made = NULL;
    *notice = NULL;
    encl_status status = encl_allocate(1, sizeof *made, (void **)&made);
    if (status != ENCL_OK) {
        return status;
    }
    made->over = over;
    made->context = context;
    atomic_init(&made->taken, false);
    atomic_init(&made->users, 2);
    status = check(clSetEventCallback(command, CL_COMPLETE, give_notice, made), "clSetEventCallback");
    if (status != ENCL_OK) {
        free(made);
        return status;
    }
    *notice = made;
    return ENCL_OK;
}

encl_status encl_command_times(encl_command command, int64_t times_ns[4]) {
    static const cl_profiling_info names[] = {CL_PROFILING_COMMAND_QUEUED, CL_PROFILING_COMMAND_SUBMIT,
                                              CL_PROFILING_COMMAND_START, CL_PROFILING_COMMAND_END};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        cl_ulong value = 0;
        const cl_int error = clGetEventProfilingInfo(command, names[i], sizeof value, &value, NULL);
        if (error != CL_SUCCESS) {
            return encl_cl_fail(error, "clGetEventProfilingInfo");
        }
        times_ns[i] = (int64_t)value;
    }
    return ENCL_OK;
}

void encl_command_release(encl_command command) {
    if (command != NULL) {
        clReleaseEvent(command);
    }
}

bool encl_device_works(const encl_device *device) {
    const cl_uint written = 0x656e636c;
    cl_uint found = 0;
    cl_int error = CL_SUCCESS;
    const cl_command_queue queue = encl_device_queue(device);
    cl_mem buffer = clCreateBuffer(encl_device_context(device), CL_MEM_READ_WRITE, sizeof written, NULL, &error);
    if (error != CL_SUCCESS) {
        return false;
    }
    error = clEnqueueWriteBuffer(queue, buffer, CL_TRUE, 0, sizeof written, &written, 0, NULL, NULL);
    if (error == CL_SUCCESS) {
        error = clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, sizeof found, &found, 0, NULL, NULL);
    }
    clReleaseMemObject(buffer);
    return error == CL_SUCCESS && found == written;
}
