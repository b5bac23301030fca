// A model from the inside.
#ifndef ENCL_MODEL_MODEL_H
#define ENCL_MODEL_MODEL_H

#include "host/checkpoint/packed.h"
#include "host/encl_model.h"
#include "host/model/bert.h"
#include "host/model/head.h"
#include "host/model/sentence.h"
#include "host/model/state_dict.h"
#include "host/text/tokenizer.h"
#include "runtime/base/hash.h"

// Texts that a model owns.
typedef struct encl_texts {
    char **texts;
    size_t count;
    size_t capacity;
} encl_texts;
encl_status encl_texts_add(encl_texts *texts, const char *text);
void encl_texts_free(encl_texts *texts); // zeroed ones are allowed

// ERNIE's token types: every row with the first of the tasks added.
typedef struct encl_task_types {
    const encl_tensor *types;
    const encl_tensor *tasks;
} encl_task_types;

struct encl_model {
    encl_model_info info;
    char *path;
    encl_config config;
    encl_sentence_config sentence;
    encl_checkpoint *checkpoint; // NULL for a shape
    encl_state_dict *state;      // its tensors; NULL for a shape
    encl_tokenizer *tokenizer;   // NULL for a shape
    encl_task_types task_types;
    encl_bert bert;
    encl_head_weights heads[ENCL_HEADS];
    void *random;            // of a shape: what its weights are drawn from
    encl_packed_info packed; // of a packed model; info points at it
    // What info shows.
    const char *head_names[ENCL_HEADS];
    encl_texts missing;
    encl_texts unused;
    encl_texts notes;
};

// The rest of encl_model_open_shape: fills config and bert with seeded random weights.
encl_status encl_model_randomize(encl_model *model, const char *shape, uint64_t seed);

// A graph that has the model's encoder: *hidden is the last hidden state [T, H]. Weights of a packed model come from
// its file. The model must outlive the graph and its executables.
encl_status encl_model_encode(const encl_model *model, encl_graph **graph, encl_value *hidden);

// ---- model_files.c ----------------------------------------------------------------------------------------

// Adds the names of files beside the weights, as they are in the model's folder: of sentence-transformers, and all.
encl_status encl_model_list_sentence_files(const encl_model *model, encl_texts *names);
encl_status encl_model_list_files(const encl_model *model, encl_texts *names);

// ---- weights.c --------------------------------------------------------------------------------------------

// The tensor of a name as transformers has it, with or without the prefix `bert.`; NULL: none, as of a shape.
const encl_tensor *encl_model_find_tensor(const encl_model *model, const char *name);
// The weight that a tensor is, whose shape must be [rows, columns] of floats; columns = 0: a vector. `path` is for
// messages.
encl_status encl_model_weight(const char *path, const encl_tensor *tensor, int64_t rows, int64_t columns,
                              encl_weight *weight);
// The weight of a name, whose shape must be [rows, columns] (columns = 0: a vector of floats), as encl_bert_find says.
// The context is the model, whose tensor is marked as used.
encl_status encl_model_find_weight(void *context, const char *name, int64_t rows, int64_t columns, bool optional,
                                   encl_weight *weight, bool *found);
// Marks the tensor of a name, if there is one, as used without making a weight of it.
void encl_model_use_tensor(encl_model *model, const char *name);
// Finds the encoder's weights: bert.h's, with ERNIE's tasks added.
encl_status encl_model_collect(encl_model *model);
bool encl_dtype_is_float(encl_dtype dtype); // what a weight may be

// ---- identity.c -------------------------------------------------------------------------------------------

// A name for the model's numbers: a hash of its configuration and of a few numbers of every tensor, wherever its files
// lie. Training changes all tensors it touches, so models that were trained apart have other names.
encl_status encl_model_identity(const encl_model *model, char text[ENCL_HASH_TEXT]);

// ---- info.c -----------------------------------------------------------------------------------------------

// Fills info from everything else.
encl_status encl_model_fill_info(encl_model *model);
// Keeps a note for info and logs it.
encl_status encl_model_note(encl_model *model, const char *text);

#endif
