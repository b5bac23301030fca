// Embeddings: the graph, and the pipeline that keeps the device busy while the host reads and tokenizes.
#include <stdlib.h>
#include <string.h>

#include "host/model/model.h"
#include "runtime/op/operator.h"

static const encl_embed_options default_options = {0};

// ---- The graph --------------------------------------------------------------------------------------------

static encl_status add_pooling(const encl_model *model, const encl_embed_options *options, encl_graph *graph,
                               encl_value hidden, encl_value *pooled) {
    const encl_pooling *modes = options->pooling_count > 0 ? options->pooling : model->sentence.pooling;
    const size_t count = options->pooling_count > 0 ? options->pooling_count : model->sentence.pooling_count;
    for (size_t i = 0; i < count; i++) {
        if (modes[i] != ENCL_POOLING_POOLER) {
            continue;
        }
        if (count > 1) {
            return encl_fail(ENCL_INVALID, "pooling 'pooler' cannot stand beside others");
        }
        if (!model->bert.has_pooler) {
            return encl_fail(ENCL_UNSUPPORTED, "%s has no pooler (tensors pooler.dense.weight and bias)", model->path);
        }
        return encl_bert_pool(&model->bert, graph, hidden, pooled);
    }
    return encl_graph_pool(graph, hidden, modes, count, pooled);
}

encl_status encl_model_embed_graph(const encl_model *model, const encl_embed_options *options, encl_graph **graph) {
    encl_status status = ENCL_OK;
    encl_graph *made = NULL;
    encl_value value = 0;
    *graph = NULL;
    options = options == NULL ? &default_options : options;
    const bool normalize =
        options->normalize == ENCL_CHOICE_MODEL ? model->sentence.normalize : options->normalize == ENCL_CHOICE_YES;
    ENCL_TRY(encl_graph_create(&made));
    ENCL_TRY(encl_bert_encode(&model->bert, &model->config, made, &value));
    if (!options->tokens) {
        ENCL_TRY(add_pooling(model, options, made, value, &value));
        if (normalize) {
            ENCL_TRY(encl_graph_normalize(made, value, &value));
        }
    }
    ENCL_TRY(encl_graph_output(made, value));
    *graph = made;
    made = NULL;
cleanup:
    encl_graph_destroy(made);
    return status;
}

// ---- Batches ----------------------------------------------------------------------------------------------

enum { MOST_IN_FLIGHT = 2 };

// A batch that is being filled or computed.
typedef struct batch {
    int32_t *ids;     // [capacity.tokens]
    int32_t *offsets; // [capacity.sequences + 1]
    int32_t tokens, sequences, panels;
    int64_t first_index; // of its first text
    encl_event *event;
} batch;

struct encl_embedder {
    const encl_model *model;
    encl_executable *executable;
    const char *prompt; // text put before every text, "" for none
    size_t depth;       // batches in flight
    size_t max_length;
    bool refuse_long;
    bool tokens;
    int32_t width;
    encl_encoding encoding;
    encl_string prompted;
    batch batches[MOST_IN_FLIGHT];
};

static encl_status find_prompt(const encl_model *model, const char *name, const char **prompt) {
    const encl_sentence_config *sentence = &model->sentence;
    name = name == NULL ? sentence->default_prompt : name;
    *prompt = "";
    if (name == NULL || *name == '\0') {
        return ENCL_OK;
    }
    bool found = false;
    for (size_t i = 0; i < sentence->prompt_count; i++) {
        if (strcmp(sentence->prompt_names[i], name) == 0) {
            *prompt = sentence->prompts[i];
            found = true;
        }
    }
    if (!found) {
        encl_string list = {0};
        for (size_t i = 0; i < sentence->prompt_count; i++) {
            if (encl_string_format(&list, "%s%s", i == 0 ? "" : ", ", sentence->prompt_names[i]) != ENCL_OK) {
                break;
            }
        }
        encl_status status = encl_fail(ENCL_NOT_FOUND, "%s: prompt '%s', the model has %s", model->path, name,
                                       list.text == NULL ? "none" : list.text);
        encl_string_free(&list);
        return status;
    }
    return sentence->include_prompt || **prompt == '\0'
               ? ENCL_OK
               : encl_fail(ENCL_UNSUPPORTED, "%s: pooling leaves out the prompt's tokens (include_prompt is false)",
                           model->path);
}

static encl_status set_limits(encl_embedder *e, const encl_embed_options *options) {
    const int64_t most = e->model->info.max_length;
    const int64_t wanted = options->max_length == 0 ? most : options->max_length;
    if (wanted < 2 || wanted > e->model->config.max_position) {
        return encl_fail(ENCL_INVALID, "max length %lld, the model takes 2 … %d tokens", (long long)wanted,
                         (int)e->model->config.max_position);
    }
    e->max_length = (size_t)wanted;
    e->refuse_long = options->refuse_long;
    e->tokens = options->tokens;
    return ENCL_OK;
}

