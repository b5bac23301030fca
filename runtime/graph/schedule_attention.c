// Attention: its projections side by side, key panels where its kernel reads them, and its work list.
#include <math.h>

#include "runtime/graph/lowering.h"

static bool same_product(const encl_lowerer *l, encl_value a, encl_value b) {
    return l->pendings[a - 1].linear == a && l->pendings[b - 1].linear == b && a != b &&
           encl_graph_node(l->graph, a)->inputs[0] == encl_graph_node(l->graph, b)->inputs[0] &&
           encl_lower_rows_of(l, a) == encl_lower_rows_of(l, b) &&
           encl_lower_precision(l, a) == encl_lower_precision(l, b) &&
           (encl_graph_node(l->graph, a)->weights[1] < 0) == (encl_graph_node(l->graph, b)->weights[1] < 0);
}

// Makes q, k and v, as one product where they share input and rows, and says where each stands.
static encl_status project(encl_lowerer *l, const encl_value *qkv) {
    encl_status status = ENCL_OK;
    for (int first = 0; first < 3; first++) {
        int last = first;
        if (l->places[qkv[first] - 1].tensor >= 0 || l->pendings[qkv[first] - 1].linear == 0) {
            continue;
        }
        while (last + 1 < 3 && same_product(l, qkv[first], qkv[last + 1])) {
            last++;
        }
        int32_t tensor = -1;
        int32_t column = 0;
        ENCL_TRY(encl_lower_linear(l, qkv + first, last - first + 1, ENCL_ACTIVATION_NONE, -1, false, &tensor));
        for (int i = first; i <= last; i++) {
            l->places[qkv[i] - 1] = (encl_value_place){tensor, column};
            l->pendings[qkv[i] - 1].linear = 0;
            column += encl_graph_node(l->graph, qkv[i])->width;
        }
    }
cleanup:
    return status;
}

encl_status encl_lower_attention(encl_lowerer *l, encl_value value, const encl_node *node) {
    encl_status status = ENCL_OK;
    encl_schedule *s = l->schedule;
    const encl_count rows = encl_lower_rows_of(l, value);
    const encl_value *qkv = node->inputs;
    encl_step step = {.op = ENCL_OP_ATTENTION};
    encl_shape *shape = &step.shape;
    int32_t keys = -1;
    ENCL_TRY(project(l, qkv));
    const encl_value_place k = l->places[qkv[1] - 1];
    const encl_value_place v = l->places[qkv[2] - 1];
    encl_value_place q = l->places[qkv[0] - 1];
    if (encl_lower_rows_of(l, qkv[0]) != rows) {
        ENCL_TRY(encl_lower_tensor_of(l, qkv[0], rows, &q.tensor));
    }
    if (k.tensor != v.tensor || q.column != 0) {
        return encl_fail(ENCL_UNSUPPORTED, "attention: keys and values must be linear values of one input that nothing "
                                           "else reads, both with or both without bias");
    }
    shape->heads = node->heads;
    shape->head_size = node->width / node->heads;
    shape->scale = 1.0f / sqrtf((float)shape->head_size);
    shape->q_stride = s->tensors[q.tensor].width;
    shape->kv_stride = s->tensors[k.tensor].width;
    shape->key_column = k.column;
    shape->value_column = v.column;
    shape->out_stride = node->width;
    ENCL_TRY(encl_lower_choose_rows(l, &step));
    // All attention nodes read the same work lists, whose blocks must suit each of them.
    const int32_t queries = encl_kernel_block_rows(step.rows[0]);
    s->queries = s->queries == 0 || queries < s->queries ? queries : s->queries;
    if (step.rows[0]->keys == ENCL_KEYS_PANELS) {
        encl_step pack = {.op = ENCL_OP_KEYS, .shape = *shape, .count = ENCL_COUNT_PANELS};
        ENCL_TRY(encl_lower_add_tensor(l, ENCL_COUNT_PANELS, node->width * ENCL_PANEL, &keys));
        pack.operands[0] = encl_tensor_operand(k.tensor);
        pack.operands[1] = encl_input_operand(ENCL_INPUT_PANELS);
        pack.operands[2] = encl_tensor_operand(keys);
        ENCL_TRY(encl_lower_add_step(l, &pack));
    }
    step.count = rows == ENCL_COUNT_TOKENS      ? ENCL_COUNT_BLOCKS_ALL
                 : rows == ENCL_COUNT_SEQUENCES ? ENCL_COUNT_BLOCKS_FIRST
                                                : ENCL_COUNT_BLOCKS_SELECTED;
    ENCL_TRY(encl_lower_add_tensor(l, rows, node->width, &l->places[value - 1].tensor));
    step.operands[0] = encl_tensor_operand(q.tensor);
    step.operands[1] = encl_tensor_operand(keys >= 0 ? keys : k.tensor);
    step.operands[2] = encl_tensor_operand(v.tensor);
    step.operands[3] = encl_input_operand((encl_input)(ENCL_INPUT_BLOCKS_ALL + (step.count - ENCL_COUNT_BLOCKS_ALL)));
    step.operands[4] = encl_tensor_operand(l->places[value - 1].tensor);
    ENCL_TRY(encl_lower_add_step(l, &step));
cleanup:
    return status;
}
