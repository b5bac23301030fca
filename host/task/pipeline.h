// Sequences of tokens through an executable, for every task: while the device computes one batch, the next one is
// filled. What a sequence means, and what to make of its rows, is the task's.
#ifndef ENCL_TASK_PIPELINE_H
#define ENCL_TASK_PIPELINE_H

#include "host/encl_model.h"

// What a row of the graph's output 0 belongs to.
typedef enum encl_result_rows {
    ENCL_RESULT_TOKENS,    // [T, N]
    ENCL_RESULT_SEQUENCES, // [B, N]
    ENCL_RESULT_SELECTED,  // [R, N]
} encl_result_rows;

// A sequence to compute. Its arrays must stay as they are until next() is called again, also while sink() is called.
typedef struct encl_sequence {
    const int32_t *ids;   // [count]; NULL: there are no more sequences
    const int32_t *types; // [count]; NULL: all 0
    int32_t count;        // tokens, 1 … max_length
    int32_t skip;         // tokens at its beginning that pooling leaves out, fewer than count
    const int32_t
        *selected; // [selected_count] tokens of the sequence, ascending: those that ENCL_RESULT_SELECTED reads
    int32_t selected_count;
    const void *note; // [note_bytes] what the task wants to know again with the result; copied, unread
    size_t note_bytes;
} encl_sequence;

// What came of it. Pointers live during the call that gets it.
typedef struct encl_sequence_result {
    int64_t index;       // of the sequence, from 0
    int64_t rows;        // its tokens, 1, or its selected tokens
    int64_t columns;     // N
    const float *values; // [rows, columns]
    const int32_t *ids;  // [count] as next() gave them
    int32_t count;
    const void *note; // aligned for any type, NULL where note_bytes is 0
    size_t note_bytes;
} encl_sequence_result;

typedef struct encl_pipeline encl_pipeline;

// Makes the executable of a graph whose output 0 has rows of the given kind, and takes the graph over, which is made
// NULL: the pipeline needs it as long as it lives. options may be NULL. INVALID where its capacity cannot hold a
// sequence of max_length tokens. Used by one thread at a time.
encl_status encl_pipeline_create(const encl_device *device, encl_graph **graph, const encl_executable_options *options,
                                 encl_result_rows rows, int64_t max_length, encl_pipeline **pipeline);
void encl_pipeline_destroy(encl_pipeline *pipeline); // NULL is allowed
// Of the executable that serves; a run may change what it says.
const encl_executable_info *encl_pipeline_get_info(const encl_pipeline *pipeline);

// NOT_FINITE where one of the result's values is not a finite number; text: what it is of, from 0.
encl_status encl_result_check_finite(const encl_sequence_result *result, int64_t text);

// Computes every sequence that next() gives (*sequence is zeroed before) and hands each result to sink(), in their
// order. A failure of either ends the run with its status. A sequence that is empty, longer than max_length or selects
// more rows than an empty batch holds is INVALID.
//
// Where the device fails, a warning is given and the batches in flight are computed again: with half the tokens a batch
// where it has no memory, down to max_length, else once, after opening the device again. What fails then is the status.
// A pipeline whose run ended so may be used again.
encl_status encl_pipeline_run(encl_pipeline *pipeline, encl_status (*next)(void *context, encl_sequence *sequence),
                              void *next_context,
                              encl_status (*sink)(void *context, const encl_sequence_result *result),
                              void *sink_context);

#endif
