// encl ner: the named entities of texts.
#include <stdlib.h>

#include "host/cli/interrupt.h"
#include "host/cli/options.h"
#include "host/cli/session.h"
#include "host/cli/text_run.h"

enum { KEY_AGGREGATION = ENCL_TEXT_KEYS_END, KEY_STRIDE };
enum { BRIEF_COLUMNS = 60 };

typedef struct settings {
    encl_text_options texts;
    encl_aggregation aggregation;
    bool aggregates; // --aggregation was given
    int64_t stride;  // as encl_ner_options has it
} settings;

static const struct argp_option options[] = {
    ENCL_TEXT_OPTIONS_IN,
    ENCL_TEXT_OPTION_OUTPUT,
    {"aggregation", KEY_AGGREGATION, "NAME", 0,
     "none: labels of tokens; simple (default): neighbours of one type; first, average, max: words first", 0},
    {"stride", KEY_STRIDE, "N", 0, "Tokens that the windows of a long text share (default: a quarter)", 0},
    {"max-length", ENCL_TEXT_KEY_MAX_LENGTH, "N", 0, "Tokens in a window, special tokens included", 0},
    {"batch-tokens", ENCL_TEXT_KEY_BATCH_TOKENS, "N", 0, "Tokens in a batch, at most", 0},
    {0},
};

static encl_status take_option(void *taken, int key, const char *value) {
    settings *chosen = taken;
    encl_status status = ENCL_OK;
    switch (key) {
    case KEY_AGGREGATION:
        chosen->aggregates = true;
        return encl_aggregation_parse(value, &chosen->aggregation);
    case KEY_STRIDE:
        status = encl_option_integer("--stride", value, 0, INT32_MAX, &chosen->stride);
        chosen->stride = chosen->stride == 0 ? ENCL_NO_OVERLAP : chosen->stride;
        return status;
    default:
        return encl_text_option(&chosen->texts, key, value);
    }
}

static encl_status check(const encl_call *call) {
    const settings *chosen = call->settings;
    return encl_text_check(&chosen->texts, call);
}

// ---- Results ----------------------------------------------------------------------------------------------

typedef struct ner_run {
    encl_text_run texts;
    const encl_tokenizer *tokenizer;
} ner_run;

static cJSON *entity_json(const ner_run *run, const encl_entities *entities, const encl_entity *entity) {
    encl_line line;
    encl_line_start(&line);
    encl_line_text(&line, "type", entity->type);
    encl_line_item(&line, "text",
                   encl_json_text(entities->text + entity->byte_start, entity->byte_end - entity->byte_start));
    encl_line_number(&line, "start", entity->start);
    encl_line_number(&line, "end", entity->end);
    encl_line_number(&line, "score", (double)(float)entity->score); // nine digits
    if (entity->token >= 0) {
        encl_line_number(&line, "index", entity->token);
        encl_line_text(&line, "token", encl_tokenizer_token(run->tokenizer, entity->id));
    }
    return encl_line_take(&line);
}

static encl_status write_json(ner_run *run, const encl_entities *entities) {
    encl_line line;
    encl_line_start(&line);
    encl_line_number(&line, "index", (double)entities->index);
    cJSON *array = encl_line_array(&line, "entities");
    for (size_t i = 0; i < entities->count; i++) {
        encl_line_add(&line, array, entity_json(run, entities, &entities->entities[i]));
    }
    return encl_line_print(&line, run->texts.lines);
}

static encl_status write_row(encl_table *table, const encl_entities *entities, const encl_entity *entity) {
    encl_status status = ENCL_OK;
    char *brief = NULL;
    ENCL_TRY(encl_brief_text(entities->text + entity->byte_start, entity->byte_end - entity->byte_start, BRIEF_COLUMNS,
                             &brief));
    ENCL_TRY(encl_table_cell(table, "%lld", (long long)entities->index));
    ENCL_TRY(encl_table_cell(table, "%s", entity->type));
    ENCL_TRY(encl_table_cell(table, "%s", brief));
    ENCL_TRY(encl_table_cell(table, "%d", (int)entity->start));
    ENCL_TRY(encl_table_cell(table, "%d", (int)entity->end));
    ENCL_TRY(encl_table_cell(table, "%.4f", entity->score));
cleanup:
    free(brief);
    return status;
}

static encl_status write_people(ner_run *run, const encl_entities *entities) {
    encl_status status = ENCL_OK;
    encl_table *table = NULL;
    for (size_t i = 0; i < entities->count; i++) {
        ENCL_TRY(encl_text_run_row(&run->texts, &table));
        ENCL_TRY(write_row(table, entities, &entities->entities[i]));
    }
cleanup:
    return status;
}

static encl_status take_entities(void *context, const encl_entities *entities) {
    ner_run *run = context;
    encl_status status = run->texts.json ? write_json(run, entities) : write_people(run, entities);
    return status == ENCL_OK ? encl_text_run_answered(&run->texts) : status;
}

// ---- The run ----------------------------------------------------------------------------------------------

static encl_status ner(encl_call *call) {
    static const char *const headings[] = {">#", "type", "text", ">start", ">end", ">score"};
    const settings *chosen = call->settings;
    encl_status status = ENCL_OK;
    encl_session session = {0};
    encl_ner *finder = NULL;
    ner_run run = {0};
    ENCL_TRY(encl_text_run_open(&chosen->texts, call, &run.texts));
    ENCL_TRY(encl_session_open(call->globals, call->arguments[0], &session));
    run.tokenizer = encl_model_tokenizer(session.model);
    session.executable.capacity.tokens = (int32_t)chosen->texts.batch_tokens;
    const encl_ner_options wanted = {
        .executable = session.executable,
        .max_length = chosen->texts.max_length,
        .aggregation = chosen->aggregates ? chosen->aggregation : ENCL_AGGREGATION_SIMPLE,
        .stride = chosen->stride,
        .check = encl_interrupt_asked,
    };
    ENCL_TRY(encl_ner_create(session.model, session.device, &wanted, &finder));
    ENCL_TRY(encl_text_run_start(&run.texts, "ner", headings, sizeof headings / sizeof headings[0]));
    ENCL_TRY(encl_ner_run(finder, encl_input_next, run.texts.input, take_entities, &run, NULL));
    ENCL_TRY(encl_text_run_finish(&run.texts, 0, 0));
cleanup:
    encl_text_run_close(&run.texts);
    encl_ner_destroy(finder);
    encl_session_close(&session);
    return status;
}

const encl_command encl_command_ner = {
    .name = "ner",
    .summary = "Find named entities in texts",
    .arguments = "MODEL [TEXT...]",
    .text = "Find the named entities of every TEXT, line of standard input or text of a file. A text longer than the "
            "model takes is read in windows that overlap.\v"
            "Example:\n  encl ner ./people-and-places '小王去了北海。'",
    .options = options,
    .minimum = 1,
    .maximum = SIZE_MAX,
    .settings_bytes = sizeof(settings),
    .option = take_option,
    .check = check,
    .run = ner,
};
