#include "runtime/device/details.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/device/command.h"

// Asked by number, so that older headers do.
enum {
    DEVICE_UUID = 0x106A,             // cl_khr_device_uuid: 16 bytes
    DEVICE_PCI_BUS_INFO = 0x410F,     // cl_khr_pci_bus_info: domain, bus, device, function
    DEVICE_SUB_GROUP_SIZES = 0x4108,  // cl_intel_required_subgroup_size: size_t[]
    DEVICE_WARP_SIZE = 0x4003,        // cl_nv_device_attribute_query: cl_uint
    DEVICE_WAVEFRONT_WIDTH = 0x4043,  // cl_amd_device_attribute_query: cl_uint
    PLATFORM_HOST_TIMER_STEP = 0x0905 // OpenCL 2.1: cl_ulong
};

// Reads at most `size` bytes of a property; how many there were, 0 where the driver does not know it.
static size_t ask(cl_device_id id, cl_device_info name, void *value, size_t size) {
    size_t length = 0;
    if (clGetDeviceInfo(id, name, 0, NULL, &length) != CL_SUCCESS || length == 0 || length > size ||
        clGetDeviceInfo(id, name, length, value, NULL) != CL_SUCCESS) {
        return 0;
    }
    return length;
}

static void read_subgroup_size(cl_device_id id, encl_device_details *details) {
    enum { SIZES = 16 };
    size_t sizes[SIZES];
    const size_t count = ask(id, DEVICE_SUB_GROUP_SIZES, sizes, sizeof sizes) / sizeof sizes[0];
    for (size_t i = 0; i < count; i++) {
        if (sizes[i] > 0 && (details->subgroup_size == 0 || sizes[i] < details->subgroup_size)) {
            details->subgroup_size = (uint32_t)sizes[i];
        }
    }
    cl_uint size = 0;
    if (details->subgroup_size == 0 && (ask(id, DEVICE_WARP_SIZE, &size, sizeof size) == sizeof size ||
                                        ask(id, DEVICE_WAVEFRONT_WIDTH, &size, sizeof size) == sizeof size)) {
        details->subgroup_size = size;
    }
}

void encl_device_read_details(const encl_device *device, encl_device_details *details) {
    *details = (encl_device_details){0};
    unsigned char uuid[16];
    cl_uint pci[4];
    cl_ulong cache = 0;
    cl_uint line = 0;
    cl_ulong step = 0;
    char extensions[16384] = "";
    ask(device->id, CL_DEVICE_VERSION, details->version, sizeof details->version - 1);
    if (ask(device->id, DEVICE_UUID, uuid, sizeof uuid) == sizeof uuid) {
        for (size_t i = 0; i < sizeof uuid; i++) {
            snprintf(details->uuid + 2 * i, 3, "%02x", uuid[i]);
        }
    }
    if (ask(device->id, DEVICE_PCI_BUS_INFO, pci, sizeof pci) == sizeof pci) {
        snprintf(details->pci, sizeof details->pci, "%04" PRIx32 ":%02" PRIx32 ":%02" PRIx32 ".%" PRIx32, pci[0],
                 pci[1], pci[2], pci[3]);
    }
    ask(device->id, CL_DEVICE_GLOBAL_MEM_CACHE_SIZE, &cache, sizeof cache);
    ask(device->id, CL_DEVICE_GLOBAL_MEM_CACHELINE_SIZE, &line, sizeof line);
    details->cache_bytes = cache;
    details->cache_line_bytes = line;
    read_subgroup_size(device->id, details);
    if (clGetPlatformInfo(device->platform, PLATFORM_HOST_TIMER_STEP, sizeof step, &step, NULL) == CL_SUCCESS) {
        details->host_timer_step_ns = step;
    }
    ask(device->id, CL_DEVICE_EXTENSIONS, extensions, sizeof extensions - 1);
    details->command_buffer = strstr(extensions, "cl_khr_command_buffer") != NULL;
}

// ---- The clock --------------------------------------------------------------------------------------------

enum { COPIES = 64, STAMPS = 4, TIMES = COPIES * STAMPS };

static int compare_times(const void *a, const void *b) {
    const int64_t left = *(const int64_t *)a;
    const int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static encl_status take_times(encl_queue queue, encl_buffer buffer, int64_t times[TIMES]) {
    encl_status status = ENCL_OK;
    encl_command command = NULL;
    const uint32_t zero = 0;
    for (size_t i = 0; i < COPIES; i++) {
        ENCL_TRY(encl_queue_write(queue, buffer, 0, sizeof zero, &zero, &command));
        ENCL_TRY(encl_command_wait(command));
        ENCL_TRY(encl_command_times(command, times + i * STAMPS));
        encl_command_release(command);
        command = NULL;
    }
cleanup:
    encl_command_release(command);
    return status;
}

encl_status encl_device_timer_step(const encl_device *device, int64_t *step_ns) {
    encl_status status = ENCL_OK;
    encl_buffer buffer = NULL;
    int64_t times[TIMES] = {0};
    *step_ns = 0;
    ENCL_TRY(encl_device_acquire(device));
    status = encl_buffer_create(device, sizeof(uint32_t), &buffer);
    if (status == ENCL_OK) {
        status = take_times(encl_device_profile_queue(device), buffer, times);
    }
    encl_buffer_release(buffer);
    encl_device_release(device);
    ENCL_TRY(status);
    qsort(times, TIMES, sizeof times[0], compare_times);
    for (size_t i = 1; i < TIMES; i++) {
        const int64_t step = times[i] - times[i - 1];
        if (step > 0 && (*step_ns == 0 || step < *step_ns)) {
            *step_ns = step;
        }
    }
cleanup:
    return status;
}
