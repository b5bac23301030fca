// BERT (Devlin et al. 2019) as a graph: which weights it has, what they are called, and how they are joined.
#ifndef ENCL_MODEL_BERT_H
#define ENCL_MODEL_BERT_H

#include "host/model/config.h"

enum { ENCL_BERT_EMBEDDING_WEIGHTS = 5, ENCL_BERT_LAYER_WEIGHTS = 16, ENCL_BERT_POOLER_WEIGHTS = 2 };

// Weights in the order of the tables in bert.c.
typedef struct encl_bert {
    encl_weight embeddings[ENCL_BERT_EMBEDDING_WEIGHTS];
    encl_weight (*layers)[ENCL_BERT_LAYER_WEIGHTS]; // [config.layers]
    encl_weight pooler[ENCL_BERT_POOLER_WEIGHTS];
    bool has_pooler;
} encl_bert;

// Gives the weight of a name ("encoder.layer.0.attention.self.query.weight", without the prefix `bert.`) with a shape;
// columns = 0 is a vector. `optional`: *found may become false, else a missing weight is an error.
typedef encl_status (*encl_bert_find)(void *context, const char *name, int64_t rows, int64_t columns, bool optional,
                                      encl_weight *weight, bool *found);

// Finds every weight of a configuration. The caller frees with encl_bert_free. Weights' names belong to whoever found
// them and must live as long as `bert`.
encl_status encl_bert_collect(const encl_config *config, encl_bert_find find, void *context, encl_bert *bert);
void encl_bert_free(encl_bert *bert);

// Adds the encoder to a graph; *hidden is the last hidden state [T, H].
encl_status encl_bert_encode(const encl_bert *bert, const encl_config *config, encl_graph *graph, encl_value *hidden);
// tanh(W · first token + b): [B, H].
encl_status encl_bert_pool(const encl_bert *bert, encl_graph *graph, encl_value hidden, encl_value *pooled);

#endif
