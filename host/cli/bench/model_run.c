// Runs one case of `encl bench model`.
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/bench/model.h"
#include "host/cli/interrupt.h"
#include "host/task/pipeline.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/output_folder.h"
#include "runtime/base/process.h"

enum { PROFILED_RUNS = 3, STATUS_LIMIT = 1 << 16 };

// ---- Memory -----------------------------------------------------------------------------------------------

// Lets the peak of resident memory begin anew where the system can; else it is the process's.
static void reset_peak_memory(void) {
    const int opened = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (opened >= 0) {
        const ssize_t ignored = write(opened, "5", 1);
        (void)ignored;
        close(opened);
    }
}

static double peak_memory(void) {
    char *text = NULL;
    size_t length = 0;
    double bytes = NAN;
    if (encl_file_read("/proc/self/status", STATUS_LIMIT, &text, &length) == ENCL_OK) {
        const char *line = strstr(text, "VmHWM:");
        bytes = line != NULL ? strtod(line + strlen("VmHWM:"), NULL) * 1024 : NAN; // in KiB
    }
    free(text);
    return bytes;
}

// ---- A batch ----------------------------------------------------------------------------------------------

typedef struct batch_run {
    encl_executable *executable;
    const encl_batch *batch;
    encl_event *before; // depth 2: the run that is in flight when the next one starts
    int64_t before_ns;  // when the one before that was over
    bool overlap;
} batch_run;

// depth 1: how long a run takes. depth 2: how long after the last result the next one comes.
static encl_status run_batch(void *context, int64_t *ns) {
    batch_run *run = context;
    encl_status status = ENCL_OK;
    encl_event *event = NULL;
    if (run->overlap && run->before == NULL) {
        ENCL_TRY(encl_executable_run(run->executable, run->batch, false, &run->before));
        run->before_ns = encl_clock_ns();
    }
    const int64_t start = run->overlap ? run->before_ns : encl_clock_ns();
    ENCL_TRY(encl_executable_run(run->executable, run->batch, false, &event));
    if (run->overlap) {
        encl_event *next = event;
        event = run->before;
        run->before = next;
    }
    ENCL_TRY(encl_event_wait(event, -1));
    run->before_ns = encl_clock_ns();
    *ns = run->before_ns - start;
cleanup:
    encl_event_release(event);
    return status;
}

static void add_records(const encl_run_profile *run, encl_model_figures *figures) {
    double busy = 0;
    for (size_t i = 0; i < run->count; i++) {
        const encl_profile_record *record = &run->records[i];
        const double ns = fmax((double)(record->end_ns - record->start_ns), 0);
        double *sum = strcmp(record->op, "upload") == 0     ? &figures->h2d
                      : strcmp(record->op, "download") == 0 ? &figures->d2h
                                                            : &figures->exec;
        *sum += ns / PROFILED_RUNS;
        busy += ns;
    }
    const double wall = (double)(run->end_ns - run->begin_ns);
    figures->wall += wall / PROFILED_RUNS;
    figures->gaps += fmax(wall - busy, 0) / PROFILED_RUNS;
}

// Where the time of a run goes: some profiled runs, after the plain ones that are what is reported as time.
static encl_status split(const batch_run *run, encl_model_figures *figures) {
    encl_status status = ENCL_OK;
    encl_event *event = NULL;
    figures->h2d = figures->exec = figures->gaps = figures->d2h = figures->wall = 0;
    for (int i = 0; i < PROFILED_RUNS; i++) {
        const encl_run_profile *profile = NULL;
        ENCL_TRY(encl_interrupt_check());
        ENCL_TRY(encl_executable_run(run->executable, run->batch, true, &event));
        ENCL_TRY(encl_event_wait(event, -1));
        ENCL_TRY(encl_event_profile(event, &profile));
        add_records(profile, figures);
        encl_event_release(event);
        event = NULL;
    }
cleanup:
    encl_event_release(event);
    return status;
}

