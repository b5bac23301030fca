// What the files of `encl eval` share: the examples on their way through a task, and the report.
#ifndef ENCL_CLI_EVAL_H
#define ENCL_CLI_EVAL_H

#include "host/cli/output.h"
#include "host/cli/session.h"
#include "host/task/dataset.h"
#include "runtime/base/progress.h"

enum { ENCL_EVAL_NUMBERS = 8, ENCL_EVAL_COLUMNS = 4, ENCL_EVAL_POOLING = 8 };

typedef struct encl_eval_options {
    int64_t max_length; // 0: the model's
    int64_t batch_tokens;
    const char *predictions; // file, or NULL
    encl_pooling pooling[ENCL_EVAL_POOLING];
    size_t pooling_count;
} encl_eval_options;

typedef struct encl_eval_number {
    const char *name;
    double value; // NaN: not defined
} encl_eval_number;

// A class, a type of entity or a domain.
typedef struct encl_eval_row {
    const char *name; // of the report's rows: a copy
    double values[ENCL_EVAL_COLUMNS];
} encl_eval_row;

typedef struct encl_eval_report {
    encl_eval_number metrics[ENCL_EVAL_NUMBERS];
    size_t metric_count;
    encl_eval_number counts[ENCL_EVAL_NUMBERS];
    size_t count_count;
    const char *const *columns; // [column_count] of the rows
    size_t column_count;
    encl_eval_row *rows;
    size_t row_count, row_capacity;
} encl_eval_report;

typedef struct encl_eval {
    encl_executable_info executable; // of the task
    const encl_eval_options *options;
    const encl_session *session;
    const encl_dataset *dataset;
    FILE *predictions; // NULL: not wanted
    size_t at;         // of the next example
    size_t done;       // examples with a result
    int64_t start_ns;
    int64_t duration_ns;
    int64_t truncated; // texts
    encl_progress progress;
    encl_eval_report report;
} encl_eval;

// Around the run of a task: the clock and the progress bar; executable: the task's.
void encl_eval_start(encl_eval *eval, const encl_executable_info *executable);
void encl_eval_stop(encl_eval *eval);
// After each example's result.
encl_status encl_eval_step(encl_eval *eval);
// Next for tasks that read texts: the examples' text and pair.
encl_status encl_eval_next_text(void *context, encl_text *text);

void encl_eval_metric(encl_eval *eval, const char *name, double value);
void encl_eval_count(encl_eval *eval, const char *name, int64_t value);
// Copies the row and its name.
encl_status encl_eval_row_add(encl_eval *eval, const encl_eval_row *row);
// A row a tally: precision, recall, F1, support.
encl_status encl_eval_tally_add(encl_eval *eval, const char *name, const encl_tally *tally);
// printf to the predictions; nothing where none are wanted.
encl_status encl_eval_predict(encl_eval *eval, const char *format, ...) ENCL_PRINTF(2, 3);

// One for every encl_dataset_task: makes the task, runs it over the examples, fills the report, writes predictions.
encl_status encl_eval_classes(encl_eval *eval);
encl_status encl_eval_scores(encl_eval *eval);
encl_status encl_eval_tags(encl_eval *eval);
encl_status encl_eval_answers(encl_eval *eval);

#endif
