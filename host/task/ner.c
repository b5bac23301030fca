// Named entities: texts and ready words, in windows, to entities and labels.
#include <stdlib.h>
#include <string.h>

#include "host/model/head.h"
#include "host/task/entities.h"
#include "host/task/pipeline.h"
#include "host/task/reader.h"
#include "host/task/window.h"
#include "host/text/segment.h"

enum { SPECIALS = 2, DEFAULT_SHARE = 4 };

struct encl_ner {
    const encl_model *model;
    encl_reader reader;
    encl_pipeline *pipeline;
    size_t step;  // between windows
    int32_t *ids; // [max_length] the window that goes to the pipeline
    encl_string note;
    encl_status (*check)(void *context); // NULL: none
    void *check_context;

    // Of the window that came from it.
    encl_piece *pieces; // [max_length]
    encl_entity_list list;
    int32_t *labels; // [labels_allocated] of the words of a sentence
    int32_t *reach;  // how far from the window's nearer end the label comes from, −1: no label yet
    size_t labels_allocated, reach_allocated;
};

// ---- Making one -------------------------------------------------------------------------------------------

static size_t room_of(const encl_ner *ner) {
    return (size_t)ner->reader.max_length - SPECIALS;
}

static encl_status set_windows(encl_ner *ner, const encl_ner_options *options) {
    const int64_t longest = ner->reader.max_length;
    int64_t overlap = options->stride == 0 ? longest / DEFAULT_SHARE : options->stride;
    overlap = overlap == ENCL_NO_OVERLAP ? 0 : overlap;
    if (longest <= SPECIALS) {
        return encl_fail(ENCL_INVALID, "max length %lld, named entities take at least %d tokens", (long long)longest,
                         SPECIALS + 1);
    }
    if (overlap < 0 || overlap >= longest - SPECIALS) {
        return encl_fail(ENCL_INVALID, "stride %lld, windows of %lld tokens share 0 … %lld", (long long)overlap,
                         (long long)longest, (long long)longest - SPECIALS - 1);
    }
    ner->step = room_of(ner) - (size_t)overlap;
    return ENCL_OK;
}

encl_status encl_ner_create(const encl_model *model, const encl_device *device, const encl_ner_options *options,
                            encl_ner **ner) {
    static const encl_ner_options default_options = {.max_length = 0};
    encl_status status = ENCL_OK;
    encl_ner *n = NULL;
    encl_graph *graph = NULL;
    *ner = NULL;
    options = options == NULL ? &default_options : options;
    if ((unsigned)options->aggregation >= ENCL_AGGREGATIONS) {
        return encl_fail(ENCL_INVALID, "aggregation %d, expected 0 … %d", (int)options->aggregation,
                         ENCL_AGGREGATIONS - 1);
    }
    ENCL_TRY(encl_head_require(model, ENCL_HEAD_NER));
    ENCL_TRY(encl_allocate(1, sizeof *n, (void **)&n));
    n->model = model;
    n->check = options->check;
    n->check_context = options->check_context;
    ENCL_TRY(encl_reader_init(model, options->max_length, options->refuse_long, &n->reader));
    ENCL_TRY(set_windows(n, options));
    ENCL_TRY(encl_entity_list_init(model->info.labels, model->info.label_count, options->aggregation, &n->list));
    ENCL_TRY(encl_allocate((size_t)n->reader.max_length, sizeof *n->ids, (void **)&n->ids));
    ENCL_TRY(encl_allocate((size_t)n->reader.max_length, sizeof *n->pieces, (void **)&n->pieces));
    ENCL_TRY(encl_head_graph(model, ENCL_HEAD_NER, &graph));
    ENCL_TRY(encl_pipeline_create(device, &graph, &options->executable, ENCL_RESULT_TOKENS, n->reader.max_length,
                                  &n->pipeline));
    *ner = n;
    n = NULL;
cleanup:
    encl_graph_destroy(graph);
    encl_ner_destroy(n);
    return status;
}

