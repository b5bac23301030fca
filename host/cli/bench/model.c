// encl bench model: how fast a model runs, and how soon.
#include "host/cli/bench/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/options.h"
#include "host/cli/output.h"
#include "runtime/base/log.h"

enum {
    KEY_SHAPE = ENCL_BENCH_KEYS_END,
    KEY_BATCH,
    KEY_SEQ,
    KEY_LENGTHS,
    KEY_DEPTH,
    KEY_TOKENS,
    KEY_POOLING,
    KEY_START,
    KEY_ONCE,
};
enum { STARTS_LIMIT = 1000 };

static const struct argp_option options[] = {
    {"shape", KEY_SHAPE, "LIST", 0,
     "Models of these shapes with random weights: minilm, rbt3, base, large, …; '?' lists all", 0},
    {"batch", KEY_BATCH, "LIST", 0, "Sequences in a batch (default 1,8)", 0},
    {"seq", KEY_SEQ, "LIST", 0, "Tokens in a sequence (default 128)", 0},
    {"lengths", KEY_LENGTHS, "FILE", 0,
     "Instead of these: a stream of sequences, one length a line, in batches as a task makes them", 0},
    {"depth", KEY_DEPTH, "N", 0,
     "Runs in flight: 1 (default) for latency, 2 for throughput; of a stream 2 is the default", 0},
    {"tokens", KEY_TOKENS, NULL, 0, "Compute every token's last hidden state instead of one vector a text", 0},
    {"pooling", KEY_POOLING, "LIST", 0, "Pool like embed --pooling; cls computes only the rows it needs", 0},
    {"start", KEY_START, "N", 0,
     "Also time fresh processes from their start to their first result: one without caches, N with", 0},
    {"once", KEY_ONCE, NULL, OPTION_HIDDEN, "Run once and say so", 0},
    ENCL_BENCH_OPTIONS,
    {0},
};

static encl_status take_option(void *taken, int key, const char *value) {
    encl_model_settings *chosen = taken;
    switch (key) {
    case KEY_SHAPE:
        chosen->shape = value;
        return ENCL_OK;
    case KEY_BATCH:
        chosen->batch = value;
        return encl_option_integers_check("--batch", value, 1, ENCL_MODEL_LIST_MOST);
    case KEY_SEQ:
        chosen->seq = value;
        return encl_option_integers_check("--seq", value, 1, ENCL_MODEL_LIST_MOST);
    case KEY_LENGTHS:
        chosen->lengths = value;
        return ENCL_OK;
    case KEY_DEPTH:
        return encl_option_integer("--depth", value, 1, 2, &chosen->depth);
    case KEY_TOKENS:
        chosen->tokens = true;
        return ENCL_OK;
    case KEY_POOLING:
        chosen->pooling_text = value;
        return encl_pooling_parse(value, chosen->pooling, ENCL_MODEL_POOLINGS, &chosen->pooling_count);
    case KEY_START:
        return encl_option_integer("--start", value, 1, STARTS_LIMIT, &chosen->starts);
    case KEY_ONCE:
        chosen->once = true;
        return ENCL_OK;
    default:
        return encl_bench_option(&chosen->bench, key, value);
    }
}

static encl_status check(const encl_call *call) {
    const encl_model_settings *chosen = call->settings;
    if (chosen->shape == NULL && call->argument_count == 0) {
        return encl_fail(ENCL_INVALID, "found neither MODEL nor --shape, expected one of them");
    }
    if (chosen->shape != NULL && call->argument_count > 0) {
        return encl_fail(ENCL_INVALID, "found '%s' beside --shape, expected one or the other", call->arguments[0]);
    }
    const char *beside = chosen->batch != NULL ? "--batch"
                         : chosen->seq != NULL ? "--seq"
                         : chosen->starts > 0  ? "--start"
                                               : NULL;
    if (chosen->lengths != NULL && beside != NULL) {
        return encl_fail(ENCL_INVALID, "%s: found beside --lengths, expected one or the other", beside);
    }
    return encl_bench_options_check(&chosen->bench);
}

// ---- Opening ----------------------------------------------------------------------------------------------

typedef struct model_bench {
    const encl_call *call;
    const encl_model_settings *settings;
    encl_model_cases cases;
    encl_embed_options embed;
    encl_executable_options executable;
    const encl_device **devices;
    size_t device_count;
    encl_peaks *peaks;        // [device_count]
    const encl_peaks **known; // [device_count] into peaks; NULL within: never measured
    size_t *order;            // of devices × cases
    encl_bench *bench;
    size_t errors;
} model_bench;

