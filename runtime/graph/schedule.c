#include "runtime/graph/lowering.h"

#include <stdlib.h>
#include <string.h>

encl_count encl_lower_rows_of(const encl_lowerer *l, encl_value value) {
    const encl_node *node = encl_graph_node(l->graph, value);
    if (node->rows != ENCL_ROWS_TOKENS) {
        return node->rows == ENCL_ROWS_SEQUENCES ? ENCL_COUNT_SEQUENCES : ENCL_COUNT_SELECTED;
    }
    switch (l->needs[value - 1]) {
    case ENCL_NEED_FIRST:
        return ENCL_COUNT_SEQUENCES;
    case ENCL_NEED_SELECTED:
        return ENCL_COUNT_SELECTED;
    default:
        return ENCL_COUNT_TOKENS;
    }
}

encl_status encl_lower_add_tensor(encl_lowerer *l, encl_count count, int32_t width, int32_t *index) {
    encl_schedule *s = l->schedule;
    encl_status status =
        encl_reserve((void **)&s->tensors, &s->tensor_capacity, s->tensor_count + 1, sizeof *s->tensors);
    if (status != ENCL_OK) {
        return status;
    }
    *index = (int32_t)s->tensor_count;
    s->tensors[s->tensor_count++] = (encl_tensor_plan){count, width, INT32_MAX, -1};
    return ENCL_OK;
}

static encl_status add_weights(encl_lowerer *l, encl_weight_layout layout, const int32_t *sources, int32_t count,
                               int32_t parts, int64_t zeros, encl_operand *operand) {
    encl_schedule *s = l->schedule;
    encl_status status =
        encl_reserve((void **)&s->weights, &s->weight_capacity, s->weight_count + 1, sizeof *s->weights);
    if (status != ENCL_OK) {
        return status;
    }
    encl_weight_plan plan = {.layout = layout, .source_count = count, .parts = parts};
    for (int32_t i = 0; i < count; i++) {
        plan.sources[i] = sources[i];
        plan.rows += sources[i] < 0 ? zeros : l->graph->weights[sources[i]].rows;
        plan.columns = sources[i] < 0 ? 0 : l->graph->weights[sources[i]].columns;
    }
    *operand = (encl_operand){ENCL_OPERAND_WEIGHT, (int32_t)s->weight_count};
    s->weights[s->weight_count++] = plan;
    return ENCL_OK;
}

static encl_status add_weight(encl_lowerer *l, int32_t source, encl_operand *operand) {
    return add_weights(l, ENCL_LAYOUT_ROWS, &source, 1, 1, 0, operand);
}

encl_status encl_lower_choose_rows(encl_lowerer *l, encl_step *step) {
    step->row_count = encl_kernel_choose_rows(step->op, &step->shape, l->lowering->family, l->lowering->quarantined,
                                              l->lowering->one_order, step->rows, ENCL_STEP_ROWS);
    if (step->row_count == 0) {
        return encl_fail(ENCL_UNSUPPORTED, "no kernel serves %s with columns %d and head size %d on this device",
                         encl_operator_name(step->op), (int)step->shape.columns, (int)step->shape.head_size);
    }
    return ENCL_OK;
}

encl_status encl_lower_add_step(encl_lowerer *l, encl_step *step) {
    encl_schedule *s = l->schedule;
    encl_status status = ENCL_OK;
    if (!step->library && step->row_count == 0) {
        ENCL_TRY(encl_lower_choose_rows(l, step));
    }
    ENCL_TRY(encl_reserve((void **)&s->steps, &s->step_capacity, s->step_count + 1, sizeof *s->steps));
    ENCL_TRY(encl_lower_say_why(l, step));
    step->layer = l->layer;
    for (size_t i = 0; i < ENCL_OPERATOR_BUFFERS; i++) {
        const encl_operand *o = &step->operands[i];
        if (o->kind == ENCL_OPERAND_TENSOR) {
            encl_tensor_plan *t = &s->tensors[o->index];
            t->first_step = t->first_step == INT32_MAX ? (int32_t)s->step_count : t->first_step;
            t->last_step = (int32_t)s->step_count;
        } else if (o->kind == ENCL_OPERAND_INPUT) {
            s->inputs[o->index] = true;
        }
    }
    s->steps[s->step_count++] = *step;
cleanup:
    return status;
}

