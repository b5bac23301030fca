#include "host/task/pipeline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/task/batch.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "runtime/base/status.h"
#include "runtime/op/operator.h"

enum { MOST_IN_FLIGHT = 2 };

struct encl_pipeline {
    const encl_device *device;
    encl_graph *graph;
    encl_executable_options options; // its capacity is lowered where the device's memory ends
    bool *exact_layers;              // what they point to: the caller's may go
    encl_executable *executable;     // NULL after a failure that could not be mended
    encl_executable_info info;       // of the last one
    encl_result_rows rows;
    int64_t max_length;
    size_t depth; // batches in flight
    encl_task_batch batches[MOST_IN_FLIGHT];
    bool opened_again; // the device, since the last batch that it computed
};

// ---- Making one -------------------------------------------------------------------------------------------

// The longest sequence must fit an empty batch, or the pipeline would wait for room for ever.
static encl_status check_capacity(const encl_pipeline *p) {
    const encl_capacity *capacity = &p->info.capacity;
    if (capacity->tokens < p->max_length) {
        return encl_fail(ENCL_INVALID, "a batch of %d tokens cannot hold a text of %lld, which is the longest allowed",
                         (int)capacity->tokens, (long long)p->max_length);
    }
    if (capacity->panels < (p->max_length + ENCL_PANEL - 1) / ENCL_PANEL) {
        return encl_fail(ENCL_INVALID, "a batch of %d key panels cannot hold a text of %lld tokens",
                         (int)capacity->panels, (long long)p->max_length);
    }
    return ENCL_OK;
}

static encl_status copy_options(encl_pipeline *p, const encl_executable_options *options) {
    p->options = options != NULL ? *options : (encl_executable_options){0};
    if (p->options.exact_layers == NULL) {
        return ENCL_OK;
    }
    const size_t count = p->options.exact_layer_count;
    const encl_status status = encl_allocate(count, sizeof *p->exact_layers, (void **)&p->exact_layers);
    if (status == ENCL_OK && count > 0) {
        memcpy(p->exact_layers, p->options.exact_layers, count * sizeof *p->exact_layers);
    }
    p->options.exact_layers = p->exact_layers;
    return status;
}

static encl_status make_executable(encl_pipeline *p) {
    encl_status status = encl_executable_create(p->device, p->graph, &p->options, &p->executable);
    if (status == ENCL_OK) {
        p->info = *encl_executable_get_info(p->executable);
        status = check_capacity(p);
    }
    return status;
}

encl_status encl_pipeline_create(const encl_device *device, encl_graph **graph, const encl_executable_options *options,
                                 encl_result_rows rows, int64_t max_length, encl_pipeline **pipeline) {
    encl_status status = ENCL_OK;
    encl_pipeline *p = NULL;
    *pipeline = NULL;
    ENCL_TRY(encl_allocate(1, sizeof *p, (void **)&p));
    p->device = device;
    p->graph = *graph;
    *graph = NULL;
    ENCL_TRY(copy_options(p, options));
    p->rows = rows;
    p->max_length = max_length;
    p->depth = p->options.depth == 1 ? 1 : MOST_IN_FLIGHT;
    ENCL_TRY(make_executable(p));
    for (size_t i = 0; i < p->depth; i++) {
        ENCL_TRY(encl_task_batch_allocate(&p->info.capacity, &p->batches[i]));
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
        encl_task_batch_free(&p->batches[i]);
    }
    encl_executable_destroy(p->executable);
    encl_graph_destroy(p->graph);
    free(p->exact_layers);
    free(p);
}

