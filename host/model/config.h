// What config.json says of a BERT-family encoder.
#ifndef ENCL_MODEL_CONFIG_H
#define ENCL_MODEL_CONFIG_H

#include "runtime/base/folder.h"

// Texts are never NULL. Immutable once read.
typedef struct encl_config {
    char *architecture; // "BertForMaskedLM": the first of `architectures`; "" where there is none
    char *model_type;   // "bert"
    char *dtype;        // "float32", of the weights as they were saved; "" where it is not said
    char *problem_type; // "multi_label_classification"; "" where it is not said
    int32_t layers;
    int32_t hidden;
    int32_t heads;
    int32_t intermediate;
    int32_t vocabulary;
    int32_t max_position;
    int32_t type_vocabulary;
    int32_t pad_id;
    float epsilon; // of every LayerNorm
    encl_activation activation;
    bool tied;     // the MLM decoder is the word embedding table, unless another is stored
    char **labels; // [label_count] a class index → its name
    size_t label_count;
} encl_config;

// Reads the folder's config.json (else bert_config.json, as Google's releases call it). What BERT does not do is
// UNSUPPORTED, what no model can be is FORMAT; the message names file, key, found and expected. `config` is zeroed
// on failure. The caller frees it.
encl_status encl_config_read(const encl_folder *folder, encl_config *config);
void encl_config_free(encl_config *config); // a zeroed config is allowed

#endif