// The longest text must fit an empty batch, or the pipeline would wait for room for ever.
static encl_status check_capacity(const encl_embedder *e) {
    const encl_capacity *capacity = &encl_executable_get_info(e->executable)->capacity;
    if ((size_t)capacity->tokens < e->max_length ||
        (size_t)capacity->panels < (e->max_length + ENCL_PANEL - 1) / ENCL_PANEL) {
        return encl_fail(ENCL_INVALID, "a batch of %d tokens and %d key panels cannot hold a text of %zu tokens",
                         (int)capacity->tokens, (int)capacity->panels, e->max_length);
    }
    return ENCL_OK;
}

encl_status encl_embedder_create(const encl_model *model, const encl_device *device, const encl_embed_options *options,
                                 encl_embedder **embedder) {
    encl_status status = ENCL_OK;
    encl_embedder *e = NULL;
    encl_graph *graph = NULL;
    *embedder = NULL;
    options = options == NULL ? &default_options : options;
    if (model->tokenizer == NULL) {
        return encl_fail(ENCL_INVALID, "a shape has no tokenizer, so it cannot embed texts");
    }
    encl_executable_options executable = options->executable;
    ENCL_TRY(encl_allocate(1, sizeof *e, (void **)&e));
    e->model = model;
    ENCL_TRY(find_prompt(model, options->prompt, &e->prompt));
    ENCL_TRY(set_limits(e, options));
    e->depth = executable.depth == 1 ? 1 : MOST_IN_FLIGHT;
    ENCL_TRY(encl_model_embed_graph(model, options, &graph));
    ENCL_TRY(encl_executable_create(device, graph, &executable, &e->executable));
    ENCL_TRY(check_capacity(e));
    const encl_capacity *capacity = &encl_executable_get_info(e->executable)->capacity;
    for (size_t i = 0; i < MOST_IN_FLIGHT; i++) {
        batch *b = &e->batches[i];
        ENCL_TRY(encl_allocate((size_t)capacity->tokens, sizeof *b->ids, (void **)&b->ids));
        ENCL_TRY(encl_allocate((size_t)capacity->sequences + 1, sizeof *b->offsets, (void **)&b->offsets));
    }
    const size_t modes = options->pooling_count > 0 ? options->pooling_count : model->sentence.pooling_count;
    e->width = model->config.hidden * (options->tokens ? 1 : (int32_t)modes);
    *embedder = e;
    e = NULL;
cleanup:
    encl_graph_destroy(graph);
    encl_embedder_destroy(e);
    return status;
}

void encl_embedder_destroy(encl_embedder *e) {
    if (e == NULL) {
        return;
    }
    for (size_t i = 0; i < MOST_IN_FLIGHT; i++) {
        encl_event_release(e->batches[i].event);
        free(e->batches[i].ids);
        free(e->batches[i].offsets);
    }
    encl_executable_destroy(e->executable);
    encl_encoding_free(&e->encoding);
    encl_string_free(&e->prompted);
    free(e);
}

int32_t encl_embedder_width(const encl_embedder *embedder) {
    return embedder->width;
}

const encl_executable_info *encl_embedder_get_info(const encl_embedder *embedder) {
    return encl_executable_get_info(embedder->executable);
}

// ---- The pipeline -----------------------------------------------------------------------------------------

// A run over a stream of texts. The encoding of a text that did not fit its batch waits in the embedder.
typedef struct stream {
    encl_embedder *e;
    encl_status (*next)(void *context, encl_text *text);
    void *next_context;
    encl_status (*sink)(void *context, const encl_embedding *embedding);
    void *sink_context;
    bool waiting; // an encoded text waits for the next batch
    bool ended;
    int64_t read; // texts read
    int64_t truncated;
} stream;

static encl_status encode_next(stream *s) {
    encl_embedder *e = s->e;
    encl_text text = {0};
    encl_status status = s->next(s->next_context, &text);
    if (status != ENCL_OK) {
        return status;
    }
    if (text.text == NULL) {
        s->ended = true;
        return ENCL_OK;
    }
    if (*e->prompt != '\0') {
        e->prompted.length = 0;
        status = encl_string_append(&e->prompted, e->prompt, strlen(e->prompt));
        status = status != ENCL_OK ? status : encl_string_append(&e->prompted, text.text, text.length);
        if (status != ENCL_OK) {
            return status;
        }
        text = (encl_text){e->prompted.text, e->prompted.length};
    }
    status = encl_tokenizer_encode(e->model->tokenizer, text.text, text.length, NULL, 0, e->max_length, &e->encoding);
    if (status != ENCL_OK) {
        return encl_fail_context(status, "text %lld", (long long)s->read + 1);
    }
    if (e->encoding.lost > 0 && e->refuse_long) {
        return encl_fail(ENCL_INVALID, "text %lld has %zu tokens, expected at most %zu", (long long)s->read + 1,
                         e->encoding.count + e->encoding.lost, e->max_length);
    }
    s->truncated += e->encoding.lost > 0;
    s->read++;
    s->waiting = true;
    return ENCL_OK;
}

