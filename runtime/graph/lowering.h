// Lowering from the inside: what the files that turn nodes into steps share.
#ifndef ENCL_GRAPH_LOWERING_H
#define ENCL_GRAPH_LOWERING_H

#include "runtime/graph/schedule.h"

// Where a node's value stands: columns [column, column + width) of a tensor's rows.
typedef struct encl_value_place {
    int32_t tensor; // -1: nowhere yet
    int32_t column;
} encl_value_place;

// A product whose epilogue may still grow: it is emitted by the node that ends it.
typedef struct encl_pending_product {
    encl_value linear; // 0: none
    encl_activation activation;
} encl_pending_product;

typedef struct encl_lowerer {
    const encl_graph *graph;
    const encl_lowering *lowering;
    encl_schedule *schedule;
    encl_need *needs;
    int32_t *uses;    // of each value, by live nodes and outputs
    encl_value *user; // the last node that uses it
    encl_value_place *places;
    encl_value_place (*gathered)[2]; // the value's first and listed rows
    encl_pending_product *pendings;
    int32_t layer;
} encl_lowerer;

static inline encl_operand encl_tensor_operand(int32_t tensor) {
    return (encl_operand){ENCL_OPERAND_TENSOR, tensor};
}

static inline encl_operand encl_input_operand(encl_input input) {
    return (encl_operand){ENCL_OPERAND_INPUT, (int32_t)input};
}

// What counts the rows of a value that are computed.
encl_count encl_lower_rows_of(const encl_lowerer *l, encl_value value);
encl_status encl_lower_add_tensor(encl_lowerer *l, encl_count count, int32_t width, int32_t *index);
// Adds a weight. Its layout, sources and parts are said; rows and columns follow from the sources, of which one that is
// -1 has `zeros` rows.
encl_status encl_lower_add_weight(encl_lowerer *l, const encl_weight_plan *weight, int64_t zeros,
                                  encl_operand *operand);
// Chooses the step's kernel rows. A LINEAR step keeps every tile height of the best row's family, format and order.
encl_status encl_lower_choose_rows(encl_lowerer *l, encl_step *step);
// Chooses the kernel row that packs a weight in panels.
encl_status encl_lower_choose_pack(encl_lowerer *l, encl_weight_plan *weight);
// Adds a step, with rows chosen where it has none.
encl_status encl_lower_add_step(encl_lowerer *l, encl_step *step);
// The tensor that holds exactly these rows of a value; gathers them once where the value has more.
encl_status encl_lower_tensor_of(encl_lowerer *l, encl_value value, encl_count rows, int32_t *tensor);
// why.c: says in words why the step's rows, or the library, serve.
encl_status encl_lower_say_why(encl_lowerer *l, encl_step *step);

// schedule_linear.c
// What a linear node's product computes in.
encl_precision encl_lower_precision(const encl_lowerer *l, encl_value linear);
// One product of the linear nodes values[0 … count), which share their input, rows and precision, side by side.
// residual: a tensor to add, -1: none; padded: rows are kept apart for the product that reads them.
encl_status encl_lower_linear(encl_lowerer *l, const encl_value *values, int32_t count, encl_activation activation,
                              int32_t residual, bool padded, int32_t *tensor);
encl_status encl_lower_linear_node(encl_lowerer *l, encl_value value);
encl_status encl_lower_activation(encl_lowerer *l, encl_value value, const encl_node *node);
encl_status encl_lower_add(encl_lowerer *l, encl_value value, const encl_node *node);

// schedule_attention.c
encl_status encl_lower_attention(encl_lowerer *l, encl_value value, const encl_node *node);

#endif