static encl_status open_run(model_bench *run) {
    const encl_model_settings *chosen = run->settings;
    encl_status status = ENCL_OK;
    run->embed.tokens = chosen->tokens;
    run->embed.pooling = chosen->pooling;
    run->embed.pooling_count = chosen->pooling_count;
    ENCL_TRY(encl_globals_executable(run->call->globals, &run->executable));
    run->executable.depth = (int32_t)(chosen->depth > 0 ? chosen->depth : chosen->lengths != NULL ? 2 : 1);
    ENCL_TRY(encl_model_cases_open(chosen, chosen->shape != NULL ? NULL : run->call->arguments[0], &run->cases));
    ENCL_TRY(encl_bench_devices(run->call->globals, &run->devices, &run->device_count));
cleanup:
    return status;
}

// The devices' limits are written down where they are known. Nothing here is computed with them, so they are not
// measured.
static encl_status load_peaks(model_bench *run) {
    encl_status status = ENCL_OK;
    void *memory = NULL;
    ENCL_TRY(encl_allocate(run->device_count, sizeof *run->peaks, &memory));
    run->peaks = memory;
    ENCL_TRY(encl_allocate(run->device_count, sizeof *run->known, &memory));
    run->known = memory;
    for (size_t i = 0; i < run->device_count; i++) {
        const bool found = encl_peaks_load(run->devices[i], &run->peaks[i]) == ENCL_OK;
        run->known[i] = found ? &run->peaks[i] : NULL;
    }
cleanup:
    return status;
}

static void close_run(model_bench *run) {
    encl_model_cases_close(&run->cases);
    free(run->order);
    free(run->peaks);
    free(run->known);
    free(run->devices);
}

// ---- Rows -------------------------------------------------------------------------------------------------

static cJSON *model_block(const encl_bench_model *model) {
    const encl_model_info *info = model->info;
    encl_line line;
    encl_line_start(&line);
    encl_line_text(&line, "name", model->name);
    encl_line_text(&line, "format", info->format);
    encl_line_text(&line, "dtype", info->dtype);
    encl_line_text(&line, "sha256", model->sha256[0] != '\0' ? model->sha256 : NULL);
    encl_line_number(&line, "layers", info->layers);
    encl_line_number(&line, "hidden", info->hidden);
    encl_line_number(&line, "heads", info->heads);
    encl_line_number(&line, "intermediate", info->intermediate);
    encl_line_number(&line, "vocabulary", info->vocabulary);
    encl_line_number(&line, "parameters", (double)info->parameters);
    return encl_line_take(&line);
}

static cJSON *models_block(const model_bench *run) {
    cJSON *blocks = cJSON_CreateArray();
    for (size_t i = 0; i < run->cases.model_count && blocks != NULL; i++) {
        if (!encl_array_add(blocks, model_block(&run->cases.models[i]))) {
            cJSON_Delete(blocks);
            blocks = NULL;
        }
    }
    return blocks;
}

static void fill_case(const model_bench *run, const encl_model_case *measured, encl_precision precision) {
    encl_bench *bench = run->bench;
    const encl_bench_model *model = measured->model;
    encl_bench_text(bench, "dtype", encl_bench_dtype(precision));
    encl_bench_text(bench, "model", model->name);
    encl_bench_text(bench, "sha256", model->sha256[0] != '\0' ? model->sha256 : NULL);
    encl_bench_text(bench, "task", run->settings->tokens ? "tokens" : "embed");
    if (!measured->stream) {
        char shape[32];
        snprintf(shape, sizeof shape, "%dx%d", measured->batch, measured->length);
        encl_bench_text(bench, "shape", shape);
        encl_bench_number(bench, "batch", measured->batch);
        encl_bench_number(bench, "seq", measured->length);
    }
    encl_bench_number(bench, "texts", measured->made.batch.sequences);
    encl_bench_number(bench, "real_tokens", measured->made.batch.tokens);
    encl_bench_number(bench, "depth", run->executable.depth);
    encl_bench_number(bench, "open_us", (double)model->open_ns / 1e3);
}

