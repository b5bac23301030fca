// The fault layer itself: each fault is what it says. Every case runs in a process of its own, because the loader reads
// the environment once.
#include "runner.h"
#include "runtime/device/cl.h"

// In the child: ends it with a line that says what was not so.
#define CHECK(condition)                                                    \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                        \
        }                                                                   \
    } while (0)

typedef struct opened {
    cl_platform_id platform;
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
} opened;

static cl_context new_context(const opened *o) {
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)o->platform, 0};
    return clCreateContext(properties, 1, &o->device, NULL, NULL, NULL);
}

static opened open_first(void) {
    opened o = {0};
    CHECK(clGetPlatformIDs(1, &o.platform, NULL) == CL_SUCCESS);
    CHECK(clGetDeviceIDs(o.platform, CL_DEVICE_TYPE_ALL, 1, &o.device, NULL) == CL_SUCCESS);
    o.context = new_context(&o);
    CHECK(o.context != NULL);
    o.queue = clCreateCommandQueue(o.context, o.device, 0, NULL);
    CHECK(o.queue != NULL);
    return o;
}

static void close_opened(opened *o) {
    CHECK(clReleaseCommandQueue(o->queue) == CL_SUCCESS);
    CHECK(clReleaseContext(o->context) == CL_SUCCESS);
}

static cl_mem new_buffer(const opened *o, size_t bytes, cl_int *error) {
    return clCreateBuffer(o->context, CL_MEM_READ_WRITE, bytes, NULL, error);
}

