// An OpenCL layer for tests: the loader (ocl-icd from 2.3, Khronos's from 2021) puts it between a program and the
// drivers where OPENCL_LAYERS names it. What is to go wrong is in the environment (plan.h). A call that fails never
// reaches the driver, so nothing that it would have made is left behind.
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <CL/cl_layer.h>

#include "tests/fault/layer/plan.h"

enum { MOST_WAITS = 64, MOST_THINGS = 256, NAME_BYTES = 128 };

static const cl_icd_dispatch *target;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

// Small sets of handles, guarded by the mutex. One that is full forgets what comes.
typedef struct handle_set {
    const void *keys[MOST_THINGS];
    void *values[MOST_THINGS];
    size_t count;
} handle_set;

static handle_set queues;         // that were not released
static handle_set doomed;         // programs whose build fails
static handle_set corrupt_buffer; // of a kernel: what its corrupted argument is
static handle_set untold;         // event callbacks that were kept back

static void set_put(handle_set *set, const void *key, void *value) {
    pthread_mutex_lock(&mutex);
    size_t at = 0;
    while (at < set->count && set->keys[at] != key) {
        at++;
    }
    if (at < MOST_THINGS) {
        set->keys[at] = key;
        set->values[at] = value;
        set->count += at == set->count;
    }
    pthread_mutex_unlock(&mutex);
}

static void set_remove(handle_set *set, const void *key) {
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < set->count; i++) {
        if (set->keys[i] == key) {
            set->count--;
            set->keys[i] = set->keys[set->count];
            set->values[i] = set->values[set->count];
        }
    }
    pthread_mutex_unlock(&mutex);
}

static bool set_find(handle_set *set, const void *key, void **value) {
    bool found = false;
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < set->count && !found; i++) {
        found = set->keys[i] == key;
        *value = set->values[i];
    }
    pthread_mutex_unlock(&mutex);
    return found;
}

// ---- Calls that fail, and a device that is lost -----------------------------------------------------------

// What a lost device had to do is over, in one way or the other: it writes no more into the host's memory.
static void end_all_commands(void) {
    cl_command_queue open[MOST_THINGS];
    size_t count = 0;
    pthread_mutex_lock(&mutex);
    for (; count < queues.count; count++) {
        open[count] = queues.values[count];
    }
    pthread_mutex_unlock(&mutex);
    for (size_t i = 0; i < count; i++) {
        target->clFinish(open[i]);
    }
}

static bool stops(fault_call call, bool work, cl_int *code) {
    static atomic_bool ending;
    bool lost_now = false;
    const bool stopped = fault_counts(call, work, code, &lost_now);
    if (lost_now) {
        atomic_store(&ending, true);
    }
    // A driver's callback may not wait for the driver.
    if (call != CALL_callback && atomic_exchange(&ending, false)) {
        end_all_commands();
    }
    return stopped;
}

#define CARE false
#define WORK true
#define STATUS_CALL(class, name, parameters, arguments)                          \
    static cl_int CL_API_CALL pass_##name parameters {                           \
        cl_int code = CL_SUCCESS;                                                \
        return stops(CALL_##name, class, &code) ? code : target->name arguments; \
    }
ENCL_FAULT_STATUS_CALLS(STATUS_CALL)

#define MAKING_CALL(type, name, parameters, arguments) \
    static type CL_API_CALL pass_##name parameters {   \
        cl_int code = CL_SUCCESS;                      \
        if (stops(CALL_##name, WORK, &code)) {         \
            if (errcode != NULL) {                     \
                *errcode = code;                       \
            }                                          \
            return NULL;                               \
        }                                              \
        return target->name arguments;                 \
    }
ENCL_FAULT_MAKING_CALLS(MAKING_CALL)

// ---- Memory -----------------------------------------------------------------------------------------------

static uint64_t allocated; // bytes of all buffers, guarded by the mutex

