// encl embed: texts to vectors, as a NumPy file, JSON lines or a short table.
#include <math.h>

#include "host/cli/npy.h"
#include "host/cli/session.h"
#include "host/cli/text_run.h"

enum { KEY_POOLING = ENCL_TEXT_KEYS_END, KEY_NORMALIZE, KEY_NO_NORMALIZE, KEY_PROMPT, KEY_TOKENS };
enum { POOLING_LIMIT = 8, SHOWN_VALUES = 6 };

typedef struct settings {
    encl_text_options texts;
    encl_pooling pooling[POOLING_LIMIT];
    size_t pooling_count;
    encl_choice normalize;
    const char *prompt;
    bool tokens;
} settings;

static const struct argp_option options[] = {
    ENCL_TEXT_OPTIONS_IN,
    {"output", 'o', "FILE", 0, "Write a .npy (float32) or a .jsonl", 0},
    {"pooling", KEY_POOLING, "LIST", 0,
     "cls, mean, max, mean_sqrt_len, weightedmean, lasttoken, pooler; several stand side by side", 0},
    {"normalize", KEY_NORMALIZE, NULL, 0, "Divide by the Euclidean norm", 0},
    {"no-normalize", KEY_NO_NORMALIZE, NULL, 0, "Leave vectors as pooling gives them", 0},
    {"prompt", KEY_PROMPT, "NAME", 0, "Put the model's prompt of that name before every text ('': none)", 0},
    {"tokens", KEY_TOKENS, NULL, 0, "Every token's last hidden state instead of one vector a text", 0},
    ENCL_TEXT_OPTIONS_LIMITS,
    {0},
};

static encl_status take_option(void *taken, int key, const char *value) {
    settings *chosen = taken;
    switch (key) {
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
    default:
        return encl_text_option(&chosen->texts, key, value);
    }
    return ENCL_OK;
}

static encl_status check(const encl_call *call) {
    const settings *chosen = call->settings;
    const char *output = chosen->texts.output;
    if (output != NULL && !encl_path_ends(output, ".npy") && !encl_path_ends(output, ".jsonl")) {
        return encl_fail(ENCL_INVALID, "--output: found '%s', expected a name that ends in .npy or .jsonl", output);
    }
    if (output != NULL && chosen->tokens && encl_path_ends(output, ".npy")) {
        return encl_fail(ENCL_INVALID, "--tokens: found --output %s, expected a .jsonl: texts differ in length",
                         output);
    }
    return encl_input_check(&chosen->texts.input, call->argument_count - 1);
}

// ---- Sinks ------------------------------------------------------------------------------------------------

typedef struct embed_run {
    const settings *settings;
    const encl_tokenizer *tokenizer;
    encl_status (*write)(struct embed_run *run, const encl_embedding *embedding);
    encl_text_run texts;
    encl_npy npy;
} embed_run;

static const char *token_name(const embed_run *run, int32_t id) {
    const char *name = encl_tokenizer_token(run->tokenizer, id);
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
        return encl_line_print(&line, run->texts.lines);
    }
    cJSON *tokens = encl_line_array(&line, "tokens");
    cJSON *rows = encl_line_array(&line, "embeddings");
    for (int64_t i = 0; i < embedding->rows; i++) {
        const float *values = embedding->values + i * embedding->columns;
        encl_line_add(&line, tokens, cJSON_CreateString(token_name(run, embedding->ids[i])));
        encl_line_add(&line, rows, encl_json_floats(values, (size_t)embedding->columns));
    }
    return encl_line_print(&line, run->texts.lines);
}

static encl_status write_people(embed_run *run, const encl_embedding *embedding) {
    encl_status status = ENCL_OK;
    encl_table *table = NULL;
    for (int64_t row = 0; row < embedding->rows; row++) {
        const float *values = embedding->values + row * embedding->columns;
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
        ENCL_TRY(encl_text_run_row(&run->texts, &table));
        ENCL_TRY(encl_table_cell(table, "%lld", (long long)embedding->index));
        ENCL_TRY(run->settings->tokens ? encl_table_cell(table, "%lld", (long long)row)
                                       : encl_table_cell(table, "%zu", embedding->token_count));
        ENCL_TRY(encl_table_cell(table, "%s", run->settings->tokens ? token_name(run, embedding->ids[row]) : ""));
        ENCL_TRY(encl_table_cell(table, "%lld", (long long)embedding->columns));
        ENCL_TRY(encl_table_cell(table, "%.6f", sqrt(squares)));
        ENCL_TRY(encl_table_cell(table, "%s%s", shown, embedding->columns > SHOWN_VALUES ? "…" : ""));
    }
cleanup:
    return status;
}

static encl_status take_embedding(void *context, const encl_embedding *embedding) {
    embed_run *run = context;
    encl_status status = run->write(run, embedding);
    return status == ENCL_OK ? encl_text_run_answered(&run->texts) : status;
}

static encl_status open_sink(embed_run *run, int32_t width) {
    static const char *const headings[] = {">#", ">token", "", ">numbers", ">norm", "first values"};
    const char *path = run->settings->texts.output;
    encl_status status = ENCL_OK;
    run->write = run->texts.json ? write_json : write_people;
    if (path != NULL && encl_path_ends(path, ".npy")) {
        run->write = write_npy;
        ENCL_TRY(encl_npy_open(path, width, &run->npy));
    }
    ENCL_TRY(encl_text_run_start(&run->texts, "embed", headings, sizeof headings / sizeof headings[0]));
cleanup:
    return status;
}

// ---- The run ----------------------------------------------------------------------------------------------

static encl_embed_options embed_options(const settings *chosen, const encl_session *session) {
    encl_embed_options wanted = {
        .executable = session->executable,
        .pooling = chosen->pooling,
        .pooling_count = chosen->pooling_count,
        .normalize = chosen->normalize,
        .prompt = chosen->prompt,
        .max_length = chosen->texts.max_length,
        .refuse_long = chosen->texts.refuse_long,
        .tokens = chosen->tokens,
    };
    wanted.executable.capacity.tokens = (int32_t)chosen->texts.batch_tokens;
    return wanted;
}

static encl_status embed(encl_call *call) {
    const settings *chosen = call->settings;
    encl_status status = ENCL_OK;
    encl_session session = {0};
    encl_embedder *embedder = NULL;
    embed_run run = {.settings = chosen};
    int64_t truncated = 0;
    ENCL_TRY(encl_text_run_open(&chosen->texts, call, &run.texts));
    ENCL_TRY(encl_session_open(call->globals, call->arguments[0], &session));
    run.tokenizer = encl_model_tokenizer(session.model);
    const encl_embed_options wanted = embed_options(chosen, &session);
    ENCL_TRY(encl_embedder_create(session.model, session.device, &wanted, &embedder));
    ENCL_TRY(open_sink(&run, encl_embedder_width(embedder)));
    ENCL_TRY(encl_embedder_run(embedder, encl_input_next, run.texts.input, take_embedding, &run, &truncated));
    ENCL_TRY(encl_text_run_finish(&run.texts, truncated, encl_model_get_info(session.model)->max_length));
    if (run.write == write_npy) {
        ENCL_TRY(encl_npy_finish(&run.npy));
    }
cleanup:
    encl_npy_abandon(&run.npy);
    encl_text_run_close(&run.texts);
    encl_embedder_destroy(embedder);
    encl_session_close(&session);
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
