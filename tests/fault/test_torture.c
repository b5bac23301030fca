// Every OpenCL call of `encl embed` fails in turn. What comes of it is the right answer with a warning, or an error in
// one line that names the call; never a crash, a hang, a wrong answer, a sanitizer's report.
//
// ENCL_TORTURE=full takes every call; otherwise those that are made very often are sampled.
#include "runner.h"
#include "runtime/device/cl.h"

// How many calls of each entry point are taken: fewer where sanitizers make every run slow.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { SAMPLES = 1 };
#else
enum { SAMPLES = 6 };
#endif
enum { MOST_CODES = 3 };

// Texts of two batches, with room to halve a batch.
enum { PROVIDER = 4 };
static const char *arguments[] = {
    "embed",
    "--json",
    "--max-length=8",
    "--batch-tokens=16",
    "--gemm=tile",
    "tests/fixtures/tiny-bert",
    "a b",
    "hello world",
    "dog",
    "fox",
    "over",
    NULL,
};

// What may go wrong without a word: nothing hangs on these.
static const struct {
    const char *call;
    const char *why;
    bool warm_only; // with programs in the cache
} silent[] = {
    {"clGetPlatformInfo", "a platform or device that does not answer is left out", false},
    {"clGetDeviceIDs", "the same", false},
    {"clGetDeviceInfo", "what is newer than OpenCL 1.2 is optional", false},
    {"clReleaseContext", "there is nothing to be done", false},
    {"clReleaseCommandQueue", "the same", false},
    {"clReleaseMemObject", "the same", false},
    {"clReleaseProgram", "the same", false},
    {"clReleaseKernel", "the same", false},
    {"clReleaseEvent", "the same", false},
    {"clCreateProgramWithBinary", "the program is built from source", true},
    {"clBuildProgram", "the same", true},
    {"clCreateKernel", "the same", true},
    {"clGetProgramInfo", "the program is not kept", false},
    {"clGetProgramBuildInfo", "the message is shorter", false},
    {"clFinish", "it is called again, or an event says the same", false},
    {"clFlush", "waiting hands the commands over as well", false},
};

// Codes that fit the calls that are made of a device; `call` may be the beginning of a name, the first that fits
// counts.
static const struct {
    const char *call;
    cl_int codes[MOST_CODES];
} fitting[] = {
    {"clGet", {CL_INVALID_VALUE}},
    {"clRelease", {CL_OUT_OF_RESOURCES}},
    {"clCreateContext", {CL_DEVICE_NOT_AVAILABLE, CL_OUT_OF_HOST_MEMORY}},
    {"clCreateBuffer", {CL_MEM_OBJECT_ALLOCATION_FAILURE, CL_INVALID_BUFFER_SIZE}},
    {"clCreateSubBuffer", {CL_MISALIGNED_SUB_BUFFER_OFFSET}},
    {"clCreateProgramWithBinary", {CL_INVALID_BINARY}},
    {"clBuildProgram", {CL_BUILD_PROGRAM_FAILURE, CL_OUT_OF_HOST_MEMORY}},
    {"clCreateKernel", {CL_INVALID_KERNEL_NAME, CL_OUT_OF_RESOURCES}},
    {"clCreate", {CL_OUT_OF_RESOURCES}},
    {"clEnqueueNDRangeKernel", {CL_OUT_OF_RESOURCES, CL_MEM_OBJECT_ALLOCATION_FAILURE, CL_INVALID_COMMAND_QUEUE}},
    {"clEnqueue", {CL_OUT_OF_RESOURCES, CL_INVALID_COMMAND_QUEUE}},
    {"clSetKernelArg", {CL_INVALID_ARG_VALUE}},
    {"clWaitForEvents", {CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, CL_OUT_OF_RESOURCES}},
    {"callback", {CL_OUT_OF_RESOURCES, CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST}},
    {"", {CL_OUT_OF_HOST_MEMORY, CL_OUT_OF_RESOURCES}},
};

static const cl_int *codes_of(const char *call) {
    size_t i = 0;
    while (strncmp(call, fitting[i].call, strlen(fitting[i].call)) != 0) {
        i++;
    }
    return fitting[i].codes;
}

static bool is_silent(const char *call, bool warm) {
    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++) {
        if (strcmp(silent[i].call, call) == 0) {
            return warm || !silent[i].warm_only;
        }
    }
    return false;
}

// The calls by name, as the layer wrote them.
typedef struct call_count {
    char name[64];
    long count;
} call_count;

enum { MOST_CALLS = 64 };

static size_t read_counts(const fault_job *job, call_count *calls) {
    char path[PATH_LENGTH];
    char *text = NULL;
    size_t length = 0;
    size_t count = 0;
    fault_path(job, "counts", path);
    assert_ok(encl_file_read(path, 1 << 20, &text, &length));
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        assert_true(count < MOST_CALLS);
        assert_int_equal(sscanf(line, "%63s %ld", calls[count].name, &calls[count].count), 2);
        count += strcmp(calls[count].name, "faults") != 0 && calls[count].count > 0;
    }
    free(text);
    return count;
}

typedef struct torture_case {
    const char *call;
    long number;
    cl_int code;
} torture_case;

