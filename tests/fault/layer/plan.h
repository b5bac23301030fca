// What is to go wrong, as the environment says it, and how often each call was made. docs/contributing.md lists the
// variables.
#ifndef ENCL_FAULT_PLAN_H
#define ENCL_FAULT_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>

#include "tests/fault/layer/calls.h"

typedef enum fault_call {
#define CALL(class, name, parameters, arguments) CALL_##name,
#define COMMAND(name, parameters, arguments) CALL_##name,
#define MAKING(type, name, parameters, arguments) CALL_##name,
    ENCL_FAULT_STATUS_CALLS(CALL) ENCL_FAULT_COMMANDS(COMMAND) ENCL_FAULT_MAKING_CALLS(MAKING)
#undef CALL
#undef COMMAND
#undef MAKING
        CALL_callback, // no call: an event callback that the driver makes
    CALL_COUNT,
} fault_call;

typedef enum fault_memory { MEMORY_AT_ONCE, MEMORY_LAZY, MEMORY_EVENT } fault_memory;

typedef struct fault_plan {
    uint64_t memory_limit; // 0: none
    fault_memory memory_way;
    uint64_t memory_said;       // 0: as the driver says
    const char *corrupt_kernel; // NULL: none
    cl_uint corrupt_argument;
    const char *build_text; // NULL: none
    fault_call delayed;     // CALL_COUNT: none
    bool mute;              // event callbacks never come
    bool gpu;               // devices call themselves GPUs
    unsigned delay_ms;
} fault_plan;

// Reads the environment. False, with a line on stderr, where a variable is malformed.
bool fault_plan_read(void);
const fault_plan *fault_plan_get(void);

// Counts a call. True where it is to fail, with *code. *lost_now is set once, when the device gets lost by it.
bool fault_counts(fault_call call, bool work, cl_int *code, bool *lost_now);
// True while the device is lost, with the code that everything gives then.
bool fault_lost(cl_int *code);
// A new context was asked for: a device that comes back does.
void fault_new_context(void);
// One of the other faults happened.
void fault_happened(void);

// Writes what was counted into the file that the environment names, if it names one.
void fault_write_counts(void);

#endif