// Runs a case in a child with one fault; what the layer counted lies in counts.txt.
static void in_child(const char *name, const char *value, void (*use)(void)) {
    int status = 0;
    fault_need_layer();
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        setenv("OPENCL_LAYERS", ENCL_FAULT_LAYER, 1);
        setenv("ENCL_FAULT_COUNTS", in_folder("case.counts"), 1);
        setenv(name, value, 1);
        use();
        exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static long counted(const char *call) {
    const fault_job job = {.name = "case"};
    return fault_count(&job, call);
}

static void use_buffers(void) {
    opened o = open_first();
    for (int i = 1; i <= 6; i++) {
        cl_int error = CL_SUCCESS;
        cl_mem buffer = new_buffer(&o, 64, &error);
        const cl_int expected = i == 2 ? CL_MEM_OBJECT_ALLOCATION_FAILURE : i >= 5 ? CL_OUT_OF_HOST_MEMORY : CL_SUCCESS;
        CHECK(error == expected);
        CHECK((buffer == NULL) == (expected != CL_SUCCESS));
        CHECK(buffer == NULL || clReleaseMemObject(buffer) == CL_SUCCESS);
    }
    CHECK(new_buffer(&o, 64, NULL) == NULL);
    CHECK(clFinish(o.queue) == CL_OUT_OF_RESOURCES);
    CHECK(clFinish(o.queue) == CL_SUCCESS);
    close_opened(&o);
}

static void test_nth_call_fails(void **state) {
    (void)state;
    in_child("ENCL_FAULT_FAIL", "clCreateBuffer:2:-4,clCreateBuffer:5+:-6,clFinish:1:-5", use_buffers);
    assert_int_equal(counted("clCreateBuffer"), 7);
    assert_int_equal(counted("clReleaseMemObject"), 3);
    assert_int_equal(counted("clFinish"), 2);
    assert_int_equal(counted("clFlush"), 0);
    assert_int_equal(counted("faults"), 5);
}

// The driver never saw the calls that failed: a buffer keeps what it had, an argument is missing.
static void use_without_effect(void) {
    opened o = open_first();
    cl_mem buffer = new_buffer(&o, 4, NULL);
    cl_uint value = 1;
    CHECK(clEnqueueWriteBuffer(o.queue, buffer, CL_TRUE, 0, 4, &value, 0, NULL, NULL) == CL_SUCCESS);
    value = 2;
    CHECK(clEnqueueWriteBuffer(o.queue, buffer, CL_TRUE, 0, 4, &value, 0, NULL, NULL) == CL_OUT_OF_RESOURCES);
    CHECK(clEnqueueReadBuffer(o.queue, buffer, CL_TRUE, 0, 4, &value, 0, NULL, NULL) == CL_SUCCESS);
    CHECK(value == 1);
    CHECK(clReleaseMemObject(buffer) == CL_SUCCESS);
    close_opened(&o);
}

static void test_failing_call_has_no_effect(void **state) {
    (void)state;
    in_child("ENCL_FAULT_FAIL", "clEnqueueWriteBuffer:2:-5", use_without_effect);
}

static void use_memory(void) {
    opened o = open_first();
    cl_int error = CL_SUCCESS;
    cl_mem first = new_buffer(&o, 600, &error);
    CHECK(error == CL_SUCCESS);
    CHECK(new_buffer(&o, 600, &error) == NULL && error == CL_MEM_OBJECT_ALLOCATION_FAILURE);
    CHECK(clReleaseMemObject(first) == CL_SUCCESS);
    cl_mem second = new_buffer(&o, 600, &error);
    CHECK(error == CL_SUCCESS);
    CHECK(clReleaseMemObject(second) == CL_SUCCESS);
    close_opened(&o);
}

static void use_lazy_memory(void) {
    opened o = open_first();
    const cl_uint zero = 0;
    cl_mem first = new_buffer(&o, 600, NULL);
    CHECK(clEnqueueFillBuffer(o.queue, first, &zero, 4, 0, 4, 0, NULL, NULL) == CL_SUCCESS);
    cl_mem second = new_buffer(&o, 600, NULL);
    CHECK(second != NULL);
    CHECK(clEnqueueFillBuffer(o.queue, first, &zero, 4, 0, 4, 0, NULL, NULL) == CL_MEM_OBJECT_ALLOCATION_FAILURE);
    CHECK(clReleaseMemObject(second) == CL_SUCCESS);
    CHECK(clEnqueueFillBuffer(o.queue, first, &zero, 4, 0, 4, 0, NULL, NULL) == CL_SUCCESS);
    CHECK(clFinish(o.queue) == CL_SUCCESS);
    CHECK(clReleaseMemObject(first) == CL_SUCCESS);
    close_opened(&o);
}

static void use_said_memory(void) {
    opened o = open_first();
    cl_ulong bytes = 0;
    CHECK(clGetDeviceInfo(o.device, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof bytes, &bytes, NULL) == CL_SUCCESS);
    CHECK(bytes == 4000000);
    CHECK(clGetDeviceInfo(o.device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof bytes, &bytes, NULL) == CL_SUCCESS);
    CHECK(bytes == 1000000);
    close_opened(&o);
}

static void test_memory_ends(void **state) {
    (void)state;
    in_child("ENCL_FAULT_MEMORY", "1000", use_memory);
    assert_int_equal(counted("faults"), 1);
    in_child("ENCL_FAULT_MEMORY", "1000:lazy", use_lazy_memory);
    assert_int_equal(counted("faults"), 1);
    in_child("ENCL_FAULT_MEMORY_SAID", "4000000", use_said_memory);
}

static const char *const source = "kernel void one(global float *x) { x[get_global_id(0)] = 1.0f; }";

static cl_program new_program(const opened *o, const char *text, cl_int *error) {
    cl_program program = clCreateProgramWithSource(o->context, 1, &text, NULL, NULL);
    CHECK(program != NULL);
    *error = clBuildProgram(program, 1, &o->device, "", NULL, NULL);
    return program;
}

static void use_kernel(void) {
    opened o = open_first();
    cl_int error = CL_SUCCESS;
    cl_program program = new_program(&o, source, &error);
    float found[3] = {0};
    const size_t global = 3;
    CHECK(error == CL_SUCCESS);
    cl_kernel kernel = clCreateKernel(program, "one", NULL);
    cl_mem buffer = new_buffer(&o, sizeof found, NULL);
    CHECK(clSetKernelArg(kernel, 0, sizeof buffer, &buffer) == CL_SUCCESS);
    CHECK(clEnqueueNDRangeKernel(o.queue, kernel, 1, NULL, &global, NULL, 0, NULL, NULL) == CL_SUCCESS);
    CHECK(clEnqueueReadBuffer(o.queue, buffer, CL_TRUE, 0, sizeof found, found, 0, NULL, NULL) == CL_SUCCESS);
    CHECK(found[0] > 100.0f && found[1] < 2.0f && found[2] < 2.0f);
    CHECK(clReleaseMemObject(buffer) == CL_SUCCESS);
    CHECK(clReleaseKernel(kernel) == CL_SUCCESS);
    CHECK(clReleaseProgram(program) == CL_SUCCESS);
    close_opened(&o);
}

static void test_kernel_is_wrong(void **state) {
    (void)state;
    in_child("ENCL_FAULT_CORRUPT", "one:0", use_kernel);
    assert_int_equal(counted("faults"), 1);
}

static void use_builds(void) {
    opened o = open_first();
    cl_int error = CL_SUCCESS;
    char log[200] = "";
    cl_program good = new_program(&o, "kernel void two(global float *x) { x[0] = 2.0f; }", &error);
    CHECK(error == CL_SUCCESS);
    cl_program bad = new_program(&o, source, &error);
    CHECK(error == CL_BUILD_PROGRAM_FAILURE);
    CHECK(clGetProgramBuildInfo(bad, o.device, CL_PROGRAM_BUILD_LOG, sizeof log, log, NULL) == CL_SUCCESS);
    CHECK(strstr(log, "error: ") != NULL);
    CHECK(clReleaseProgram(good) == CL_SUCCESS);
    CHECK(clReleaseProgram(bad) == CL_SUCCESS);
    close_opened(&o);
}

static void test_build_fails(void **state) {
    (void)state;
    in_child("ENCL_FAULT_BUILD", "void one(", use_builds);
    assert_int_equal(counted("faults"), 1);
}

static void use_lost(void) {
    opened o = open_first();
    cl_int error = CL_SUCCESS;
    const cl_uint zero = 0;
    cl_mem buffer = new_buffer(&o, 4, NULL);
    CHECK(clEnqueueFillBuffer(o.queue, buffer, &zero, 4, 0, 4, 0, NULL, NULL) == CL_SUCCESS);
    CHECK(clEnqueueFillBuffer(o.queue, buffer, &zero, 4, 0, 4, 0, NULL, NULL) == CL_INVALID_COMMAND_QUEUE);
    CHECK(clFinish(o.queue) == CL_INVALID_COMMAND_QUEUE);
    CHECK(new_buffer(&o, 4, &error) == NULL && error == CL_INVALID_COMMAND_QUEUE);
    CHECK(clReleaseMemObject(buffer) == CL_SUCCESS);
    close_opened(&o);
    o.context = new_context(&o);
    if (strstr(getenv("ENCL_FAULT_LOST"), "until-context") == NULL) {
        CHECK(o.context == NULL);
        return;
    }
    o.queue = clCreateCommandQueue(o.context, o.device, 0, NULL);
    CHECK(clFinish(o.queue) == CL_SUCCESS);
    close_opened(&o);
}

static void test_device_is_lost(void **state) {
    (void)state;
    in_child("ENCL_FAULT_LOST", "clEnqueueFillBuffer:2:-36", use_lost);
    in_child("ENCL_FAULT_LOST", "clEnqueueFillBuffer:2:-36:until-context", use_lost);
}

static void CL_CALLBACK keep_result(cl_event event, cl_int result, void *kept) {
    (void)event;
    __atomic_store_n((cl_int *)kept, result, __ATOMIC_SEQ_CST);
}

// What the callback of a command is told; 1 where it is told nothing in so many milliseconds.
static cl_int told(const opened *o, int patience_ms) {
    cl_event event = NULL;
    static cl_int result;
    __atomic_store_n(&result, 1, __ATOMIC_SEQ_CST);
    CHECK(clEnqueueMarkerWithWaitList(o->queue, 0, NULL, &event) == CL_SUCCESS);
    CHECK(clSetEventCallback(event, CL_COMPLETE, keep_result, &result) == CL_SUCCESS);
    CHECK(clFinish(o->queue) == CL_SUCCESS);
    for (int i = 0; i < patience_ms && __atomic_load_n(&result, __ATOMIC_SEQ_CST) == 1; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    CHECK(clReleaseEvent(event) == CL_SUCCESS);
    return __atomic_load_n(&result, __ATOMIC_SEQ_CST);
}

static void use_callbacks(void) {
    opened o = open_first();
    CHECK(told(&o, 30000) == CL_COMPLETE);
    CHECK(told(&o, 30000) == CL_OUT_OF_RESOURCES);
    CHECK(told(&o, 30000) == CL_COMPLETE);
    close_opened(&o);
}

static void use_silence(void) {
    opened o = open_first();
    CHECK(told(&o, 100) == 1);
    close_opened(&o);
}

static void test_callback_fails(void **state) {
    (void)state;
    in_child("ENCL_FAULT_FAIL", "callback:2:-5", use_callbacks);
    assert_int_equal(counted("callback"), 3);
    in_child("ENCL_FAULT_MUTE", "1", use_silence);
    assert_int_equal(counted("faults"), 1);
}

static void use_delay(void) {
    opened o = open_first();
    cl_mem buffer = new_buffer(&o, 4, NULL);
    cl_event event = NULL;
    cl_int state = CL_COMPLETE;
    const cl_uint zero = 0;
    CHECK(clEnqueueFillBuffer(o.queue, buffer, &zero, 4, 0, 4, 0, NULL, &event) == CL_SUCCESS);
    CHECK(clFlush(o.queue) == CL_SUCCESS);
    CHECK(clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL) == CL_SUCCESS);
    CHECK(state > CL_COMPLETE);
    CHECK(clWaitForEvents(1, &event) == CL_SUCCESS);
    CHECK(clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL) == CL_SUCCESS);
    CHECK(state == CL_COMPLETE);
    CHECK(clReleaseEvent(event) == CL_SUCCESS);
    CHECK(clReleaseMemObject(buffer) == CL_SUCCESS);
    close_opened(&o);
}

