// What the runtime falls back on: other kernels, smaller batches, the device opened again. `encl embed` runs into a
// fault and its answer is held against that of a run without one.
#include "runner.h"

enum { MOST_EXPECTED = 3, TEXTS = 900 };

static char *answer;   // of the few texts, undisturbed
static char *many;     // of the many texts
static char texts[64]; // the file of the many
static const char *few_arguments[] = {"embed", "--json", "tests/fixtures/tiny-bert", "a b", "hello world", NULL};
static const char *library_arguments[] = {"embed", "--gemm=clblast", "tests/fixtures/tiny-bert", "a b", NULL};
static const char *many_arguments[] = {"embed", "--json", "--max-length=40", "tests/fixtures/tiny-bert", "-i",
                                       texts,   NULL};

// Everything is computed once before, without a fault.
static void prepare(void) {
    fault_need_layer();
    if (answer != NULL) {
        return;
    }
    snprintf(texts, sizeof texts, "%s", in_folder("many.txt"));
    FILE *file = fopen(texts, "w");
    assert_non_null(file);
    for (int i = 0; i < TEXTS; i++) {
        fprintf(file, "%.*s\n", 1 + (i * 7) % 40, "a b c d e f g h i j k l m n o p q r s t u");
    }
    assert_int_equal(fclose(file), 0);
    fault_job jobs[] = {{.arguments = few_arguments, .cache = in_folder("warm")},
                        {.arguments = many_arguments, .cache = in_folder("warm")}};
    fault_run_all(jobs, 2);
    expect_exit(&jobs[0].result, 0);
    expect_exit(&jobs[1].result, 0);
    assert_int_equal(count_lines(jobs[1].result.out), TEXTS);
    answer = strdup(jobs[0].result.out);
    many = strdup(jobs[1].result.out);
    fault_free(&jobs[0]);
    fault_free(&jobs[1]);
}

// One run with up to two settings, and what is expected of it: an exit code, texts that its standard error holds (or,
// where there are none on success, that it is empty), and on success the answer.
typedef struct fault_case {
    const char *settings[2];
    const char *const *arguments;
    bool cold;
    int exit_code;
    const char *expected[MOST_EXPECTED];
} fault_case;

static void check_case(const fault_case *c) {
    fault_job job = {.arguments = c->arguments, .cache = c->cold ? NULL : in_folder("warm")};
    for (size_t i = 0; i < 2 && c->settings[i] != NULL; i++) {
        fault_set(&job, i, "%s", c->settings[i]);
    }
    fault_run_all(&job, 1);
    const char *bad = fault_bad_messages(&job);
    if (bad != NULL || job.result.exit_code != c->exit_code) {
        fail_msg("%s: exit code %d, %s: %s", c->settings[0], job.result.exit_code, bad == NULL ? "expected other" : bad,
                 job.result.err);
    }
    assert_true(fault_count(&job, "faults") > 0);
    for (size_t i = 0; i < MOST_EXPECTED && c->expected[i] != NULL; i++) {
        if (strstr(job.result.err, c->expected[i]) == NULL) {
            fail_msg("%s: found '%s', expected '%s' in it", c->settings[0], job.result.err, c->expected[i]);
        }
    }
    if (c->expected[0] == NULL) {
        assert_string_equal(job.result.err, "");
    }
    if (c->exit_code == 0 && !fault_same_output(job.result.out, c->arguments == many_arguments ? many : answer)) {
        fail_msg("%s: the answer is another", c->settings[0]);
    }
    fault_free(&job);
}

static void check_cases(const fault_case *cases, size_t count) {
    prepare();
    for (size_t i = 0; i < count; i++) {
        check_case(&cases[i]);
    }
}
#define CHECK_CASES(cases) check_cases((cases), sizeof(cases) / sizeof *(cases))

// A kernel that computes nonsense is found by its self-check; the next row serves.
static void test_wrong_kernels(void **state) {
    (void)state;
    const fault_case cases[] = {
        {{"ENCL_FAULT_CORRUPT=linear_tile:4"}, few_arguments, false, 0, {"kernel linear_tile_", " is not used on"}},
        {{"ENCL_FAULT_CORRUPT=linear_tile:4"}, few_arguments, true, 0, {"kernel linear_tile_4", "self-check failed"}},
        {{"ENCL_FAULT_CORRUPT=layer_norm_tile:3"}, few_arguments, false, 0, {"layer_norm_tile is not used on"}},
        {{"ENCL_FAULT_CORRUPT=attention_tile:4"},
         few_arguments,
         false,
         0,
         {"kernel attention_tile", " is not used on"}},
        {{"ENCL_FAULT_CORRUPT=keys_tile:2"}, few_arguments, false, 0, {"kernel keys_tile is not used on"}},
        {{"ENCL_FAULT_CORRUPT=embed_tile:11"}, few_arguments, false, 0, {"kernel embed_tile is not used on"}},
        {{"ENCL_FAULT_CORRUPT=pool:3"},
         few_arguments,
         false,
         1,
         {"kernel pool is not used on", "encl: error: no kernel serves pool"}},
    };
    CHECK_CASES(cases);
}

