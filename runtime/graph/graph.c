#include "runtime/graph/graph.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/op/operator.h"

encl_status encl_graph_create(encl_graph **graph) {
    *graph = NULL;
    return encl_allocate(1, sizeof **graph, (void **)graph);
}

void encl_graph_destroy(encl_graph *graph) {
    if (graph == NULL) {
        return;
    }
    for (size_t i = 0; i < graph->weight_count; i++) {
        free((char *)(uintptr_t)graph->weights[i].name);
    }
    free(graph->weights);
    free(graph->nodes);
    free(graph->outputs);
    free(graph);
}

void encl_graph_set_layer(encl_graph *graph, int32_t layer) {
    graph->layer = layer;
}

void encl_graph_keep_exact(encl_graph *graph, bool exact) {
    graph->exact = exact;
}

static bool is_value(const encl_graph *graph, encl_value value) {
    return value > 0 && (size_t)value <= graph->node_count;
}

// Copies a weight whose shape must be [rows, columns]; rows < 0: any.
static encl_status add_weight(encl_graph *graph, const encl_weight *weight, int64_t rows, int64_t columns,
                              int32_t *index) {
    *index = -1;
    if (weight == NULL || weight->read == NULL) {
        return encl_fail(ENCL_INVALID, "a weight of [%lld, %lld] is missing", (long long)rows, (long long)columns);
    }
    if ((rows >= 0 && weight->rows != rows) || weight->columns != columns || weight->rows < 1 ||
        weight->rows > INT32_MAX || weight->columns > INT32_MAX) {
        return encl_fail(ENCL_INVALID, "weight %s is [%lld, %lld], expected [%lld, %lld]", weight->name,
                         (long long)weight->rows, (long long)weight->columns, (long long)rows, (long long)columns);
    }
    encl_weight copy = *weight;
    char *name = NULL;
    encl_status status = encl_copy_text(weight->name, strlen(weight->name), &name);
    if (status == ENCL_OK) {
        status = encl_reserve((void **)&graph->weights, &graph->weight_capacity, graph->weight_count + 1,
                              sizeof *graph->weights);
    }
    if (status != ENCL_OK) {
        free(name);
        return status;
    }
    copy.name = name;
    *index = (int32_t)graph->weight_count;
    graph->weights[graph->weight_count++] = copy;
    return ENCL_OK;
}

static encl_status add_node(encl_graph *graph, const encl_node *node, encl_value *value) {
    *value = 0;
    encl_status status =
        encl_reserve((void **)&graph->nodes, &graph->node_capacity, graph->node_count + 1, sizeof *graph->nodes);
    if (status != ENCL_OK) {
        return status;
    }
    graph->nodes[graph->node_count] = *node;
    graph->nodes[graph->node_count].layer = graph->layer;
    graph->nodes[graph->node_count].exact = graph->exact;
    *value = (encl_value)++graph->node_count;
    return ENCL_OK;
}

// A node of one input whose rows and width it keeps unless changed afterwards.
static encl_status start_node(const encl_graph *graph, encl_node_kind kind, const char *name, encl_value x,
                              encl_node *node) {
    if (!is_value(graph, x)) {
        return encl_fail(ENCL_INVALID, "%s: input %d is no value of this graph", name, (int)x);
    }
    const encl_node *input = encl_graph_node(graph, x);
    *node = (encl_node){
        .kind = kind, .rows = input->rows, .width = input->width, .inputs = {x}, .weights = {-1, -1, -1, -1, -1}};
    return ENCL_OK;
}

