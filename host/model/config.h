// What a model's configuration file says of a BERT-family encoder.
#ifndef ENCL_MODEL_CONFIG_H
#define ENCL_MODEL_CONFIG_H

#include "runtime/base/folder.h"

// Texts are never NULL. Immutable once read.
typedef struct encl_config {
    char *file;         // name of the file in the folder: "config.json"
    char *architecture; // "BertForMaskedLM": the first of `architectures`, or Paddle's init_class; "": not said
    char *model_type;   // "bert", "ernie", "roberta"; where the file has none, what the architecture says, else "bert"
    char *note;         // what a user should know of how the file was read; "" for nothing
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
    bool tied;          // the MLM decoder is the word embedding table, unless another is stored
    int32_t task_types; // rows of a table whose first row ERNIE adds to every token; 0: it has none
    char **labels;      // [label_count] a class index → its name
    size_t label_count;
    bool labels_named; // the file names them; else they are LABEL_0, LABEL_1, …
} encl_config;

// Reads the folder's configuration: config.json, else Google's bert_config.json, else the only bert_config*.json, else
// PaddleNLP's model_config.json. What BERT does not do is UNSUPPORTED, what no model can be is FORMAT; the message
// names file, key, found and expected. `config` is zeroed on failure. The caller frees it.
encl_status encl_config_read(const encl_folder *folder, encl_config *config);
// Replaces the labels by `count` numbered ones.
encl_status encl_config_number_labels(encl_config *config, size_t count);
void encl_config_free(encl_config *config); // a zeroed config is allowed

#endif
