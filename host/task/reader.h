// Texts to tokens, for every task that reads texts: truncation and its count, and errors that say which text.
#ifndef ENCL_TASK_READER_H
#define ENCL_TASK_READER_H

#include "host/model/model.h"

typedef struct encl_reader {
    const encl_tokenizer *tokenizer;
    int64_t max_length;
    bool refuse_long;
    encl_encoding encoding; // of the last text

    // Of the run: where texts come from, how many came, and how many of them were truncated.
    encl_status (*next)(void *context, encl_text *text);
    void *context;
    int64_t texts;
    int64_t truncated;
} encl_reader;

// INVALID where the model has no tokenizer or does not take max_length tokens (0: the model's own limit).
// encl_reader_free frees what reading allocates.
encl_status encl_reader_init(const encl_model *model, int64_t max_length, bool refuse_long, encl_reader *reader);
void encl_reader_free(encl_reader *reader);
void encl_reader_start(encl_reader *reader, encl_status (*next)(void *context, encl_text *text), void *context);

// Asks for the next text; text->text is NULL after the last.
encl_status encl_reader_next(encl_reader *reader, encl_text *text);
// Tokenizes it, or what the task made of it, into reader->encoding. INVALID where it is longer and refused.
encl_status encl_reader_encode(encl_reader *reader, const encl_text *text);

#endif
