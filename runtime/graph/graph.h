// The graph as it is built: nodes in the order they were added, which is an order they can run in.
#ifndef ENCL_GRAPH_GRAPH_H
#define ENCL_GRAPH_GRAPH_H

#include "runtime/base/memory.h"

typedef enum encl_node_kind {
    ENCL_NODE_EMBED,
    ENCL_NODE_LINEAR,
    ENCL_NODE_ACTIVATION,
    ENCL_NODE_ADD,
    ENCL_NODE_LAYER_NORM,
    ENCL_NODE_ATTENTION,
    ENCL_NODE_SELECT,
    ENCL_NODE_POOL,
    ENCL_NODE_NORMALIZE,
    ENCL_NODE_TOP_K,
} encl_node_kind;

// What a value's rows stand for.
typedef enum encl_rows {
    ENCL_ROWS_TOKENS,    // T
    ENCL_ROWS_SEQUENCES, // B
    ENCL_ROWS_SELECTED,  // R
} encl_rows;

enum { ENCL_NODE_INPUTS = 3, ENCL_NODE_WEIGHTS = 5, ENCL_NODE_POOLINGS = 8 };

typedef struct encl_node {
    encl_node_kind kind;
    encl_rows rows;
    int32_t width;
    int32_t layer;
    encl_value inputs[ENCL_NODE_INPUTS]; // 0: unused
    int32_t weights[ENCL_NODE_WEIGHTS];  // indices into the graph's weights; -1: none
    float epsilon;
    int32_t heads;
    encl_activation activation;
    encl_selection selection;
    encl_pooling poolings[ENCL_NODE_POOLINGS];
    size_t pooling_count;
    int32_t top_k;
    bool exact; // LINEAR: computes in float32
} encl_node;

struct encl_graph {
    encl_node *nodes; // value v is nodes[v - 1]
    size_t node_count, node_capacity;
    encl_weight *weights; // names are copies
    size_t weight_count, weight_capacity;
    encl_value *outputs;
    size_t output_count, output_capacity;
    int32_t layer;
    bool exact;              // of linear nodes to come
    encl_weight_store store; // find NULL: weights are read from their sources
};

static inline const encl_node *encl_graph_node(const encl_graph *graph, encl_value value) {
    return &graph->nodes[value - 1];
}

#endif