void encl_ner_destroy(encl_ner *ner) {
    if (ner == NULL) {
        return;
    }
    encl_pipeline_destroy(ner->pipeline);
    encl_reader_free(&ner->reader);
    encl_entity_list_free(&ner->list);
    encl_string_free(&ner->note);
    free(ner->ids);
    free(ner->pieces);
    free(ner->labels);
    free(ner->reach);
    free(ner);
}

const encl_executable_info *encl_ner_get_info(const encl_ner *ner) {
    return encl_pipeline_get_info(ner->pipeline);
}

// ---- Windows in -------------------------------------------------------------------------------------------

static void give_window(encl_ner *ner, const encl_window *window, encl_sequence *sequence) {
    const encl_encoding *encoding = &ner->reader.encoding;
    const encl_tokenizer_info *special = encl_tokenizer_get_info(ner->reader.tokenizer);
    ner->ids[0] = special->cls;
    if (window->count > 0) {
        memcpy(ner->ids + 1, encoding->ids + window->first, window->count * sizeof *ner->ids);
    }
    ner->ids[window->count + 1] = special->sep;
    sequence->ids = ner->ids;
    sequence->count = (int32_t)window->count + SPECIALS;
    sequence->note = ner->note.text;
    sequence->note_bytes = ner->note.length;
}

// ---- Entities ---------------------------------------------------------------------------------------------

typedef struct entity_run {
    encl_ner *ner;
    encl_windows windows;
    encl_text text; // that the windows are of
    int64_t windowed;
    encl_status (*sink)(void *context, const encl_entities *entities);
    void *context;
} entity_run;

static encl_status read_text(entity_run *run) {
    encl_ner *ner = run->ner;
    encl_encoding *encoding = &ner->reader.encoding;
    encl_status status = encl_reader_next(&ner->reader, &run->text);
    if (status != ENCL_OK || run->text.text == NULL) {
        return status;
    }
    encoding->count = 0;
    status = encl_tokenizer_append(ner->reader.tokenizer, run->text.text, run->text.length, encoding);
    if (status != ENCL_OK) {
        return encl_fail_context(status, "text %lld", (long long)ner->reader.texts);
    }
    if (encoding->count > room_of(ner)) {
        if (ner->reader.refuse_long) {
            return encl_fail(ENCL_INVALID, "text %lld has %zu tokens, expected at most %lld",
                             (long long)ner->reader.texts, encoding->count + SPECIALS,
                             (long long)ner->reader.max_length);
        }
        run->windowed++;
    }
    encl_windows_start(ner->reader.texts - 1, encoding->count, room_of(ner), ner->step, &run->windows);
    return ENCL_OK;
}

static encl_status next_window(void *context, encl_sequence *sequence) {
    entity_run *run = context;
    encl_ner *ner = run->ner;
    encl_status status = ner->check != NULL ? ner->check(ner->check_context) : ENCL_OK;
    if (status != ENCL_OK) {
        return status;
    }
    if (!encl_windows_next(&run->windows)) {
        ENCL_TRY(read_text(run));
        if (run->text.text == NULL) {
            return ENCL_OK;
        }
        encl_windows_next(&run->windows);
    }
    const encl_window *window = &run->windows.window;
    ENCL_TRY(encl_window_write(window, &ner->reader.encoding, window->last ? run->text.text : NULL, run->text.length,
                               &ner->note));
    give_window(ner, window, sequence);
cleanup:
    return status;
}

