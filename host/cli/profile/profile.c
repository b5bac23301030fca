// encl profile: where the time of a run goes, by operator and layer.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/options.h"
#include "host/cli/profile/profile.h"
#include "runtime/base/log.h"

enum {
    KEY_SHAPE = 0x2000,
    KEY_BATCH,
    KEY_SEQ,
    KEY_REPEAT,
    KEY_CSV,
    KEY_TRACE,
    KEY_HTML,
    KEY_STRICT,
    KEY_TOKENS,
    KEY_POOLING,
    KEY_ALL,
    KEY_NO_PEAKS
};
enum {
    REPEAT_DEFAULT = 10,
    REPEAT_LIMIT = 10000,
    LIST_LIMIT = 1 << 16,
    SEED = 1,
    POOLING_LIMIT = 8,
};
static const double cost_limit_pct = 5;

typedef struct settings {
    const char *shape;
    const char *batch; // comma lists
    const char *seq;
    int64_t repeat;
    const char *csv;
    const char *trace;
    const char *html;
    bool all;
    bool no_peaks;
    bool strict;
    bool tokens;
    encl_pooling pooling[POOLING_LIMIT];
    size_t pooling_count;
} settings;

static const struct argp_option options[] = {
    {"shape", KEY_SHAPE, "NAME", 0,
     "A model of this shape with random weights: minilm, rbt3, base, large, …; '?' lists all", 0},
    {"batch", KEY_BATCH, "LIST", 0, "With --shape: sequences in a batch (default 8)", 0},
    {"seq", KEY_SEQ, "LIST", 0, "With --shape: tokens in a sequence (default 128)", 0},
    {"repeat", KEY_REPEAT, "N", 0, "Runs, plain and profiled in turn (default 10)", 0},
    {"all", KEY_ALL, NULL, 0, "Also show the operators of every layer", 0},
    {"csv", KEY_CSV, "FILE", 0, "Write every command as a line of a spreadsheet", 0},
    {"trace", KEY_TRACE, "FILE", 0, "Write a trace (JSON) for chrome://tracing or Perfetto", 0},
    {"html", KEY_HTML, "FILE", 0, "Write a page to look at: tables, drawings and data in one file", 0},
    {"tokens", KEY_TOKENS, NULL, 0, "Compute every token's last hidden state instead of one vector a text", 0},
    {"pooling", KEY_POOLING, "LIST", 0, "Pool like embed --pooling; cls computes only the rows it needs", 0},
    {"no-peaks", KEY_NO_PEAKS, NULL, 0, "Do not measure what the device can do at best", 0},
    {"strict", KEY_STRICT, NULL, 0, "Exit with 4 where the parts do not add up to the wall time", 0},
    {0},
};

static encl_status take_option(void *taken, int key, const char *value) {
    settings *chosen = taken;
    switch (key) {
    case KEY_SHAPE:
        chosen->shape = value;
        break;
    case KEY_BATCH:
        chosen->batch = value;
        return encl_option_integers_check("--batch", value, 1, LIST_LIMIT);
    case KEY_SEQ:
        chosen->seq = value;
        return encl_option_integers_check("--seq", value, 1, LIST_LIMIT);
    case KEY_REPEAT:
        return encl_option_integer("--repeat", value, 1, REPEAT_LIMIT, &chosen->repeat);
    case KEY_CSV:
        chosen->csv = value;
        break;
    case KEY_TRACE:
        chosen->trace = value;
        break;
    case KEY_HTML:
        chosen->html = value;
        break;
    case KEY_ALL:
        chosen->all = true;
        break;
    case KEY_NO_PEAKS:
        chosen->no_peaks = true;
        break;
    case KEY_TOKENS:
        chosen->tokens = true;
        break;
    case KEY_POOLING:
        return encl_pooling_parse(value, chosen->pooling, POOLING_LIMIT, &chosen->pooling_count);
    default:
        chosen->strict = true;
        break;
    }
    return ENCL_OK;
}

// Of two files of one name, the second would replace the first.
static encl_status check_files(const settings *chosen, const char *global) {
    const struct {
        const char *option, *path;
    } files[] = {{"--csv", chosen->csv}, {"--trace", chosen->trace}, {"--html", chosen->html}, {"--profile", global}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        for (size_t j = 0; j < i; j++) {
            if (files[i].path != NULL && files[j].path != NULL && strcmp(files[i].path, files[j].path) == 0) {
                return encl_fail(ENCL_INVALID, "%s: found '%s', as %s, expected another name", files[i].option,
                                 files[i].path, files[j].option);
            }
        }
    }
    return ENCL_OK;
}

