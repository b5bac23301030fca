// What a device says of itself beyond encl_device_info: for the records of measurements and reports.
#ifndef ENCL_DEVICE_DETAILS_H
#define ENCL_DEVICE_DETAILS_H

#include "runtime/device/device.h"

enum { ENCL_DETAILS_VERSION = 128, ENCL_DETAILS_UUID = 33, ENCL_DETAILS_PCI = 32 };

// What the driver does not say is "" or 0.
typedef struct encl_device_details {
    char version[ENCL_DETAILS_VERSION]; // "OpenCL 3.0 PoCL HSTR: cpu-…", of the device
    char uuid[ENCL_DETAILS_UUID];       // 32 hexadecimal digits
    char pci[ENCL_DETAILS_PCI];         // "0000:03:00.0"
    uint64_t cache_bytes;               // of the cache in front of its memory
    uint32_t cache_line_bytes;
    uint32_t subgroup_size;      // of the smallest sub-group (wave, warp) that the driver names
    uint64_t host_timer_step_ns; // of clGetDeviceAndHostTimer; 0: the platform has no such call
    bool command_buffer;         // cl_khr_command_buffer
} encl_device_details;

// Asks the driver. Any thread; the device need not be acquired.
void encl_device_read_details(const encl_device *device, encl_device_details *details);

// The smallest non-zero difference between the times of small copies: what the profiling clock really resolves, however
// fine the driver says it is. Acquires the device. 0 where all times were equal.
encl_status encl_device_timer_step(const encl_device *device, int64_t *step_ns);

#endif
