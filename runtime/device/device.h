// OpenCL devices from the inside: discovery, capabilities, context, queues. With program.h, cache.h and command.h the
// only way the rest of the runtime reaches OpenCL.
#ifndef ENCL_DEVICE_DEVICE_H
#define ENCL_DEVICE_DEVICE_H

#include "runtime/base/thread.h"
#include "runtime/device/cl.h"

// Process-wide, made by discovery, never freed. Everything but `mutex`, `users` and what follows them is immutable.
struct encl_device {
    encl_device_info info;
    cl_platform_id platform;
    cl_device_id id;
    uint32_t opencl_c_version;  // 120, 200, 300: the newest OpenCL C the compiler takes
    bool dot_khr;               // info.int_dot by cl_khr_integer_dot_product, in OpenCL C 3.0
    bool dot_dp4a;              // and by the instruction dp4a in PTX
    const char *cache_identity; // device name, vendor, driver, platform version and, for CPUs, the processor
    encl_mutex mutex;
    size_t users;
    cl_context context;
    cl_command_queue queue;
    cl_command_queue profile_queue;
    void (*before_close)(void);
};

// Opens the device: the first user makes its context and queues, the last one's release frees them.
// `device` is const to callers; the mutable part is guarded by its mutex.
encl_status encl_device_acquire(const encl_device *device);
void encl_device_release(const encl_device *device);

// Has the last user's release call this before it frees the context: what holds objects of contexts for longer than
// their users, as CLBlast does, lets go of them there. For an acquired device; holds until it is closed.
void encl_device_before_close(const encl_device *device, void (*before_close)(void));

// Valid between acquire and release. Both queues are in order; the second one has profiling on.
cl_context encl_device_context(const encl_device *device);
cl_command_queue encl_device_queue(const encl_device *device);
cl_command_queue encl_device_profile_queue(const encl_device *device);

// What the runtime calls the device's kind: "tile" for CPU devices that run wide vector registers (type CPU and not a
// software rasterizer), "group" for GPUs and accelerators, "plain" for the rest. A family without a row for an
// operator falls back to "plain".
const char *encl_device_family(const encl_device *device);

// False for drivers that fail or hang where several threads build programs and launch them.
bool encl_device_takes_threads(const encl_device *device);

#endif