static encl_status check(const encl_call *call) {
    const settings *chosen = call->settings;
    if (chosen->shape == NULL && call->argument_count == 0) {
        return encl_fail(ENCL_INVALID, "found neither MODEL nor --shape, expected one of them");
    }
    if (chosen->shape != NULL && call->argument_count > 0) {
        return encl_fail(ENCL_INVALID, "found '%s' beside --shape, expected one or the other", call->arguments[0]);
    }
    if (chosen->shape == NULL && (chosen->batch != NULL || chosen->seq != NULL)) {
        return encl_fail(ENCL_INVALID, "%s: found without --shape, expected with it",
                         chosen->batch != NULL ? "--batch" : "--seq");
    }
    return check_files(chosen, call->globals->profile);
}

// ---- The run ----------------------------------------------------------------------------------------------

typedef struct profile_run {
    const encl_call *call;
    const settings *settings;
    encl_model *model;
    const encl_device *device;
    encl_graph *graph;
    encl_executable_options executable;
    encl_chosen_precision precision;
    encl_profile profile;
    encl_progress progress;
    bool reconciled;
} profile_run;

static encl_status report(profile_run *run, const encl_profile_case *measured) {
    if (100 * (measured->cost.lo - 1) > cost_limit_pct) { // not by chance
        encl_warn("%s: profiled runs take %.1f %% longer than plain ones", measured->name,
                  encl_profile_cost_pct(measured));
    }
    if (!measured->reconciled) {
        encl_warn("%s: the parts do not add up to the wall time (NOT RECONCILED)", measured->name);
        run->reconciled = false;
    }
    if (run->call->globals->json) {
        return encl_profile_print_json(stdout, &run->profile, measured);
    }
    if (run->profile.case_count > 1) {
        putchar('\n');
    }
    return encl_profile_print(&run->profile, measured, run->settings->all);
}

static encl_status profile_case(profile_run *run, const encl_profile_input *input) {
    const int64_t repeat = run->settings->repeat > 0 ? run->settings->repeat : REPEAT_DEFAULT;
    encl_executable_options chosen = run->executable;
    chosen.capacity.tokens = input->batch.tokens;
    chosen.capacity.sequences = input->batch.sequences;
    encl_progress_start(&run->progress, input->name, "pairs of runs", repeat);
    encl_status status =
        encl_profile_measure(run->device, run->graph, input, &chosen, repeat, &run->progress, &run->profile);
    encl_progress_finish(&run->progress);
    return status == ENCL_OK ? report(run, &run->profile.cases[run->profile.case_count - 1]) : status;
}

static encl_status profile_shape(profile_run *run) {
    encl_status status = ENCL_OK;
    const settings *chosen = run->settings;
    int64_t *batches = NULL;
    int64_t *lengths = NULL;
    size_t batch_count = 0;
    size_t length_count = 0;
    encl_profile_input input = {0};
    ENCL_TRY(encl_option_integers("--batch", chosen->batch != NULL ? chosen->batch : "8", 1, LIST_LIMIT, &batches,
                                  &batch_count));
    ENCL_TRY(encl_option_integers("--seq", chosen->seq != NULL ? chosen->seq : "128", 1, LIST_LIMIT, &lengths,
                                  &length_count));
    const encl_model_info *info = encl_model_get_info(run->model);
    for (size_t i = 0; i < batch_count * length_count; i++) {
        const int64_t batch = batches[i / length_count];
        const int64_t length = lengths[i % length_count];
        if (length > info->max_length) {
            status = encl_fail(ENCL_INVALID, "--seq %" PRId64 ": expected at most %" PRId64 " for shape %s", length,
                               info->max_length, chosen->shape);
            goto cleanup;
        }
        ENCL_TRY(encl_profile_input_random(chosen->shape, (int32_t)batch, (int32_t)length, info->vocabulary, &input));
        ENCL_TRY(profile_case(run, &input));
        encl_profile_input_free(&input);
    }
    if (!run->call->globals->json && run->profile.case_count > 1) {
        putchar('\n');
        ENCL_TRY(encl_profile_print_summary(&run->profile));
    }
cleanup:
    encl_profile_input_free(&input);
    free(batches);
    free(lengths);
    return status;
}

