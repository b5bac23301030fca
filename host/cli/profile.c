// encl profile: where the time of a run goes, by operator and layer.
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/input.h"
#include "host/cli/options.h"
#include "host/cli/profile.h"
#include "host/cli/random_batch.h"
#include "host/cli/session.h"
#include "host/text/tokenizer.h"
#include "runtime/base/clock.h"
#include "runtime/base/log.h"

enum { KEY_SHAPE = 0x2000, KEY_BATCH, KEY_SEQ, KEY_REPEAT, KEY_CSV, KEY_TRACE, KEY_STRICT, KEY_TOKENS, KEY_POOLING };
enum {
    REPEAT_DEFAULT = 10,
    REPEAT_LIMIT = 10000,
    LIST_LIMIT = 1 << 16,
    SEED = 1,
    POOLING_LIMIT = 8,
};
static const double perturb_limit = 0.05;

typedef struct settings {
    const char *shape;
    const char *batch; // comma lists
    const char *seq;
    int64_t repeat;
    const char *csv;
    const char *trace;
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
    {"repeat", KEY_REPEAT, "N", 0, "Runs, plain and profiled (default 10)", 0},
    {"csv", KEY_CSV, "FILE", 0, "Write every command as a line of a spreadsheet", 0},
    {"trace", KEY_TRACE, "FILE", 0, "Write a trace (JSON) for chrome://tracing or Perfetto", 0},
    {"tokens", KEY_TOKENS, NULL, 0, "Compute every token's last hidden state instead of one vector a text", 0},
    {"pooling", KEY_POOLING, "LIST", 0, "Pool like embed --pooling; cls computes only the rows it needs", 0},
    {"strict", KEY_STRICT, NULL, 0, "Exit with 4 where the parts do not add up to the wall time", 0},
    {0},
};

// Lists are read twice: here for their errors, later for their numbers.
static encl_status check_list(const char *option, const char *value) {
    int64_t *numbers = NULL;
    size_t count = 0;
    encl_status status = encl_option_integers(option, value, 1, LIST_LIMIT, &numbers, &count);
    free(numbers);
    return status;
}

