// The tensors of a checkpoint as Hugging Face transformers has them, whichever library stored them: names such as
// "encoder.layer.0.output.dense.weight" without the encoder's prefix (`bert.`), matrices as [out, in]. Nothing is
// copied: a transposed matrix is a view. Immutable once made but for the marks of use, which are set while a model is
// opened.
#ifndef ENCL_MODEL_STATE_DICT_H
#define ENCL_MODEL_STATE_DICT_H

#include "host/checkpoint/checkpoint.h"

typedef struct encl_state_entry {
    char *name;                // Hugging Face's; of what is ignored or not known, the stored one
    encl_tensor tensor;        // as Hugging Face lays it out; its own name is the stored one
    const encl_tensor *stored; // the checkpoint's
    bool transposed;           // tensor is the transposed of stored
    bool ignored;              // no weight: an optimizer's slot, a step counter, position ids
    bool used;                 // something of the model is made of it
} encl_state_entry;

typedef struct encl_state_dict encl_state_dict;

// Names every tensor of the checkpoint, which must outlive the result. `architecture` ("BertForQuestionAnswering", "":
// not known) decides what a name means that several heads share. Two tensors of one name are FORMAT naming both;
// `place` begins that message.
encl_status encl_state_dict_create(const char *place, const encl_checkpoint *checkpoint, const char *architecture,
                                   encl_state_dict **state);
void encl_state_dict_free(encl_state_dict *state); // NULL is allowed

size_t encl_state_dict_count(const encl_state_dict *state);
const encl_state_entry *encl_state_dict_at(const encl_state_dict *state, size_t index); // sorted by name
// The entry of a name as Hugging Face has it, with or without the prefix `bert.`; what is ignored is not found.
const encl_state_entry *encl_state_dict_find(const encl_state_dict *state, const char *name);
void encl_state_dict_use(encl_state_dict *state, const encl_state_entry *entry);

// Whether a name as Hugging Face has it, without prefix, is of the encoder: what `bert.` stands before.
bool encl_state_is_encoder(const char *name);

// Appends how a dialect calls the weight of a name: "encoder.layer.0.output.dense.weight" →
// "bert/encoder/layer_0/output/dense/kernel". For messages.
encl_status encl_state_stored_name(encl_dialect dialect, const char *name, encl_string *stored);

#endif
