// What the commands that answer text by text share: their options, texts in, lines or tables out, and progress.
#ifndef ENCL_CLI_TEXT_RUN_H
#define ENCL_CLI_TEXT_RUN_H

#include "host/cli/command.h"
#include "host/cli/input.h"
#include "host/cli/output.h"
#include "runtime/base/progress.h"

typedef struct encl_text_options {
    encl_input_options input;
    const char *output; // a file for the results, NULL: standard output
    int64_t max_length; // 0: the model's
    int64_t batch_tokens;
    bool refuse_long;
} encl_text_options;

// A command's own keys begin at ENCL_TEXT_KEYS_END.
enum {
    ENCL_TEXT_KEY_COLUMN = 0x2000,
    ENCL_TEXT_KEY_HEADER,
    ENCL_TEXT_KEY_MAX_LENGTH,
    ENCL_TEXT_KEY_NO_TRUNCATE,
    ENCL_TEXT_KEY_BATCH_TOKENS,
    ENCL_TEXT_KEYS_END,
};

// Rows of a command's options.
// clang-format off
#define ENCL_TEXT_OPTIONS_IN                                                                                          \
    {"input", 'i', "FILE", 0, "Read texts from a .tsv, a .jsonl, or one a line; -: standard input", 0},               \
    {"column", ENCL_TEXT_KEY_COLUMN, "N or NAME", 0, "Column of a .tsv (default 1), key of a .jsonl (default text)", 0}, \
    {"header", ENCL_TEXT_KEY_HEADER, NULL, 0, "The first line of a .tsv is no text", 0}
#define ENCL_TEXT_OPTIONS_LIMITS                                                                                      \
    {"max-length", ENCL_TEXT_KEY_MAX_LENGTH, "N", 0, "Truncate to N tokens, special tokens included", 0},             \
    {"no-truncate", ENCL_TEXT_KEY_NO_TRUNCATE, NULL, 0, "Refuse a text that is longer", 0},                           \
    {"batch-tokens", ENCL_TEXT_KEY_BATCH_TOKENS, "N", 0, "Tokens in a batch, at most", 0}
#define ENCL_TEXT_OPTION_OUTPUT {"output", 'o', "FILE", 0, "Write a .jsonl", 0}
// clang-format on

// Takes one of these options.
encl_status encl_text_option(encl_text_options *options, int key, const char *value);
// For a command's check: arguments are MODEL and texts, and --output is a .jsonl.
encl_status encl_text_check(const encl_text_options *options, const encl_call *call);

// One use of a command. Zero-initialise.
typedef struct encl_text_run {
    const encl_text_options *options;
    encl_input *input;
    bool json;
    FILE *lines;        // for JSON: standard output, or
    encl_output output; // the file
    const char *const *headings;
    size_t columns;
    encl_table *table; // for people; long runs are printed in pieces
    size_t rows;
    encl_progress progress;
    int64_t texts; // answered
} encl_text_run;

// Opens the input. Before the model, so that a wrong name is told at once.
encl_status encl_text_run_open(const encl_text_options *options, const encl_call *call, encl_text_run *run);
// Opens the output: JSON lines, or a table with these headings (see table.h); and starts the progress bar. An output
// that is no .jsonl is left to the command.
encl_status encl_text_run_start(encl_text_run *run, const char *label, const char *const *headings, size_t columns);
// Where the next row of the table goes; its cells follow.
encl_status encl_text_run_row(encl_text_run *run, encl_table **table);
// After each text.
encl_status encl_text_run_answered(encl_text_run *run);
// Prints or commits what is left, and warns of truncated texts. max_length: of the model.
encl_status encl_text_run_finish(encl_text_run *run, int64_t truncated, int64_t max_length);
void encl_text_run_close(encl_text_run *run); // also after a failure; a zeroed run is allowed

#endif
