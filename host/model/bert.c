#include "host/model/bert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A dimension of a weight.
typedef enum extent { NONE, HIDDEN, INTERMEDIATE, VOCABULARY, POSITIONS, TYPES } extent;

typedef struct weight_row {
    const char *name;
    extent rows, columns;
} weight_row;

static const weight_row embedding_rows[ENCL_BERT_EMBEDDING_WEIGHTS] = {
    {"embeddings.word_embeddings.weight", VOCABULARY, HIDDEN},
    {"embeddings.position_embeddings.weight", POSITIONS, HIDDEN},
    {"embeddings.token_type_embeddings.weight", TYPES, HIDDEN},
    {"embeddings.LayerNorm.weight", HIDDEN, NONE},
    {"embeddings.LayerNorm.bias", HIDDEN, NONE},
};

enum {
    QUERY,
    QUERY_BIAS,
    KEY,
    KEY_BIAS,
    VALUE,
    VALUE_BIAS,
    ATTENTION,
    ATTENTION_BIAS,
    ATTENTION_GAMMA,
    ATTENTION_BETA,
    UP,
    UP_BIAS,
    DOWN,
    DOWN_BIAS,
    GAMMA,
    BETA,
};
static const weight_row layer_rows[ENCL_BERT_LAYER_WEIGHTS] = {
    [QUERY] = {"attention.self.query.weight", HIDDEN, HIDDEN},
    [QUERY_BIAS] = {"attention.self.query.bias", HIDDEN, NONE},
    [KEY] = {"attention.self.key.weight", HIDDEN, HIDDEN},
    [KEY_BIAS] = {"attention.self.key.bias", HIDDEN, NONE},
    [VALUE] = {"attention.self.value.weight", HIDDEN, HIDDEN},
    [VALUE_BIAS] = {"attention.self.value.bias", HIDDEN, NONE},
    [ATTENTION] = {"attention.output.dense.weight", HIDDEN, HIDDEN},
    [ATTENTION_BIAS] = {"attention.output.dense.bias", HIDDEN, NONE},
    [ATTENTION_GAMMA] = {"attention.output.LayerNorm.weight", HIDDEN, NONE},
    [ATTENTION_BETA] = {"attention.output.LayerNorm.bias", HIDDEN, NONE},
    [UP] = {"intermediate.dense.weight", INTERMEDIATE, HIDDEN},
    [UP_BIAS] = {"intermediate.dense.bias", INTERMEDIATE, NONE},
    [DOWN] = {"output.dense.weight", HIDDEN, INTERMEDIATE},
    [DOWN_BIAS] = {"output.dense.bias", HIDDEN, NONE},
    [GAMMA] = {"output.LayerNorm.weight", HIDDEN, NONE},
    [BETA] = {"output.LayerNorm.bias", HIDDEN, NONE},
};

static const weight_row pooler_rows[ENCL_BERT_POOLER_WEIGHTS] = {
    {"pooler.dense.weight", HIDDEN, HIDDEN},
    {"pooler.dense.bias", HIDDEN, NONE},
};

static int64_t length_of(const encl_config *config, extent e) {
    switch (e) {
    case HIDDEN:
        return config->hidden;
    case INTERMEDIATE:
        return config->intermediate;
    case VOCABULARY:
        return config->vocabulary;
    case POSITIONS:
        return config->max_position;
    case TYPES:
        return config->type_vocabulary;
    default:
        return 0;
    }
}

typedef struct collector {
    const encl_config *config;
    encl_bert_find find;
    void *context;
} collector;

static encl_status collect(const collector *c, const char *prefix, const weight_row *row, bool optional,
                           encl_weight *weight, bool *found) {
    char name[128];
    snprintf(name, sizeof name, "%s%s", prefix, row->name);
    return c->find(c->context, name, length_of(c->config, row->rows), length_of(c->config, row->columns), optional,
                   weight, found);
}