static bool take_memory(uint64_t bytes) {
    const fault_plan *plan = fault_plan_get();
    pthread_mutex_lock(&mutex);
    const bool fits = plan->memory_limit == 0 || plan->memory_way != MEMORY_AT_ONCE ||
                      (bytes <= plan->memory_limit && allocated <= plan->memory_limit - bytes);
    allocated += fits ? bytes : 0;
    pthread_mutex_unlock(&mutex);
    return fits;
}

static void give_memory(uint64_t bytes) {
    pthread_mutex_lock(&mutex);
    allocated -= bytes;
    pthread_mutex_unlock(&mutex);
}

// A driver that allocates at the first use notices only then.
static bool lacks_memory(fault_memory way) {
    const fault_plan *plan = fault_plan_get();
    pthread_mutex_lock(&mutex);
    const bool lacks = plan->memory_limit != 0 && plan->memory_way == way && allocated > plan->memory_limit;
    pthread_mutex_unlock(&mutex);
    if (lacks) {
        fault_happened();
    }
    return lacks;
}

static void CL_CALLBACK buffer_is_gone(cl_mem memory, void *bytes) {
    (void)memory;
    give_memory((uint64_t)(uintptr_t)bytes);
}

static cl_mem CL_API_CALL own_clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size, void *host,
                                             cl_int *errcode) {
    if (!take_memory(size)) {
        fault_happened();
        if (errcode != NULL) {
            *errcode = CL_MEM_OBJECT_ALLOCATION_FAILURE;
        }
        return NULL;
    }
    cl_mem made = pass_clCreateBuffer(context, flags, size, host, errcode);
    if (made == NULL ||
        target->clSetMemObjectDestructorCallback(made, buffer_is_gone, (void *)(uintptr_t)size) != CL_SUCCESS) {
        give_memory(size);
    }
    return made;
}

static cl_int CL_API_CALL own_clGetDeviceInfo(cl_device_id id, cl_device_info name, size_t size, void *value,
                                              size_t *length) {
    const cl_int error = pass_clGetDeviceInfo(id, name, size, value, length);
    const uint64_t said = fault_plan_get()->memory_said;
    const bool memory = name == CL_DEVICE_GLOBAL_MEM_SIZE || name == CL_DEVICE_MAX_MEM_ALLOC_SIZE;
    if (error == CL_SUCCESS && said != 0 && memory && value != NULL) {
        const cl_ulong most = name == CL_DEVICE_GLOBAL_MEM_SIZE ? said : said / 4;
        cl_ulong bytes;
        memcpy(&bytes, value, sizeof bytes);
        bytes = bytes < most ? bytes : most;
        memcpy(value, &bytes, sizeof bytes);
    }
    if (error == CL_SUCCESS && fault_plan_get()->gpu && name == CL_DEVICE_TYPE && value != NULL) {
        memcpy(value, &(cl_device_type){CL_DEVICE_TYPE_GPU}, sizeof(cl_device_type));
    }
    return error;
}

// ---- Commands that come late ------------------------------------------------------------------------------

static void *open_gate(void *gate) {
    const unsigned ms = fault_plan_get()->delay_ms;
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000}, NULL);
    target->clSetUserEventStatus(gate, CL_COMPLETE);
    target->clReleaseEvent(gate);
    return NULL;
}

// Puts an event before a command that a thread sets after the delay. NULL where the command is not delayed.
static cl_event make_gate(fault_call call, cl_command_queue queue, cl_uint *waits, const cl_event **wait_list,
                          cl_event *longer) {
    cl_context context = NULL;
    pthread_t thread;
    if (fault_plan_get()->delayed != call || *waits >= MOST_WAITS ||
        target->clGetCommandQueueInfo(queue, CL_QUEUE_CONTEXT, sizeof context, &context, NULL) != CL_SUCCESS) {
        return NULL;
    }
    cl_event gate = target->clCreateUserEvent(context, NULL);
    if (gate == NULL) {
        return NULL;
    }
    target->clRetainEvent(gate);
    if (pthread_create(&thread, NULL, open_gate, gate) != 0) {
        target->clReleaseEvent(gate);
        target->clReleaseEvent(gate);
        return NULL;
    }
    pthread_detach(thread);
    fault_happened();
    for (cl_uint i = 0; i < *waits; i++) {
        longer[i] = (*wait_list)[i];
    }
    longer[(*waits)++] = gate;
    *wait_list = longer;
    return gate;
}