static encl_status take_option(void *taken, int key, const char *value) {
    settings *chosen = taken;
    switch (key) {
    case KEY_SHAPE:
        chosen->shape = value;
        break;
    case KEY_BATCH:
        chosen->batch = value;
        return check_list("--batch", value);
    case KEY_SEQ:
        chosen->seq = value;
        return check_list("--seq", value);
    case KEY_REPEAT:
        return encl_option_integer("--repeat", value, 1, REPEAT_LIMIT, &chosen->repeat);
    case KEY_CSV:
        chosen->csv = value;
        break;
    case KEY_TRACE:
        chosen->trace = value;
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
    return ENCL_OK;
}

// ---- Cases ------------------------------------------------------------------------------------------------

static void free_case(encl_profile_case *measured) {
    free(measured->ids);
    free(measured->offsets);
    *measured = (encl_profile_case){0};
}

static encl_status make_random(const char *shape, int32_t batch, int32_t length, int32_t vocabulary,
                               encl_profile_case *made) {
    encl_random_batch random = {0};
    *made = (encl_profile_case){0};
    const encl_status status = encl_random_batch_even(batch, length, vocabulary, SEED, &random);
    if (status == ENCL_OK) {
        *made = (encl_profile_case){
            .batch_size = batch, .length = length, .batch = random.batch, .ids = random.ids, .offsets = random.offsets};
        snprintf(made->name, sizeof made->name, "%s %dx%d", shape, batch, length);
    }
    return status;
}

typedef struct packing {
    void *ids;
    void *offsets;
    size_t id_capacity;
    size_t offset_capacity;
    int32_t tokens;
    int32_t sequences;
} packing;

static encl_status pack(packing *packed, const encl_encoding *encoding) {
    size_t tokens = (size_t)packed->tokens;
    if (tokens + encoding->count > ENCL_BATCH_TOKENS_MOST) {
        return encl_fail(ENCL_INVALID, "profile: found more than %d tokens, expected one batch",
                         ENCL_BATCH_TOKENS_MOST);
    }
    encl_status status = encl_reserve(&packed->ids, &packed->id_capacity, tokens + encoding->count, sizeof(int32_t));
    if (status == ENCL_OK) {
        status =
            encl_reserve(&packed->offsets, &packed->offset_capacity, (size_t)packed->sequences + 2, sizeof(int32_t));
    }
    if (status == ENCL_OK) {
        memcpy((int32_t *)packed->ids + tokens, encoding->ids, encoding->count * sizeof(int32_t));
        packed->tokens += (int32_t)encoding->count;
        packed->sequences++;
        ((int32_t *)packed->offsets)[0] = 0;
        ((int32_t *)packed->offsets)[packed->sequences] = packed->tokens;
    }
    return status;
}

static encl_status pack_texts(const encl_tokenizer *tokenizer, encl_input *input, int64_t max_length, packing *packed) {
    encl_encoding encoding = {0};
    encl_status status = ENCL_OK;
    int64_t truncated = 0;
    for (;;) {
        encl_text text;
        ENCL_TRY(encl_input_next(input, &text));
        if (text.text == NULL) {
            break;
        }
        ENCL_TRY(encl_tokenizer_encode(tokenizer, text.text, text.length, NULL, 0, (size_t)max_length, &encoding));
        truncated += encoding.lost > 0 ? 1 : 0;
        ENCL_TRY(pack(packed, &encoding));
    }
    encl_warn_truncated(truncated, packed->sequences, max_length);
    if (packed->sequences == 0) {
        status = encl_fail(ENCL_INVALID, "standard input: found no text, expected at least one");
    }
cleanup:
    encl_encoding_free(&encoding);
    return status;
}

static encl_status make_from_texts(const encl_model *model, const encl_call *call, encl_profile_case *made) {
    const encl_input_options from = {0};
    encl_status status = ENCL_OK;
    encl_input *input = NULL;
    packing packed = {0};
    *made = (encl_profile_case){0};
    if (encl_model_tokenizer(model) == NULL) {
        return encl_fail(ENCL_UNSUPPORTED, "%s: found no tokenizer, expected one to read texts with",
                         call->arguments[0]);
    }
    ENCL_TRY(encl_input_open(&from, call->arguments + 1, call->argument_count - 1, &input));
    int64_t start = encl_clock_ns();
    ENCL_TRY(pack_texts(encl_model_tokenizer(model), input, encl_model_get_info(model)->max_length, &packed));
    *made = (encl_profile_case){.tokenize_ns = encl_clock_ns() - start,
                                .batch_size = packed.sequences,
                                .ids = packed.ids,
                                .offsets = packed.offsets};
    made->batch = (encl_batch){
        .tokens = packed.tokens, .sequences = packed.sequences, .ids = made->ids, .offsets = made->offsets};
    snprintf(made->name, sizeof made->name, "texts");
    packed = (packing){0};
cleanup:
    free(packed.ids);
    free(packed.offsets);
    encl_input_close(input);
    return status;
}

// ---- The run ----------------------------------------------------------------------------------------------

typedef struct profile_run {
    const encl_call *call;
    const settings *settings;
    encl_model *model;
    const encl_device *device;
    encl_graph *graph;
    encl_executable_options executable;
    encl_output csv;
    cJSON *events;
    double trace_us; // where the next case begins
    encl_progress progress;
    bool reconciled;
} profile_run;

static encl_status report(profile_run *run, const encl_profile_case *measured, const encl_profile_result *result) {
    encl_status status = ENCL_OK;
    double perturb = result->profiled_median / fmax(result->plain_median, 1) - 1;
    if (perturb > perturb_limit) {
        encl_warn("%s: profiled runs take %.1f %% longer than plain ones", measured->name, 100 * perturb);
    }
    if (!result->reconciled) {
        encl_warn("%s: the parts do not add up to the wall time (NOT RECONCILED)", measured->name);
        run->reconciled = false;
    }
    ENCL_TRY(run->call->globals->json ? encl_profile_print_json(measured, result)
                                      : encl_profile_print(measured, result, encl_model_get_info(run->model)->layers));
    if (run->csv.stream != NULL) {
        ENCL_TRY(encl_profile_csv(run->csv.stream, measured, result));
    }
    if (run->events != NULL) {
        ENCL_TRY(encl_profile_trace(run->events, measured, result, &run->trace_us));
    }
cleanup:
    return status;
}

static encl_status profile_case(profile_run *run, const encl_profile_case *measured) {
    int64_t repeat = run->settings->repeat > 0 ? run->settings->repeat : REPEAT_DEFAULT;
    encl_profile_result result = {0};
    encl_executable_options chosen = run->executable;
    chosen.capacity.tokens = measured->batch.tokens;
    chosen.capacity.sequences = measured->batch.sequences;
    encl_progress_start(&run->progress, measured->name, "runs", 2 * repeat);
    encl_status status =
        encl_profile_measure(run->device, run->graph, measured, &chosen, repeat, &run->progress, &result);
    encl_progress_finish(&run->progress);
    if (status == ENCL_OK) {
        status = report(run, measured, &result);
    }
    encl_profile_result_free(&result);
    return status;
}

static encl_status profile_shape(profile_run *run) {
    encl_status status = ENCL_OK;
    const settings *chosen = run->settings;
    int64_t *batches = NULL;
    int64_t *lengths = NULL;
    size_t batch_count = 0;
    size_t length_count = 0;
    encl_profile_case measured = {0};
    ENCL_TRY(encl_option_integers("--batch", chosen->batch != NULL ? chosen->batch : "8", 1, LIST_LIMIT, &batches,
                                  &batch_count));
    ENCL_TRY(encl_option_integers("--seq", chosen->seq != NULL ? chosen->seq : "128", 1, LIST_LIMIT, &lengths,
                                  &length_count));
    const encl_model_info *info = encl_model_get_info(run->model);
    for (size_t i = 0; i < batch_count * length_count; i++) {
        int64_t batch = batches[i / length_count];
        int64_t length = lengths[i % length_count];
        if (length > info->max_length) {
            status = encl_fail(ENCL_INVALID, "--seq %" PRId64 ": expected at most %" PRId64 " for shape %s", length,
                               info->max_length, chosen->shape);
            goto cleanup;
        }
        ENCL_TRY(make_random(chosen->shape, (int32_t)batch, (int32_t)length, info->vocabulary, &measured));
        ENCL_TRY(profile_case(run, &measured));
        free_case(&measured);
    }
cleanup:
    free_case(&measured);
    free(batches);
    free(lengths);
    return status;
}

static encl_status profile_texts(profile_run *run) {
    encl_profile_case measured = {0};
    encl_status status = make_from_texts(run->model, run->call, &measured);
    if (status == ENCL_OK) {
        status = profile_case(run, &measured);
    }
    free_case(&measured);
    return status;
}

static encl_status open_run(profile_run *run) {
    encl_status status = ENCL_OK;
    const settings *chosen = run->settings;
    ENCL_TRY(encl_globals_executable(run->call->globals, &run->executable));
    ENCL_TRY(chosen->shape != NULL ? encl_model_open_shape(chosen->shape, SEED, &run->model)
                                   : encl_model_open(run->call->arguments[0], &run->model));
    ENCL_TRY(encl_globals_device(run->call->globals, &run->device));
    const encl_embed_options embed = {
        .tokens = chosen->tokens, .pooling = chosen->pooling, .pooling_count = chosen->pooling_count};
    ENCL_TRY(encl_model_embed_graph(run->model, &embed, &run->graph));
    if (chosen->csv != NULL) {
        ENCL_TRY(encl_result_open(chosen->csv, &run->csv));
        ENCL_TRY(encl_profile_csv_header(run->csv.stream));
    }
    if (chosen->trace != NULL) {
        run->events = cJSON_CreateArray();
        if (run->events == NULL) {
            status = encl_fail_memory(sizeof(cJSON));
            goto cleanup;
        }
    }
    if (run->call->globals->json) {
        ENCL_TRY(encl_profile_print_header(encl_model_get_info(run->model), encl_device_get_info(run->device)));
    }
cleanup:
    return status;
}

static encl_status profile(encl_call *call) {
    encl_status status = ENCL_OK;
    const settings *chosen = call->settings;
    profile_run run = {.call = call, .settings = chosen, .reconciled = true};
    ENCL_TRY(open_run(&run));
    ENCL_TRY(chosen->shape != NULL ? profile_shape(&run) : profile_texts(&run));
    if (run.csv.stream != NULL) {
        status = encl_output_commit(&run.csv);
        run.csv = (encl_output){0};
        ENCL_TRY(status);
    }
    if (run.events != NULL) {
        cJSON *events = run.events;
        run.events = NULL;
        ENCL_TRY(encl_profile_trace_write(chosen->trace, events, encl_device_get_info(run.device)));
    }
    call->exit_code = chosen->strict && !run.reconciled ? ENCL_EXIT_NOT_RECONCILED : ENCL_EXIT_DONE;
cleanup:
    cJSON_Delete(run.events);
    encl_output_abandon(&run.csv);
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
};
