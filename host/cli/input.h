// Where texts come from: arguments, standard input, or a file of lines, tab-separated columns or JSON objects.
// Lines are read one at a time; a file is never held as a whole.
#ifndef ENCL_CLI_INPUT_H
#define ENCL_CLI_INPUT_H

#include "host/encl_model.h"
#include "runtime/base/status.h"

// How a file is read. Its ending says what it is: .tsv, .jsonl, anything else is one text a line.
typedef struct encl_input_options {
    const char *path;        // NULL or "-": standard input
    const char *column;      // .tsv: a number from 1, or a name in the first line; .jsonl: a key; NULL: 1, or "text"
    const char *pair_column; // the same of the pair's second text; NULL: it has none
    const char *pair;        // second text of every pair, NULL: none
    bool header;             // .tsv: the first line is not a text (a column's name implies it)
} encl_input_options;

typedef struct encl_input encl_input;

// INVALID where the options contradict each other: for a command's check.
encl_status encl_input_check(const encl_input_options *options, size_t text_count);
// The texts given as arguments, or, where there are none, the lines of the file. Texts must outlive the input.
encl_status encl_input_open(const encl_input_options *options, char *const *texts, size_t text_count,
                            encl_input **opened);
void encl_input_close(encl_input *input);

// The next text, valid until the next call; text->text is NULL after the last one. CRLF counts as a line's end, a
// final newline adds no text, an empty line is a text. Texts that are not UTF-8 are FORMAT, naming line and byte.
// `context` is the encl_input: the shape that tasks want.
encl_status encl_input_next(void *context, encl_text *text);

// How many texts there will be, 0 where only reading tells. To be asked before the first text; a file is read once
// for it, so only where someone looks at the answer.
int64_t encl_input_total(const encl_input *input);

#endif
