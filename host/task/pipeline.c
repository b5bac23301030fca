#include "host/task/pipeline.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/status.h"
#include "runtime/op/operator.h"

enum { MOST_IN_FLIGHT = 2 };

// A batch that is being filled or computed.
typedef struct batch {
    int32_t *ids;        // [capacity.tokens]
    int32_t *types;      // [capacity.tokens]
    int32_t *offsets;    // [capacity.sequences + 1] where sequences begin in ids
    int32_t *rows;       // [capacity.selected] selected tokens of the batch
    int32_t *skips;      // [capacity.sequences] tokens that pooling leaves out
    int32_t *first_rows; // [capacity.sequences + 1] where sequences begin in rows
    size_t *first_cells; // [capacity.sequences + 1] where sequences begin in notes
    size_t *note_bytes;  // [capacity.sequences]
    max_align_t *notes;  // [notes_allocated] grows with what tasks put there
    size_t notes_allocated;
    int32_t tokens, sequences, selected, panels;
    bool skipping;       // one of the skips is not 0
    int64_t first_index; // of its first sequence
    encl_event *event;
} batch;

struct encl_pipeline {
    encl_executable *executable;
    encl_result_rows rows;
    int64_t max_length;
    size_t depth; // batches in flight
    batch batches[MOST_IN_FLIGHT];
};

// ---- Making one -------------------------------------------------------------------------------------------

static const encl_capacity *capacity_of(const encl_pipeline *p) {
    return &encl_executable_get_info(p->executable)->capacity;
}

static int64_t panels_of(int64_t tokens) {
    return (tokens + ENCL_PANEL - 1) / ENCL_PANEL;
}

// The longest sequence must fit an empty batch, or the pipeline would wait for room for ever.
static encl_status check_capacity(const encl_pipeline *p) {
    const encl_capacity *capacity = capacity_of(p);
    if (capacity->tokens < p->max_length) {
        return encl_fail(ENCL_INVALID, "a batch of %d tokens cannot hold a text of %lld, which is the longest allowed",
                         (int)capacity->tokens, (long long)p->max_length);
    }
    if (capacity->panels < panels_of(p->max_length)) {
        return encl_fail(ENCL_INVALID, "a batch of %d key panels cannot hold a text of %lld tokens",
                         (int)capacity->panels, (long long)p->max_length);
    }
    return ENCL_OK;
}

static encl_status allocate_batch(const encl_capacity *capacity, batch *b) {
    encl_status status = ENCL_OK;
    const size_t tokens = (size_t)capacity->tokens;
    const size_t sequences = (size_t)capacity->sequences;
    ENCL_TRY(encl_allocate(tokens, sizeof *b->ids, (void **)&b->ids));
    ENCL_TRY(encl_allocate(tokens, sizeof *b->types, (void **)&b->types));
    ENCL_TRY(encl_allocate((size_t)capacity->selected, sizeof *b->rows, (void **)&b->rows));
    ENCL_TRY(encl_allocate(sequences + 1, sizeof *b->offsets, (void **)&b->offsets));
    ENCL_TRY(encl_allocate(sequences, sizeof *b->skips, (void **)&b->skips));
    ENCL_TRY(encl_allocate(sequences + 1, sizeof *b->first_rows, (void **)&b->first_rows));
    ENCL_TRY(encl_allocate(sequences + 1, sizeof *b->first_cells, (void **)&b->first_cells));
    ENCL_TRY(encl_allocate(sequences, sizeof *b->note_bytes, (void **)&b->note_bytes));
cleanup:
    return status;
}

encl_status encl_pipeline_create(const encl_device *device, const encl_graph *graph,
                                 const encl_executable_options *options, encl_result_rows rows, int64_t max_length,
                                 encl_pipeline **pipeline) {
    encl_status status = ENCL_OK;
    encl_pipeline *p = NULL;
    *pipeline = NULL;
    ENCL_TRY(encl_allocate(1, sizeof *p, (void **)&p));
    p->rows = rows;
    p->max_length = max_length;
    p->depth = options != NULL && options->depth == 1 ? 1 : MOST_IN_FLIGHT;
    ENCL_TRY(encl_executable_create(device, graph, options, &p->executable));
    ENCL_TRY(check_capacity(p));
    for (size_t i = 0; i < p->depth; i++) {
        ENCL_TRY(allocate_batch(capacity_of(p), &p->batches[i]));
    }
    *pipeline = p;
    p = NULL;
cleanup:
    encl_pipeline_destroy(p);
    return status;
}

