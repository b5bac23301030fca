#include "runtime/device/device.h"

#include <CL/cl_ext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/log.h"
#include "runtime/device/discovery.h"

// The process-wide list. Devices stay where they are once listed, so pointers to them live as long as the process.
static struct {
    encl_mutex mutex;
    const encl_device **devices; // NULL until discovery succeeded
    size_t count;
} list = {.mutex = ENCL_MUTEX_INIT};

// Devices under discovery: pointers, so that a growing list moves no mutex.
typedef struct device_list {
    encl_device **devices;
    size_t count;
    size_t capacity;
    char left_out[512]; // why the last device or platform was
} device_list;

// A platform or device that does not answer must not cost the others.
static void leave_out(device_list *found, const char *what) {
    snprintf(found->left_out, sizeof found->left_out, "%s is left out: %s", what, encl_status_detail());
    encl_debug("%s", found->left_out);
}

static encl_status add_device(device_list *found, cl_platform_id platform, cl_device_id id) {
    encl_status status = ENCL_OK;
    void *memory = NULL;
    encl_device *device = NULL;
    void *devices = found->devices;
    status = encl_reserve(&devices, &found->capacity, found->count + 1, sizeof(encl_device *));
    found->devices = devices;
    ENCL_TRY(status);
    ENCL_TRY(encl_allocate(1, sizeof(encl_device), &memory));
    device = memory;
    ENCL_TRY(encl_device_read(platform, id, device));
    status = encl_mutex_init(&device->mutex);
    if (status != ENCL_OK) {
        encl_device_forget(device);
        goto cleanup;
    }
    found->devices[found->count++] = device;
    memory = NULL;

cleanup:
    free(memory);
    return status;
}

// Adds a platform's devices.
static encl_status add_platform(device_list *found, cl_platform_id platform) {
    encl_status status = ENCL_OK;
    void *memory = NULL;
    cl_device_id *ids = NULL;
    cl_uint count = 0;
    cl_int error = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, NULL, &count);
    if (error == CL_DEVICE_NOT_FOUND || (error == CL_SUCCESS && count == 0)) {
        return ENCL_OK;
    }
    if (error != CL_SUCCESS) {
        encl_cl_fail(error, "clGetDeviceIDs");
        leave_out(found, "a platform");
        return ENCL_OK;
    }
    ENCL_TRY(encl_allocate(count, sizeof(cl_device_id), &memory));
    ids = memory;
    cl_uint now = 0;
    error = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, count, ids, &now);
    if (error != CL_SUCCESS) {
        encl_cl_fail(error, "clGetDeviceIDs");
        leave_out(found, "a platform");
        goto cleanup;
    }
    for (cl_uint i = 0; i < count && i < now; i++) {
        status = add_device(found, platform, ids[i]);
        if (status == ENCL_OUT_OF_MEMORY) {
            goto cleanup;
        }
        if (status != ENCL_OK) {
            leave_out(found, "one");
            status = ENCL_OK;
        }
    }

cleanup:
    free(memory);
    return status;
}

// Devices that cannot be used stand at the end; before them Mesa's retired Clover, which shows again, and worse, what
// rusticl shows. All others keep the order of the platforms.
static int place_in_list(const encl_device *device) {
    if (!device->info.available) {
        return 2;
    }
    return strcmp(device->info.platform, "Clover") == 0 ? 1 : 0;
}

static void order_devices(device_list *found) {
    for (size_t i = 1; i < found->count; i++) {
        encl_device *device = found->devices[i];
        size_t at = i;
        for (; at > 0 && place_in_list(found->devices[at - 1]) > place_in_list(device); at--) {
            found->devices[at] = found->devices[at - 1];
        }
        found->devices[at] = device;
    }
    for (size_t i = 0; i < found->count; i++) {
        found->devices[i]->info.index = (int32_t)i;
    }
}

static encl_status fail_without_devices(const char *reason) {
    encl_string advice = {0};
    encl_status status = encl_device_advice("/dev/dri", &advice);
    if (status == ENCL_OK) {
        status = encl_fail(ENCL_NO_DEVICE, "no OpenCL device: %s. %s", reason, advice.text);
    }
    encl_string_free(&advice);
    return status;
}

// Asks every platform that the ICD loader knows.
static encl_status discover(device_list *found) {
    encl_status status = ENCL_OK;
    void *memory = NULL;
    cl_uint count = 0;
    cl_uint now = 0;
    cl_int error = clGetPlatformIDs(0, NULL, &count);
    if (error == CL_PLATFORM_NOT_FOUND_KHR || (error == CL_SUCCESS && count == 0)) {
        return fail_without_devices("the ICD loader finds no platform");
    }
    if (error != CL_SUCCESS) {
        return encl_cl_fail(error, "clGetPlatformIDs");
    }
    ENCL_TRY(encl_allocate(count, sizeof(cl_platform_id), &memory));
    cl_platform_id *platforms = memory;
    ENCL_CL_TRY(clGetPlatformIDs(count, platforms, &now));
    for (cl_uint i = 0; i < count && i < now; i++) {
        ENCL_TRY(add_platform(found, platforms[i]));
    }
    if (found->count == 0) {
        status = found->left_out[0] == '\0' ? fail_without_devices("no platform has one")
                                            : encl_fail(ENCL_NO_DEVICE, "no OpenCL device: %s", found->left_out);
        goto cleanup;
    }
    order_devices(found);

cleanup:
    free(memory);
    return status;
}

