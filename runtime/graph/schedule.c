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

encl_status encl_lower_add_weight(encl_lowerer *l, const encl_weight_plan *weight, int64_t zeros,
                                  encl_operand *operand) {
    encl_schedule *s = l->schedule;
    encl_status status =
        encl_reserve((void **)&s->weights, &s->weight_capacity, s->weight_count + 1, sizeof *s->weights);
    if (status != ENCL_OK) {
        return status;
    }
    encl_weight_plan plan = *weight;
    for (int32_t i = 0; i < plan.source_count; i++) {
        const encl_weight *source = plan.sources[i] < 0 ? NULL : &l->graph->weights[plan.sources[i]];
        plan.rows += source == NULL ? zeros : source->rows;
        plan.columns = source == NULL ? 0 : source->columns;
    }
    *operand = (encl_operand){ENCL_OPERAND_WEIGHT, (int32_t)s->weight_count};
    s->weights[s->weight_count++] = plan;
    return ENCL_OK;
}

static encl_status add_rows(encl_lowerer *l, int32_t source, int32_t parts, encl_operand *operand) {
    const encl_weight_plan rows = {.sources = {source}, .source_count = 1, .parts = parts, .unaligned = true};
    return encl_lower_add_weight(l, &rows, 0, operand);
}

encl_status encl_lower_choose_rows(encl_lowerer *l, encl_step *step) {
    const encl_lowering *how = l->lowering;
    const encl_shape *s = &step->shape;
    step->row_count = encl_kernel_choose_rows(step->op, s, how->family, how->float_width, how->quarantined,
                                              how->one_order, step->rows, ENCL_STEP_ROWS);
    if (step->row_count > 0) {
        return ENCL_OK;
    }
    if (s->precision != ENCL_PRECISION_FP32) {
        return encl_fail(ENCL_UNSUPPORTED, "precision %s: no kernel serves %s with columns %d on this device",
                         encl_precision_name(s->precision), encl_operator_name(step->op), (int)s->columns);
    }
    return encl_fail(ENCL_UNSUPPORTED, "no kernel serves %s with columns %d and head size %d on this device",
                     encl_operator_name(step->op), (int)s->columns, (int)s->head_size);
}

encl_status encl_lower_choose_pack(encl_lowerer *l, encl_weight_plan *weight) {
    if (l->graph->store.find != NULL) {
        return ENCL_OK; // nothing is packed
    }
    encl_step pack = {.op = ENCL_OP_PACK, .shape.precision = weight->format.precision};
    const encl_status status = encl_lower_choose_rows(l, &pack);
    weight->pack = status == ENCL_OK ? pack.rows[0] : NULL;
    return status;
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
    ENCL_TRY(add_rows(l, node->weights[0], ENCL_WORD_PARTS, &step.operands[0]));
    for (size_t i = 1; i < ENCL_NODE_WEIGHTS; i++) {
        ENCL_TRY(add_rows(l, node->weights[i], 1, &step.operands[3 + i]));
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
        ENCL_TRY(add_rows(l, node->weights[0], 1, &step.operands[1]));
        ENCL_TRY(add_rows(l, node->weights[1], 1, &step.operands[2]));
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
        return encl_lower_linear_node(l, value);
    case ENCL_NODE_ACTIVATION:
        return encl_lower_activation(l, value, node);
    case ENCL_NODE_ADD:
        return encl_lower_add(l, value, node);
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
