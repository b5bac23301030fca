// encl eval: what a model is worth on a data set.
#include "host/cli/eval.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/interrupt.h"
#include "host/cli/options.h"
#include "runtime/base/clock.h"

enum { KEY_PREDICTIONS = 0x2000, KEY_MAX_LENGTH, KEY_BATCH_TOKENS, KEY_POOLING };

static const struct argp_option options[] = {
    {"predictions", KEY_PREDICTIONS, "FILE", 0, "Write what the model says of every example", 0},
    {"max-length", KEY_MAX_LENGTH, "N", 0,
     "Truncate to N tokens, special tokens included; of ner and questions, the length of a window", 0},
    {"batch-tokens", KEY_BATCH_TOKENS, "N", 0, "Tokens in a batch, at most", 0},
    {"pooling", KEY_POOLING, "LIST", 0, "sts: as for embed", 0},
    {0},
};

static encl_status take_option(void *taken, int key, const char *value) {
    encl_eval_options *chosen = taken;
    switch (key) {
    case KEY_PREDICTIONS:
        chosen->predictions = value;
        return ENCL_OK;
    case KEY_MAX_LENGTH:
        return encl_option_integer("--max-length", value, 1, INT32_MAX, &chosen->max_length);
    case KEY_BATCH_TOKENS:
        return encl_option_integer("--batch-tokens", value, 1, INT32_MAX, &chosen->batch_tokens);
    default:
        return encl_pooling_parse(value, chosen->pooling, ENCL_EVAL_POOLING, &chosen->pooling_count);
    }
}

static encl_status check(const encl_call *call) {
    const encl_eval_options *chosen = call->settings;
    const encl_dataset_kind *kind = NULL;
    encl_status status = encl_dataset_find(call->arguments[0], &kind);
    if (status == ENCL_OK && chosen->pooling_count > 0 && kind->task != ENCL_DATASET_SCORES) {
        status = encl_fail(ENCL_INVALID, "--pooling: found task '%s', expected sts", kind->name);
    }
    return status;
}

// ---- Around a run -----------------------------------------------------------------------------------------

void encl_eval_start(encl_eval *eval, const encl_executable_info *executable) {
    eval->executable = *executable;
    eval->start_ns = encl_clock_ns();
    encl_progress_start(&eval->progress, "eval", "examples", (int64_t)eval->dataset->count);
}

void encl_eval_stop(encl_eval *eval) {
    encl_progress_finish(&eval->progress);
    eval->duration_ns = encl_clock_ns() - eval->start_ns;
}

encl_status encl_eval_step(encl_eval *eval) {
    eval->done++;
    encl_progress_update(&eval->progress, (int64_t)eval->done);
    return encl_interrupt_check();
}

encl_status encl_eval_next_text(void *context, encl_text *text) {
    encl_eval *eval = context;
    if (eval->at < eval->dataset->count) {
        const encl_example *example = &eval->dataset->examples[eval->at++];
        *text = (encl_text){example->text.text, example->text.length, example->pair.text, example->pair.length};
    }
    return ENCL_OK;
}

encl_status encl_eval_predict(encl_eval *eval, const char *format, ...) {
    if (eval->predictions == NULL) {
        return ENCL_OK;
    }
    va_list arguments;
    va_start(arguments, format);
    const int written = vfprintf(eval->predictions, format, arguments);
    va_end(arguments);
    return written >= 0 ? ENCL_OK
                        : encl_fail(ENCL_IO, "%s: cannot write: %s", eval->options->predictions, strerror(errno));
}

// ---- The report -------------------------------------------------------------------------------------------

void encl_eval_metric(encl_eval *eval, const char *name, double value) {
    eval->report.metrics[eval->report.metric_count++] = (encl_eval_number){name, value};
}

void encl_eval_count(encl_eval *eval, const char *name, int64_t value) {
    eval->report.counts[eval->report.count_count++] = (encl_eval_number){name, (double)value};
}

encl_status encl_eval_row_add(encl_eval *eval, const encl_eval_row *row) {
    encl_eval_report *report = &eval->report;
    void *rows = report->rows;
    encl_status status = encl_reserve(&rows, &report->row_capacity, report->row_count + 1, sizeof *report->rows);
    char *name = NULL;
    report->rows = rows;
    status = status == ENCL_OK ? encl_copy_text(row->name, strlen(row->name), &name) : status;
    if (status == ENCL_OK) {
        report->rows[report->row_count] = *row;
        report->rows[report->row_count++].name = name;
    }
    return status;
}

static void free_rows(encl_eval_report *report) {
    for (size_t i = 0; i < report->row_count; i++) {
        free((void *)report->rows[i].name);
    }
    free(report->rows);
}

encl_status encl_eval_tally_add(encl_eval *eval, const char *name, const encl_tally *tally) {
    static const char *const columns[] = {"precision", "recall", "f1", "support"};
    const encl_f1 f1 = encl_tally_f1(tally);
    const encl_eval_row row = {.name = name, .values = {f1.precision, f1.recall, f1.f1, (double)tally->gold}};
    eval->report.columns = columns;
    eval->report.column_count = sizeof columns / sizeof columns[0];
    return encl_eval_row_add(eval, &row);
}