// Adds the waiting text to the batch; false where it does not fit.
static bool add_text(stream *s, batch *b) {
    const encl_encoding *encoding = &s->e->encoding;
    const encl_capacity *capacity = &encl_executable_get_info(s->e->executable)->capacity;
    const int32_t count = (int32_t)encoding->count;
    const int32_t panels = (count + ENCL_PANEL - 1) / ENCL_PANEL;
    if (b->tokens + count > capacity->tokens || b->sequences + 1 > capacity->sequences ||
        b->panels + panels > capacity->panels) {
        return false;
    }
    memcpy(b->ids + b->tokens, encoding->ids, (size_t)count * sizeof *b->ids);
    b->tokens += count;
    b->panels += panels;
    b->offsets[++b->sequences] = b->tokens;
    s->waiting = false;
    return true;
}

static encl_status fill(stream *s, batch *b) {
    b->tokens = 0;
    b->sequences = 0;
    b->panels = 0;
    b->first_index = s->read - s->waiting;
    while (!s->ended) {
        if (!s->waiting) {
            encl_status status = encode_next(s);
            if (status != ENCL_OK) {
                return status;
            }
        }
        if (s->waiting && !add_text(s, b)) {
            break;
        }
    }
    return ENCL_OK;
}

static encl_status start(stream *s, batch *b) {
    const encl_batch packed = {.tokens = b->tokens, .sequences = b->sequences, .ids = b->ids, .offsets = b->offsets};
    return encl_executable_run(s->e->executable, &packed, false, &b->event);
}

// Waits for a batch and hands out its results in the order of the texts.
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
        const int32_t first = s->e->tokens ? b->offsets[i] : i;
        const encl_embedding embedding = {.index = b->first_index + i,
                                          .rows = s->e->tokens ? b->offsets[i + 1] - b->offsets[i] : 1,
                                          .columns = columns,
                                          .values = values + first * columns,
                                          .ids = b->ids + b->offsets[i],
                                          .token_count = (size_t)(b->offsets[i + 1] - b->offsets[i])};
        ENCL_TRY(s->sink(s->sink_context, &embedding));
    }
cleanup:
    encl_event_release(b->event);
    b->event = NULL;
    return status;
}

encl_status encl_embedder_run(encl_embedder *e, encl_status (*next)(void *context, encl_text *text), void *next_context,
                              encl_status (*sink)(void *context, const encl_embedding *embedding), void *sink_context,
                              int64_t *truncated) {
    encl_status status = ENCL_OK;
    stream s = {.e = e, .next = next, .next_context = next_context, .sink = sink, .sink_context = sink_context};
    size_t turn = 0;
    if (truncated != NULL) {
        *truncated = 0;
    }
    while (!s.ended || s.waiting) {
        batch *b = &e->batches[turn];
        // With two batches in flight: results of the batch before last, while the device computes the last one.
        ENCL_TRY(collect(&s, b));
        ENCL_TRY(fill(&s, b));
        if (b->sequences > 0) {
            ENCL_TRY(start(&s, b));
        }
        turn = (turn + 1) % e->depth;
    }
    for (size_t i = 0; i < e->depth; i++) {
        ENCL_TRY(collect(&s, &e->batches[(turn + i) % e->depth]));
    }
    if (truncated != NULL) {
        *truncated = s.truncated;
    }
cleanup:
    for (size_t i = 0; i < MOST_IN_FLIGHT; i++) {
        encl_event_release(e->batches[i].event);
        e->batches[i].event = NULL;
    }
    return status;
}

typedef struct text_list {
    const char *const *texts;
    size_t count, at;
    float *embeddings;
} text_list;

static encl_status next_of_list(void *context, encl_text *text) {
    text_list *list = context;
    if (list->at < list->count) {
        text->text = list->texts[list->at++];
        text->length = strlen(text->text);
    }
    return ENCL_OK;
}

static encl_status sink_to_list(void *context, const encl_embedding *embedding) {
    text_list *list = context;
    memcpy(list->embeddings + embedding->index * embedding->columns, embedding->values,
           (size_t)embedding->columns * sizeof(float));
    return ENCL_OK;
}

encl_status encl_embedder_embed(encl_embedder *embedder, const char *const *texts, size_t count, float *embeddings) {
    text_list list = {texts, count, 0, embeddings};
    if (embedder->tokens) {
        return encl_fail(ENCL_INVALID, "an embedder of tokens gives no single vector a text");
    }
    return encl_embedder_run(embedder, next_of_list, &list, sink_to_list, &list, NULL);
}
