// Sequences that are computed together: copies of their tokens, and what their task wants back with the results.
#ifndef ENCL_TASK_BATCH_H
#define ENCL_TASK_BATCH_H

#include <stddef.h>

#include "host/task/pipeline.h"

// Its arrays are as large as the capacity it was allocated for.
typedef struct encl_task_batch {
    int32_t *ids;        // [capacity.tokens]
    int32_t *types;      // [capacity.tokens]
    int32_t *offsets;    // [capacity.sequences + 1] where sequences begin in ids
    int32_t *rows;       // [capacity.selected] selected tokens, counted from the beginning of their sequence
    int32_t *packed;     // [capacity.selected] the same, counted from the beginning of the batch
    int32_t *skips;      // [capacity.sequences] tokens that pooling leaves out
    int32_t *first_rows; // [capacity.sequences + 1] where sequences begin in rows
    size_t *first_cells; // [capacity.sequences + 1] where sequences begin in notes
    size_t *note_bytes;  // [capacity.sequences]
    max_align_t *notes;  // [notes_allocated] grows with what tasks put there
    size_t notes_allocated;
    int32_t tokens, sequences, selected, panels;
    bool skipping;       // one of the skips is not 0
    int64_t first_index; // of its first sequence
    encl_event *event;   // while it is computed
} encl_task_batch;

// On failure, what was allocated is the caller's to free.
encl_status encl_task_batch_allocate(const encl_capacity *capacity, encl_task_batch *batch);
void encl_task_batch_free(encl_task_batch *batch); // waits where it is being computed

// Makes it empty; first_index: of the sequence that will be its first.
void encl_task_batch_clear(encl_task_batch *batch, int64_t first_index);
bool encl_task_batch_has_room(const encl_task_batch *batch, const encl_capacity *capacity,
                              const encl_sequence *sequence);
// Copies a sequence that it has room for.
encl_status encl_task_batch_add(encl_task_batch *batch, const encl_sequence *sequence);
// Sequence i as it was added. Its pointers live as long as the batch is not cleared.
encl_sequence encl_task_batch_sequence(const encl_task_batch *batch, int32_t i);
encl_batch encl_task_batch_packed(const encl_task_batch *batch);

#endif