#define COMMAND(name, parameters, arguments)                                       \
    static cl_int CL_API_CALL pass_##name parameters {                             \
        cl_int code = CL_SUCCESS;                                                  \
        cl_event longer[MOST_WAITS + 1];                                           \
        if (stops(CALL_##name, WORK, &code)) {                                     \
            return code;                                                           \
        }                                                                          \
        if (lacks_memory(MEMORY_LAZY)) {                                           \
            return CL_MEM_OBJECT_ALLOCATION_FAILURE;                               \
        }                                                                          \
        cl_event gate = make_gate(CALL_##name, queue, &waits, &wait_list, longer); \
        code = target->name arguments;                                             \
        if (gate != NULL) {                                                        \
            target->clReleaseEvent(gate);                                          \
        }                                                                          \
        return code;                                                               \
    }
ENCL_FAULT_COMMANDS(COMMAND)

// ---- Kernels that are wrong -------------------------------------------------------------------------------

static bool is_corrupted(cl_kernel kernel) {
    const char *wanted = fault_plan_get()->corrupt_kernel;
    char name[NAME_BYTES];
    return wanted != NULL &&
           target->clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof name, name, NULL) == CL_SUCCESS &&
           strncmp(name, wanted, strlen(wanted)) == 0;
}

static cl_int CL_API_CALL own_clSetKernelArg(cl_kernel kernel, cl_uint index, size_t size, const void *value) {
    const cl_int error = pass_clSetKernelArg(kernel, index, size, value);
    if (error == CL_SUCCESS && index == fault_plan_get()->corrupt_argument && size == sizeof(cl_mem) && value != NULL &&
        is_corrupted(kernel)) {
        void *memory = NULL;
        memcpy(&memory, value, sizeof memory);
        set_put(&corrupt_buffer, kernel, memory);
    }
    return error;
}

// The first four bytes of what the kernel writes become a number that it did not compute.
static cl_int CL_API_CALL own_clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions,
                                                     const size_t *offset, const size_t *global, const size_t *local,
                                                     cl_uint waits, const cl_event *wait_list, cl_event *event) {
    static const float wrong = 123.0f;
    void *memory = NULL;
    cl_int error =
        pass_clEnqueueNDRangeKernel(queue, kernel, dimensions, offset, global, local, waits, wait_list, event);
    if (error == CL_SUCCESS && is_corrupted(kernel) && set_find(&corrupt_buffer, kernel, &memory)) {
        target->clEnqueueFillBuffer(queue, memory, &wrong, sizeof wrong, 0, sizeof wrong, 0, NULL, NULL);
        fault_happened();
    }
    return error;
}

// ---- Programs that do not build ---------------------------------------------------------------------------

static const char build_log[] = "fault.cl:1:1: error: this program was told not to build\n";

static bool holds_text(cl_uint n, const char **texts, const size_t *lengths) {
    const char *wanted = fault_plan_get()->build_text;
    for (cl_uint i = 0; wanted != NULL && texts != NULL && i < n; i++) {
        const size_t length = lengths != NULL && lengths[i] != 0 ? lengths[i] : strlen(texts[i]);
        if (memmem(texts[i], length, wanted, strlen(wanted)) != NULL) {
            return true;
        }
    }
    return false;
}