encl_status encl_lower_tensor_of(encl_lowerer *l, encl_value value, encl_count rows, int32_t *tensor) {
    const encl_value_place *at = &l->places[value - 1];
    const encl_node *node = encl_graph_node(l->graph, value);
    if (encl_lower_rows_of(l, value) == rows) {
        *tensor = at->tensor;
        return ENCL_OK;
    }
    encl_value_place *kept = &l->gathered[value - 1][rows == ENCL_COUNT_SEQUENCES ? 0 : 1];
    if (kept->tensor < 0) {
        encl_status status = encl_lower_add_tensor(l, rows, node->width, &kept->tensor);
        if (status != ENCL_OK) {
            return status;
        }
        encl_step step = {.op = ENCL_OP_GATHER, .shape.columns = node->width, .count = rows};
        step.operands[0] = encl_tensor_operand(at->tensor);
        step.operands[1] =
            encl_input_operand(rows == ENCL_COUNT_SEQUENCES ? ENCL_INPUT_FIRST_ROWS : ENCL_INPUT_SELECTED_ROWS);
        step.operands[2] = encl_tensor_operand(kept->tensor);
        status = encl_lower_add_step(l, &step);
        if (status != ENCL_OK) {
            return status;
        }
    }
    *tensor = kept->tensor;
    return ENCL_OK;
}

static encl_status emit_epilogue(encl_lowerer *l, int32_t product, int32_t out, encl_operand bias, int32_t residual,
                                 encl_activation activation, encl_count count, int32_t width) {
    encl_step step = {.op = ENCL_OP_EPILOGUE, .count = count};
    step.shape.columns = width;
    step.shape.activation = activation;
    step.shape.residual = residual >= 0;
    step.operands[0] = encl_tensor_operand(product);
    step.operands[1] = bias;
    step.operands[2] = encl_tensor_operand(residual >= 0 ? residual : product);
    step.operands[3] = encl_tensor_operand(out);
    return encl_lower_add_step(l, &step);
}

// Rows a multiple of 4 KiB apart fall into one set of a first-level cache, and a tile reads a column of rows at a time:
// what only a product reads gets its rows a cache line further apart.
static int32_t padded_width(const encl_lowerer *l, int32_t width) {
    const bool aliases = width % (4096 / (int32_t)sizeof(float)) == 0;
    return aliases && l->lowering->family == ENCL_FAMILY_TILE ? width + 16 : width;
}

encl_status encl_lower_linear(encl_lowerer *l, const encl_value *values, int32_t count, encl_activation activation,
                              int32_t residual, bool padded, int32_t *tensor) {
    encl_status status = ENCL_OK;
    const encl_node *first = encl_graph_node(l->graph, values[0]);
    const encl_count rows = encl_lower_rows_of(l, values[0]);
    int32_t matrices[ENCL_WEIGHT_SOURCES];
    int32_t biases[ENCL_WEIGHT_SOURCES];
    encl_step step = {.op = ENCL_OP_LINEAR, .count = rows, .library = l->lowering->library};
    encl_shape *s = &step.shape;
    encl_operand bias;
    int32_t x = -1;
    for (int32_t i = 0; i < count; i++) {
        const encl_node *node = encl_graph_node(l->graph, values[i]);
        matrices[i] = node->weights[0];
        biases[i] = node->weights[1];
        s->columns += node->width;
    }
    s->depth = encl_graph_node(l->graph, first->inputs[0])->width;
    s->out_stride = padded && !step.library ? padded_width(l, s->columns) : s->columns;
    s->activation = activation;
    s->residual = residual >= 0;
    ENCL_TRY(encl_lower_tensor_of(l, first->inputs[0], rows, &x));
    s->x_stride = l->schedule->tensors[x].width;
    ENCL_TRY(encl_lower_add_tensor(l, rows, s->out_stride, tensor));
    ENCL_TRY(add_weights(l, step.library ? ENCL_LAYOUT_ROWS : ENCL_LAYOUT_PANELS, matrices, count, INT32_MAX, 0,
                         &step.operands[1]));
    ENCL_TRY(add_weights(l, ENCL_LAYOUT_ROWS, biases, count, 1, first->width, &bias));
    step.operands[0] = encl_tensor_operand(x);
    step.operands[4] = encl_tensor_operand(*tensor);
    if (step.library) {
        s->activation = ENCL_ACTIVATION_NONE;
        s->residual = false;
        ENCL_TRY(encl_lower_add_step(l, &step));
        ENCL_TRY(emit_epilogue(l, *tensor, *tensor, bias, residual, activation, rows, s->columns));
    } else {
        step.operands[2] = bias;
        step.operands[3] = encl_tensor_operand(residual >= 0 ? residual : *tensor);
        ENCL_TRY(encl_lower_add_step(l, &step));
    }
cleanup:
    return status;
}