static void fill_times(encl_bench *bench, const encl_model_case *measured, const encl_model_figures *figures) {
    const double seconds = figures->samples.statistics.p50 / 1e9;
    encl_bench_samples(bench, &figures->samples, 1, "wall");
    encl_bench_number(bench, "tokens_per_s", measured->made.batch.tokens / seconds);
    encl_bench_number(bench, "seqs_per_s", measured->made.batch.sequences / seconds);
    encl_bench_number(bench, "h2d_us", figures->h2d / 1e3);
    encl_bench_number(bench, "exec_us", figures->exec / 1e3);
    encl_bench_number(bench, "gaps_us", figures->gaps / 1e3);
    encl_bench_number(bench, "d2h_us", figures->d2h / 1e3);
}

static void fill_making(encl_bench *bench, const encl_model_figures *figures) {
    const encl_executable_info *info = &figures->info;
    const bool warm = info->programs_from_cache == info->programs;
    encl_bench_text(bench, "gemm", figures->gemm);
    encl_bench_text(bench, "exact_layers", info->exact_layers);
    encl_bench_text(bench, "cache", warm ? "warm" : info->programs_from_cache > 0 ? "partly" : "cold");
    encl_bench_number(bench, "programs", info->programs);
    encl_bench_number(bench, "programs_from_cache", info->programs_from_cache);
    encl_bench_number(bench, "create_us", (double)figures->create_ns / 1e3);
    encl_bench_number(bench, "build_us", (double)info->build_ns / 1e3);
    encl_bench_number(bench, "upload_us", (double)info->upload_ns / 1e3);
    encl_bench_number(bench, "ready_us", (double)(figures->create_ns + figures->samples.first_ns) / 1e3);
    encl_bench_number(bench, "device_bytes", info->device_bytes > 0 ? (double)info->device_bytes : NAN);
    encl_bench_number(bench, "weight_bytes", (double)info->weight_bytes);
    encl_bench_number(bench, "arena_bytes", (double)info->arena_bytes);
    encl_bench_number(bench, "peak_mem_bytes", figures->peak_bytes);
}

// The command line of a fresh process that runs one case once, with everything that says how.
static encl_status time_starts(const model_bench *run, const encl_device *device, const encl_model_case *measured) {
    static const char *const gemms[] = {"auto", "tile", "clblast"};
    const encl_globals *globals = run->call->globals;
    const encl_model_settings *chosen = run->settings;
    double warm_ns = NAN;
    double cold_ns = NAN;
    char index[16];
    char batch[16];
    char seq[16];
    snprintf(index, sizeof index, "%d", encl_device_get_info(device)->index);
    snprintf(batch, sizeof batch, "%d", measured->batch);
    snprintf(seq, sizeof seq, "%d", measured->length);
    const char *words[32] = {"encl",    "bench", "model", "--once", "--device", index,
                             "--batch", batch,   "--seq", seq,      "--gemm",   gemms[globals->gemm]};
    size_t count = 12;
    if (globals->same_bits != ENCL_SAME_BITS_AUTO) {
        words[count++] = globals->same_bits == ENCL_SAME_BITS_ON ? "--same-bits" : "--no-same-bits";
    }
    if (globals->precision != NULL) {
        words[count++] = "--precision";
        words[count++] = globals->precision;
    }
    if (globals->exact_layers != NULL) {
        words[count++] = "--exact-layers";
        words[count++] = globals->exact_layers;
    }
    if (globals->calibration != NULL) {
        words[count++] = "--calibration";
        words[count++] = globals->calibration;
    }
    if (chosen->tokens) {
        words[count++] = "--tokens";
    }
    if (chosen->pooling_text != NULL) {
        words[count++] = "--pooling";
        words[count++] = chosen->pooling_text;
    }
    words[count++] = measured->model->path != NULL ? "--" : "--shape";
    words[count++] = measured->model->path != NULL ? measured->model->path : measured->model->name;
    const encl_status status = encl_model_start((char *const *)words, chosen->starts, &warm_ns, &cold_ns);
    encl_bench_number(run->bench, "starts", (double)chosen->starts);
    encl_bench_number(run->bench, "start_us", warm_ns / 1e3);
    encl_bench_number(run->bench, "cold_start_us", cold_ns / 1e3);
    return status;
}

