// encl embed: texts to vectors, as a NumPy file, JSON lines or a short table.
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/input.h"
#include "host/cli/interrupt.h"
#include "host/cli/npy.h"
#include "host/cli/options.h"
#include "host/cli/output.h"
#include "host/cli/session.h"
#include "host/text/tokenizer.h"
#include "runtime/base/log.h"
#include "runtime/base/progress.h"

enum {
    KEY_COLUMN = 0x2000,
    KEY_HEADER,
    KEY_POOLING,
    KEY_NORMALIZE,
    KEY_NO_NORMALIZE,
    KEY_PROMPT,
    KEY_TOKENS,
    KEY_MAX_LENGTH,
    KEY_NO_TRUNCATE,
    KEY_BATCH_TOKENS,
};
enum { POOLING_LIMIT = 8, SHOWN_VALUES = 6, TABLE_ROWS = 256 };

typedef struct settings {
    encl_input_options input;
    const char *output;
    encl_pooling pooling[POOLING_LIMIT];
    size_t pooling_count;
    encl_choice normalize;
    const char *prompt;
    int64_t max_length;
    int64_t batch_tokens;
    bool refuse_long;
    bool tokens;
} settings;

static const struct argp_option options[] = {
    {"input", 'i', "FILE", 0, "Read texts from a .tsv, a .jsonl, or one a line; -: standard input", 0},
    {"column", KEY_COLUMN, "N or NAME", 0, "Column of a .tsv (default 1), key of a .jsonl (default text)", 0},
    {"header", KEY_HEADER, NULL, 0, "The first line of a .tsv is no text", 0},
    {"output", 'o', "FILE", 0, "Write a .npy (float32) or a .jsonl", 0},
    {"pooling", KEY_POOLING, "LIST", 0,
     "cls, mean, max, mean_sqrt_len, weightedmean, lasttoken, pooler; several stand side by side", 0},
    {"normalize", KEY_NORMALIZE, NULL, 0, "Divide by the Euclidean norm", 0},
    {"no-normalize", KEY_NO_NORMALIZE, NULL, 0, "Leave vectors as pooling gives them", 0},
    {"prompt", KEY_PROMPT, "NAME", 0, "Put the model's prompt of that name before every text ('': none)", 0},
    {"tokens", KEY_TOKENS, NULL, 0, "Every token's last hidden state instead of one vector a text", 0},
    {"max-length", KEY_MAX_LENGTH, "N", 0, "Truncate to N tokens, special tokens included", 0},
    {"no-truncate", KEY_NO_TRUNCATE, NULL, 0, "Refuse a text that is longer", 0},
    {"batch-tokens", KEY_BATCH_TOKENS, "N", 0, "Tokens in a batch, at most", 0},
    {0},
};

static encl_status take_option(void *taken, int key, const char *value) {
    settings *chosen = taken;
    switch (key) {
    case 'i':
        chosen->input.path = value;
        break;
    case KEY_COLUMN:
        chosen->input.column = value;
        break;
    case KEY_HEADER:
        chosen->input.header = true;
        break;
    case 'o':
        chosen->output = value;
        break;
    case KEY_POOLING:
        return encl_pooling_parse(value, chosen->pooling, POOLING_LIMIT, &chosen->pooling_count);
    case KEY_NORMALIZE:
        chosen->normalize = ENCL_CHOICE_YES;
        break;
    case KEY_NO_NORMALIZE:
        chosen->normalize = ENCL_CHOICE_NO;
        break;
    case KEY_PROMPT:
        chosen->prompt = value;
        break;
    case KEY_TOKENS:
        chosen->tokens = true;
        break;
    case KEY_MAX_LENGTH:
        return encl_option_integer("--max-length", value, 1, INT32_MAX, &chosen->max_length);
    case KEY_NO_TRUNCATE:
        chosen->refuse_long = true;
        break;
    default:
        return encl_option_integer("--batch-tokens", value, 1, INT32_MAX, &chosen->batch_tokens);
    }
    return ENCL_OK;
}

