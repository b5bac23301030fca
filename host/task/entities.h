// From the logits of tokens to entities, as the token-classification pipeline of transformers does it.
#ifndef ENCL_TASK_ENTITIES_H
#define ENCL_TASK_ENTITIES_H

#include "host/encl_model.h"
#include "runtime/base/memory.h"

// A token of a window.
typedef struct encl_piece {
    int32_t start, end; // code points of the text
    int32_t id;
    bool continues; // belongs to the word of the token before it
} encl_piece;

// Collects the entities of one text, window by window.
typedef struct encl_entity_list {
    encl_aggregation aggregation;
    const char *const *labels; // [label_count]
    size_t label_count;
    double *scores; // [2, label_count] of a word, of a token
    encl_entity *entities;
    size_t count;
    size_t capacity;
} encl_entity_list;

encl_status encl_entity_list_init(const char *const *labels, size_t label_count, encl_aggregation aggregation,
                                  encl_entity_list *list);
void encl_entity_list_free(encl_entity_list *list);

// Appends the entities of a window's tokens (special tokens left out); logits are [count, label_count].
encl_status encl_entity_list_add(encl_entity_list *list, const encl_piece *pieces, const float *logits, size_t count);
// Leaves, of entities that overlap, one: the longest, of equal ones that with the highest score. For a text of several
// windows.
void encl_entity_list_merge(encl_entity_list *list);

// The first of the highest.
int32_t encl_highest(const float *logits, size_t count);

#endif
