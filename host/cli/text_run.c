#include "host/cli/text_run.h"

#include <unistd.h>

#include "host/cli/interrupt.h"
#include "host/cli/options.h"
#include "host/cli/session.h"

enum { TABLE_ROWS = 256 };

encl_status encl_text_option(encl_text_options *options, int key, const char *value) {
    switch (key) {
    case 'i':
        options->input.path = value;
        break;
    case 'o':
        options->output = value;
        break;
    case ENCL_TEXT_KEY_COLUMN:
        options->input.column = value;
        break;
    case ENCL_TEXT_KEY_HEADER:
        options->input.header = true;
        break;
    case ENCL_TEXT_KEY_MAX_LENGTH:
        return encl_option_integer("--max-length", value, 1, INT32_MAX, &options->max_length);
    case ENCL_TEXT_KEY_NO_TRUNCATE:
        options->refuse_long = true;
        break;
    default:
        return encl_option_integer("--batch-tokens", value, 1, INT32_MAX, &options->batch_tokens);
    }
    return ENCL_OK;
}

encl_status encl_text_check(const encl_text_options *options, const encl_call *call) {
    if (options->output != NULL && !encl_path_ends(options->output, ".jsonl")) {
        return encl_fail(ENCL_INVALID, "--output: found '%s', expected a name that ends in .jsonl", options->output);
    }
    return encl_input_check(&options->input, call->argument_count - 1);
}

encl_status encl_text_run_open(const encl_text_options *options, const encl_call *call, encl_text_run *run) {
    *run = (encl_text_run){.options = options, .json = call->globals->json || options->output != NULL};
    return encl_input_open(&options->input, call->arguments + 1, call->argument_count - 1, &run->input);
}

encl_status encl_text_run_start(encl_text_run *run, const char *label, const char *const *headings, size_t columns) {
    run->headings = headings;
    run->columns = columns;
    run->lines = stdout;
    if (run->options->output != NULL && encl_path_ends(run->options->output, ".jsonl")) {
        encl_status status = encl_result_open(run->options->output, &run->output);
        if (status != ENCL_OK) {
            return status;
        }
        run->lines = run->output.stream;
    }
    if (!isatty(STDOUT_FILENO) || run->options->output != NULL) { // a bar between printed lines would only be noise
        encl_progress_start(&run->progress, label, "texts", isatty(STDERR_FILENO) ? encl_input_total(run->input) : 0);
    }
    return ENCL_OK;
}

// A long run's rows are printed in pieces: memory does not grow with the input.
static encl_status print_table(encl_text_run *run) {
    encl_status status = run->table != NULL ? encl_table_print(run->table, stdout) : ENCL_OK;
    encl_table_destroy(run->table);
    run->table = NULL;
    run->rows = 0;
    return status;
}

encl_status encl_text_run_row(encl_text_run *run, encl_table **table) {
    encl_status status = ENCL_OK;
    *table = NULL;
    if (run->rows == TABLE_ROWS) {
        ENCL_TRY(print_table(run));
    }
    if (run->table == NULL) {
        ENCL_TRY(encl_table_create(run->headings, run->columns, &run->table));
    }
    run->rows++;
    *table = run->table;
cleanup:
    return status;
}

encl_status encl_text_run_answered(encl_text_run *run) {
    run->texts++;
    encl_progress_update(&run->progress, run->texts);
    return encl_interrupt_check();
}

encl_status encl_text_run_finish(encl_text_run *run, int64_t truncated, int64_t max_length) {
    const int64_t limit = run->options->max_length > 0 ? run->options->max_length : max_length;
    encl_progress_finish(&run->progress);
    encl_warn_truncated(truncated, run->texts, limit);
    return run->output.stream != NULL ? encl_output_commit(&run->output) : print_table(run);
}

void encl_text_run_close(encl_text_run *run) {
    encl_progress_finish(&run->progress);
    encl_output_abandon(&run->output);
    encl_table_destroy(run->table);
    encl_input_close(run->input);
    *run = (encl_text_run){0};
}