// What is not defined is null.
static void add_number(encl_line *line, const encl_eval_number *number) {
    encl_line_item(line, number->name,
                   isfinite(number->value) ? cJSON_CreateNumber(number->value) : cJSON_CreateNull());
}

static cJSON *numbers_of(const encl_eval_number *numbers, size_t count) {
    encl_line line;
    encl_line_start(&line);
    for (size_t i = 0; i < count; i++) {
        add_number(&line, &numbers[i]);
    }
    return encl_line_take(&line);
}

static cJSON *row_of(const encl_eval_report *report, const encl_eval_row *row) {
    encl_line line;
    encl_line_start(&line);
    encl_line_text(&line, "name", row->name);
    for (size_t i = 0; i < report->column_count; i++) {
        add_number(&line, &(encl_eval_number){report->columns[i], row->values[i]});
    }
    return encl_line_take(&line);
}

static encl_status print_json(const encl_eval *eval, int64_t tokens) {
    const encl_eval_report *report = &eval->report;
    encl_line line;
    encl_line_start(&line);
    encl_line_text(&line, "task", eval->dataset->kind->name);
    encl_line_item(&line, "metrics", numbers_of(report->metrics, report->metric_count));
    encl_line_number(&line, "examples", (double)eval->dataset->count);
    encl_line_number(&line, "tokens", (double)tokens);
    encl_line_number(&line, "seconds", (double)eval->duration_ns * 1e-9);
    encl_line_precision(&line, &eval->executable);
    encl_line_item(&line, "counts", numbers_of(report->counts, report->count_count));
    cJSON *classes = encl_line_array(&line, "classes");
    for (size_t i = 0; i < report->row_count; i++) {
        encl_line_add(&line, classes, row_of(report, &report->rows[i]));
    }
    return encl_line_print(&line, stdout);
}

static encl_status print_numbers(const encl_eval *eval, int64_t tokens) {
    static const char *const headings[] = {"", ">value"};
    const encl_eval_report *report = &eval->report;
    encl_table *table = NULL;
    encl_status status = ENCL_OK;
    char precision[ENCL_PRECISION_TEXT];
    ENCL_TRY(encl_table_create(headings, 2, &table));
    for (size_t i = 0; i < report->metric_count; i++) {
        ENCL_TRY(encl_table_cell(table, "%s", report->metrics[i].name));
        ENCL_TRY(encl_table_cell(table, "%.5f", report->metrics[i].value));
    }
    ENCL_TRY(encl_table_rule(table));
    const encl_eval_number more[] = {{"examples", (double)eval->dataset->count}, {"tokens", (double)tokens}};
    for (size_t i = 0; i < report->count_count + 2; i++) {
        const encl_eval_number *number = i < report->count_count ? &report->counts[i] : &more[i - report->count_count];
        ENCL_TRY(encl_table_cell(table, "%s", number->name));
        ENCL_TRY(encl_table_cell(table, "%.0f", number->value));
    }
    ENCL_TRY(encl_table_cell(table, "seconds"));
    ENCL_TRY(encl_table_cell(table, "%.2f", (double)eval->duration_ns * 1e-9));
    ENCL_TRY(encl_table_cell(table, "precision"));
    ENCL_TRY(encl_table_cell(table, "%s", encl_precision_text(&eval->executable, precision)));
    ENCL_TRY(encl_table_print(table, stdout));
cleanup:
    encl_table_destroy(table);
    return status;
}

static encl_status print_rows(const encl_eval_report *report) {
    char marked[ENCL_EVAL_COLUMNS][32];
    const char *headings[1 + ENCL_EVAL_COLUMNS] = {"class"};
    encl_table *table = NULL;
    encl_status status = ENCL_OK;
    for (size_t i = 0; i < report->column_count; i++) {
        snprintf(marked[i], sizeof marked[i], ">%s", report->columns[i]);
        headings[i + 1] = marked[i];
    }
    ENCL_TRY(encl_table_create(headings, 1 + report->column_count, &table));
    for (size_t r = 0; r < report->row_count; r++) {
        ENCL_TRY(encl_table_cell(table, "%s", report->rows[r].name));
        for (size_t i = 0; i < report->column_count; i++) {
            const bool support = i + 1 == report->column_count; // the last column is a number of examples
            ENCL_TRY(encl_table_cell(table, "%.*f", support ? 0 : 5, report->rows[r].values[i]));
        }
    }
    fputc('\n', stdout);
    ENCL_TRY(encl_table_print(table, stdout));
cleanup:
    encl_table_destroy(table);
    return status;
}

// ---- Tokens -----------------------------------------------------------------------------------------------