// What fails in one case does not keep the others from being measured.
static encl_status measure_case(model_bench *run, size_t at) {
    encl_executable_options executable = run->executable;
    encl_chosen_precision precision = {0};
    const encl_device *device = run->devices[at / run->cases.count];
    const encl_model_case *measured = &run->cases.cases[at % run->cases.count];
    const encl_sampling sampling = encl_bench_sampling(&run->settings->bench);
    encl_model_figures figures = {0};
    encl_graph *graph = NULL;
    encl_status status = encl_bench_row(run->bench, device, measured->name);
    if (status != ENCL_OK) {
        return status;
    }
    encl_bench_place(run->bench, at);
    status = encl_globals_precision(run->call->globals, measured->model->model, device, &executable, &precision);
    fill_case(run, measured, executable.precision);
    if (status == ENCL_OK) {
        status = encl_model_embed_graph(measured->model->model, &run->embed, &graph);
    }
    if (status == ENCL_OK) {
        status = encl_model_measure(device, &graph, measured, &executable, measured->model->info->max_length, &sampling,
                                    &figures);
        encl_graph_destroy(graph);
    }
    if (status == ENCL_OK) {
        fill_times(run->bench, measured, &figures);
        fill_making(run->bench, &figures);
    }
    encl_model_figures_free(&figures);
    encl_chosen_precision_free(&precision);
    if (status == ENCL_OK && run->settings->starts > 0) {
        status = time_starts(run, device, measured);
    }
    if (status == ENCL_INTERRUPTED || status == ENCL_OUT_OF_MEMORY) {
        return status;
    }
    if (status != ENCL_OK) {
        run->errors++;
        encl_bench_status(run->bench, "error", encl_status_detail());
    }
    return encl_bench_row_end(run->bench);
}

static encl_status measure_cases(model_bench *run) {
    encl_status status = ENCL_OK;
    const encl_bench_options *options_of = &run->settings->bench;
    const size_t rows = run->device_count * run->cases.count;
    ENCL_TRY(load_peaks(run));
    if (run->call->globals->collector != NULL) {
        encl_warn("--profile: the runs that are timed are profiled too, which may take longer");
    }
    ENCL_TRY(encl_bench_order(rows, encl_bench_seed(options_of), &run->order));
    ENCL_TRY(encl_bench_open(options_of, run->call, ENCL_BENCH_MODEL, run->devices, run->known, run->device_count,
                             &run->bench));
    encl_bench_header(run->bench, "models", models_block(run));
    encl_bench_expect(run->bench, rows);
    for (size_t i = 0; i < rows; i++) {
        ENCL_TRY(measure_case(run, run->order[i]));
    }
cleanup:
    return encl_bench_close(run->bench, status);
}

// The fresh process of --start: as much as a program needs that wants one result.
static encl_status run_once(const model_bench *run) {
    encl_status status = ENCL_OK;
    encl_graph *graph = NULL;
    encl_executable *executable = NULL;
    encl_event *event = NULL;
    const encl_model_case *first = &run->cases.cases[0];
    const encl_batch *batch = &first->made.batch;
    encl_executable_options chosen = run->executable;
    encl_chosen_precision precision = {0};
    ENCL_TRY(encl_globals_precision(run->call->globals, first->model->model, run->devices[0], &chosen, &precision));
    chosen.capacity.tokens = batch->tokens;
    chosen.capacity.sequences = batch->sequences;
    ENCL_TRY(encl_model_embed_graph(first->model->model, &run->embed, &graph));
    ENCL_TRY(encl_executable_create(run->devices[0], graph, &chosen, &executable));
    ENCL_TRY(encl_executable_run(executable, batch, false, &event));
    ENCL_TRY(encl_event_wait(event, -1));
    fputs(encl_model_started, stdout);
    ENCL_TRY(encl_print_finish());
cleanup:
    encl_event_release(event);
    if (executable != NULL) {
        encl_executable_destroy(executable);
    }
    encl_graph_destroy(graph);
    encl_chosen_precision_free(&precision);
    return status;
}

static encl_status bench_model(encl_call *call) {
    model_bench run = {.call = call, .settings = call->settings};
    encl_status status = open_run(&run);
    if (status == ENCL_OK) {
        status = run.settings->once ? run_once(&run) : measure_cases(&run);
    }
    close_run(&run);
    call->exit_code = run.errors > 0 ? ENCL_EXIT_FAILED : ENCL_EXIT_DONE;
    return status;
}

const encl_command encl_command_bench_model = {
    .name = "bench model",
    .summary = "Latency, throughput, memory and start of a model",
    .arguments = "[MODEL]",
    .text = "Run a model on batches of random tokens and tell how long a run takes, how many tokens and texts a second "
            "that is, and what getting ready costs.\v"
            "Example:\n  encl bench model --shape minilm,base --batch 1,8 --seq 32,128",
    .options = options,
    .maximum = 1,
    .settings_bytes = sizeof(encl_model_settings),
    .option = take_option,
    .check = check,
    .run = bench_model,
};