static cl_program CL_API_CALL own_clCreateProgramWithSource(cl_context context, cl_uint n, const char **texts,
                                                            const size_t *lengths, cl_int *errcode) {
    cl_program made = pass_clCreateProgramWithSource(context, n, texts, lengths, errcode);
    if (made != NULL && holds_text(n, texts, lengths)) {
        set_put(&doomed, made, NULL);
    } else {
        set_remove(&doomed, made); // another program lived at this address
    }
    return made;
}

static cl_program CL_API_CALL own_clCreateProgramWithBinary(cl_context context, cl_uint n, const cl_device_id *ids,
                                                            const size_t *lengths, const unsigned char **binaries,
                                                            cl_int *statuses, cl_int *errcode) {
    cl_program made = pass_clCreateProgramWithBinary(context, n, ids, lengths, binaries, statuses, errcode);
    set_remove(&doomed, made);
    return made;
}

static cl_int CL_API_CALL own_clBuildProgram(cl_program program, cl_uint n, const cl_device_id *ids,
                                             const char *options, void(CL_CALLBACK *notify)(cl_program, void *),
                                             void *data) {
    const char *wanted = fault_plan_get()->build_text;
    void *unused = NULL;
    if (wanted != NULL && options != NULL && strstr(options, wanted) != NULL) {
        set_put(&doomed, program, NULL);
    }
    if (set_find(&doomed, program, &unused)) {
        fault_happened();
        return CL_BUILD_PROGRAM_FAILURE;
    }
    return pass_clBuildProgram(program, n, ids, options, notify, data);
}

static cl_int CL_API_CALL own_clGetProgramBuildInfo(cl_program program, cl_device_id id, cl_program_build_info name,
                                                    size_t size, void *value, size_t *length) {
    void *unused = NULL;
    if (name != CL_PROGRAM_BUILD_LOG || !set_find(&doomed, program, &unused)) {
        return pass_clGetProgramBuildInfo(program, id, name, size, value, length);
    }
    if (length != NULL) {
        *length = sizeof build_log;
    }
    if (value != NULL && size < sizeof build_log) {
        return CL_INVALID_VALUE;
    }
    if (value != NULL) {
        memcpy(value, build_log, sizeof build_log);
    }
    return CL_SUCCESS;
}

// ---- Queues, contexts, events -----------------------------------------------------------------------------

static cl_context CL_API_CALL own_clCreateContext(const cl_context_properties *properties, cl_uint n,
                                                  const cl_device_id *ids,
                                                  void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *),
                                                  void *data, cl_int *errcode) {
    fault_new_context();
    return pass_clCreateContext(properties, n, ids, notify, data, errcode);
}

static cl_command_queue CL_API_CALL own_clCreateCommandQueue(cl_context context, cl_device_id id,
                                                             cl_command_queue_properties properties, cl_int *errcode) {
    cl_command_queue made = pass_clCreateCommandQueue(context, id, properties, errcode);
    if (made != NULL) {
        set_put(&queues, made, made);
    }
    return made;
}

static cl_command_queue CL_API_CALL own_clCreateCommandQueueWithProperties(cl_context context, cl_device_id id,
                                                                           const cl_queue_properties *properties,
                                                                           cl_int *errcode) {
    cl_command_queue made = pass_clCreateCommandQueueWithProperties(context, id, properties, errcode);
    if (made != NULL) {
        set_put(&queues, made, made);
    }
    return made;
}

static cl_int CL_API_CALL own_clReleaseCommandQueue(cl_command_queue queue) {
    set_remove(&queues, queue);
    return pass_clReleaseCommandQueue(queue);
}

typedef struct notice {
    void(CL_CALLBACK *notify)(cl_event, cl_int, void *);
    void *data;
} notice;