static encl_status profile_texts(profile_run *run) {
    encl_profile_input input = {0};
    encl_status status = encl_profile_input_texts(run->model, run->call, &input);
    if (status == ENCL_OK) {
        status = profile_case(run, &input);
    }
    encl_profile_input_free(&input);
    return status;
}

static encl_status open_run(profile_run *run) {
    encl_status status = ENCL_OK;
    const settings *chosen = run->settings;
    ENCL_TRY(encl_profile_try_path(chosen->csv));
    ENCL_TRY(encl_profile_try_path(chosen->trace));
    ENCL_TRY(encl_profile_try_path(chosen->html));
    ENCL_TRY(encl_profile_try_path(run->call->globals->profile));
    ENCL_TRY(encl_profile_begin(run->call->globals, &run->profile));
    ENCL_TRY(encl_globals_executable(run->call->globals, &run->executable));
    ENCL_TRY(chosen->shape != NULL ? encl_model_open_shape(chosen->shape, SEED, &run->model)
                                   : encl_model_open(run->call->arguments[0], &run->model));
    ENCL_TRY(encl_globals_device(run->call->globals, &run->device));
    const encl_embed_options embed = {
        .tokens = chosen->tokens, .pooling = chosen->pooling, .pooling_count = chosen->pooling_count};
    ENCL_TRY(encl_model_embed_graph(run->model, &embed, &run->graph));
    ENCL_TRY(encl_globals_precision(run->call->globals, run->model, run->device, &run->executable, &run->precision));
    run->profile.layers = encl_model_get_info(run->model)->layers;
    if (!chosen->no_peaks) {
        ENCL_TRY(encl_profile_find_peaks(run->device, true, &run->profile));
    }
    if (run->call->globals->json) {
        ENCL_TRY(encl_profile_print_header(run->call, encl_model_get_info(run->model), run->device, &run->profile));
    }
cleanup:
    return status;
}

// Also after an interruption: what was measured until then is a result.
static encl_status write_files(const profile_run *run) {
    encl_status status = ENCL_OK;
    const settings *chosen = run->settings;
    if (chosen->csv != NULL) {
        ENCL_TRY(encl_profile_write_csv(chosen->csv, &run->profile));
    }
    if (chosen->trace != NULL) {
        ENCL_TRY(encl_profile_write_trace(chosen->trace, &run->profile));
    }
    if (chosen->html != NULL) {
        ENCL_TRY(encl_profile_write_html(chosen->html, &run->profile));
    }
    if (run->call->globals->profile != NULL) {
        ENCL_TRY(encl_profile_write(run->call->globals->profile, &run->profile));
    }
cleanup:
    return status;
}

static encl_status profile(encl_call *call) {
    encl_status status = ENCL_OK;
    const settings *chosen = call->settings;
    profile_run run = {.call = call, .settings = chosen, .reconciled = true};
    ENCL_TRY(open_run(&run));
    status = chosen->shape != NULL ? profile_shape(&run) : profile_texts(&run);
    if (status == ENCL_OK || status == ENCL_INTERRUPTED) {
        const encl_status written = write_files(&run);
        status = status != ENCL_OK ? status : written;
    }
    call->exit_code = chosen->strict && !run.reconciled ? ENCL_EXIT_NOT_RECONCILED : ENCL_EXIT_DONE;
cleanup:
    encl_profile_free(&run.profile);
    encl_chosen_precision_free(&run.precision);
    if (run.graph != NULL) {
        encl_graph_destroy(run.graph);
    }
    if (run.model != NULL) {
        encl_model_close(run.model);
    }
    return status;
}

const encl_command encl_command_profile = {
    .name = "profile",
    .summary = "Show where the time goes",
    .arguments = "[MODEL [TEXT...]]",
    .text = "Embed the TEXTs (or the lines of standard input) as one batch and show what every operator and layer "
            "takes, and how that adds up to the wall time.\v"
            "Example:\n  encl profile --shape minilm --batch 1,8 --seq 128",
    .options = options,
    .maximum = SIZE_MAX,
    .settings_bytes = sizeof(settings),
    .option = take_option,
    .check = check,
    .run = profile,
    .writes_profile = true,
};