// True where the value has one user, of this kind, and is not read back.
static bool ends_in(const encl_lowerer *l, encl_value value, encl_node_kind kind) {
    return l->uses[value - 1] == 1 && l->user[value - 1] != 0 &&
           encl_graph_node(l->graph, l->user[value - 1])->kind == kind;
}

static encl_status lower_linear(encl_lowerer *l, encl_value value) {
    if (ends_in(l, value, ENCL_NODE_ACTIVATION) || ends_in(l, value, ENCL_NODE_ADD) ||
        ends_in(l, value, ENCL_NODE_ATTENTION)) {
        l->pendings[value - 1] = (encl_pending_product){value, ENCL_ACTIVATION_NONE};
        return ENCL_OK;
    }
    return encl_lower_linear(l, &value, 1, ENCL_ACTIVATION_NONE, -1, false, &l->places[value - 1].tensor);
}

static encl_status lower_activation(encl_lowerer *l, encl_value value, const encl_node *node) {
    encl_status status = ENCL_OK;
    encl_pending_product *before = &l->pendings[node->inputs[0] - 1];
    int32_t *out = &l->places[value - 1].tensor;
    int32_t x = -1;
    encl_operand zeros;
    if (before->linear != 0 && before->activation == ENCL_ACTIVATION_NONE) {
        const encl_value linear = before->linear;
        before->linear = 0;
        if (ends_in(l, value, ENCL_NODE_ADD)) {
            l->pendings[value - 1] = (encl_pending_product){linear, node->activation};
            return ENCL_OK;
        }
        return encl_lower_linear(l, &linear, 1, node->activation, -1, ends_in(l, value, ENCL_NODE_LINEAR), out);
    }
    const int32_t none = -1;
    ENCL_TRY(encl_lower_tensor_of(l, node->inputs[0], encl_lower_rows_of(l, value), &x));
    ENCL_TRY(encl_lower_add_tensor(l, encl_lower_rows_of(l, value), node->width, out));
    ENCL_TRY(add_weights(l, ENCL_LAYOUT_ROWS, &none, 1, 1, node->width, &zeros));
    ENCL_TRY(emit_epilogue(l, x, *out, zeros, -1, node->activation, encl_lower_rows_of(l, value), node->width));
cleanup:
    return status;
}

// A pending product that no epilogue took is emitted as it stands.
static encl_status flush(encl_lowerer *l, encl_value value) {
    encl_pending_product *p = &l->pendings[value - 1];
    if (p->linear == 0) {
        return ENCL_OK;
    }
    const encl_value linear = p->linear;
    p->linear = 0;
    return encl_lower_linear(l, &linear, 1, p->activation, -1, false, &l->places[value - 1].tensor);
}

static encl_status lower_add(encl_lowerer *l, encl_value value, const encl_node *node) {
    encl_status status = ENCL_OK;
    const encl_count rows = encl_lower_rows_of(l, value);
    int32_t *out = &l->places[value - 1].tensor;
    const int first = l->pendings[node->inputs[0] - 1].linear != 0 ? 0 : 1;
    encl_pending_product *product = &l->pendings[node->inputs[first] - 1];
    const encl_value other = node->inputs[1 - first];
    int32_t residual = -1;
    ENCL_TRY(flush(l, other));
    ENCL_TRY(encl_lower_tensor_of(l, other, rows, &residual));
    if (product->linear != 0) {
        const encl_value linear = product->linear;
        product->linear = 0;
        ENCL_TRY(encl_lower_linear(l, &linear, 1, product->activation, residual, false, out));
    } else {
        const int32_t none = -1;
        int32_t x = -1;
        encl_operand zeros;
        ENCL_TRY(encl_lower_tensor_of(l, node->inputs[first], rows, &x));
        ENCL_TRY(encl_lower_add_tensor(l, rows, node->width, out));
        ENCL_TRY(add_weights(l, ENCL_LAYOUT_ROWS, &none, 1, 1, node->width, &zeros));
        ENCL_TRY(emit_epilogue(l, x, *out, zeros, residual, ENCL_ACTIVATION_NONE, rows, node->width));
    }
cleanup:
    return status;
}

static int32_t smaller(int32_t limit, int64_t rows) {
    return rows < limit ? (int32_t)rows : limit;
}