encl_status encl_bert_collect(const encl_config *config, encl_bert_find find, void *context, encl_bert *bert) {
    encl_status status = ENCL_OK;
    const collector c = {config, find, context};
    encl_bert made = {.has_pooler = true};
    bool found = true;
    memset(bert, 0, sizeof *bert);
    for (size_t i = 0; i < ENCL_BERT_EMBEDDING_WEIGHTS; i++) {
        ENCL_TRY(collect(&c, "", &embedding_rows[i], false, &made.embeddings[i], &found));
    }
    ENCL_TRY(encl_allocate((size_t)config->layers, sizeof *made.layers, (void **)&made.layers));
    for (int32_t layer = 0; layer < config->layers; layer++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "encoder.layer.%d.", (int)layer);
        for (size_t i = 0; i < ENCL_BERT_LAYER_WEIGHTS; i++) {
            ENCL_TRY(collect(&c, prefix, &layer_rows[i], false, &made.layers[layer][i], &found));
        }
    }
    for (size_t i = 0; i < ENCL_BERT_POOLER_WEIGHTS; i++) {
        ENCL_TRY(collect(&c, "", &pooler_rows[i], true, &made.pooler[i], &found));
        made.has_pooler = made.has_pooler && found;
    }
    *bert = made;
    made.layers = NULL;
cleanup:
    free(made.layers);
    return status;
}

void encl_bert_free(encl_bert *bert) {
    free(bert->layers);
    memset(bert, 0, sizeof *bert);
}

static encl_status encode_layer(const encl_weight *w, const encl_config *config, encl_graph *graph, encl_value *x) {
    encl_status status = ENCL_OK;
    encl_value q, k, v, attended, projected, sum, middle, active, down;
    ENCL_TRY(encl_graph_linear(graph, *x, &w[QUERY], &w[QUERY_BIAS], &q));
    ENCL_TRY(encl_graph_linear(graph, *x, &w[KEY], &w[KEY_BIAS], &k));
    ENCL_TRY(encl_graph_linear(graph, *x, &w[VALUE], &w[VALUE_BIAS], &v));
    ENCL_TRY(encl_graph_attention(graph, q, k, v, config->heads, &attended));
    ENCL_TRY(encl_graph_linear(graph, attended, &w[ATTENTION], &w[ATTENTION_BIAS], &projected));
    ENCL_TRY(encl_graph_add(graph, projected, *x, &sum));
    ENCL_TRY(encl_graph_layer_norm(graph, sum, &w[ATTENTION_GAMMA], &w[ATTENTION_BETA], config->epsilon, &middle));
    ENCL_TRY(encl_graph_linear(graph, middle, &w[UP], &w[UP_BIAS], &active));
    ENCL_TRY(encl_graph_activation(graph, active, config->activation, &active));
    ENCL_TRY(encl_graph_linear(graph, active, &w[DOWN], &w[DOWN_BIAS], &down));
    ENCL_TRY(encl_graph_add(graph, down, middle, &sum));
    ENCL_TRY(encl_graph_layer_norm(graph, sum, &w[GAMMA], &w[BETA], config->epsilon, x));
cleanup:
    return status;
}

encl_status encl_bert_encode(const encl_bert *bert, const encl_config *config, encl_graph *graph, encl_value *hidden) {
    encl_status status = ENCL_OK;
    const encl_weight *e = bert->embeddings;
    encl_value x = 0;
    *hidden = 0;
    encl_graph_set_layer(graph, 0);
    ENCL_TRY(encl_graph_embed(graph, &e[0], &e[1], &e[2], &e[3], &e[4], config->epsilon, &x));
    for (int32_t layer = 0; layer < config->layers; layer++) {
        encl_graph_set_layer(graph, layer + 1);
        ENCL_TRY(encode_layer(bert->layers[layer], config, graph, &x));
    }
    encl_graph_set_layer(graph, config->layers + 1);
    encl_graph_keep_exact(graph, true);
    *hidden = x;
cleanup:
    return status;
}

encl_status encl_bert_pool(const encl_bert *bert, encl_graph *graph, encl_value hidden, encl_value *pooled) {
    encl_status status = ENCL_OK;
    encl_value first = 0;
    *pooled = 0;
    ENCL_TRY(encl_graph_select(graph, hidden, ENCL_SELECT_FIRST, &first));
    ENCL_TRY(encl_graph_linear(graph, first, &bert->pooler[0], &bert->pooler[1], &first));
    ENCL_TRY(encl_graph_activation(graph, first, ENCL_ACTIVATION_TANH, pooled));
cleanup:
    return status;
}
