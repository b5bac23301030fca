// Embeddings: the graph, texts in, vectors out.
#include <stdlib.h>
#include <string.h>

#include "host/task/pipeline.h"
#include "host/task/reader.h"

static const encl_embed_options default_options = {0};

// ---- The graph --------------------------------------------------------------------------------------------

// Numbers that pooling gives.
static int32_t pooled_width(const encl_model *model, const encl_embed_options *options) {
    const size_t count = options->pooling_count > 0 ? options->pooling_count : model->sentence.pooling_count;
    return (int32_t)count * model->config.hidden;
}

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

// The modules between pooling and the last normalization.
static encl_status add_dense(const encl_model *model, const encl_embed_options *options, encl_graph *graph,
                             encl_value *value) {
    const encl_sentence_config *sentence = &model->sentence;
    int32_t width = pooled_width(model, options);
    encl_status status = ENCL_OK;
    for (size_t i = 0; i < sentence->dense_count && status == ENCL_OK; i++) {
        const encl_dense *dense = &sentence->dense[i];
        if (dense->module != NULL && dense->in != width) {
            return encl_fail(ENCL_INVALID, "pooling gives %d numbers, the model's module %s takes %d", (int)width,
                             dense->module, (int)dense->in);
        }
        width = dense->module != NULL ? dense->out : width;
        status = encl_dense_add(dense, graph, value);
    }
    return status;
}

encl_status encl_model_embed_graph(const encl_model *model, const encl_embed_options *options, encl_graph **graph) {
    encl_status status = ENCL_OK;
    encl_graph *made = NULL;
    encl_value value = 0;
    *graph = NULL;
    options = options == NULL ? &default_options : options;
    const bool normalize =
        options->normalize == ENCL_CHOICE_MODEL ? model->sentence.normalize : options->normalize == ENCL_CHOICE_YES;
    ENCL_TRY(encl_model_encode(model, &made, &value));
    if (!options->tokens) {
        ENCL_TRY(add_pooling(model, options, made, value, &value));
        ENCL_TRY(add_dense(model, options, made, &value));
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

// ---- The embedder -----------------------------------------------------------------------------------------

struct encl_embedder {
    const char *prompt; // text put before every text, "" for none
    int32_t skip;       // tokens of [CLS] and the prompt that are not pooled
    encl_reader reader;
    encl_string prompted; // the last text with its prompt
    encl_pipeline *pipeline;
    bool tokens;
    int32_t width;
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
            if (encl_string_list(&list, sentence->prompt_names[i]) != ENCL_OK) {
                break;
            }
        }
        encl_status status = encl_fail(ENCL_NOT_FOUND, "%s: prompt '%s', the model has %s", model->path, name,
                                       list.text == NULL ? "none" : list.text);
        encl_string_free(&list);
        return status;
    }
    return ENCL_OK;
}

// Where pooling leaves out the prompt: its tokens as it stands alone, with [CLS] and without [SEP].
static encl_status count_skipped(const encl_model *model, encl_embedder *e) {
    e->skip = 0;
    if (model->sentence.include_prompt || *e->prompt == '\0') {
        return ENCL_OK;
    }
    const encl_status status = encl_tokenizer_encode(model->tokenizer, e->prompt, strlen(e->prompt), NULL, 0,
                                                     (size_t)e->reader.max_length, &e->reader.encoding);
    if (status != ENCL_OK) {
        return encl_fail_context(status, "%s: the prompt", model->path);
    }
    e->skip = (int32_t)e->reader.encoding.count - 1;
    return ENCL_OK;
}

encl_status encl_embedder_create(const encl_model *model, const encl_device *device, const encl_embed_options *options,
                                 encl_embedder **embedder) {
    encl_status status = ENCL_OK;
    encl_embedder *e = NULL;
    encl_graph *graph = NULL;
    *embedder = NULL;
    options = options == NULL ? &default_options : options;
    ENCL_TRY(encl_allocate(1, sizeof *e, (void **)&e));
    ENCL_TRY(encl_reader_init(model, options->max_length, options->refuse_long, &e->reader));
    ENCL_TRY(find_prompt(model, options->prompt, &e->prompt));
    ENCL_TRY(count_skipped(model, e));
    ENCL_TRY(encl_model_embed_graph(model, options, &graph));
    ENCL_TRY(encl_pipeline_create(device, &graph, &options->executable,
                                  options->tokens ? ENCL_RESULT_TOKENS : ENCL_RESULT_SEQUENCES, e->reader.max_length,
                                  &e->pipeline));
    e->tokens = options->tokens;
    e->width = options->tokens                   ? model->config.hidden
               : model->sentence.dense_count > 0 ? model->sentence.width
                                                 : pooled_width(model, options);
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
    encl_pipeline_destroy(e->pipeline);
    encl_reader_free(&e->reader);
    encl_string_free(&e->prompted);
    free(e);
}

int32_t encl_embedder_width(const encl_embedder *embedder) {
    return embedder->width;
}

const encl_executable_info *encl_embedder_get_info(const encl_embedder *embedder) {
    return encl_pipeline_get_info(embedder->pipeline);
}

// ---- The run ----------------------------------------------------------------------------------------------

typedef struct result_stream {
    encl_status (*sink)(void *context, const encl_embedding *embedding);
    void *context;
} result_stream;

static encl_status next_sequence(void *context, encl_sequence *sequence) {
    encl_embedder *e = context;
    encl_status status = ENCL_OK;
    encl_text text;
    ENCL_TRY(encl_reader_next(&e->reader, &text));
    if (text.text == NULL) {
        return ENCL_OK;
    }
    if (*e->prompt != '\0') {
        e->prompted.length = 0;
        ENCL_TRY(encl_string_append(&e->prompted, e->prompt, strlen(e->prompt)));
        ENCL_TRY(encl_string_append(&e->prompted, text.text, text.length));
        text.text = e->prompted.text;
        text.length = e->prompted.length;
    }
    ENCL_TRY(encl_reader_encode(&e->reader, &text));
    sequence->ids = e->reader.encoding.ids;
    sequence->types = e->reader.encoding.types;
    sequence->count = (int32_t)e->reader.encoding.count;
    // A text and its prompt may share tokens; the last one, [SEP], is always pooled.
    sequence->skip = e->skip < sequence->count ? e->skip : sequence->count - 1;
cleanup:
    return status;
}

static encl_status hand_out(void *context, const encl_sequence_result *result) {
    const result_stream *results = context;
    const encl_embedding embedding = {
        .index = result->index,
        .rows = result->rows,
        .columns = result->columns,
        .values = result->values,
        .ids = result->ids,
        .token_count = (size_t)result->count,
    };
    const encl_status status = encl_result_check_finite(result, result->index);
    return status == ENCL_OK ? results->sink(results->context, &embedding) : status;
}

encl_status encl_embedder_run(encl_embedder *e, encl_status (*next)(void *context, encl_text *text), void *next_context,
                              encl_status (*sink)(void *context, const encl_embedding *embedding), void *sink_context,
                              int64_t *truncated) {
    result_stream results = {sink, sink_context};
    if (truncated != NULL) {
        *truncated = 0;
    }
    encl_reader_start(&e->reader, next, next_context);
    encl_status status = encl_pipeline_run(e->pipeline, next_sequence, e, hand_out, &results);
    if (status == ENCL_OK && truncated != NULL) {
        *truncated = e->reader.truncated;
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
