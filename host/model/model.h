// A model from the inside.
#ifndef ENCL_MODEL_MODEL_H
#define ENCL_MODEL_MODEL_H

#include "host/checkpoint/checkpoint.h"
#include "host/encl_model.h"
#include "host/model/bert.h"
#include "host/model/head.h"
#include "host/model/sentence.h"
#include "host/text/tokenizer.h"

struct encl_model {
    encl_model_info info;
    char *path;
    encl_config config;
    encl_sentence_config sentence;
    encl_checkpoint *checkpoint; // NULL for a shape
    encl_tokenizer *tokenizer;   // NULL for a shape
    encl_bert bert;
    encl_head_weights heads[ENCL_HEADS];
    void *random; // of a shape: what its weights are drawn from
};

// The rest of encl_model_open_shape: fills config and bert with seeded random weights.
encl_status encl_model_randomize(encl_model *model, const char *shape, uint64_t seed);

// The tensor of a name as transformers has it, with or without the prefix `bert.`; NULL: none.
const encl_tensor *encl_model_find_tensor(const encl_model *model, const char *name);
// The weight that a tensor is, whose shape must be [rows, columns] of floats; columns = 0: a vector. `path` is for
// messages.
encl_status encl_model_weight(const char *path, const encl_tensor *tensor, int64_t rows, int64_t columns,
                              encl_weight *weight);
// The weight of a name, whose shape must be [rows, columns] (columns = 0: a vector of floats), as encl_bert_find says.
// The context is the model.
encl_status encl_model_find_weight(void *context, const char *name, int64_t rows, int64_t columns, bool optional,
                                   encl_weight *weight, bool *found);

#endif