static encl_status lower_embed(encl_lowerer *l, encl_value value, const encl_node *node) {
    encl_status status = ENCL_OK;
    encl_schedule *s = l->schedule;
    const encl_weight *weights = l->graph->weights;
    encl_step step = {.op = ENCL_OP_EMBED, .count = ENCL_COUNT_TOKENS};
    step.shape.columns = node->width;
    step.shape.epsilon = node->epsilon;
    s->vocabulary = smaller(s->vocabulary, weights[node->weights[0]].rows);
    s->max_position = smaller(s->max_position, weights[node->weights[1]].rows);
    s->types = smaller(s->types, weights[node->weights[2]].rows);
    // The word table may need several buffers; operands 1 … 3 are its further parts.
    ENCL_TRY(add_weights(l, ENCL_LAYOUT_ROWS, &node->weights[0], 1, ENCL_WORD_PARTS, 0, &step.operands[0]));
    for (size_t i = 1; i < ENCL_NODE_WEIGHTS; i++) {
        ENCL_TRY(add_weight(l, node->weights[i], &step.operands[3 + i]));
    }
    step.operands[8] = encl_input_operand(ENCL_INPUT_IDS);
    step.operands[9] = encl_input_operand(ENCL_INPUT_TYPES);
    step.operands[10] = encl_input_operand(ENCL_INPUT_POSITIONS);
    ENCL_TRY(encl_lower_add_tensor(l, ENCL_COUNT_TOKENS, node->width, &l->places[value - 1].tensor));
    step.operands[11] = encl_tensor_operand(l->places[value - 1].tensor);
    ENCL_TRY(encl_lower_add_step(l, &step));
cleanup:
    return status;
}

static encl_status lower_pool(encl_lowerer *l, encl_value value, const encl_node *node) {
    encl_status status = ENCL_OK;
    const encl_value x = node->inputs[0];
    const int32_t width = encl_graph_node(l->graph, x)->width;
    if (encl_lower_rows_of(l, x) == ENCL_COUNT_SEQUENCES ||
        (node->pooling_count == 1 && node->poolings[0] == ENCL_POOLING_CLS)) {
        l->schedule->pools_first = true;
        return encl_lower_tensor_of(l, x, ENCL_COUNT_SEQUENCES, &l->places[value - 1].tensor);
    }
    ENCL_TRY(encl_lower_add_tensor(l, ENCL_COUNT_SEQUENCES, node->width, &l->places[value - 1].tensor));
    for (size_t i = 0; i < node->pooling_count; i++) {
        encl_step step = {.op = ENCL_OP_POOL, .count = ENCL_COUNT_SEQUENCES};
        step.shape.columns = width;
        step.shape.out_stride = node->width;
        step.shape.first_column = (int32_t)i * width;
        step.shape.pooling = node->poolings[i];
        step.operands[0] = encl_tensor_operand(l->places[x - 1].tensor);
        step.operands[1] = encl_input_operand(ENCL_INPUT_OFFSETS);
        step.operands[2] = encl_input_operand(ENCL_INPUT_BEGINS);
        step.operands[3] = encl_tensor_operand(l->places[value - 1].tensor);
        ENCL_TRY(encl_lower_add_step(l, &step));
    }
cleanup:
    return status;
}

// LayerNorm, normalize and top-k: a row in, a row out.
static encl_status lower_rows(encl_lowerer *l, encl_value value, const encl_node *node) {
    encl_status status = ENCL_OK;
    const bool norm = node->kind == ENCL_NODE_LAYER_NORM;
    encl_step step = {.op = norm                            ? ENCL_OP_LAYER_NORM
                            : node->kind == ENCL_NODE_TOP_K ? ENCL_OP_TOP_K
                                                            : ENCL_OP_NORMALIZE,
                      .count = encl_lower_rows_of(l, value)};
    int32_t x = -1;
    int32_t *out = &l->places[value - 1].tensor;
    step.shape.columns = encl_graph_node(l->graph, node->inputs[0])->width;
    step.shape.epsilon = node->epsilon;
    step.shape.top_k = node->top_k;
    ENCL_TRY(encl_lower_tensor_of(l, node->inputs[0], step.count, &x));
    ENCL_TRY(encl_lower_add_tensor(l, step.count, node->width, out));
    step.operands[0] = encl_tensor_operand(x);
    if (norm) {
        ENCL_TRY(add_weight(l, node->weights[0], &step.operands[1]));
        ENCL_TRY(add_weight(l, node->weights[1], &step.operands[2]));
    }
    step.operands[encl_operator_output(step.op)] = encl_tensor_operand(*out);
    ENCL_TRY(encl_lower_add_step(l, &step));
cleanup:
    return status;
}

