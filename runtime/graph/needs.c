#include <string.h>

#include "runtime/graph/schedule.h"

static encl_need join(encl_need a, encl_need b) {
    if (a == ENCL_NEED_NONE || a == b) {
        return b;
    }
    return b == ENCL_NEED_NONE ? a : ENCL_NEED_ALL;
}

// What node needs of its input number i.
static encl_need need_of_input(const encl_node *node, size_t i, encl_need need) {
    switch (node->kind) {
    case ENCL_NODE_SELECT:
        return node->selection == ENCL_SELECT_FIRST ? ENCL_NEED_FIRST : ENCL_NEED_SELECTED;
    case ENCL_NODE_POOL:
        return node->pooling_count == 1 && node->poolings[0] == ENCL_POOLING_CLS ? ENCL_NEED_FIRST : ENCL_NEED_ALL;
    case ENCL_NODE_ATTENTION:
        // A query attends to every key and value of its sequence.
        return i == 0 ? need : ENCL_NEED_ALL;
    default:
        return need;
    }
}

void encl_needs(const encl_graph *graph, encl_need *needs) {
    memset(needs, 0, graph->node_count * sizeof *needs);
    for (size_t i = 0; i < graph->output_count; i++) {
        needs[graph->outputs[i] - 1] = ENCL_NEED_ALL;
    }
    for (size_t n = graph->node_count; n-- > 0;) {
        const encl_node *node = &graph->nodes[n];
        if (needs[n] == ENCL_NEED_NONE) {
            continue;
        }
        for (size_t i = 0; i < ENCL_NODE_INPUTS && node->inputs[i] != 0; i++) {
            encl_need *input = &needs[node->inputs[i] - 1];
            *input = join(*input, need_of_input(node, i, needs[n]));
        }
        if (node->kind == ENCL_NODE_EMBED) {
            needs[n] = ENCL_NEED_ALL;
        }
    }
}
