// What discovery is made of; private to this room.
#ifndef ENCL_DEVICE_DISCOVERY_H
#define ENCL_DEVICE_DISCOVERY_H

#include "runtime/base/memory.h"
#include "runtime/device/device.h"

// Fills a zeroed device from what its driver says. A query that OpenCL 1.2 requires and that fails is the status; one
// for something newer leaves that capability off. On failure nothing stays allocated.
encl_status encl_device_read(cl_platform_id platform, cl_device_id id, encl_device *device);
// Frees the texts of a device that will not be listed.
void encl_device_forget(encl_device *device);

// A text property, without blanks at its ends and without control characters. Caller frees *text.
encl_status encl_platform_text(cl_platform_id platform, cl_platform_info name, char **text);

// Appends what brings a device to this machine: packages, and the groups that may open its render nodes
// (`folder`/renderD*, normally /dev/dri) where this process may not.
encl_status encl_device_advice(const char *folder, encl_string *advice);

// False where this process lacks the permission to read and write a device file.
bool encl_device_file_opens(const char *path);

#endif