const encl_executable_info *encl_pipeline_get_info(const encl_pipeline *pipeline) {
    return &pipeline->info;
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
    if (sequence->selected_count < 0 || sequence->selected_count > p->info.capacity.selected) {
        return encl_fail(ENCL_INVALID, "sequence %lld selects %d tokens, expected 0 … %d", (long long)s->read + 1,
                         (int)sequence->selected_count, (int)p->info.capacity.selected);
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

static encl_status fill(stream *s, encl_task_batch *b) {
    encl_status status = ENCL_OK;
    encl_task_batch_clear(b, s->read - s->waiting);
    for (;;) {
        if (!s->waiting && !s->ended) {
            ENCL_TRY(read_next(s));
        }
        if (!s->waiting || !encl_task_batch_has_room(b, &s->p->info.capacity, &s->sequence)) {
            break;
        }
        ENCL_TRY(encl_task_batch_add(b, &s->sequence));
        s->waiting = false;
    }
cleanup:
    return status;
}

static encl_status start(const encl_pipeline *p, encl_task_batch *b) {
    const encl_batch packed = encl_task_batch_packed(b);
    return encl_executable_run(p->executable, &packed, false, &b->event);
}

static void drop_event(encl_task_batch *b) {
    encl_event_release(b->event);
    b->event = NULL;
}

// The rows of output 0 that belong to sequence i of a batch: [*first, *first + *count).
static void find_rows(encl_result_rows rows, const encl_task_batch *b, int32_t i, int64_t *first, int64_t *count) {
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

// Hands out the results of a batch that was computed, which is empty then.
static encl_status deliver(const stream *s, encl_task_batch *b) {
    encl_status status = ENCL_OK;
    const float *values = NULL;
    int64_t rows = 0;
    int64_t columns = 0;
    ENCL_TRY(encl_event_output(b->event, 0, &values, &rows, &columns));
    for (int32_t i = 0; i < b->sequences; i++) {
        const encl_sequence sequence = encl_task_batch_sequence(b, i);
        int64_t first = 0;
        encl_sequence_result result = {
            .index = b->first_index + i,
            .columns = columns,
            .ids = sequence.ids,
            .count = sequence.count,
            .note = sequence.note,
            .note_bytes = sequence.note_bytes,
        };
        find_rows(s->p->rows, b, i, &first, &result.rows);
        result.values = values + first * columns;
        ENCL_TRY(s->sink(s->sink_context, &result));
    }
    s->p->opened_again = false;
cleanup:
    drop_event(b);
    encl_task_batch_clear(b, 0);
    return status;
}

// ---- When the device fails --------------------------------------------------------------------------------

static bool is_device_failure(encl_status status) {
    return status == ENCL_DEVICE || status == ENCL_DEVICE_MEMORY || status == ENCL_NO_DEVICE;
}

// What to change before the next try: smaller batches where memory is short, else nothing, but that only once.
// (CL_OUT_OF_RESOURCES may be either: it is memory first.)
static encl_status change_course(encl_pipeline *p, encl_status failure) {
    const encl_device_info *device = encl_device_get_info(p->device);
    const int32_t tokens = p->info.capacity.tokens;
    if (failure == ENCL_DEVICE_MEMORY && tokens > p->max_length) {
        const int32_t fewer = tokens / 2 > p->max_length ? tokens / 2 : (int32_t)p->max_length;
        encl_warn("device %d (%s) has no memory for batches of %d tokens, going on with %d: %s", (int)device->index,
                  device->name, (int)tokens, (int)fewer, encl_status_detail());
        p->options.capacity.tokens = fewer;
        p->info.capacity.tokens = fewer;
        return ENCL_OK;
    }
    if (p->opened_again) {
        return encl_fail_context(failure, "device %d (%s) failed, was opened again, and failed again",
                                 (int)device->index, device->name);
    }
    encl_warn("device %d (%s) failed and is opened again: %s", (int)device->index, device->name, encl_status_detail());
    p->opened_again = true;
    return ENCL_OK;
}

// A new executable in the place of one that failed. The old one goes first: where nobody else uses the device, its
// context goes with it, which is what a lost device needs.
static encl_status replace_executable(encl_pipeline *p, encl_status failure) {
    encl_status status = ENCL_OK;
    do {
        status = change_course(p, failure);
        if (status != ENCL_OK) {
            return status;
        }
        encl_executable_destroy(p->executable);
        p->executable = NULL;
        status = make_executable(p);
        failure = status;
    } while (is_device_failure(status));
    return status;
}

// Computes the sequences of a batch again, in as many pieces as the executable asks for, one after the other.
static encl_status compute_again(const stream *s, encl_task_batch *b, encl_task_batch *piece) {
    encl_status status = ENCL_OK;
    encl_pipeline *p = s->p;
    for (int32_t done = 0; done < b->sequences;) {
        int32_t next = done;
        encl_task_batch_clear(piece, b->first_index + done);
        for (; next < b->sequences; next++) {
            const encl_sequence sequence = encl_task_batch_sequence(b, next);
            if (!encl_task_batch_has_room(piece, &p->info.capacity, &sequence)) {
                break;
            }
            ENCL_TRY(encl_task_batch_add(piece, &sequence));
        }
        status = start(p, piece);
        status = status == ENCL_OK ? encl_event_wait(piece->event, -1) : status;
        if (is_device_failure(status)) {
            drop_event(piece);
            ENCL_TRY(replace_executable(p, status));
            continue;
        }
        ENCL_TRY(status);
        ENCL_TRY(deliver(s, piece));
        done = next;
    }
    encl_task_batch_clear(b, 0);
cleanup:
    return status;
}

// Goes on after a failure of the device: what was in flight is computed again, so that every result comes once and in
// its order.
static encl_status recover(const stream *s, encl_status failure) {
    encl_status status = ENCL_OK;
    encl_pipeline *p = s->p;
    encl_task_batch piece = {0};
    const encl_capacity capacity = p->info.capacity; // no later one is larger
    const bool swapped = p->batches[1].sequences > 0 && p->batches[1].first_index < p->batches[0].first_index;
    for (size_t i = 0; i < p->depth; i++) {
        drop_event(&p->batches[i]);
    }
    ENCL_TRY(replace_executable(p, failure));
    ENCL_TRY(encl_task_batch_allocate(&capacity, &piece));
    for (size_t i = 0; i < p->depth; i++) {
        ENCL_TRY(compute_again(s, &p->batches[swapped ? p->depth - 1 - i : i], &piece));
    }
cleanup:
    encl_task_batch_free(&piece);
    return status;
}

// Waits for a batch and hands out its results; nothing for one that is empty.
static encl_status collect(const stream *s, encl_task_batch *b) {
    if (b->event == NULL) {
        return ENCL_OK;
    }
    const encl_status status = encl_event_wait(b->event, -1);
    if (is_device_failure(status)) {
        return recover(s, status);
    }
    return status == ENCL_OK ? deliver(s, b) : status;
}

encl_status encl_pipeline_run(encl_pipeline *p, encl_status (*next)(void *context, encl_sequence *sequence),
                              void *next_context,
                              encl_status (*sink)(void *context, const encl_sequence_result *result),
                              void *sink_context) {
    encl_status status = ENCL_OK;
    stream s = {.p = p, .next = next, .next_context = next_context, .sink = sink, .sink_context = sink_context};
    size_t turn = 0;
    p->opened_again = false;
    if (p->executable == NULL) {
        ENCL_TRY(make_executable(p));
    }
    while (!s.ended || s.waiting) {
        encl_task_batch *b = &p->batches[turn];
        // With two batches in flight: results of the batch before last, while the device computes the last one.
        ENCL_TRY(collect(&s, b));
        ENCL_TRY(fill(&s, b));
        if (b->sequences > 0) {
            status = start(p, b);
            ENCL_TRY(is_device_failure(status) ? recover(&s, status) : status);
        }
        turn = (turn + 1) % p->depth;
    }
    for (size_t i = 0; i < p->depth; i++) {
        ENCL_TRY(collect(&s, &p->batches[(turn + i) % p->depth]));
    }
cleanup:
    for (size_t i = 0; i < MOST_IN_FLIGHT; i++) {
        drop_event(&p->batches[i]);
        encl_task_batch_clear(&p->batches[i], 0);
    }
    return status;
}
