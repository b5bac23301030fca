#include "host/task/answers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/task/window.h"
#include "host/text/unicode.h"

enum { DEFAULT_ANSWER_LENGTH = 15, SPARE_SPANS = 10 };

// ---- Settings ---------------------------------------------------------------------------------------------

static encl_status check_range(const char *what, int32_t found, int32_t most) {
    return found >= 0 && found <= most
               ? ENCL_OK
               : encl_fail(ENCL_INVALID, "%s: found %d, expected 1 … %d", what, (int)found, (int)most);
}

encl_status encl_answer_list_init(const encl_qa_options *options, int32_t cls, size_t max_length,
                                  encl_answer_list *list) {
    encl_status status = ENCL_OK;
    *list = (encl_answer_list){0};
    ENCL_TRY(check_range("answers to a question", options->top_k, ENCL_MOST_ANSWERS));
    ENCL_TRY(check_range("spans of a window", options->n_best, ENCL_MOST_SPANS));
    ENCL_TRY(check_range("longest answer", options->max_answer_length, INT32_MAX));
    list->cls = cls;
    list->handle_impossible = options->handle_impossible;
    list->align_to_words = options->align_to_words != ENCL_CHOICE_NO;
    list->top_k = options->top_k > 0 ? (size_t)options->top_k : 1;
    list->max_answer_length =
        options->max_answer_length > 0 ? (size_t)options->max_answer_length : DEFAULT_ANSWER_LENGTH;
    // Spans may become the same answer once they are widened to words.
    list->n_best = options->n_best > 0    ? (size_t)options->n_best
                   : list->align_to_words ? 2 * list->top_k + SPARE_SPANS
                                          : list->top_k;
    ENCL_TRY(encl_allocate(max_length, sizeof *list->starts, (void **)&list->starts));
    ENCL_TRY(encl_allocate(max_length, sizeof *list->ends, (void **)&list->ends));
    ENCL_TRY(encl_allocate(list->n_best, sizeof *list->best, (void **)&list->best));
    ENCL_TRY(encl_allocate(list->top_k, sizeof *list->answers, (void **)&list->answers));
    encl_answer_list_start(list);
cleanup:
    return status;
}

void encl_answer_list_free(encl_answer_list *list) {
    free(list->starts);
    free(list->ends);
    free(list->best);
    free(list->entries);
    free(list->answers);
    *list = (encl_answer_list){0};
}

void encl_answer_list_start(encl_answer_list *list) {
    list->count = 0;
    list->null_score = INFINITY;
}

// ---- Spans of a window ------------------------------------------------------------------------------------

// Only the context and [CLS] take part; also a [CLS] within the question, as in the reference.
static bool takes_part(const encl_answer_list *list, const encl_answer_window *window, size_t token) {
    return token == 0 || (token >= window->first && token < window->first + window->tokens) ||
           window->ids[token] == list->cls;
}

// Of one column of the logits, over the tokens that take part.
static void softmax(const encl_answer_list *list, const encl_answer_window *window, size_t column, double *scores) {
    double highest = -INFINITY;
    double sum = 0;
    for (size_t i = 0; i < window->count; i++) {
        scores[i] = takes_part(list, window, i) ? (double)window->logits[2 * i + column] : -INFINITY;
        highest = fmax(highest, scores[i]);
    }
    for (size_t i = 0; i < window->count; i++) {
        scores[i] = exp(scores[i] - highest);
        sum += scores[i];
    }
    for (size_t i = 0; i < window->count; i++) {
        scores[i] /= sum;
    }
}

// Keeps the best spans in order; of equal ones, those that came first.
static void consider(encl_answer_list *list, const encl_token_span *span) {
    const bool full = list->best_count == list->n_best;
    if (full && !(span->score > list->best[list->best_count - 1].score)) {
        return;
    }
    size_t at = full ? list->best_count - 1 : list->best_count++;
    for (; at > 0 && span->score > list->best[at - 1].score; at--) {
        list->best[at] = list->best[at - 1];
    }
    list->best[at] = *span;
}

static void find_spans(encl_answer_list *list, const encl_answer_window *window) {
    const double *starts = list->starts + window->first;
    const double *ends = list->ends + window->first;
    list->best_count = 0;
    for (size_t first = 0; first < window->tokens; first++) {
        for (size_t last = first; last < window->tokens && last - first < list->max_answer_length; last++) {
            consider(list, &(encl_token_span){first, last, starts[first] * ends[last]});
        }
    }
}

// The code points of a span, widened to whole words as far as the window shows them.
static encl_answer answer_of(const encl_answer_list *list, const encl_answer_window *window,
                             const encl_token_span *span) {
    size_t first = span->first;
    size_t last = span->last;
    while (list->align_to_words && first > 0 && window->continues[first]) {
        first--;
    }
    while (list->align_to_words && last + 1 < window->tokens && window->continues[last + 1]) {
        last++;
    }
    return (encl_answer){.start = window->starts[first], .end = window->ends[last], .score = span->score};
}

