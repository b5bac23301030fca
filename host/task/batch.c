#include "host/task/batch.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/op/operator.h"

encl_status encl_task_batch_allocate(const encl_capacity *capacity, encl_task_batch *b) {
    encl_status status = ENCL_OK;
    const size_t tokens = (size_t)capacity->tokens;
    const size_t sequences = (size_t)capacity->sequences;
    const size_t selected = (size_t)capacity->selected;
    ENCL_TRY(encl_allocate(tokens, sizeof *b->ids, (void **)&b->ids));
    ENCL_TRY(encl_allocate(tokens, sizeof *b->types, (void **)&b->types));
    ENCL_TRY(encl_allocate(selected, sizeof *b->rows, (void **)&b->rows));
    ENCL_TRY(encl_allocate(selected, sizeof *b->packed, (void **)&b->packed));
    ENCL_TRY(encl_allocate(sequences + 1, sizeof *b->offsets, (void **)&b->offsets));
    ENCL_TRY(encl_allocate(sequences, sizeof *b->skips, (void **)&b->skips));
    ENCL_TRY(encl_allocate(sequences + 1, sizeof *b->first_rows, (void **)&b->first_rows));
    ENCL_TRY(encl_allocate(sequences + 1, sizeof *b->first_cells, (void **)&b->first_cells));
    ENCL_TRY(encl_allocate(sequences, sizeof *b->note_bytes, (void **)&b->note_bytes));
cleanup:
    return status;
}

void encl_task_batch_free(encl_task_batch *b) {
    encl_event_release(b->event);
    free(b->ids);
    free(b->types);
    free(b->rows);
    free(b->packed);
    free(b->offsets);
    free(b->skips);
    free(b->first_rows);
    free(b->first_cells);
    free(b->note_bytes);
    free(b->notes);
    *b = (encl_task_batch){0};
}

void encl_task_batch_clear(encl_task_batch *b, int64_t first_index) {
    b->tokens = 0;
    b->sequences = 0;
    b->selected = 0;
    b->panels = 0;
    b->skipping = false;
    b->first_index = first_index;
}

static int64_t panels_of(int64_t tokens) {
    return (tokens + ENCL_PANEL - 1) / ENCL_PANEL;
}

bool encl_task_batch_has_room(const encl_task_batch *b, const encl_capacity *capacity, const encl_sequence *sequence) {
    return b->tokens + sequence->count <= capacity->tokens && b->sequences < capacity->sequences &&
           b->selected + sequence->selected_count <= capacity->selected &&
           b->panels + panels_of(sequence->count) <= capacity->panels;
}

static encl_status add_note(encl_task_batch *b, const encl_sequence *sequence) {
    const size_t first = b->first_cells[b->sequences];
    const size_t used = first + (sequence->note_bytes + sizeof *b->notes - 1) / sizeof *b->notes;
    void *notes = b->notes;
    encl_status status = encl_reserve(&notes, &b->notes_allocated, used, sizeof *b->notes);
    b->notes = notes;
    if (status == ENCL_OK && sequence->note_bytes > 0) {
        memcpy(b->notes + first, sequence->note, sequence->note_bytes);
    }
    b->note_bytes[b->sequences] = sequence->note_bytes;
    b->first_cells[b->sequences + 1] = used;
    return status;
}

encl_status encl_task_batch_add(encl_task_batch *b, const encl_sequence *sequence) {
    const size_t bytes = (size_t)sequence->count * sizeof(int32_t);
    encl_status status = add_note(b, sequence);
    if (status != ENCL_OK) {
        return status;
    }
    memcpy(b->ids + b->tokens, sequence->ids, bytes);
    if (sequence->types != NULL) {
        memcpy(b->types + b->tokens, sequence->types, bytes);
    } else {
        memset(b->types + b->tokens, 0, bytes);
    }
    for (int32_t i = 0; i < sequence->selected_count; i++) {
        b->rows[b->selected] = sequence->selected[i];
        b->packed[b->selected++] = b->tokens + sequence->selected[i];
    }
    b->tokens += sequence->count;
    b->panels += (int32_t)panels_of(sequence->count);
    b->skips[b->sequences] = sequence->skip;
    b->skipping = b->skipping || sequence->skip > 0;
    b->sequences++;
    b->offsets[b->sequences] = b->tokens;
    b->first_rows[b->sequences] = b->selected;
    return ENCL_OK;
}

encl_sequence encl_task_batch_sequence(const encl_task_batch *b, int32_t i) {
    return (encl_sequence){
        .ids = b->ids + b->offsets[i],
        .types = b->types + b->offsets[i],
        .count = b->offsets[i + 1] - b->offsets[i],
        .skip = b->skips[i],
        .selected = b->rows + b->first_rows[i],
        .selected_count = b->first_rows[i + 1] - b->first_rows[i],
        .note = b->note_bytes[i] > 0 ? b->notes + b->first_cells[i] : NULL,
        .note_bytes = b->note_bytes[i],
    };
}

encl_batch encl_task_batch_packed(const encl_task_batch *b) {
    return (encl_batch){
        .tokens = b->tokens,
        .sequences = b->sequences,
        .selected = b->selected,
        .ids = b->ids,
        .types = b->types,
        .offsets = b->offsets,
        .rows = b->packed,
        .skips = b->skipping ? b->skips : NULL,
    };
}