encl_status encl_graph_embed(encl_graph *graph, const encl_weight *word, const encl_weight *position,
                             const encl_weight *type, const encl_weight *gamma, const encl_weight *beta, float epsilon,
                             encl_value *value) {
    encl_status status = ENCL_OK;
    const int64_t width = word == NULL ? 0 : word->columns;
    encl_node node = {.kind = ENCL_NODE_EMBED, .rows = ENCL_ROWS_TOKENS, .width = (int32_t)width, .epsilon = epsilon};
    *value = 0;
    if (width < 1) {
        return encl_fail(ENCL_INVALID, "embed: the word table is missing or has no columns");
    }
    ENCL_TRY(add_weight(graph, word, -1, width, &node.weights[0]));
    ENCL_TRY(add_weight(graph, position, -1, width, &node.weights[1]));
    ENCL_TRY(add_weight(graph, type, -1, width, &node.weights[2]));
    ENCL_TRY(add_weight(graph, gamma, width, 0, &node.weights[3]));
    ENCL_TRY(add_weight(graph, beta, width, 0, &node.weights[4]));
    ENCL_TRY(add_node(graph, &node, value));
cleanup:
    return status;
}

encl_status encl_graph_linear(encl_graph *graph, encl_value x, const encl_weight *weight, const encl_weight *bias,
                              encl_value *value) {
    encl_status status = ENCL_OK;
    encl_node node = {0};
    *value = 0;
    ENCL_TRY(start_node(graph, ENCL_NODE_LINEAR, "linear", x, &node));
    ENCL_TRY(add_weight(graph, weight, -1, node.width, &node.weights[0]));
    if (bias != NULL) {
        ENCL_TRY(add_weight(graph, bias, weight->rows, 0, &node.weights[1]));
    }
    node.width = (int32_t)weight->rows;
    ENCL_TRY(add_node(graph, &node, value));
cleanup:
    return status;
}

encl_status encl_graph_activation(encl_graph *graph, encl_value x, encl_activation activation, encl_value *value) {
    encl_status status = ENCL_OK;
    encl_node node = {0};
    *value = 0;
    ENCL_TRY(start_node(graph, ENCL_NODE_ACTIVATION, "activation", x, &node));
    if ((int)activation < ENCL_ACTIVATION_NONE || activation > ENCL_ACTIVATION_TANH) {
        return encl_fail(ENCL_INVALID, "activation: %d is none of the list", (int)activation);
    }
    node.activation = activation;
    ENCL_TRY(add_node(graph, &node, value));
cleanup:
    return status;
}

encl_status encl_graph_add(encl_graph *graph, encl_value a, encl_value b, encl_value *value) {
    encl_status status = ENCL_OK;
    encl_node node = {0};
    *value = 0;
    ENCL_TRY(start_node(graph, ENCL_NODE_ADD, "add", a, &node));
    if (!is_value(graph, b) || encl_graph_node(graph, b)->width != node.width ||
        encl_graph_node(graph, b)->rows != node.rows) {
        return encl_fail(ENCL_INVALID, "add: values %d and %d differ in shape", (int)a, (int)b);
    }
    node.inputs[1] = b;
    ENCL_TRY(add_node(graph, &node, value));
cleanup:
    return status;
}

encl_status encl_graph_layer_norm(encl_graph *graph, encl_value x, const encl_weight *gamma, const encl_weight *beta,
                                  float epsilon, encl_value *value) {
    encl_status status = ENCL_OK;
    encl_node node = {0};
    *value = 0;
    ENCL_TRY(start_node(graph, ENCL_NODE_LAYER_NORM, "layer_norm", x, &node));
    node.epsilon = epsilon;
    ENCL_TRY(add_weight(graph, gamma, node.width, 0, &node.weights[0]));
    ENCL_TRY(add_weight(graph, beta, node.width, 0, &node.weights[1]));
    ENCL_TRY(add_node(graph, &node, value));
cleanup:
    return status;
}

encl_status encl_graph_attention(encl_graph *graph, encl_value q, encl_value k, encl_value v, int32_t heads,
                                 encl_value *value) {
    encl_status status = ENCL_OK;
    encl_node node = {0};
    *value = 0;
    ENCL_TRY(start_node(graph, ENCL_NODE_ATTENTION, "attention", q, &node));
    for (int i = 1; i < 3; i++) {
        const encl_value input = i == 1 ? k : v;
        if (!is_value(graph, input) || encl_graph_node(graph, input)->width != node.width ||
            encl_graph_node(graph, input)->rows != ENCL_ROWS_TOKENS) {
            return encl_fail(ENCL_INVALID, "attention: value %d has not the shape [tokens, %d]", (int)input,
                             (int)node.width);
        }
        node.inputs[i] = input;
    }
    if (heads < 1 || node.width % heads != 0 || node.rows != ENCL_ROWS_TOKENS) {
        return encl_fail(ENCL_INVALID, "attention: %d heads do not divide the width %d", (int)heads, (int)node.width);
    }
    node.heads = heads;
    ENCL_TRY(add_node(graph, &node, value));
cleanup:
    return status;
}