static void keep_info(const encl_executable_info *info, encl_model_figures *figures) {
    figures->info = *info;
    snprintf(figures->gemm, sizeof figures->gemm, "%s", info->gemm);
    figures->info.gemm = figures->gemm;
}

static encl_status measure_batch(const encl_device *device, const encl_graph *graph, const encl_batch *batch,
                                 const encl_executable_options *options, const encl_sampling *sampling,
                                 encl_model_figures *figures) {
    encl_status status = ENCL_OK;
    batch_run run = {.batch = batch, .overlap = options->depth == 2};
    encl_executable_options chosen = *options;
    chosen.capacity.tokens = batch->tokens;
    chosen.capacity.sequences = batch->sequences;
    const int64_t start = encl_clock_ns();
    ENCL_TRY(encl_executable_create(device, graph, &chosen, &run.executable));
    figures->create_ns = encl_clock_ns() - start;
    keep_info(encl_executable_get_info(run.executable), figures);
    ENCL_TRY(encl_sample(sampling, run_batch, &run, &figures->samples));
    encl_event_release(run.before);
    run.before = NULL;
    ENCL_TRY(split(&run, figures));
cleanup:
    encl_event_release(run.before);
    if (run.executable != NULL) {
        encl_executable_destroy(run.executable);
    }
    return status;
}

// ---- A stream ---------------------------------------------------------------------------------------------

typedef struct stream_run {
    encl_pipeline *pipeline;
    const encl_batch *all;
    int32_t next;
} stream_run;

static encl_status next_sequence(void *context, encl_sequence *sequence) {
    stream_run *run = context;
    if (run->next < run->all->sequences) {
        const int32_t begin = run->all->offsets[run->next++];
        sequence->ids = run->all->ids + begin;
        sequence->count = run->all->offsets[run->next] - begin;
    }
    return encl_interrupt_check();
}

static encl_status drop_result(void *context, const encl_sequence_result *result) {
    (void)context;
    (void)result;
    return ENCL_OK;
}

static encl_status run_stream(void *context, int64_t *ns) {
    stream_run *run = context;
    run->next = 0;
    const int64_t start = encl_clock_ns();
    const encl_status status = encl_pipeline_run(run->pipeline, next_sequence, run, drop_result, NULL);
    *ns = encl_clock_ns() - start;
    return status;
}

static encl_status measure_stream(const encl_device *device, encl_graph **graph, const encl_model_case *measured,
                                  const encl_executable_options *options, int64_t max_length,
                                  const encl_sampling *sampling, encl_model_figures *figures) {
    encl_status status = ENCL_OK;
    stream_run run = {.all = &measured->made.batch};
    encl_sampling by = *sampling;
    by.warm_most_ns = 0; // one pass warms up all that there is, and may take a minute
    const encl_result_rows rows = measured->tokens ? ENCL_RESULT_TOKENS : ENCL_RESULT_SEQUENCES;
    const int64_t start = encl_clock_ns();
    ENCL_TRY(encl_pipeline_create(device, graph, options, rows, max_length, &run.pipeline));
    figures->create_ns = encl_clock_ns() - start;
    keep_info(encl_pipeline_get_info(run.pipeline), figures);
    ENCL_TRY(encl_sample(&by, run_stream, &run, &figures->samples));
cleanup:
    encl_pipeline_destroy(run.pipeline);
    return status;
}

encl_status encl_model_measure(const encl_device *device, encl_graph **graph, const encl_model_case *measured,
                               const encl_executable_options *options, int64_t max_length,
                               const encl_sampling *sampling, encl_model_figures *figures) {
    *figures = (encl_model_figures){.h2d = NAN, .exec = NAN, .gaps = NAN, .d2h = NAN, .wall = NAN};
    reset_peak_memory();
    const encl_status status = measured->stream
                                   ? measure_stream(device, graph, measured, options, max_length, sampling, figures)
                                   : measure_batch(device, *graph, &measured->made.batch, options, sampling, figures);
    figures->peak_bytes = peak_memory();
    if (status != ENCL_OK) {
        encl_model_figures_free(figures);
    }
    return status;
}