static int32_t code_points(const char *text) {
    int32_t count = 0;
    for (; *text != '\0'; text++) {
        count += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return count;
}

// The reference knows that a token continues a word by its text being longer (by its ##) than what it stands for.
static void find_pieces(encl_ner *ner, const encl_window_note *note, const int32_t *ids) {
    const int32_t unknown = encl_tokenizer_get_info(ner->reader.tokenizer)->unk;
    for (size_t i = 0; i < note->window.count; i++) {
        const char *token = encl_tokenizer_token(ner->reader.tokenizer, ids[i]);
        const int32_t length = note->ends[i] - note->starts[i];
        ner->pieces[i] = (encl_piece){
            .start = note->starts[i],
            .end = note->ends[i],
            .id = ids[i],
            .continues = ids[i] != unknown && token != NULL && code_points(token) != length,
        };
    }
}

static encl_status give_entities(const entity_run *run, const encl_window_note *note) {
    encl_entity_list *list = &run->ner->list;
    encl_place place = {.text = note->text, .length = note->length};
    if (note->window.first > 0) {
        encl_entity_list_merge(list);
    }
    for (size_t i = 0; i < list->count; i++) {
        list->entities[i].byte_start = encl_place_go(&place, list->entities[i].start);
        list->entities[i].byte_end = encl_place_go(&place, list->entities[i].end);
    }
    const encl_entities entities = {
        .index = note->window.index,
        .text = note->text,
        .length = note->length,
        .entities = list->entities,
        .count = list->count,
    };
    return run->sink(run->context, &entities);
}

static encl_status take_window(void *context, const encl_sequence_result *result) {
    entity_run *run = context;
    encl_ner *ner = run->ner;
    encl_status status = ENCL_OK;
    encl_window_note note;
    encl_window_read(result->note, &note);
    ENCL_TRY(encl_result_check_finite(result, note.window.index));
    if (note.window.first == 0) {
        ner->list.count = 0;
    }
    find_pieces(ner, &note, result->ids + 1);
    ENCL_TRY(encl_entity_list_add(&ner->list, ner->pieces, result->values + result->columns, note.window.count));
    if (note.window.last) {
        ENCL_TRY(give_entities(run, &note));
    }
cleanup:
    return status;
}

encl_status encl_ner_run(encl_ner *ner, encl_status (*next)(void *context, encl_text *text), void *next_context,
                         encl_status (*sink)(void *context, const encl_entities *entities), void *sink_context,
                         int64_t *windowed) {
    entity_run run = {.ner = ner, .windows.over = true, .sink = sink, .context = sink_context};
    encl_reader_start(&ner->reader, next, next_context);
    const encl_status status = encl_pipeline_run(ner->pipeline, next_window, &run, take_window, &run);
    if (windowed != NULL) {
        *windowed = status == ENCL_OK ? run.windowed : 0;
    }
    return status;
}

// ---- Ready words ------------------------------------------------------------------------------------------

typedef struct word_run {
    encl_ner *ner;
    encl_windows windows;
    int64_t sentences; // read
    size_t words;      // in the last of them
    encl_status (*next)(void *context, encl_words *words);
    void *next_context;
    encl_status (*sink)(void *context, const encl_word_labels *labels);
    void *context;
    bool over;
} word_run;

static encl_status put_unknown(encl_ner *ner) {
    encl_encoding *encoding = &ner->reader.encoding;
    const encl_status status = encl_encoding_reserve(encoding, 1);
    if (status == ENCL_OK) {
        encoding->ids[encoding->count++] = encl_tokenizer_get_info(ner->reader.tokenizer)->unk;
    }
    return status;
}

// Appends a word's tokens. In place of where it starts, the first says which word it is, and others say −1.
static encl_status read_word(encl_ner *ner, const char *word, size_t number) {
    encl_encoding *encoding = &ner->reader.encoding;
    const size_t before = encoding->count;
    encl_status status = encl_tokenizer_append(ner->reader.tokenizer, word, strlen(word), encoding);
    if (status == ENCL_OK && encoding->count == before) {
        status = put_unknown(ner);
    }
    for (size_t i = before; i < encoding->count; i++) {
        encoding->starts[i] = i == before ? (int32_t)number : -1;
        encoding->ends[i] = -1;
    }
    return status;
}

static encl_status read_sentence(word_run *run) {
    encl_ner *ner = run->ner;
    encl_words words = {0};
    encl_status status = run->next(run->next_context, &words);
    run->over = words.words == NULL;
    if (status != ENCL_OK || run->over) {
        return status;
    }
    if (words.count > INT32_MAX) {
        return encl_fail(ENCL_INVALID, "sentence %lld has %zu words, expected at most %d",
                         (long long)run->sentences + 1, words.count, INT32_MAX);
    }
    ner->reader.encoding.count = 0;
    for (size_t i = 0; i < words.count && status == ENCL_OK; i++) {
        status = read_word(ner, words.words[i], i);
        if (status != ENCL_OK) {
            return encl_fail_context(status, "sentence %lld, word %zu", (long long)run->sentences + 1, i + 1);
        }
    }
    run->words = words.count;
    encl_windows_start(run->sentences++, ner->reader.encoding.count, room_of(ner), ner->step, &run->windows);
    return ENCL_OK;
}

// The note says how many words the sentence has in place of how long the text is.
static encl_status next_word_window(void *context, encl_sequence *sequence) {
    word_run *run = context;
    encl_ner *ner = run->ner;
    encl_status status = ner->check != NULL ? ner->check(ner->check_context) : ENCL_OK;
    if (status != ENCL_OK) {
        return status;
    }
    if (!encl_windows_next(&run->windows)) {
        ENCL_TRY(read_sentence(run));
        if (run->over) {
            return ENCL_OK;
        }
        encl_windows_next(&run->windows);
    }
    const encl_window *window = &run->windows.window;
    ENCL_TRY(encl_window_write(window, &ner->reader.encoding, NULL, run->words, &ner->note));
    give_window(ner, window, sequence);
cleanup:
    return status;
}

static encl_status reserve_words(encl_ner *ner, size_t count) {
    encl_status status = ENCL_OK;
    void *labels = ner->labels;
    void *reach = ner->reach;
    ENCL_TRY(encl_reserve(&labels, &ner->labels_allocated, count, sizeof *ner->labels));
    ner->labels = labels;
    ENCL_TRY(encl_reserve(&reach, &ner->reach_allocated, count, sizeof *ner->reach));
    ner->reach = reach;
    for (size_t i = 0; i < count; i++) {
        ner->reach[i] = -1;
    }
cleanup:
    return status;
}

static encl_status take_word_window(void *context, const encl_sequence_result *result) {
    word_run *run = context;
    encl_ner *ner = run->ner;
    encl_window_note note;
    encl_window_read(result->note, &note);
    encl_status status = encl_result_check_finite(result, note.window.index);
    if (status == ENCL_OK && note.window.first == 0) {
        status = reserve_words(ner, note.length);
    }
    for (size_t i = 0; i < note.window.count && status == ENCL_OK; i++) {
        const size_t left = note.window.count - 1 - i;
        const int32_t reach = (int32_t)(i < left ? i : left);
        const int32_t word = note.starts[i];
        if (word >= 0 && reach > ner->reach[word]) {
            ner->reach[word] = reach;
            ner->labels[word] =
                encl_highest(result->values + (int64_t)(i + 1) * result->columns, (size_t)result->columns);
        }
    }
    if (status == ENCL_OK && note.window.last) {
        status = run->sink(run->context, &(encl_word_labels){note.window.index, ner->labels, note.length});
    }
    return status;
}

encl_status encl_ner_label_words(encl_ner *ner, encl_status (*next)(void *context, encl_words *words),
                                 void *next_context, encl_status (*sink)(void *context, const encl_word_labels *labels),
                                 void *sink_context) {
    word_run run = {.ner = ner,
                    .windows.over = true,
                    .next = next,
                    .next_context = next_context,
                    .sink = sink,
                    .context = sink_context};
    return encl_pipeline_run(ner->pipeline, next_word_window, &run, take_word_window, &run);
}
