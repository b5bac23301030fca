// What a model has behind its encoder: which weights each head needs, and its graph. The shapes and their names are
// transformers' BertFor… classes.
#ifndef ENCL_MODEL_HEAD_H
#define ENCL_MODEL_HEAD_H

#include "host/encl_model.h"
#include "host/model/config.h"

typedef enum encl_head {
    ENCL_HEAD_FILL_MASK,       // masked language model: [R, vocabulary] logits of the listed rows
    ENCL_HEAD_NEXT_SENTENCE,   // [B, 2]: is next, is not next
    ENCL_HEAD_CLASSIFY,        // [B, labels]
    ENCL_HEAD_NER,             // [T, labels]
    ENCL_HEAD_QA,              // [T, 2]: start, end
    ENCL_HEAD_MULTIPLE_CHOICE, // [B, 1]
    ENCL_HEADS
} encl_head;

enum { ENCL_HEAD_WEIGHTS = 6 };

// The weights of one head, in the order of its row in head.c.
typedef struct encl_head_weights {
    encl_weight weights[ENCL_HEAD_WEIGHTS];
    int32_t width; // columns of its logits; 0: the model has no such head
} encl_head_weights;

const char *encl_head_name(encl_head head); // "fill-mask", as `info` says it

// OK where the model has the head, else UNSUPPORTED saying which tensor is missing.
encl_status encl_head_require(const encl_model *model, encl_head head);
int32_t encl_head_width(const encl_model *model, encl_head head); // columns of its logits, 0: none

// Adds the head to a graph; hidden is the last hidden state [T, H].
encl_status encl_head_add(const encl_model *model, encl_head head, encl_graph *graph, encl_value hidden,
                          encl_value *logits);

// The model's encoder with the head behind it; output 0 is the logits.
encl_status encl_head_graph(const encl_model *model, encl_head head, encl_graph **graph);

// Finds the weights of every head that the model's tensors and architecture have. Where the configuration names no
// labels, a classifier's rows say how many there are; labels that it names must be as many.
encl_status encl_head_collect(encl_model *model);
// Calls add() with the name of every tensor that the architecture's heads and pooler need and the model lacks.
encl_status encl_head_list_missing(const encl_model *model, encl_status (*add)(void *context, const char *name),
                                   void *context);
// Whether the MLM head is as it was before training: gain 1, shift 0, bias 0, to the bit.
encl_status encl_head_is_untrained(const encl_model *model, bool *untrained);

#endif