// What a failure is called in the message. A build's says what the compiler said, or its code.
static const char *named(const torture_case *c) {
    return strcmp(c->call, "callback") == 0      ? "a command of the run"
           : c->code == CL_BUILD_PROGRAM_FAILURE ? "CL_BUILD_PROGRAM_FAILURE"
                                                 : c->call;
}

// NULL where the outcome is as it should be.
static const char *judge(const fault_job *job, const torture_case *c, const char *expected) {
    const char *bad = fault_bad_messages(job);
    if (bad != NULL) {
        return bad;
    }
    if (fault_count(job, "faults") < 1) {
        return job->result.exit_code == 0 ? NULL : "no fault happened";
    }
    if (job->result.exit_code == 1) {
        const char *error = strstr(job->result.err, "encl: error: ");
        const bool names = strstr(error, named(c)) != NULL || strstr(error, "CLBlast") != NULL;
        return names ? NULL : "the error does not name the call";
    }
    if (!fault_same_output(job->result.out, expected)) {
        return "a wrong answer";
    }
    return fault_has_warning(job) || is_silent(c->call, job->cache != NULL) ? NULL
                                                                            : "the right answer without a warning";
}

// How often each kind of outcome came, for the reader of the log.
typedef struct tally {
    size_t cases, errors, warnings, quiet, missed, bad;
} tally;

static void check_job(fault_job *job, const torture_case *c, const char *expected, tally *t) {
    const char *bad = judge(job, c, expected);
    t->cases++;
    if (bad != NULL) {
        t->bad++;
        print_error("%s call %ld gives %d: %s (exit code %d)\n%s\n", c->call, c->number, (int)c->code, bad,
                    job->result.exit_code, job->result.err);
    } else if (fault_count(job, "faults") < 1) {
        t->missed++;
    } else if (job->result.exit_code == 1) {
        t->errors++;
    } else if (fault_has_warning(job)) {
        t->warnings++;
    } else {
        t->quiet++;
    }
    fault_free(job);
}

// Fails calls of one entry point, from the first to the last, with each fitting code.
static void torture_call(const call_count *call, long samples, const char *cache, const char *expected, tally *t) {
    const long step = samples > 0 && call->count > samples ? (call->count + samples - 1) / samples : 1;
    const cl_int *codes = codes_of(call->name);
    fault_job *jobs = NULL;
    torture_case *cases = NULL;
    const size_t most = (size_t)call->count * MOST_CODES;
    size_t count = 0;
    assert_ok(encl_allocate(most, sizeof *jobs, (void **)&jobs));
    assert_ok(encl_allocate(most, sizeof *cases, (void **)&cases));
    for (long number = 1; number <= call->count; number += step) {
        for (size_t i = 0; i < MOST_CODES && codes[i] != 0; i++) {
            cases[count] = (torture_case){call->name, number, codes[i]};
            jobs[count].arguments = arguments;
            jobs[count].cache = cache;
            fault_set(&jobs[count], 0, "ENCL_FAULT_FAIL=%s:%ld:%d", call->name, number, (int)codes[i]);
            count++;
        }
    }
    fault_run_all(jobs, count);
    for (size_t i = 0; i < count; i++) {
        check_job(&jobs[i], &cases[i], expected, t);
    }
    free(jobs);
    free(cases);
}

static bool wants_all(void) {
    const char *text = getenv("ENCL_TORTURE");
    return text != NULL && strcmp(text, "full") == 0;
}

// The answer of a run that nothing disturbs, and what it calls. Caller frees.
static char *undisturbed(const char *cache, call_count *calls, size_t *count) {
    fault_job job = {.arguments = arguments, .cache = cache};
    fault_run_all(&job, 1);
    expect_exit(&job.result, 0);
    assert_string_equal(job.result.err, "");
    assert_int_equal(fault_count(&job, "faults"), 0);
    char *answer = job.result.out;
    job.result.out = NULL;
    *count = read_counts(&job, calls);
    fault_free(&job);
    return answer;
}

static void torture(const char *cache, long samples) {
    call_count calls[MOST_CALLS];
    size_t count = 0;
    tally t = {0};
    if (cache != NULL) {
        free(undisturbed(cache, calls, &count)); // fills it
    }
    char *expected = undisturbed(cache, calls, &count);
    for (size_t i = 0; i < count; i++) {
        torture_call(&calls[i], samples, cache, expected, &t);
    }
    print_message("  %zu cases: %zu errors, %zu right with a warning, %zu right without, %zu not reached\n", t.cases,
                  t.errors, t.warnings, t.quiet, t.missed);
    free(expected);
    assert_int_equal(t.bad, 0);
    assert_true(t.errors > 0);
    assert_true(t.warnings > 0);
    assert_true(t.missed * 10 < t.cases);
}

static void test_warm_cache(void **state) {
    (void)state;
    fault_need_layer();
    torture(in_folder("warm"), wants_all() ? 0 : SAMPLES);
}

// CLBlast answers with a status of its own, and calls what encl does not.
static void test_clblast(void **state) {
    (void)state;
    fault_need_layer();
    arguments[PROVIDER] = "--gemm=clblast";
    torture(in_folder("clblast"), wants_all() ? 0 : (SAMPLES + 2) / 3);
}

static void test_cold_cache(void **state) {
    (void)state;
    fault_need_layer();
    torture(NULL, wants_all() ? 0 : 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_warm_cache),
        cmocka_unit_test(test_cold_cache),
        cmocka_unit_test(test_clblast),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
