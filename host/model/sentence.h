// What a sentence-transformers folder says of turning tokens into an embedding: modules.json, config.json of the
// Pooling and Dense modules, sentence_bert_config.json and config_sentence_transformers.json.
#ifndef ENCL_MODEL_SENTENCE_H
#define ENCL_MODEL_SENTENCE_H

#include "host/model/config.h"
#include "host/model/dense.h"

// As many poolings stand side by side in a graph.
enum { ENCL_POOLING_MODES = ENCL_POOLING_LAST + 1, ENCL_SENTENCE_POOLINGS = 8 };

typedef struct encl_sentence_config {
    bool found;           // the folder has modules.json
    char *transformer;    // folder of weights and config.json below the model's; "": the model's own
    size_t pooling_count; // at least 1
    encl_pooling pooling[ENCL_SENTENCE_POOLINGS]; // in the order in which vectors are concatenated
    bool include_prompt; // false: the prompt's tokens (with [CLS], without [SEP]) are not pooled
    encl_dense *dense;   // [dense_count] what follows pooling, but for a Normalize at the end
    size_t dense_count, dense_capacity;
    int32_t width;        // numbers in an embedding
    bool normalize;       // the vector is divided by its length in the end
    bool lower_case;      // texts are lowercased before they are tokenized
    int32_t max_sequence; // tokens with special ones, at most the config's max_position; -1: not said
    char *similarity;     // "cosine", "dot", …; "" where it is not said
    char **prompt_names;  // [prompt_count]
    char **prompts;       // [prompt_count] put before the text
    size_t prompt_count;
    const char *default_prompt; // one of prompt_names, or NULL
} encl_sentence_config;

// Without modules.json: found is false and the rest is what sentence-transformers does then (mean pooling), with
// normalize on. A module that is not implemented (LSTM, …) is UNSUPPORTED. `sentence` is zeroed on failure. The caller
// frees it. Weights of Dense modules are still to be opened (encl_dense_open).
encl_status encl_sentence_config_read(const encl_folder *folder, const encl_config *config,
                                      encl_sentence_config *sentence);
void encl_sentence_config_free(encl_sentence_config *sentence); // a zeroed one is allowed

#endif
