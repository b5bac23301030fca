// encl fill-mask: what stands where a text says [MASK].
#include <stdlib.h>
#include <string.h>

#include "host/cli/options.h"
#include "host/cli/session.h"
#include "host/cli/text_run.h"
#include "runtime/base/log.h"

enum { KEY_TOP = ENCL_TEXT_KEYS_END };
enum { MOST_TOP = 64, BRIEF_COLUMNS = 60 };

typedef struct settings {
    encl_text_options texts;
    int64_t top;
} settings;

static const struct argp_option options[] = {
    ENCL_TEXT_OPTIONS_IN,
    ENCL_TEXT_OPTION_OUTPUT,
    {"top", KEY_TOP, "K", 0, "Predictions for a mask, 1 to 64 (default 5)", 0},
    ENCL_TEXT_OPTIONS_LIMITS,
    {0},
};

static encl_status take_option(void *taken, int key, const char *value) {
    settings *chosen = taken;
    return key == KEY_TOP ? encl_option_integer("--top", value, 1, MOST_TOP, &chosen->top)
                          : encl_text_option(&chosen->texts, key, value);
}

static encl_status check(const encl_call *call) {
    const settings *chosen = call->settings;
    return encl_text_check(&chosen->texts, call);
}

// ---- Results ----------------------------------------------------------------------------------------------

static cJSON *prediction_json(const encl_prediction *prediction) {
    encl_line line;
    encl_line_start(&line);
    encl_line_text(&line, "token", prediction->token);
    encl_line_number(&line, "id", prediction->id);
    encl_line_number(&line, "score", (double)prediction->score);
    encl_line_text(&line, "text", prediction->text);
    return encl_line_take(&line);
}

static cJSON *mask_json(const encl_mask *mask) {
    encl_line line;
    encl_line_start(&line);
    encl_line_number(&line, "start", mask->start);
    encl_line_number(&line, "end", mask->end);
    cJSON *predictions = encl_line_array(&line, "predictions");
    for (size_t i = 0; i < mask->prediction_count; i++) {
        encl_line_add(&line, predictions, prediction_json(&mask->predictions[i]));
    }
    return encl_line_take(&line);
}

static encl_status write_json(encl_text_run *run, const encl_filled_text *filled) {
    encl_line line;
    encl_line_start(&line);
    encl_line_number(&line, "index", (double)filled->index);
    cJSON *masks = encl_line_array(&line, "masks");
    for (size_t i = 0; i < filled->mask_count; i++) {
        encl_line_add(&line, masks, mask_json(&filled->masks[i]));
    }
    return encl_line_print(&line, run->lines);
}

static encl_status write_row(encl_table *table, int64_t index, const encl_mask *mask,
                             const encl_prediction *prediction) {
    encl_status status = ENCL_OK;
    char *brief = NULL;
    ENCL_TRY(encl_brief_text(prediction->text, strlen(prediction->text), BRIEF_COLUMNS, &brief));
    ENCL_TRY(encl_table_cell(table, "%lld", (long long)index));
    ENCL_TRY(encl_table_cell(table, "%d-%d", (int)mask->start, (int)mask->end));
    ENCL_TRY(encl_table_cell(table, "%s", prediction->token));
    ENCL_TRY(encl_table_cell(table, "%d", (int)prediction->id));
    ENCL_TRY(encl_table_cell(table, "%.4f", (double)prediction->score));
    ENCL_TRY(encl_table_cell(table, "%s", brief));
cleanup:
    free(brief);
    return status;
}

static encl_status write_people(encl_text_run *run, const encl_filled_text *filled) {
    encl_status status = ENCL_OK;
    encl_table *table = NULL;
    for (size_t i = 0; i < filled->mask_count; i++) {
        const encl_mask *mask = &filled->masks[i];
        for (size_t k = 0; k < mask->prediction_count; k++) {
            ENCL_TRY(encl_text_run_row(run, &table));
            ENCL_TRY(write_row(table, filled->index, mask, &mask->predictions[k]));
        }
    }
cleanup:
    return status;
}

static encl_status take_filled(void *context, const encl_filled_text *filled) {
    encl_text_run *run = context;
    encl_status status = run->json ? write_json(run, filled) : write_people(run, filled);
    return status == ENCL_OK ? encl_text_run_answered(run) : status;
}

// ---- The run ----------------------------------------------------------------------------------------------

static encl_status fill_mask(encl_call *call) {
    static const char *const headings[] = {">#", "mask", "token", ">id", ">score", "text"};
    const settings *chosen = call->settings;
    encl_status status = ENCL_OK;
    encl_session session = {0};
    encl_mask_filler *filler = NULL;
    encl_text_run run = {0};
    int64_t truncated = 0;
    ENCL_TRY(encl_text_run_open(&chosen->texts, call, &run));
    ENCL_TRY(encl_session_open(call->globals, call->arguments[0], &session));
    session.executable.capacity.tokens = (int32_t)chosen->texts.batch_tokens;
    const encl_fill_mask_options wanted = {
        .executable = session.executable,
        .max_length = chosen->texts.max_length,
        .refuse_long = chosen->texts.refuse_long,
        .top_k = (int32_t)chosen->top,
    };
    if (encl_model_get_info(session.model)->mlm_untrained) {
        encl_warn("%s: the masked-language-model head is as it was before training: what it predicts is noise",
                  call->arguments[0]);
    }
    ENCL_TRY(encl_mask_filler_create(session.model, session.device, &wanted, &filler));
    ENCL_TRY(encl_text_run_start(&run, "fill-mask", headings, sizeof headings / sizeof headings[0]));
    ENCL_TRY(encl_mask_filler_run(filler, encl_input_next, run.input, take_filled, &run, &truncated));
    ENCL_TRY(encl_text_run_finish(&run, truncated, encl_model_get_info(session.model)->max_length));
cleanup:
    encl_text_run_close(&run);
    encl_mask_filler_destroy(filler);
    encl_session_close(&session);
    return status;
}

const encl_command encl_command_fill_mask = {
    .name = "fill-mask",
    .summary = "Predict masked tokens",
    .arguments = "MODEL [TEXT...]",
    .text = "Predict the tokens that stand where a text says [MASK]: of every TEXT, line of standard input or text of "
            "a file.\v"
            "Example:\n  encl fill-mask ./bert-base-chinese '今天[MASK]气很好。' --top 3",
    .options = options,
    .minimum = 1,
    .maximum = SIZE_MAX,
    .settings_bytes = sizeof(settings),
    .option = take_option,
    .check = check,
    .run = fill_mask,
};
