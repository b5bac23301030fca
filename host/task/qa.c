// Question answering: questions and contexts, in windows, to answers.
#include <stdlib.h>
#include <string.h>

#include "host/model/head.h"
#include "host/task/answers.h"
#include "host/task/pipeline.h"
#include "host/task/reader.h"
#include "host/task/window.h"

enum { SPECIALS = 3, DEFAULT_LENGTH = 384, DEFAULT_STRIDE = 128 };

struct encl_qa {
    encl_reader reader; // its encoding is the context's
    encl_encoding question;
    encl_pipeline *pipeline;
    size_t stride;
    bool stride_is_step;
    int32_t *ids; // [max_length] the window that goes to the pipeline
    int32_t *types;
    encl_string note;
    encl_status (*check)(void *context); // NULL: none
    void *check_context;

    // Of the window that came from it.
    uint8_t *continues; // [max_length]
    encl_answer_list list;
};

// ---- Making one -------------------------------------------------------------------------------------------

static encl_status set_windows(encl_qa *qa, const encl_qa_options *options) {
    const int64_t longest = qa->reader.max_length;
    const int64_t half = longest / 2;
    int64_t stride = options->doc_stride;
    if (stride == 0) {
        stride = options->stride_is_step || half > DEFAULT_STRIDE ? DEFAULT_STRIDE : half;
    } else if (stride == ENCL_NO_OVERLAP && !options->stride_is_step) {
        stride = 0;
    }
    if (stride < (options->stride_is_step ? 1 : 0)) {
        return encl_fail(ENCL_INVALID, "stride %lld, expected at least %d", (long long)stride,
                         options->stride_is_step ? 1 : 0);
    }
    if (longest <= SPECIALS || (!options->stride_is_step && stride >= longest - SPECIALS)) {
        return encl_fail(ENCL_INVALID, "stride %lld, windows of %lld tokens hold at most %lld of a context",
                         (long long)stride, (long long)longest, (long long)longest - SPECIALS);
    }
    qa->stride = (size_t)stride;
    qa->stride_is_step = options->stride_is_step;
    return ENCL_OK;
}

encl_status encl_qa_create(const encl_model *model, const encl_device *device, const encl_qa_options *options,
                           encl_qa **qa) {
    static const encl_qa_options default_options = {.max_length = 0};
    encl_status status = ENCL_OK;
    encl_qa *q = NULL;
    encl_graph *graph = NULL;
    *qa = NULL;
    options = options == NULL ? &default_options : options;
    const int64_t most = model->info.max_length;
    const int64_t usual = most < DEFAULT_LENGTH ? most : DEFAULT_LENGTH;
    ENCL_TRY(encl_head_require(model, ENCL_HEAD_QA));
    ENCL_TRY(encl_allocate(1, sizeof *q, (void **)&q));
    q->check = options->check;
    q->check_context = options->check_context;
    ENCL_TRY(encl_reader_init(model, options->max_length == 0 ? usual : options->max_length, options->refuse_long,
                              &q->reader));
    ENCL_TRY(set_windows(q, options));
    const size_t longest = (size_t)q->reader.max_length;
    ENCL_TRY(encl_answer_list_init(options, encl_tokenizer_get_info(q->reader.tokenizer)->cls, longest, &q->list));
    ENCL_TRY(encl_allocate(longest, sizeof *q->ids, (void **)&q->ids));
    ENCL_TRY(encl_allocate(longest, sizeof *q->types, (void **)&q->types));
    ENCL_TRY(encl_allocate(longest, sizeof *q->continues, (void **)&q->continues));
    ENCL_TRY(encl_head_graph(model, ENCL_HEAD_QA, &graph));
    ENCL_TRY(encl_pipeline_create(device, &graph, &options->executable, ENCL_RESULT_TOKENS, q->reader.max_length,
                                  &q->pipeline));
    *qa = q;
    q = NULL;
cleanup:
    encl_graph_destroy(graph);
    encl_qa_destroy(q);
    return status;
}

void encl_qa_destroy(encl_qa *qa) {
    if (qa == NULL) {
        return;
    }
    encl_pipeline_destroy(qa->pipeline);
    encl_reader_free(&qa->reader);
    encl_encoding_free(&qa->question);
    encl_answer_list_free(&qa->list);
    encl_string_free(&qa->note);
    free(qa->ids);
    free(qa->types);
    free(qa->continues);
    free(qa);
}

const encl_executable_info *encl_qa_get_info(const encl_qa *qa) {
    return encl_pipeline_get_info(qa->pipeline);
}

// ---- Windows in -------------------------------------------------------------------------------------------

typedef struct answer_run {
    encl_qa *qa;
    encl_windows windows;
    encl_text text; // that the windows are of
    int64_t windowed;
    encl_status (*sink)(void *context, const encl_answers *answers);
    void *context;
} answer_run;

static encl_status tokenize(encl_qa *qa, const encl_text *text) {
    encl_status status = ENCL_OK;
    qa->question.count = 0;
    qa->reader.encoding.count = 0;
    if (text->pair == NULL) {
        status = encl_fail(ENCL_INVALID, "found no context, expected one, if an empty one");
        goto cleanup;
    }
    ENCL_TRY(encl_tokenizer_append(qa->reader.tokenizer, text->text, text->length, &qa->question));
    ENCL_TRY(encl_tokenizer_append(qa->reader.tokenizer, text->pair, text->pair_length, &qa->reader.encoding));
cleanup:
    return status;
}