encl_status encl_graph_select(encl_graph *graph, encl_value x, encl_selection selection, encl_value *value) {
    encl_status status = ENCL_OK;
    encl_node node = {0};
    *value = 0;
    ENCL_TRY(start_node(graph, ENCL_NODE_SELECT, "select", x, &node));
    if (node.rows != ENCL_ROWS_TOKENS) {
        return encl_fail(ENCL_INVALID, "select: value %d has no token rows", (int)x);
    }
    node.selection = selection;
    node.rows = selection == ENCL_SELECT_FIRST ? ENCL_ROWS_SEQUENCES : ENCL_ROWS_SELECTED;
    ENCL_TRY(add_node(graph, &node, value));
cleanup:
    return status;
}

encl_status encl_graph_pool(encl_graph *graph, encl_value x, const encl_pooling *modes, size_t count,
                            encl_value *value) {
    encl_status status = ENCL_OK;
    encl_node node = {0};
    *value = 0;
    ENCL_TRY(start_node(graph, ENCL_NODE_POOL, "pool", x, &node));
    if (node.rows != ENCL_ROWS_TOKENS || count < 1 || count > ENCL_NODE_POOLINGS ||
        node.width > INT32_MAX / ENCL_NODE_POOLINGS) {
        return encl_fail(ENCL_INVALID, "pool: value %d has no token rows, or %zu modes are not in 1 … %d", (int)x,
                         count, ENCL_NODE_POOLINGS);
    }
    for (size_t i = 0; i < count; i++) {
        if (modes[i] > ENCL_POOLING_LAST) {
            return encl_fail(ENCL_INVALID, "pool: mode %d is none of the graph's", (int)modes[i]);
        }
        node.poolings[i] = modes[i];
    }
    node.pooling_count = count;
    node.rows = ENCL_ROWS_SEQUENCES;
    node.width *= (int32_t)count;
    ENCL_TRY(add_node(graph, &node, value));
cleanup:
    return status;
}

encl_status encl_graph_normalize(encl_graph *graph, encl_value x, encl_value *value) {
    encl_status status = ENCL_OK;
    encl_node node = {0};
    *value = 0;
    ENCL_TRY(start_node(graph, ENCL_NODE_NORMALIZE, "normalize", x, &node));
    ENCL_TRY(add_node(graph, &node, value));
cleanup:
    return status;
}

encl_status encl_graph_top_k(encl_graph *graph, encl_value x, int32_t k, encl_value *value) {
    encl_status status = ENCL_OK;
    encl_node node = {0};
    *value = 0;
    ENCL_TRY(start_node(graph, ENCL_NODE_TOP_K, "top_k", x, &node));
    if (k < 1 || k > ENCL_TOP_K_MOST || node.width > ENCL_TOP_K_COLUMNS) {
        return encl_fail(ENCL_INVALID, "top_k: %d of %d columns, expected 1 … %d of at most %d", (int)k,
                         (int)node.width, ENCL_TOP_K_MOST, ENCL_TOP_K_COLUMNS);
    }
    node.top_k = k;
    node.width = encl_top_k_width(node.width, k);
    ENCL_TRY(add_node(graph, &node, value));
cleanup:
    return status;
}

encl_status encl_graph_output(encl_graph *graph, encl_value value) {
    if (!is_value(graph, value)) {
        return encl_fail(ENCL_INVALID, "output: %d is no value of this graph", (int)value);
    }
    encl_status status = encl_reserve((void **)&graph->outputs, &graph->output_capacity, graph->output_count + 1,
                                      sizeof *graph->outputs);
    if (status == ENCL_OK) {
        graph->outputs[graph->output_count++] = value;
    }
    return status;
}
