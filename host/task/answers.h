// From start and end logits to answers, as the question-answering pipeline of transformers does it. (But where that has
// fewer answers than it was asked for, it adds some of score 0 that begin or end at [CLS]. They are left out.)
#ifndef ENCL_TASK_ANSWERS_H
#define ENCL_TASK_ANSWERS_H

#include "host/encl_model.h"
#include "runtime/base/memory.h"

// A window that was read: [CLS] question [SEP] context [SEP].
typedef struct encl_answer_window {
    const float *logits;      // [count, 2] start, end
    const int32_t *ids;       // [count]
    size_t count;             // tokens of the window
    size_t first;             // of the context
    size_t tokens;            // of the context
    const int32_t *starts;    // [tokens] code points of the context
    const int32_t *ends;      // [tokens]
    const uint8_t *continues; // [tokens] 1: belongs to the word of the token before it
} encl_answer_window;

// Tokens [first, last] of a window's context.
typedef struct encl_token_span {
    size_t first, last;
    double score;
} encl_token_span;

// An answer and what finds its like.
typedef struct encl_answer_entry {
    encl_answer answer;
    uint64_t hash; // of its text in lower case
    size_t order;  // in which it came
} encl_answer_entry;

// Collects the answers to one question, window by window.
typedef struct encl_answer_list {
    size_t top_k;
    size_t n_best;
    size_t max_answer_length;
    bool handle_impossible;
    bool align_to_words;
    int32_t cls;
    double null_score;     // the lowest of the windows
    double *starts;        // [max_length] probabilities
    double *ends;          // [max_length]
    encl_token_span *best; // [n_best] of a window, best first
    size_t best_count;
    encl_answer_entry *entries;
    size_t count;
    size_t capacity;
    encl_answer *answers; // [top_k]
} encl_answer_list;

// The limits of top_k and n_best, which are searched for in order.
enum { ENCL_MOST_ANSWERS = 1000, ENCL_MOST_SPANS = 4096 };

// Takes what options say of answers. max_length: tokens of a window.
encl_status encl_answer_list_init(const encl_qa_options *options, int32_t cls, size_t max_length,
                                  encl_answer_list *list);
void encl_answer_list_free(encl_answer_list *list);

void encl_answer_list_start(encl_answer_list *list);
encl_status encl_answer_list_add(encl_answer_list *list, const encl_answer_window *window);
// The answers to the question, best first, in list->answers; gives their number. The context is valid UTF-8.
size_t encl_answer_list_finish(encl_answer_list *list, const char *context, size_t length);

#endif