// What windows have room for beside the question, and how far apart they begin.
static encl_status lay_windows(answer_run *run) {
    encl_qa *qa = run->qa;
    const int64_t longest = qa->reader.max_length;
    const int64_t question = (int64_t)qa->question.count;
    const int64_t context = (int64_t)qa->reader.encoding.count;
    const int64_t room = longest - SPECIALS - question;
    const int64_t stride = (int64_t)qa->stride;
    int64_t step = room;
    if (context > room) {
        if (room < 1) {
            return encl_fail(ENCL_INVALID, "a question of %lld tokens leaves no room for the context in %lld",
                             (long long)question, (long long)longest);
        }
        if (qa->reader.refuse_long) {
            return encl_fail(ENCL_INVALID, "found %lld tokens, expected at most %lld",
                             (long long)(question + context + SPECIALS), (long long)longest);
        }
        if (qa->stride_is_step) {
            step = stride < room ? stride : room;
        } else if (stride < room) {
            step = room - stride;
        } else {
            return encl_fail(ENCL_INVALID,
                             "a question of %lld tokens leaves room for %lld of the context in %lld, expected more "
                             "than the %lld that windows share",
                             (long long)question, (long long)room, (long long)longest, (long long)stride);
        }
        run->windowed++;
    }
    encl_windows_start(qa->reader.texts - 1, (size_t)context, (size_t)room, (size_t)step, &run->windows);
    return ENCL_OK;
}

// Puts tokens of one type, and gives where the next ones go.
static size_t put(encl_qa *qa, size_t at, const int32_t *ids, size_t count, int32_t type) {
    if (count > 0) {
        memcpy(qa->ids + at, ids, count * sizeof *ids);
    }
    for (size_t i = at; i < at + count; i++) {
        qa->types[i] = type;
    }
    return at + count;
}

static void give_window(encl_qa *qa, const encl_window *window, encl_sequence *sequence) {
    const encl_tokenizer_info *special = encl_tokenizer_get_info(qa->reader.tokenizer);
    size_t at = put(qa, 0, &special->cls, 1, 0);
    at = put(qa, at, qa->question.ids, qa->question.count, 0);
    at = put(qa, at, &special->sep, 1, 0);
    at = put(qa, at, window->count > 0 ? qa->reader.encoding.ids + window->first : NULL, window->count, 1);
    at = put(qa, at, &special->sep, 1, 1);
    sequence->ids = qa->ids;
    sequence->types = qa->types;
    sequence->count = (int32_t)at;
    sequence->note = qa->note.text;
    sequence->note_bytes = qa->note.length;
}

static encl_status next_window(void *context, encl_sequence *sequence) {
    answer_run *run = context;
    encl_qa *qa = run->qa;
    encl_status status = qa->check != NULL ? qa->check(qa->check_context) : ENCL_OK;
    if (status != ENCL_OK) {
        return status;
    }
    if (!encl_windows_next(&run->windows)) {
        ENCL_TRY(encl_reader_next(&qa->reader, &run->text));
        if (run->text.text == NULL) {
            return ENCL_OK;
        }
        status = tokenize(qa, &run->text);
        status = status == ENCL_OK ? lay_windows(run) : status;
        if (status != ENCL_OK) {
            return encl_fail_context(status, "text %lld", (long long)qa->reader.texts);
        }
        encl_windows_next(&run->windows);
    }
    const encl_window *window = &run->windows.window;
    ENCL_TRY(encl_window_write(window, &qa->reader.encoding, window->last ? run->text.pair : NULL,
                               run->text.pair_length, &qa->note));
    give_window(qa, window, sequence);
cleanup:
    return status;
}

// ---- Answers out ------------------------------------------------------------------------------------------

static encl_status give_answers(const answer_run *run, const encl_window_note *note) {
    encl_answer_list *list = &run->qa->list;
    const size_t count = encl_answer_list_finish(list, note->text, note->length);
    const encl_answers answers = {
        .index = note->window.index,
        .context = note->text,
        .context_length = note->length,
        .answers = list->answers,
        .count = count,
    };
    return run->sink(run->context, &answers);
}

static encl_status take_window(void *context, const encl_sequence_result *result) {
    answer_run *run = context;
    encl_qa *qa = run->qa;
    encl_status status = ENCL_OK;
    encl_window_note note;
    encl_window_read(result->note, &note);
    ENCL_TRY(encl_result_check_finite(result, note.window.index));
    const size_t count = (size_t)result->count;
    const size_t first = count - 1 - note.window.count;
    for (size_t i = 0; i < note.window.count; i++) {
        const char *token = encl_tokenizer_token(qa->reader.tokenizer, result->ids[first + i]);
        qa->continues[i] = token != NULL && strncmp(token, "##", 2) == 0;
    }
    if (note.window.first == 0) {
        encl_answer_list_start(&qa->list);
    }
    ENCL_TRY(encl_answer_list_add(&qa->list, &(encl_answer_window){.logits = result->values,
                                                                   .ids = result->ids,
                                                                   .count = count,
                                                                   .first = first,
                                                                   .tokens = note.window.count,
                                                                   .starts = note.starts,
                                                                   .ends = note.ends,
                                                                   .continues = qa->continues}));
    if (note.window.last) {
        ENCL_TRY(give_answers(run, &note));
    }
cleanup:
    return status;
}

encl_status encl_qa_run(encl_qa *qa, encl_status (*next)(void *context, encl_text *text), void *next_context,
                        encl_status (*sink)(void *context, const encl_answers *answers), void *sink_context,
                        int64_t *windowed) {
    answer_run run = {.qa = qa, .windows.over = true, .sink = sink, .context = sink_context};
    encl_reader_start(&qa->reader, next, next_context);
    const encl_status status = encl_pipeline_run(qa->pipeline, next_window, &run, take_window, &run);
    if (windowed != NULL) {
        *windowed = status == ENCL_OK ? run.windowed : 0;
    }
    return status;
}