// A GPU takes CLBlast's products unless they are wrong.
static void test_wrong_library(void **state) {
    (void)state;
    const fault_case cases[] = {
        {{"ENCL_FAULT_CORRUPT=XgemmDirect:11", "ENCL_FAULT_GPU=1"},
         few_arguments,
         false,
         0,
         {"CLBlast is not used on", "its self-check failed"}},
        {{"ENCL_FAULT_CORRUPT=XgemmDirect:11"}, library_arguments, false, 1, {"encl: error: CLBlast on "}},
    };
    CHECK_CASES(cases);
}

static void test_builds(void **state) {
    (void)state;
    const fault_case cases[] = {
        {{"ENCL_FAULT_BUILD=linear_tile("},
         few_arguments,
         true,
         0,
         {"kernel linear_tile_", " is not used on", "fault.cl:1"}},
        {{"ENCL_FAULT_BUILD=TILE_ROWS="}, few_arguments, true, 0, {"kernel linear_tile_", " is not used on"}},
        {{"ENCL_FAULT_BUILD=attention_tile("}, few_arguments, true, 0, {"kernel attention_tile", " is not used on"}},
        {{"ENCL_FAULT_BUILD=kernel"}, few_arguments, true, 1, {"encl: error: no kernel serves ", "fault.cl:1"}},
    };
    CHECK_CASES(cases);
}

// The device gives less than it says when an executable is made.
static void test_memory_for_an_executable(void **state) {
    (void)state;
    const fault_case cases[] = {
        {{"ENCL_FAULT_MEMORY=1200000"},
         many_arguments,
         false,
         0,
         {"has no memory for batches of 1024 tokens, going on with 512: ", "clCreateBuffer: CL_MEM_OBJECT"}},
        {{"ENCL_FAULT_MEMORY=100000"}, few_arguments, false, 1, {"CL_MEM_OBJECT_ALLOCATION_FAILURE"}},
    };
    CHECK_CASES(cases);
}

// Or it says so: then nobody needs to be told. Nothing fails, so the layer counts no fault.
static void test_little_memory_said(void **state) {
    (void)state;
    prepare();
    fault_job job = {.arguments = many_arguments, .cache = in_folder("warm")};
    fault_set(&job, 0, "ENCL_FAULT_MEMORY_SAID=1200000");
    fault_run_all(&job, 1);
    expect_exit(&job.result, 0);
    assert_string_equal(job.result.err, "");
    assert_true(fault_same_output(job.result.out, many));
    fault_free(&job);
}

// The device gives less than it says when a run needs it.
static void test_memory_for_a_run(void **state) {
    (void)state;
    const fault_case cases[] = {
        {{"ENCL_FAULT_MEMORY=1200000:lazy"}, many_arguments, false, 0, {"tokens, going on with "}},
        {{"ENCL_FAULT_MEMORY=1200000:event"}, many_arguments, false, 0, {"tokens, going on with "}},
        {{"ENCL_FAULT_MEMORY=100000:lazy"}, many_arguments, false, 1, {"CL_MEM_OBJECT_ALLOCATION_FAILURE"}},
        {{"ENCL_FAULT_FAIL=callback:1:-4"}, many_arguments, false, 0, {"a command of the run: CL_MEM_OBJECT"}},
        {{"ENCL_FAULT_FAIL=callback:2:-5"}, many_arguments, false, 0, {"a command of the run: CL_OUT_OF_RESOURCES"}},
        {{"ENCL_FAULT_FAIL=callback:1+:-5"},
         many_arguments,
         false,
         1,
         {"going on with 40: ", "failed, was opened again, and failed again: a command of the run"}},
    };
    CHECK_CASES(cases);
}

