// An executable from the inside: schedule, kernels, weights, arena, and the slots of its runs.
#ifndef ENCL_GRAPH_EXECUTABLE_H
#define ENCL_GRAPH_EXECUTABLE_H

#include "runtime/base/thread.h"
#include "runtime/graph/kernels.h"
#include "runtime/graph/packed.h"
#include "runtime/graph/plan.h"
#include "runtime/graph/weights.h"
#include "runtime/op/library.h"

enum { ENCL_MOST_SLOTS = 2 };

// A run. It lives in its slot; `taken` from encl_executable_run to encl_event_release.
struct encl_event {
    encl_executable *executable;
    bool taken;
    // Guarded by the executable's mutex: the driver's thread writes them.
    bool over;
    bool told; // on_done has returned, or there is none: the driver's thread is done with the run
    encl_status status;
    char detail[512];
    void (*on_done)(void *context, encl_status status);
    void *on_done_context;
    // Over when the run is; kept until the release.
    encl_command last;
    encl_notice *notice; // of `last`, where the driver was asked for one
    int64_t counts[ENCL_COUNTS];
    double keys[3]; // Σ queries · keys of each attention work list
    // Profile; records are made while enqueuing, times are read at the end.
    bool profiled;
    encl_profile_record *records;
    encl_command *commands; // [record_count] one a record, or
    encl_command *begins;   // [record_count] marker before a library call (else NULL)
    size_t record_count, record_capacity, command_capacity, begin_capacity;
    encl_run_profile profile; // what the caller gets of it
};

// What one run in flight needs for itself.
typedef struct encl_slot {
    encl_event event;
    void *host_inputs[ENCL_INPUTS]; // arrays of the capacity's size
    encl_buffer inputs[ENCL_INPUTS];
    float **outputs; // [output_count] read-back
} encl_slot;

struct encl_executable {
    const encl_device *device;
    bool acquired;
    encl_schedule *schedule;
    encl_kernel_set kernels;
    encl_device_weight *weights;
    char **keys; // [weight_count] what the weights are (encl_executable_weight_key)
    encl_plan plan;
    encl_buffer *slabs;   // [plan.slab_count]
    encl_buffer *tensors; // [tensor_count] the slab that each lies in
    encl_buffer scratch;  // of the library's products
    size_t scratch_bytes;
    encl_slot slots[ENCL_MOST_SLOTS];
    int32_t depth;
    int64_t capacity[ENCL_COUNTS];
    int32_t *order; // [2 × sequences] scratch for the work lists
    encl_mutex mutex;
    encl_condition condition;
    bool synchronised; // mutex and condition exist
    encl_executable_info info;
    encl_status (*on_profile)(void *context, const encl_executable *executable, const encl_run_profile *profile);
    void *on_profile_context;
};

// Elements (4 bytes each) an input array needs for these counts.
size_t encl_input_words(encl_input input, const int64_t *counts);
// Checks a batch and fills the slot's host arrays, counts and key sums.
encl_status encl_inputs_fill(encl_executable *executable, encl_slot *slot, const encl_batch *batch);

// Marks a run as over and tells who waits. Called once a run, by the driver's thread or by the caller's. A release
// waits until on_done has returned, so that what its context points to may be freed then.
void encl_event_finish(encl_event *run, encl_status status, const char *detail);
// Releases the handles of a run's commands.
void encl_event_drop_commands(encl_event *run);

// The library's product of a step for `rows` rows and one part of its weight.
encl_library_product encl_step_product(const encl_executable *executable, const encl_step *step, size_t part,
                                       size_t rows);
// The library computes a small product whose numbers are exact. BUILD where one is another.
encl_status encl_products_check(const encl_device *device);
// Sets scratch_bytes: what the library's products take at most, for the capacity as it is set.
encl_status encl_products_scratch(encl_executable *executable);
// Runs the library's routines for a small and a larger product of every shape, so that no run compiles them, and makes
// their scratch memory.
encl_status encl_products_warm(encl_executable *executable);

#endif