static encl_status check(const encl_call *call) {
    const settings *chosen = call->settings;
    const char *output = chosen->output;
    if (output != NULL && !encl_path_ends(output, ".npy") && !encl_path_ends(output, ".jsonl")) {
        return encl_fail(ENCL_INVALID, "--output: found '%s', expected a name that ends in .npy or .jsonl", output);
    }
    if (output != NULL && chosen->tokens && encl_path_ends(output, ".npy")) {
        return encl_fail(ENCL_INVALID, "--tokens: found --output %s, expected a .jsonl: texts differ in length",
                         output);
    }
    return encl_input_check(&chosen->input, call->argument_count - 1);
}

// ---- Sinks ------------------------------------------------------------------------------------------------

typedef struct embed_run {
    const settings *settings;
    const encl_tokenizer *tokenizer; // NULL for a model without one
    encl_status (*write)(struct embed_run *run, const encl_embedding *embedding);
    FILE *lines;        // JSON
    encl_output output; // .jsonl
    encl_npy npy;
    encl_table *table; // people
    size_t table_rows;
    encl_progress progress;
    int64_t texts;
} embed_run;

static const char *token_name(const embed_run *run, int32_t id) {
    const char *name = run->tokenizer != NULL ? encl_tokenizer_token(run->tokenizer, id) : NULL;
    return name != NULL ? name : "";
}

static encl_status write_npy(embed_run *run, const encl_embedding *embedding) {
    return encl_npy_row(&run->npy, embedding->values);
}

static encl_status write_json(embed_run *run, const encl_embedding *embedding) {
    encl_line line;
    encl_line_start(&line);
    encl_line_number(&line, "index", (double)embedding->index);
    if (!run->settings->tokens) {
        encl_line_item(&line, "embedding", encl_json_floats(embedding->values, (size_t)embedding->columns));
        return encl_line_print(&line, run->lines);
    }
    cJSON *tokens = cJSON_CreateArray();
    cJSON *rows = cJSON_CreateArray();
    bool complete = tokens != NULL && rows != NULL;
    for (int64_t i = 0; i < embedding->rows && complete; i++) {
        const float *values = embedding->values + i * embedding->columns;
        complete = encl_array_add(tokens, cJSON_CreateString(token_name(run, embedding->ids[i]))) &&
                   encl_array_add(rows, encl_json_floats(values, (size_t)embedding->columns));
    }
    encl_line_item(&line, "tokens", tokens);
    encl_line_item(&line, "embeddings", rows);
    line.incomplete = line.incomplete || !complete;
    return encl_line_print(&line, run->lines);
}

// A long run's rows are printed in pieces: memory does not grow with the input.
static encl_status print_table(embed_run *run) {
    encl_status status = run->table != NULL ? encl_table_print(run->table, stdout) : ENCL_OK;
    encl_table_destroy(run->table);
    run->table = NULL;
    run->table_rows = 0;
    return status;
}

static encl_status write_people(embed_run *run, const encl_embedding *embedding) {
    static const char *const headings[] = {">#", ">token", "", ">numbers", ">norm", "first values"};
    encl_status status = ENCL_OK;
    for (int64_t row = 0; row < embedding->rows; row++) {
        const float *values = embedding->values + row * embedding->columns;
        if (run->table == NULL) {
            ENCL_TRY(encl_table_create(headings, sizeof headings / sizeof headings[0], &run->table));
        }
        double squares = 0;
        for (int64_t i = 0; i < embedding->columns; i++) {
            squares += (double)values[i] * (double)values[i];
        }
        char shown[SHOWN_VALUES * 16] = "";
        size_t used = 0;
        for (int64_t i = 0; i < embedding->columns && i < SHOWN_VALUES; i++) {
            used += (size_t)snprintf(shown + used, sizeof shown - used, "%9.6f ", (double)values[i]);
            used = used < sizeof shown ? used : sizeof shown - 1;
        }
        ENCL_TRY(encl_table_cell(run->table, "%lld", (long long)embedding->index));
        ENCL_TRY(run->settings->tokens ? encl_table_cell(run->table, "%lld", (long long)row)
                                       : encl_table_cell(run->table, "%zu", embedding->token_count));
        ENCL_TRY(encl_table_cell(run->table, "%s", run->settings->tokens ? token_name(run, embedding->ids[row]) : ""));
        ENCL_TRY(encl_table_cell(run->table, "%lld", (long long)embedding->columns));
        ENCL_TRY(encl_table_cell(run->table, "%.6f", sqrt(squares)));
        ENCL_TRY(encl_table_cell(run->table, "%s%s", shown, embedding->columns > SHOWN_VALUES ? "…" : ""));
        if (++run->table_rows == TABLE_ROWS) {
            ENCL_TRY(print_table(run));
        }
    }
cleanup:
    return status;
}