// A device that is lost, and comes back with a new context or does not. The calls are of the run, of the upload, and of
// the first self-check.
static void test_lost_device(void **state) {
    (void)state;
    const fault_case cases[] = {
        {{"ENCL_FAULT_LOST=clSetEventCallback:1:-36:until-context"}, many_arguments, false, 0, {"is opened again"}},
        {{"ENCL_FAULT_LOST=clSetEventCallback:2:-36:until-context"}, many_arguments, false, 0, {"is opened again"}},
        {{"ENCL_FAULT_LOST=clSetEventCallback:2:-2:until-context"}, many_arguments, false, 0, {"is opened again"}},
        {{"ENCL_FAULT_LOST=clSetEventCallback:2:-5:until-context"}, many_arguments, false, 0, {"going on with 512"}},
        {{"ENCL_FAULT_LOST=callback:1:-36:until-context"}, many_arguments, false, 0, {"is opened again"}},
        {{"ENCL_FAULT_LOST=clSetEventCallback:1:-36"}, many_arguments, false, 1, {"encl: error: device 0 ("}},
        {{"ENCL_FAULT_LOST=clSetEventCallback:2:-5"}, many_arguments, false, 1, {"encl: error: device 0 ("}},
        {{"ENCL_FAULT_LOST=callback:1:-2"}, many_arguments, false, 1, {"encl: error: device 0 ("}},
        {{"ENCL_FAULT_LOST=clFlush:20:-36"}, many_arguments, false, 1, {"CL_INVALID_COMMAND_QUEUE (-36)"}},
        {{"ENCL_FAULT_LOST=clEnqueueNDRangeKernel:1:-5"}, many_arguments, false, 1, {"CL_OUT_OF_RESOURCES (-5)"}},
        {{"ENCL_FAULT_LOST=clBuildProgram:1:-5"}, many_arguments, true, 1, {"CL_OUT_OF_RESOURCES"}},
    };
    CHECK_CASES(cases);
}

// Drivers that are slow, and that never call back.
static void test_slow_and_silent_drivers(void **state) {
    (void)state;
    const fault_case cases[] = {
        {{"ENCL_FAULT_DELAY=clEnqueueReadBuffer:20"}, many_arguments, false, 0, {NULL}},
        {{"ENCL_FAULT_DELAY=clEnqueueNDRangeKernel:5"}, many_arguments, false, 0, {NULL}},
        {{"ENCL_FAULT_DELAY=clEnqueueCopyBuffer:5", "ENCL_FAULT_FAIL=clEnqueueCopyBuffer:10:-36"},
         many_arguments,
         false,
         1,
         {"clEnqueueCopyBuffer"}},
        {{"ENCL_FAULT_DELAY=clEnqueueCopyBuffer:5", "ENCL_FAULT_FAIL=clEnqueueMapBuffer:10:-36"},
         many_arguments,
         false,
         1,
         {"clEnqueueMapBuffer"}},
        {{"ENCL_FAULT_DELAY=clEnqueueWriteBuffer:5", "ENCL_FAULT_FAIL=clSetEventCallback:1:-36"},
         many_arguments,
         false,
         0,
         {"clSetEventCallback"}},
        {{"ENCL_FAULT_MUTE=1"}, few_arguments, false, 0, {NULL}},
    };
    CHECK_CASES(cases);
}

// A flush that fails leaves the run in the driver's hands; where waiting fails too, the run is over.
static void test_flush(void **state) {
    (void)state;
    prepare();
    fault_job job = {.arguments = few_arguments, .cache = in_folder("warm")};
    fault_run_all(&job, 1);
    const long flushes = fault_count(&job, "clFlush");
    const long finishes = fault_count(&job, "clFinish");
    char flush[80];
    char both[80];
    fault_free(&job);
    assert_true(flushes > 0 && finishes > 0);
    snprintf(flush, sizeof flush, "ENCL_FAULT_FAIL=clFlush:%ld:-5", flushes);
    snprintf(both, sizeof both, "ENCL_FAULT_FAIL=clFlush:%ld:-36,clFinish:%ld:-36", flushes, finishes);
    const fault_case cases[] = {
        {{flush}, few_arguments, false, 0, {NULL}},
        {{both, "ENCL_FAULT_MUTE=1"},
         few_arguments,
         false,
         0,
         {"is opened again: clFlush: CL_INVALID_COMMAND_QUEUE (-36)"}},
    };
    CHECK_CASES(cases);
}

// A driver that does not come back cannot be made to; the process ends a few seconds after it is told to.
static void test_termination(void **state) {
    (void)state;
    prepare();
    fault_job job = {.arguments = few_arguments, .cache = in_folder("warm")};
    fault_set(&job, 0, "ENCL_FAULT_DELAY=clEnqueueReadBuffer:3600000");
    fault_start(&job);
    sleep(3); // it has caught signals, and waits for the first check of a kernel
    assert_int_equal(kill(job.child, SIGTERM), 0);
    while (!fault_look(&job)) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    assert_false(job.timed_out);
    expect_exit(&job.result, 143);
    fault_free(&job);
}

static int end(void **state) {
    free(answer);
    free(many);
    return remove_test_folder(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_kernels),
        cmocka_unit_test(test_termination),
        cmocka_unit_test(test_wrong_library),
        cmocka_unit_test(test_builds),
        cmocka_unit_test(test_memory_for_an_executable),
        cmocka_unit_test(test_little_memory_said),
        cmocka_unit_test(test_memory_for_a_run),
        cmocka_unit_test(test_lost_device),
        cmocka_unit_test(test_slow_and_silent_drivers),
        cmocka_unit_test(test_flush),
    };
    return cmocka_run_group_tests(tests, make_test_folder, end);
}