void encl_pipeline_destroy(encl_pipeline *p) {
    if (p == NULL) {
        return;
    }
    for (size_t i = 0; i < MOST_IN_FLIGHT; i++) {
        batch *b = &p->batches[i];
        encl_event_release(b->event);
        free(b->ids);
        free(b->types);
        free(b->rows);
        free(b->offsets);
        free(b->skips);
        free(b->first_rows);
        free(b->first_cells);
        free(b->note_bytes);
        free(b->notes);
    }
    encl_executable_destroy(p->executable);
    free(p);
}

const encl_executable_info *encl_pipeline_get_info(const encl_pipeline *pipeline) {
    return encl_executable_get_info(pipeline->executable);
}

// ---- Running ----------------------------------------------------------------------------------------------

typedef struct stream {
    encl_pipeline *p;
    encl_status (*next)(void *context, encl_sequence *sequence);
    void *next_context;
    encl_status (*sink)(void *context, const encl_sequence_result *result);
    void *sink_context;
    encl_sequence sequence; // the last that was read
    bool waiting;           // it is in no batch yet
    bool ended;
    int64_t read; // sequences read
} stream;

static encl_status read_next(stream *s) {
    encl_sequence *sequence = &s->sequence;
    const encl_pipeline *p = s->p;
    *sequence = (encl_sequence){0};
    encl_status status = s->next(s->next_context, sequence);
    if (status != ENCL_OK) {
        return status;
    }
    if (sequence->ids == NULL) {
        s->ended = true;
        return ENCL_OK;
    }
    if (sequence->count < 1 || sequence->count > p->max_length) {
        return encl_fail(ENCL_INVALID, "sequence %lld has %d tokens, expected 1 … %lld", (long long)s->read + 1,
                         (int)sequence->count, (long long)p->max_length);
    }
    if (sequence->skip < 0 || sequence->skip >= sequence->count) {
        return encl_fail(ENCL_INVALID, "sequence %lld skips %d tokens, expected 0 … %d", (long long)s->read + 1,
                         (int)sequence->skip, (int)sequence->count - 1);
    }
    if (sequence->selected_count < 0 || sequence->selected_count > capacity_of(p)->selected) {
        return encl_fail(ENCL_INVALID, "sequence %lld selects %d tokens, expected 0 … %d", (long long)s->read + 1,
                         (int)sequence->selected_count, (int)capacity_of(p)->selected);
    }
    for (int32_t i = 0; i < sequence->selected_count; i++) {
        const int32_t before = i == 0 ? -1 : sequence->selected[i - 1];
        if (sequence->selected[i] <= before || sequence->selected[i] >= sequence->count) {
            return encl_fail(ENCL_INVALID, "sequence %lld selects token %d, expected %d … %d, ascending",
                             (long long)s->read + 1, (int)sequence->selected[i], (int)before + 1,
                             (int)sequence->count - 1);
        }
    }
    s->read++;
    s->waiting = true;
    return ENCL_OK;
}

static bool has_room(const stream *s, const batch *b) {
    const encl_capacity *capacity = capacity_of(s->p);
    const encl_sequence *sequence = &s->sequence;
    return b->tokens + sequence->count <= capacity->tokens && b->sequences < capacity->sequences &&
           b->selected + sequence->selected_count <= capacity->selected &&
           b->panels + panels_of(sequence->count) <= capacity->panels;
}

static encl_status add_note(batch *b, const encl_sequence *sequence) {
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

static encl_status add_sequence(stream *s, batch *b) {
    const encl_sequence *sequence = &s->sequence;
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
        b->rows[b->selected++] = b->tokens + sequence->selected[i];
    }
    b->tokens += sequence->count;
    b->panels += (int32_t)panels_of(sequence->count);
    b->skips[b->sequences] = sequence->skip;
    b->skipping = b->skipping || sequence->skip > 0;
    b->sequences++;
    b->offsets[b->sequences] = b->tokens;
    b->first_rows[b->sequences] = b->selected;
    s->waiting = false;
    return ENCL_OK;
}