static encl_status lower_node(encl_lowerer *l, encl_value value) {
    const encl_node *node = encl_graph_node(l->graph, value);
    l->layer = node->layer;
    switch (node->kind) {
    case ENCL_NODE_EMBED:
        return lower_embed(l, value, node);
    case ENCL_NODE_LINEAR:
        return lower_linear(l, value);
    case ENCL_NODE_ACTIVATION:
        return lower_activation(l, value, node);
    case ENCL_NODE_ADD:
        return lower_add(l, value, node);
    case ENCL_NODE_ATTENTION:
        return encl_lower_attention(l, value, node);
    case ENCL_NODE_SELECT:
        l->schedule->selects_first = l->schedule->selects_first || node->selection == ENCL_SELECT_FIRST;
        return encl_lower_tensor_of(l, node->inputs[0], encl_lower_rows_of(l, value), &l->places[value - 1].tensor);
    case ENCL_NODE_POOL:
        return lower_pool(l, value, node);
    default:
        return lower_rows(l, value, node);
    }
}

static void count_uses(encl_lowerer *l) {
    const encl_graph *g = l->graph;
    for (size_t n = 0; n < g->node_count; n++) {
        for (size_t i = 0; l->needs[n] != ENCL_NEED_NONE && i < ENCL_NODE_INPUTS && g->nodes[n].inputs[i] != 0; i++) {
            l->uses[g->nodes[n].inputs[i] - 1]++;
            l->user[g->nodes[n].inputs[i] - 1] = (encl_value)(n + 1);
        }
    }
    for (size_t i = 0; i < g->output_count; i++) {
        l->uses[g->outputs[i] - 1]++;
    }
}

static encl_status add_outputs(encl_lowerer *l) {
    encl_schedule *s = l->schedule;
    encl_status status = encl_allocate(l->graph->output_count, sizeof *s->outputs, (void **)&s->outputs);
    for (size_t i = 0; status == ENCL_OK && i < l->graph->output_count; i++) {
        const encl_value value = l->graph->outputs[i];
        s->outputs[i].tensor = l->places[value - 1].tensor;
        s->outputs[i].count = encl_lower_rows_of(l, value);
        s->outputs[i].width = encl_graph_node(l->graph, value)->width;
        s->output_count = i + 1;
        // Read back after the last step.
        s->tensors[s->outputs[i].tensor].last_step = (int32_t)s->step_count;
    }
    return status;
}

encl_status encl_schedule_create(const encl_graph *graph, const encl_lowering *lowering, encl_schedule **schedule) {
    encl_status status = ENCL_OK;
    const size_t count = graph->node_count;
    encl_lowerer l = {.graph = graph, .lowering = lowering};
    *schedule = NULL;
    if (graph->output_count == 0) {
        return encl_fail(ENCL_INVALID, "the graph has no output");
    }
    ENCL_TRY(encl_allocate(1, sizeof *l.schedule, (void **)&l.schedule));
    l.schedule->packed = graph->store.find != NULL;
    l.schedule->max_position = INT32_MAX;
    l.schedule->vocabulary = INT32_MAX;
    l.schedule->types = INT32_MAX;
    ENCL_TRY(encl_allocate(count, sizeof *l.needs, (void **)&l.needs));
    ENCL_TRY(encl_allocate(count, sizeof *l.uses, (void **)&l.uses));
    ENCL_TRY(encl_allocate(count, sizeof *l.user, (void **)&l.user));
    ENCL_TRY(encl_allocate(count, sizeof *l.places, (void **)&l.places));
    ENCL_TRY(encl_allocate(count, sizeof *l.gathered, (void **)&l.gathered));
    ENCL_TRY(encl_allocate(count, sizeof *l.pendings, (void **)&l.pendings));
    for (size_t i = 0; i < count; i++) {
        l.places[i].tensor = -1;
        l.gathered[i][0].tensor = -1;
        l.gathered[i][1].tensor = -1;
    }
    encl_needs(graph, l.needs);
    count_uses(&l);
    for (size_t i = 0; i < count; i++) {
        if (l.needs[i] != ENCL_NEED_NONE) {
            ENCL_TRY(lower_node(&l, (encl_value)(i + 1)));
        }
    }
    ENCL_TRY(add_outputs(&l));
    l.schedule->queries = l.schedule->queries == 0 ? 1 : l.schedule->queries;
    *schedule = l.schedule;
    l.schedule = NULL;
cleanup:
    encl_schedule_destroy(l.schedule);
    free(l.needs);
    free(l.uses);
    free(l.user);
    free(l.places);
    free(l.gathered);
    free(l.pendings);
    return status;
}

void encl_schedule_destroy(encl_schedule *schedule) {
    if (schedule == NULL) {
        return;
    }
    free(schedule->steps);
    free(schedule->tensors);
    free(schedule->weights);
    free(schedule->outputs);
    for (size_t i = 0; i < schedule->text_count; i++) {
        free(schedule->texts[i]);
    }
    free(schedule->texts);
    free(schedule);
}