// Of one example, special tokens included: what a run reads of it, without those that windows read twice.
static encl_status count_example(const encl_eval *eval, const encl_example *example, size_t max_length,
                                 encl_encoding *encoding, int64_t *tokens) {
    const encl_tokenizer *tokenizer = encl_model_tokenizer(eval->session->model);
    const encl_dataset *dataset = eval->dataset;
    encl_status status = ENCL_OK;
    if (dataset->kind->task == ENCL_DATASET_TAGS) {
        *tokens += 2;
        for (size_t i = example->first; i < example->first + example->count; i++) {
            encoding->count = 0;
            ENCL_TRY(encl_tokenizer_append(tokenizer, dataset->words[i], strlen(dataset->words[i]), encoding));
            *tokens += encoding->count > 0 ? (int64_t)encoding->count : 1; // else [UNK]
        }
        return ENCL_OK;
    }
    const bool whole = dataset->kind->task == ENCL_DATASET_ANSWERS;
    const bool apart = dataset->kind->task == ENCL_DATASET_SCORES; // every text by itself
    ENCL_TRY(encl_tokenizer_encode(tokenizer, example->text.text, example->text.length,
                                   apart ? NULL : example->pair.text, example->pair.length, whole ? 0 : max_length,
                                   encoding));
    *tokens += (int64_t)encoding->count;
    if (apart) {
        ENCL_TRY(
            encl_tokenizer_encode(tokenizer, example->pair.text, example->pair.length, NULL, 0, max_length, encoding));
        *tokens += (int64_t)encoding->count;
    }
cleanup:
    return status;
}

// Outside of the clock's time.
static encl_status count_tokens(const encl_eval *eval, int64_t *tokens) {
    const int64_t model_length = encl_model_get_info(eval->session->model)->max_length;
    const int64_t max_length = eval->options->max_length > 0 ? eval->options->max_length : model_length;
    encl_encoding encoding = {0};
    encl_status status = ENCL_OK;
    *tokens = 0;
    for (size_t i = 0; i < eval->dataset->count && status == ENCL_OK; i++) {
        status = count_example(eval, &eval->dataset->examples[i], (size_t)max_length, &encoding, tokens);
        status = status == ENCL_OK ? encl_interrupt_check() : status;
    }
    encl_encoding_free(&encoding);
    return status;
}

// ---- The command ------------------------------------------------------------------------------------------

// By the data set's task.
static encl_status (*const evaluators[])(encl_eval *eval) = {
    [ENCL_DATASET_CLASSES] = encl_eval_classes,
    [ENCL_DATASET_SCORES] = encl_eval_scores,
    [ENCL_DATASET_TAGS] = encl_eval_tags,
    [ENCL_DATASET_ANSWERS] = encl_eval_answers,
};

static encl_status run(encl_call *call) {
    const encl_eval_options *chosen = call->settings;
    const encl_dataset_kind *kind = NULL;
    encl_status status = ENCL_OK;
    encl_dataset *dataset = NULL;
    encl_session session = {0};
    encl_output predictions = {0};
    encl_eval eval = {.options = chosen, .session = &session};
    int64_t tokens = 0;
    ENCL_TRY(encl_dataset_find(call->arguments[0], &kind));
    ENCL_TRY(encl_dataset_open(kind, call->arguments[2], &dataset));
    eval.dataset = dataset;
    ENCL_TRY(encl_session_open(call->globals, call->arguments[1], &session));
    session.executable.capacity.tokens = (int32_t)chosen->batch_tokens;
    if (chosen->predictions != NULL) {
        ENCL_TRY(encl_result_open(chosen->predictions, &predictions));
        eval.predictions = predictions.stream;
    }
    ENCL_TRY(evaluators[kind->task](&eval));
    ENCL_TRY(count_tokens(&eval, &tokens));
    if (chosen->predictions != NULL) {
        status = encl_output_commit(&predictions);
        predictions = (encl_output){0};
        ENCL_TRY(status);
    }
    const int64_t model_length = encl_model_get_info(session.model)->max_length;
    encl_warn_truncated(eval.truncated, (int64_t)dataset->count * (kind->task == ENCL_DATASET_SCORES ? 2 : 1),
                        chosen->max_length > 0 ? chosen->max_length : model_length);
    if (call->globals->json) {
        ENCL_TRY(print_json(&eval, tokens));
    } else {
        ENCL_TRY(print_numbers(&eval, tokens));
        ENCL_TRY(eval.report.row_count > 0 ? print_rows(&eval.report) : ENCL_OK);
    }
cleanup:
    free_rows(&eval.report);
    encl_output_abandon(&predictions);
    encl_session_close(&session);
    encl_dataset_close(dataset);
    return status;
}

const encl_command encl_command_eval = {
    .name = "eval",
    .summary = "Measure a model on a data set",
    .arguments = "TASK MODEL DATA",
    .text = "Run a model over a data set, in the format in which it is published, and print the figures that its "
            "scorer gives. TASK is chnsenticorp, lcqmc, bq, xnli, thucnews (accuracy), ner (entities), cmrc2018, "
            "drcd, cjrc (exact match and F1) or sts (Spearman's rank correlation).\v"
            "Example:\n  encl eval chnsenticorp ./sentiment dev.tsv --max-length 128",
    .options = options,
    .minimum = 3,
    .maximum = 3,
    .settings_bytes = sizeof(encl_eval_options),
    .option = take_option,
    .check = check,
    .run = run,
};