encl_status encl_answer_list_add(encl_answer_list *list, const encl_answer_window *window) {
    softmax(list, window, 0, list->starts);
    softmax(list, window, 1, list->ends);
    list->null_score = fmin(list->null_score, list->starts[0] * list->ends[0]);
    find_spans(list, window);
    void *entries = list->entries;
    const encl_status status =
        encl_reserve(&entries, &list->capacity, list->count + list->best_count + 1, sizeof *list->entries);
    list->entries = entries;
    for (size_t i = 0; i < list->best_count && status == ENCL_OK; i++) {
        list->entries[list->count] =
            (encl_answer_entry){.answer = answer_of(list, window, &list->best[i]), .order = list->count};
        list->count++;
    }
    return status;
}

// ---- The same text, but for case --------------------------------------------------------------------------

enum { DOTTED_CAPITAL_I = 0x130, SIGMA = 0x3c3, FINAL_SIGMA = 0x3c2 };

// Lower case of one code point. A sigma is the same wherever it stands in its word; İ, whose lower case is two code
// points, stays.
static uint32_t lower(uint32_t code_point) {
    if (code_point == DOTTED_CAPITAL_I || (encl_unicode_classes(code_point) & ENCL_UNICODE_CASED) == 0) {
        return code_point == FINAL_SIGMA ? SIGMA : code_point;
    }
    return encl_unicode_lower(code_point);
}

static uint32_t next_lower(const char *context, size_t *at) {
    size_t bytes = 0;
    const uint32_t code_point = encl_utf8_next(context + *at, &bytes);
    *at += bytes;
    return lower(code_point);
}

// FNV-1a (Fowler, Noll, Vo) over code points.
static uint64_t hash_of(const char *context, const encl_answer *answer) {
    uint64_t hash = 14695981039346656037u;
    for (size_t at = answer->byte_start; at < answer->byte_end;) {
        hash = (hash ^ next_lower(context, &at)) * 1099511628211u;
    }
    return hash;
}

static bool same_text(const char *context, const encl_answer *a, const encl_answer *b) {
    size_t at = a->byte_start;
    size_t other = b->byte_start;
    while (at < a->byte_end && other < b->byte_end) {
        if (next_lower(context, &at) != next_lower(context, &other)) {
            return false;
        }
    }
    return at == a->byte_end && other == b->byte_end;
}

static int by_hash(const void *left, const void *right) {
    const encl_answer_entry *a = left;
    const encl_answer_entry *b = right;
    if (a->hash != b->hash) {
        return a->hash < b->hash ? -1 : 1;
    }
    return (a->order > b->order) - (a->order < b->order);
}

static int by_score(const void *left, const void *right) {
    const encl_answer_entry *a = left;
    const encl_answer_entry *b = right;
    if (a->answer.score != b->answer.score) {
        return a->answer.score > b->answer.score ? -1 : 1;
    }
    return (a->order > b->order) - (a->order < b->order);
}

// Adds an entry to the one of the same text among entries [from, *kept), or behind them.
static void add_up(encl_answer_entry *entries, size_t from, size_t *kept, const encl_answer_entry *entry,
                   const char *context) {
    for (size_t i = from; i < *kept; i++) {
        if (same_text(context, &entries[i].answer, &entry->answer)) {
            entries[i].answer.score += entry->answer.score;
            return;
        }
    }
    entries[(*kept)++] = *entry;
}

// Leaves the first place of every text, with the scores of all.
static void unite(encl_answer_list *list, const char *context) {
    encl_answer_entry *entries = list->entries;
    size_t kept = 0;
    size_t from = 0; // the first entry of this hash
    qsort(entries, list->count, sizeof *entries, by_hash);
    for (size_t i = 0; i < list->count; i++) {
        const encl_answer_entry entry = entries[i];
        from = kept > 0 && entries[kept - 1].hash == entry.hash ? from : kept;
        add_up(entries, from, &kept, &entry, context);
    }
    list->count = kept;
}

size_t encl_answer_list_finish(encl_answer_list *list, const char *context, size_t length) {
    encl_place place = {.text = context, .length = length};
    for (size_t i = 0; i < list->count; i++) {
        encl_answer *answer = &list->entries[i].answer;
        answer->byte_start = encl_place_go(&place, answer->start);
        answer->byte_end = encl_place_go(&place, answer->end);
        list->entries[i].hash = hash_of(context, answer);
    }
    if (list->count > 0) {
        unite(list, context);
    }
    if (list->handle_impossible && isfinite(list->null_score)) {
        // encl_answer_list_add left room for it.
        list->entries[list->count++] = (encl_answer_entry){.answer.score = list->null_score, .order = SIZE_MAX};
    }
    if (list->count > 0) {
        qsort(list->entries, list->count, sizeof *list->entries, by_score);
    }
    const size_t count = list->count < list->top_k ? list->count : list->top_k;
    for (size_t i = 0; i < count; i++) {
        list->answers[i] = list->entries[i].answer;
    }
    return count;
}