static void CL_CALLBACK tell(cl_event event, cl_int result, void *context) {
    const notice given = *(const notice *)context;
    cl_int code = CL_SUCCESS;
    if (fault_plan_get()->mute) {
        set_put(&untold, context, context); // it may still come, as far as anybody knows
        fault_happened();
        return;
    }
    free(context);
    if (stops(CALL_callback, WORK, &code)) {
        result = code;
    } else if (lacks_memory(MEMORY_EVENT)) {
        result = CL_MEM_OBJECT_ALLOCATION_FAILURE;
    }
    given.notify(event, result, given.data);
}

static cl_int CL_API_CALL own_clSetEventCallback(cl_event event, cl_int type,
                                                 void(CL_CALLBACK *notify)(cl_event, cl_int, void *), void *data) {
    notice *given = malloc(sizeof *given);
    if (given == NULL) {
        return CL_OUT_OF_HOST_MEMORY;
    }
    *given = (notice){notify, data};
    const cl_int error = pass_clSetEventCallback(event, type, tell, given);
    if (error != CL_SUCCESS) {
        free(given);
    }
    return error; // NOLINT(clang-analyzer-unix.Malloc): tell() frees it
}

// ---- What the loader asks for -----------------------------------------------------------------------------

static cl_icd_dispatch table;

static void fill_table(void) {
#define PUT_STATUS(class, name, parameters, arguments) table.name = pass_##name;
#define PUT_COMMAND(name, parameters, arguments) table.name = pass_##name;
#define PUT_MAKING(type, name, parameters, arguments) table.name = pass_##name;
    ENCL_FAULT_STATUS_CALLS(PUT_STATUS)
    ENCL_FAULT_COMMANDS(PUT_COMMAND)
    ENCL_FAULT_MAKING_CALLS(PUT_MAKING)
    table.clCreateBuffer = own_clCreateBuffer;
    table.clGetDeviceInfo = own_clGetDeviceInfo;
    table.clSetKernelArg = own_clSetKernelArg;
    table.clEnqueueNDRangeKernel = own_clEnqueueNDRangeKernel;
    table.clCreateProgramWithSource = own_clCreateProgramWithSource;
    table.clCreateProgramWithBinary = own_clCreateProgramWithBinary;
    table.clBuildProgram = own_clBuildProgram;
    table.clGetProgramBuildInfo = own_clGetProgramBuildInfo;
    table.clCreateContext = own_clCreateContext;
    table.clCreateCommandQueue = own_clCreateCommandQueue;
    table.clCreateCommandQueueWithProperties = own_clCreateCommandQueueWithProperties;
    table.clReleaseCommandQueue = own_clReleaseCommandQueue;
    table.clSetEventCallback = own_clSetEventCallback;
}

__attribute__((visibility("default"))) cl_int CL_API_CALL clGetLayerInfo(cl_layer_info name, size_t size, void *value,
                                                                         size_t *length) {
    const cl_layer_api_version version = CL_LAYER_API_VERSION_100;
    if (name != CL_LAYER_API_VERSION || (value != NULL && size < sizeof version)) {
        return CL_INVALID_VALUE;
    }
    if (value != NULL) {
        memcpy(value, &version, sizeof version);
    }
    if (length != NULL) {
        *length = sizeof version;
    }
    return CL_SUCCESS;
}

// Entries that stay NULL are the next layer's or the driver's.
__attribute__((visibility("default"))) cl_int CL_API_CALL clInitLayer(cl_uint entries, const cl_icd_dispatch *next,
                                                                      cl_uint *own_entries,
                                                                      const cl_icd_dispatch **own) {
    if (entries < sizeof table / sizeof(void *) || next == NULL || own_entries == NULL || own == NULL ||
        !fault_plan_read()) {
        return CL_INVALID_VALUE;
    }
    target = next;
    fill_table();
    fault_write_counts(); // the mark that the layer is there
    *own_entries = sizeof table / sizeof(void *);
    *own = &table;
    return CL_SUCCESS;
}

__attribute__((destructor)) static void say_counts(void) {
    if (target != NULL) {
        fault_write_counts();
    }
}