static void test_command_is_late(void **state) {
    (void)state;
    in_child("ENCL_FAULT_DELAY", "clEnqueueFillBuffer:2000", use_delay);
    assert_int_equal(counted("faults"), 1);
}

// A variable that says nothing sensible is no silent success: the layer stays out.
static void test_malformed(void **state) {
    (void)state;
    static const char *const arguments[] = {"devices", NULL};
    static const char *const settings[] = {
        "ENCL_FAULT_FAIL=clNothing:1:-5", "ENCL_FAULT_FAIL=clFinish:0:-5",  "ENCL_FAULT_FAIL=clFinish:1:5",
        "ENCL_FAULT_LOST=clFinish:1:-5x", "ENCL_FAULT_MEMORY=many",         "ENCL_FAULT_MEMORY=5:soon",
        "ENCL_FAULT_DELAY=clFinish",      "ENCL_FAULT_CORRUPT=linear_tile",
    };
    fault_need_layer();
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        fault_job job = {.arguments = arguments};
        fault_set(&job, 0, "%s", settings[i]);
        fault_run_all(&job, 1);
        assert_int_equal(fault_count(&job, "clGetPlatformIDs"), -1);
        assert_non_null(strstr(job.result.err, "fault layer: ENCL_FAULT_"));
        fault_free(&job);
    }
}