static encl_status fill(stream *s, batch *b) {
    encl_status status = ENCL_OK;
    b->tokens = 0;
    b->sequences = 0;
    b->selected = 0;
    b->panels = 0;
    b->skipping = false;
    b->first_index = s->read - s->waiting;
    for (;;) {
        if (!s->waiting && !s->ended) {
            ENCL_TRY(read_next(s));
        }
        if (!s->waiting || !has_room(s, b)) {
            break;
        }
        ENCL_TRY(add_sequence(s, b));
    }
cleanup:
    return status;
}

static encl_status start(stream *s, batch *b) {
    const encl_batch packed = {
        .tokens = b->tokens,
        .sequences = b->sequences,
        .selected = b->selected,
        .ids = b->ids,
        .types = b->types,
        .offsets = b->offsets,
        .rows = b->rows,
        .skips = b->skipping ? b->skips : NULL,
    };
    return encl_executable_run(s->p->executable, &packed, false, &b->event);
}

// The rows of output 0 that belong to sequence i of a batch: [*first, *first + *count).
static void find_rows(encl_result_rows rows, const batch *b, int32_t i, int64_t *first, int64_t *count) {
    const int32_t *bounds = rows == ENCL_RESULT_TOKENS ? b->offsets : b->first_rows;
    *first = rows == ENCL_RESULT_SEQUENCES ? i : bounds[i];
    *count = rows == ENCL_RESULT_SEQUENCES ? 1 : bounds[i + 1] - bounds[i];
}

encl_status encl_result_check_finite(const encl_sequence_result *result, int64_t text) {
    const int64_t count = result->rows * result->columns;
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(result->values[i])) {
            return encl_fail(ENCL_NOT_FINITE,
                             "text %lld: row %lld, column %lld of the model's result: found %g, expected a finite "
                             "number",
                             (long long)text + 1, (long long)(i / result->columns), (long long)(i % result->columns),
                             (double)result->values[i]);
        }
    }
    return ENCL_OK;
}

// Waits for a batch and hands out its results.
static encl_status collect(stream *s, batch *b) {
    encl_status status = ENCL_OK;
    const float *values = NULL;
    int64_t rows = 0;
    int64_t columns = 0;
    if (b->event == NULL) {
        return ENCL_OK;
    }
    ENCL_TRY(encl_event_wait(b->event, -1));
    ENCL_TRY(encl_event_output(b->event, 0, &values, &rows, &columns));
    for (int32_t i = 0; i < b->sequences; i++) {
        int64_t first = 0;
        encl_sequence_result result = {
            .index = b->first_index + i,
            .columns = columns,
            .ids = b->ids + b->offsets[i],
            .count = b->offsets[i + 1] - b->offsets[i],
            .note = b->note_bytes[i] > 0 ? b->notes + b->first_cells[i] : NULL,
            .note_bytes = b->note_bytes[i],
        };
        find_rows(s->p->rows, b, i, &first, &result.rows);
        result.values = values + first * columns;
        ENCL_TRY(s->sink(s->sink_context, &result));
    }
cleanup:
    encl_event_release(b->event);
    b->event = NULL;
    return status;
}

encl_status encl_pipeline_run(encl_pipeline *p, encl_status (*next)(void *context, encl_sequence *sequence),
                              void *next_context,
                              encl_status (*sink)(void *context, const encl_sequence_result *result),
                              void *sink_context) {
    encl_status status = ENCL_OK;
    stream s = {.p = p, .next = next, .next_context = next_context, .sink = sink, .sink_context = sink_context};
    size_t turn = 0;
    while (!s.ended || s.waiting) {
        batch *b = &p->batches[turn];
        // With two batches in flight: results of the batch before last, while the device computes the last one.
        ENCL_TRY(collect(&s, b));
        ENCL_TRY(fill(&s, b));
        if (b->sequences > 0) {
            ENCL_TRY(start(&s, b));
        }
        turn = (turn + 1) % p->depth;
    }
    for (size_t i = 0; i < p->depth; i++) {
        ENCL_TRY(collect(&s, &p->batches[(turn + i) % p->depth]));
    }
cleanup:
    for (size_t i = 0; i < MOST_IN_FLIGHT; i++) {
        encl_event_release(p->batches[i].event);
        p->batches[i].event = NULL;
    }
    return status;
}