static void drop_devices(device_list *found) {
    for (size_t i = 0; i < found->count; i++) {
        encl_mutex_destroy(&found->devices[i]->mutex);
        encl_device_forget(found->devices[i]);
        free(found->devices[i]);
    }
    free(found->devices);
}

encl_status encl_devices(const encl_device *const **devices, size_t *count) {
    encl_status status = ENCL_OK;
    *devices = NULL;
    *count = 0;
    encl_mutex_lock(&list.mutex);
    if (list.devices == NULL) {
        device_list found = {0};
        status = discover(&found);
        if (status == ENCL_OK) {
            list.devices = (const encl_device **)found.devices;
            list.count = found.count;
        } else {
            drop_devices(&found);
        }
    }
    if (status == ENCL_OK) {
        *devices = list.devices;
        *count = list.count;
    }
    encl_mutex_unlock(&list.mutex);
    return status;
}

const encl_device_info *encl_device_get_info(const encl_device *device) {
    return &device->info;
}

const char *encl_device_family(const encl_device *device) {
    // llvmpipe calls itself a CPU but runs work-items in lockstep, like a GPU with nothing to gain from local memory.
    if (device->info.software) {
        return "plain";
    }
    return device->info.type == ENCL_DEVICE_CPU ? "tile" : "group";
}

bool encl_device_takes_threads(const encl_device *device) {
    static const struct {
        const char *platform;
        const char *name; // how the device's begins
    } single[] = {
        // A simulator whose interface is for one thread.
        {"Oclgrind", ""},
        // PoCL 3.1: a command runs inside the call that enqueues it. One that waits for another thread's is run by that
        // thread when its own is over, which then waits for a lock that it holds (pocl_broadcast holds the event that
        // pocl_update_event_running takes).
        {"Portable Computing Language", "basic"},
    };
    const encl_device_info *info = &device->info;
    for (size_t i = 0; i < sizeof single / sizeof single[0]; i++) {
        if (strcmp(info->platform, single[i].platform) == 0 &&
            strncmp(info->name, single[i].name, strlen(single[i].name)) == 0) {
            return false;
        }
    }
    return true;
}

static void CL_CALLBACK on_context_message(const char *message, const void *binary, size_t length, void *device) {
    (void)binary;
    (void)length;
    encl_debug("%s: %s", ((const encl_device *)device)->info.name, message);
}

static void close_device(encl_device *device) {
    if (device->before_close != NULL) {
        device->before_close();
    }
    if (device->profile_queue != NULL) {
        clReleaseCommandQueue(device->profile_queue);
    }
    if (device->queue != NULL) {
        clReleaseCommandQueue(device->queue);
    }
    if (device->context != NULL) {
        clReleaseContext(device->context);
    }
    device->before_close = NULL;
    device->profile_queue = NULL;
    device->queue = NULL;
    device->context = NULL;
}

// A context of its own for every device: one shared by several GPUs serialises them on NVIDIA's driver.
static encl_status open_device(encl_device *device) {
    encl_status status = ENCL_OK;
    cl_int error = CL_SUCCESS;
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)device->platform, 0};
    if (!device->info.available) {
        return encl_fail(
            ENCL_UNSUPPORTED,
            "device %d (%s, %s) cannot be used: found %s, %s, expected OpenCL 1.2 or newer with a compiler",
            (int)device->info.index, device->info.platform, device->info.name, device->info.driver,
            device->info.opencl_c);
    }
    device->context = clCreateContext(properties, 1, &device->id, on_context_message, device, &error);
    if (error != CL_SUCCESS) {
        status = encl_cl_fail(error, "clCreateContext");
        goto cleanup;
    }
    device->queue = clCreateCommandQueue(device->context, device->id, 0, &error);
    if (error == CL_SUCCESS) {
        // Profiling slows every command on some drivers, so it has a queue of its own.
        device->profile_queue = clCreateCommandQueue(device->context, device->id, CL_QUEUE_PROFILING_ENABLE, &error);
    }
    if (error != CL_SUCCESS) {
        status = encl_cl_fail(error, "clCreateCommandQueue");
    }

cleanup:
    if (status != ENCL_OK) {
        close_device(device);
        encl_fail_context(status, "device %d (%s)", (int)device->info.index, device->info.name);
    }
    return status;
}

// Handed-out devices are const; what the mutex guards is the one part that changes.
static encl_device *writable(const encl_device *device) {
    return (encl_device *)device;
}

encl_status encl_device_acquire(const encl_device *device) {
    encl_status status = ENCL_OK;
    encl_device *shared = writable(device);
    encl_mutex_lock(&shared->mutex);
    if (shared->users == 0) {
        status = open_device(shared);
    }
    if (status == ENCL_OK) {
        shared->users++;
    }
    encl_mutex_unlock(&shared->mutex);
    return status;
}

void encl_device_release(const encl_device *device) {
    encl_device *shared = writable(device);
    encl_mutex_lock(&shared->mutex);
    if (shared->users > 0 && --shared->users == 0) {
        close_device(shared);
    }
    encl_mutex_unlock(&shared->mutex);
}

void encl_device_before_close(const encl_device *device, void (*before_close)(void)) {
    encl_device *shared = writable(device);
    encl_mutex_lock(&shared->mutex);
    shared->before_close = before_close;
    encl_mutex_unlock(&shared->mutex);
}

cl_context encl_device_context(const encl_device *device) {
    return device->context;
}

cl_command_queue encl_device_queue(const encl_device *device) {
    return device->queue;
}

cl_command_queue encl_device_profile_queue(const encl_device *device) {
    return device->profile_queue;
}
