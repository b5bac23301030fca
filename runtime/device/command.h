// Device memory and commands, for the rooms that know no OpenCL: handles, and calls that give an encl_status.
// Queues are in order: commands run one after the other in the order of these calls.
#ifndef ENCL_DEVICE_COMMAND_H
#define ENCL_DEVICE_COMMAND_H

#include "runtime/device/device.h"

typedef cl_mem encl_buffer;
typedef cl_event encl_command;
typedef cl_command_queue encl_queue;
typedef cl_kernel encl_entry; // a kernel function of a program: encl_program_kernel

// True where a device's buffers are memory of the host's, as a CPU's are: what the host maps is what kernels read.
bool encl_device_in_host_memory(const encl_device *device);

// Device memory; 0 bytes make a buffer of a few. The device must be acquired. *buffer is NULL on failure.
encl_status encl_buffer_create(const encl_device *device, size_t bytes, encl_buffer *buffer);
// The same in memory that the host reaches without a copy where the device can, for encl_queue_map.
encl_status encl_buffer_create_shared(const encl_device *device, size_t bytes, encl_buffer *buffer);
// Device memory that is the host's at `memory`, which kernels only read and which must stay as it is until the buffer
// is released. Some drivers copy what does not begin on a page of 4 KiB.
encl_status encl_buffer_over(const encl_device *device, const void *memory, size_t bytes, encl_buffer *buffer);
void encl_buffer_release(encl_buffer buffer); // NULL is allowed

// Copies that return at once: the host's memory must stay until the command is over. `command` may be NULL; else it
// receives a handle that the caller releases.
encl_status encl_queue_write(encl_queue queue, encl_buffer buffer, size_t offset, size_t bytes, const void *host,
                             encl_command *command);
encl_status encl_queue_read(encl_queue queue, encl_buffer buffer, size_t offset, size_t bytes, void *host,
                            encl_command *command);
// Asks the system for large pages under a fresh buffer that a CPU device works in, where it is large: what streams
// through it waits for fewer translations of addresses. Its bytes are undefined afterwards.
encl_status encl_buffer_prefer_large_pages(const encl_device *device, encl_queue queue, encl_buffer buffer,
                                           size_t bytes);
// Gives the first bytes of a buffer to the host, to be written, once the commands before are over: *host may be used
// from when `command` is, until unmap gives it back to the device. What the buffer held is lost. *host is NULL on
// failure.
encl_status encl_queue_map(encl_queue queue, encl_buffer buffer, size_t bytes, void **host, encl_command *command);
encl_status encl_queue_unmap(encl_queue queue, encl_buffer buffer, void *host);
// From the beginning of one buffer to a place in another.
encl_status encl_queue_copy(encl_queue queue, encl_buffer source, encl_buffer destination, size_t offset, size_t bytes);
// A launch of any kernel function, without an operator's grid and arguments (for those see runtime/op/kernel.h).
// Arguments hold for all launches after them; an entry is used by one thread at a time.
typedef struct encl_argument {
    const void *value; // an encl_buffer, or a scalar
    size_t bytes;
} encl_argument;
encl_status encl_entry_arguments(encl_entry entry, const encl_argument *arguments, size_t count);
// `global` work-items in groups of `local`, which divides it. command may be NULL.
encl_status encl_queue_launch(encl_queue queue, encl_entry entry, size_t global, size_t local, encl_command *command);
void encl_entry_release(encl_entry entry); // NULL is allowed

encl_status encl_queue_zero(encl_queue queue, encl_buffer buffer, size_t offset, size_t bytes);
// A command that is over when all before it are.
encl_status encl_queue_mark(encl_queue queue, encl_command *command);
encl_status encl_queue_flush(encl_queue queue);  // hands what is enqueued to the device
encl_status encl_queue_finish(encl_queue queue); // and waits for it
// Waits as well as can be after something else has failed, whose detail stays. False where the driver refuses.
bool encl_queue_drain(encl_queue queue);

encl_status encl_command_wait(encl_command command);
void encl_command_drain(encl_command command); // as encl_queue_drain; NULL is allowed
// Asks, without waiting, whether the command is over. A command that failed is *over, with its failure as the status;
// so is one that the driver no longer answers for.
encl_status encl_command_ask(encl_command command, bool *over);

// Calls over(context, status) once, on a thread of the driver's, when the command is over. That thread's status detail
// is set. The caller releases *notice, also before the command is over.
typedef struct encl_notice encl_notice;
encl_status encl_command_notify(encl_command command, void (*over)(void *context, encl_status status), void *context,
                                encl_notice **notice);
bool encl_notice_cancel(encl_notice *notice);  // true where over() was not called and never will be
void encl_notice_release(encl_notice *notice); // NULL is allowed
// A finished command's times by the device's clock: queued, submitted, start, end. The queue must have profiling on.
encl_status encl_command_times(encl_command command, int64_t times_ns[4]);
void encl_command_release(encl_command command); // NULL is allowed

// True where an acquired device still does what it is told: writes four bytes and gives them back.
bool encl_device_works(const encl_device *device);

#endif
