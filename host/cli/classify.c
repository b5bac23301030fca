// encl classify: a label for every text or pair of texts.
#include "host/cli/session.h"
#include "host/cli/text_run.h"
#include "host/model/head.h"
#include "runtime/base/log.h"

enum { KEY_PAIR = ENCL_TEXT_KEYS_END, KEY_PAIR_COLUMN };

typedef struct settings {
    encl_text_options texts;
} settings;

static const struct argp_option options[] = {
    ENCL_TEXT_OPTIONS_IN,
    {"pair", KEY_PAIR, "TEXT", 0, "Second text of every pair", 0},
    {"pair-column", KEY_PAIR_COLUMN, "N or NAME", 0, "Column or key of the pairs' second texts", 0},
    ENCL_TEXT_OPTION_OUTPUT,
    ENCL_TEXT_OPTIONS_LIMITS,
    {0},
};

static encl_status take_option(void *taken, int key, const char *value) {
    settings *chosen = taken;
    switch (key) {
    case KEY_PAIR:
        chosen->texts.input.pair = value;
        break;
    case KEY_PAIR_COLUMN:
        chosen->texts.input.pair_column = value;
        break;
    default:
        return encl_text_option(&chosen->texts, key, value);
    }
    return ENCL_OK;
}

static encl_status check(const encl_call *call) {
    const settings *chosen = call->settings;
    return encl_text_check(&chosen->texts, call);
}

// ---- Results ----------------------------------------------------------------------------------------------

static encl_status write_json(encl_text_run *run, const encl_classification *classification) {
    encl_line line;
    encl_line scores;
    encl_line_start(&line);
    encl_line_start(&scores);
    encl_line_number(&line, "index", (double)classification->index);
    encl_line_text(&line, "label", classification->labels[classification->best]);
    encl_line_number(&line, "score", (double)classification->scores[classification->best]);
    for (size_t i = 0; i < classification->label_count; i++) {
        encl_line_number(&scores, classification->labels[i], (double)classification->scores[i]);
    }
    encl_line_item(&line, "scores", encl_line_take(&scores));
    return encl_line_print(&line, run->lines);
}

static encl_status write_people(encl_text_run *run, const encl_classification *classification) {
    encl_status status = ENCL_OK;
    encl_table *table = NULL;
    ENCL_TRY(encl_text_run_row(run, &table));
    ENCL_TRY(encl_table_cell(table, "%lld", (long long)classification->index));
    ENCL_TRY(encl_table_cell(table, "%s", classification->labels[classification->best]));
    ENCL_TRY(encl_table_cell(table, "%.4f", (double)classification->scores[classification->best]));
cleanup:
    return status;
}

static encl_status take_classification(void *context, const encl_classification *classification) {
    encl_text_run *run = context;
    encl_status status = run->json ? write_json(run, classification) : write_people(run, classification);
    return status == ENCL_OK ? encl_text_run_answered(run) : status;
}

// ---- The run ----------------------------------------------------------------------------------------------

// A next-sentence head says of a text without a second one nothing that means anything.
static void warn_of_missing_pairs(const settings *chosen, const encl_model *model) {
    const encl_input_options *from = &chosen->texts.input;
    if (from->pair == NULL && from->pair_column == NULL && encl_head_require(model, ENCL_HEAD_CLASSIFY) != ENCL_OK) {
        encl_warn("the model's head says whether a second text follows the first; found neither --pair nor "
                  "--pair-column");
    }
}

static encl_status classify(encl_call *call) {
    static const char *const headings[] = {">#", "label", ">score"};
    const settings *chosen = call->settings;
    encl_status status = ENCL_OK;
    encl_session session = {0};
    encl_classifier *classifier = NULL;
    encl_text_run run = {0};
    int64_t truncated = 0;
    ENCL_TRY(encl_text_run_open(&chosen->texts, call, &run));
    ENCL_TRY(encl_session_open(call->globals, call->arguments[0], &session));
    session.executable.capacity.tokens = (int32_t)chosen->texts.batch_tokens;
    const encl_classify_options wanted = {
        .executable = session.executable,
        .max_length = chosen->texts.max_length,
        .refuse_long = chosen->texts.refuse_long,
    };
    ENCL_TRY(encl_classifier_create(session.model, session.device, &wanted, &classifier));
    warn_of_missing_pairs(chosen, session.model);
    ENCL_TRY(encl_text_run_start(&run, "classify", headings, sizeof headings / sizeof headings[0]));
    ENCL_TRY(encl_classifier_run(classifier, encl_input_next, run.input, take_classification, &run, &truncated));
    ENCL_TRY(encl_text_run_finish(&run, truncated, encl_model_get_info(session.model)->max_length));
cleanup:
    encl_text_run_close(&run);
    encl_classifier_destroy(classifier);
    encl_session_close(&session);
    return status;
}

const encl_command encl_command_classify = {
    .name = "classify",
    .summary = "Label texts or pairs of texts",
    .arguments = "MODEL [TEXT...]",
    .text = "Label every TEXT, line of standard input or text of a file, alone or with a second text. A model with a "
            "next-sentence head says whether the second text follows the first.\v"
            "Example:\n  encl classify ./sentiment '房间很干净，服务也很好。'",
    .options = options,
    .minimum = 1,
    .maximum = SIZE_MAX,
    .settings_bytes = sizeof(settings),
    .option = take_option,
    .check = check,
    .run = classify,
};
