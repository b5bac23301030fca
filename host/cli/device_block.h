// Devices and their peaks as JSON, the same in every command that writes them down.
#ifndef ENCL_CLI_DEVICE_BLOCK_H
#define ENCL_CLI_DEVICE_BLOCK_H

#include "host/cli/output.h"
#include "runtime/measure/peaks.h"

// Everything that tells this device and driver from others; bytes are bytes. What the driver does not say is null.
// measure_timer: also the step of its profiling clock that was seen, which takes some small copies; else that is null.
// NULL where memory is out; the caller owns the object. "uuid" and "pci" tell one machine from another: a report that
// goes to others leaves them out.
cJSON *encl_device_block(const encl_device *device, bool measure_timer);
const char *encl_device_type_name(encl_device_type type); // "cpu", "gpu", "accelerator"

// What the device can do at best; peaks NULL: JSON's null.
cJSON *encl_peaks_block(const encl_peaks *peaks);

#endif