void encl_model_figures_free(encl_model_figures *figures) {
    encl_samples_free(&figures->samples);
    *figures = (encl_model_figures){0};
}

// ---- Fresh processes --------------------------------------------------------------------------------------

const char encl_model_started[] = "first result\n";

static encl_status start_once(const char *self, char *const *arguments, char *const *environment, int64_t *ns) {
    encl_process_result ended = {0};
    const encl_process_watch watch = encl_interrupt_watch();
    encl_status status = encl_process_run(self, arguments, environment, &watch, &ended);
    if (status == ENCL_OK &&
        (ended.exit_code != 0 || ended.out.text == NULL || strcmp(ended.out.text, encl_model_started) != 0)) {
        const char *said = ended.err.text != NULL ? ended.err.text : "";
        status = encl_fail(ENCL_DEVICE, "a fresh process ended with exit code %d: %.*s", ended.exit_code,
                           (int)strcspn(said, "\n"), said);
    }
    *ns = ended.first_ns;
    encl_process_free(&ended);
    return status;
}

// Where encl and drivers keep what they compiled.
static const char *const cache_variables[] = {
    "ENCL_CACHE_DIR",        "POCL_CACHE_DIR", "CUDA_CACHE_PATH",
    "MESA_SHADER_CACHE_DIR", "NEO_CACHE_DIR",  "AMD_COMGR_CACHE_DIR",
};
enum { CACHES = sizeof cache_variables / sizeof cache_variables[0] };

// In a folder of its own, which is removed again.
static encl_status start_cold(const char *self, char *const *arguments, int64_t *ns) {
    encl_status status = ENCL_OK;
    encl_output_folder folder = {0};
    encl_string path = {0};
    encl_string assignments[CACHES] = {{0}};
    char *environment[CACHES + 1] = {NULL};
    const char *temporary = getenv("TMPDIR");
    ENCL_TRY(encl_string_format(&path, "%s/encl-cold-%ld", temporary != NULL ? temporary : "/tmp", (long)getpid()));
    ENCL_TRY(encl_output_folder_open(path.text, &folder));
    for (size_t i = 0; i < CACHES; i++) {
        ENCL_TRY(encl_string_format(&assignments[i], "%s=%s/%zu", cache_variables[i], folder.temporary, i));
        environment[i] = assignments[i].text;
        ENCL_TRY(encl_path_make_folder(strchr(environment[i], '=') + 1));
    }
    status = start_once(self, arguments, environment, ns);
cleanup:
    encl_output_folder_abandon(&folder);
    for (size_t i = 0; i < CACHES; i++) {
        encl_string_free(&assignments[i]);
    }
    encl_string_free(&path);
    return status;
}

encl_status encl_model_start(char *const *arguments, int64_t starts, double *warm_ns, double *cold_ns) {
    encl_status status = ENCL_OK;
    char *self = NULL;
    void *memory = NULL;
    int64_t first_ns = 0;
    encl_statistics found;
    *warm_ns = *cold_ns = NAN;
    ENCL_TRY(encl_process_self(&self));
    ENCL_TRY(start_cold(self, arguments, &first_ns));
    *cold_ns = (double)first_ns;
    ENCL_TRY(encl_allocate((size_t)starts, sizeof(int64_t), &memory));
    int64_t *times = memory;
    for (int64_t i = 0; i < starts; i++) {
        ENCL_TRY(start_once(self, arguments, NULL, &times[i]));
    }
    ENCL_TRY(encl_statistics_of(times, (size_t)starts, &found));
    *warm_ns = found.p50;
cleanup:
    free(memory);
    free(self);
    return status;
}