static encl_status take_embedding(void *context, const encl_embedding *embedding) {
    embed_run *run = context;
    encl_status status = run->write(run, embedding);
    if (status == ENCL_OK) {
        run->texts = embedding->index + 1;
        encl_progress_update(&run->progress, run->texts);
        status = encl_interrupt_check();
    }
    return status;
}

static encl_status open_sink(embed_run *run, bool json, int32_t width) {
    const char *path = run->settings->output;
    if (path == NULL) {
        run->write = json ? write_json : write_people;
        run->lines = stdout;
        return ENCL_OK;
    }
    if (encl_path_ends(path, ".npy")) {
        run->write = write_npy;
        return encl_npy_open(path, width, &run->npy);
    }
    encl_status status = encl_result_open(path, &run->output);
    run->write = write_json;
    run->lines = run->output.stream;
    return status;
}

static encl_status finish_sink(embed_run *run) {
    if (run->write == write_npy) {
        return encl_npy_finish(&run->npy);
    }
    if (run->settings->output != NULL) {
        encl_status status = encl_output_commit(&run->output);
        run->output = (encl_output){0};
        return status;
    }
    return print_table(run);
}

// ---- The run ----------------------------------------------------------------------------------------------

static encl_embed_options embed_options(const settings *chosen) {
    return (encl_embed_options){
        .executable.capacity.tokens = (int32_t)chosen->batch_tokens,
        .pooling = chosen->pooling,
        .pooling_count = chosen->pooling_count,
        .normalize = chosen->normalize,
        .prompt = chosen->prompt,
        .max_length = chosen->max_length,
        .refuse_long = chosen->refuse_long,
        .tokens = chosen->tokens,
    };
}

static encl_status embed(encl_call *call) {
    const settings *chosen = call->settings;
    const encl_embed_options wanted = embed_options(chosen);
    encl_status status = ENCL_OK;
    encl_input *input = NULL;
    encl_session session = {0};
    embed_run run = {.settings = chosen};
    int64_t truncated = 0;
    ENCL_TRY(encl_input_open(&chosen->input, call->arguments + 1, call->argument_count - 1, &input));
    ENCL_TRY(encl_session_open(call->globals, call->arguments[0], &wanted, &session));
    const encl_model_info *info = encl_model_get_info(session.model);
    run.tokenizer = encl_model_tokenizer(session.model);
    ENCL_TRY(open_sink(&run, call->globals->json, encl_embedder_width(session.embedder)));
    if (!isatty(STDOUT_FILENO) || chosen->output != NULL) { // a bar between printed lines would only be noise
        encl_progress_start(&run.progress, "embed", "texts", isatty(STDERR_FILENO) ? encl_input_total(input) : 0);
    }
    status = encl_embedder_run(session.embedder, encl_input_next, input, take_embedding, &run, &truncated);
    encl_progress_finish(&run.progress);
    ENCL_TRY(status);
    encl_warn_truncated(truncated, run.texts, chosen->max_length > 0 ? chosen->max_length : info->max_length);
    ENCL_TRY(finish_sink(&run));
cleanup:
    encl_npy_abandon(&run.npy);
    encl_output_abandon(&run.output);
    encl_table_destroy(run.table);
    encl_session_close(&session);
    encl_input_close(input);
    return status;
}

const encl_command encl_command_embed = {
    .name = "embed",
    .summary = "Turn texts into vectors",
    .arguments = "MODEL [TEXT...]",
    .text = "Turn every TEXT, line of standard input or text of a file into a vector. Pooling and normalization are "
            "the model's, or else mean and Euclidean.\v"
            "Example:\n  encl embed ./all-MiniLM-L6-v2 'Hello, world' --output hello.npy",
    .options = options,
    .minimum = 1,
    .maximum = SIZE_MAX,
    .settings_bytes = sizeof(settings),
    .option = take_option,
    .check = check,
    .run = embed,
};