// The CLBlast that the program would load.
static void find_library(char path[PATH_LENGTH]) {
    char command[PATH_LENGTH + 64];
    char line[PATH_LENGTH];
    snprintf(command, sizeof command, "ldd '%s' 2>/dev/null", program_path());
    FILE *libraries = popen(command, "r"); // NOLINT(cert-env33-c): the command is the test's own
    assert_non_null(libraries);
    path[0] = '\0';
    while (fgets(line, sizeof line, libraries) != NULL) {
        char *start = strstr(line, "=> ");
        if (strstr(line, "libclblast") != NULL && start != NULL) {
            start[3 + strcspn(start + 3, " \n")] = '\0';
            memcpy(path, start + 3, strlen(start + 3) + 1);
        }
    }
    pclose(libraries);
}

// `encl doctor` asks the loader for its version by it; that is no call to a driver.
static const char loaders_own[] = "clGetExtensionFunctionAddress";

// Every OpenCL call that a file imports is one that the layer counts.
static size_t check_imports(const char *path) {
    char command[PATH_LENGTH + 64];
    char line[256];
    size_t count = 0;
    snprintf(command, sizeof command, "nm -D --undefined-only '%s' 2>/dev/null", path);
    FILE *names = popen(command, "r"); // NOLINT(cert-env33-c): the command is the test's own
    assert_non_null(names);
    while (fgets(line, sizeof line, names) != NULL) {
        char name[128] = "";
        if (sscanf(line, " U %127[A-Za-z0-9]", name) == 1 && name[0] == 'c' && name[1] == 'l' &&
            isupper((unsigned char)name[2]) && strcmp(name, loaders_own) != 0) {
            if (counted(name) < 0) {
                fail_msg("%s calls %s, which the layer does not know", path, name);
            }
            count++;
        }
    }
    pclose(names);
    return count;
}

static void nothing(void) {
    opened o = open_first();
    close_opened(&o);
}

static void test_knows_all_calls(void **state) {
    (void)state;
    char library[PATH_LENGTH];
    in_child("ENCL_FAULT_FAIL", "", nothing);
    find_library(library);
    if (library[0] == '\0' || check_imports(program_path()) == 0) {
        print_message("ldd or nm shows nothing\n");
        skip();
    }
    assert_true(check_imports(library) > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nth_call_fails), cmocka_unit_test(test_failing_call_has_no_effect),
        cmocka_unit_test(test_memory_ends),    cmocka_unit_test(test_kernel_is_wrong),
        cmocka_unit_test(test_build_fails),    cmocka_unit_test(test_device_is_lost),
        cmocka_unit_test(test_callback_fails), cmocka_unit_test(test_command_is_late),
        cmocka_unit_test(test_malformed),      cmocka_unit_test(test_knows_all_calls),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
