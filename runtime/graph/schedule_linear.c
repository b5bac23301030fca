// Matrix products: what they compute in, their operands' formats, and what becomes of them an epilogue.
#include <string.h>

#include "runtime/graph/lowering.h"

static encl_status add_vector(encl_lowerer *l, const int32_t *sources, int32_t count, int64_t zeros,
                              encl_operand *operand) {
    encl_weight_plan plan = {.source_count = count, .parts = 1};
    memcpy(plan.sources, sources, (size_t)count * sizeof *sources);
    return encl_lower_add_weight(l, &plan, zeros, operand);
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

encl_precision encl_lower_precision(const encl_lowerer *l, encl_value linear) {
    const encl_lowering *lowering = l->lowering;
    const encl_node *node = encl_graph_node(l->graph, linear);
    const size_t layer = node->layer < 0 ? SIZE_MAX : (size_t)node->layer;
    const bool kept = node->exact || (layer < lowering->exact_layer_count && lowering->exact_layers[layer]);
    return kept ? ENCL_PRECISION_FP32 : lowering->precision;
}

// The step that made a tensor ready for products of this format already; NULL: none.
static const encl_step *find_quantize(const encl_schedule *s, int32_t tensor, const encl_shape *shape) {
    for (size_t i = 0; i < s->step_count; i++) {
        const encl_step *step = &s->steps[i];
        if (step->op == ENCL_OP_QUANTIZE && step->operands[0].index == tensor &&
            step->shape.precision == shape->precision && step->shape.levels == shape->levels) {
            return step;
        }
    }
    return NULL;
}

// The tensor that holds x as the product reads it: made once for all products of the same rows and format.
static encl_status quantize(encl_lowerer *l, const encl_step *product, int32_t x, int32_t *tensor) {
    encl_status status = ENCL_OK;
    encl_step step = {.op = ENCL_OP_QUANTIZE, .count = product->count};
    encl_shape *s = &step.shape;
    s->columns = product->shape.depth;
    s->x_stride = l->schedule->tensors[x].width;
    encl_kernel_take_format(product->rows[0], s);
    s->out_stride = padded_width(l, encl_quantized_words(s->precision, s->columns));
    const encl_step *made = find_quantize(l->schedule, x, s);
    if (made != NULL) {
        *tensor = made->operands[1].index;
        return ENCL_OK;
    }
    ENCL_TRY(encl_lower_add_tensor(l, step.count, s->out_stride, tensor));
    step.operands[0] = encl_tensor_operand(x);
    step.operands[1] = encl_tensor_operand(*tensor);
    ENCL_TRY(encl_lower_add_step(l, &step));
cleanup:
    return status;
}

// The product itself, by own kernels, with the epilogue inside. x holds floats.
static encl_status emit_own(encl_lowerer *l, encl_step *step, int32_t x, encl_weight_plan *matrix, encl_operand bias,
                            int32_t residual, int32_t out) {
    encl_status status = ENCL_OK;
    encl_shape *s = &step->shape;
    ENCL_TRY(encl_lower_choose_rows(l, step));
    encl_kernel_take_format(step->rows[0], s);
    if (s->x != ENCL_NUMBERS_FLOATS) {
        ENCL_TRY(quantize(l, step, x, &x));
    }
    s->x_stride = l->schedule->tensors[x].width;
    matrix->layout = ENCL_LAYOUT_PANELS;
    matrix->format = step->rows[0]->format;
    ENCL_TRY(encl_lower_choose_pack(l, matrix));
    ENCL_TRY(encl_lower_add_weight(l, matrix, 0, &step->operands[1]));
    step->operands[0] = encl_tensor_operand(x);
    step->operands[2] = bias;
    step->operands[3] = encl_tensor_operand(residual >= 0 ? residual : out);
    step->operands[4] = encl_tensor_operand(out);
    ENCL_TRY(encl_lower_add_step(l, step));
    l->schedule->low_products += s->precision != ENCL_PRECISION_FP32 ? 1 : 0;
cleanup:
    return status;
}

// The product by the library, and a step for the epilogue.
static encl_status emit_library(encl_lowerer *l, encl_step *step, int32_t x, const encl_weight_plan *matrix,
                                encl_operand bias, int32_t residual, int32_t out) {
    encl_status status = ENCL_OK;
    const encl_activation activation = step->shape.activation;
    step->library = true;
    step->shape.x_stride = l->schedule->tensors[x].width;
    step->shape.activation = ENCL_ACTIVATION_NONE;
    step->shape.residual = false;
    step->operands[0] = encl_tensor_operand(x);
    ENCL_TRY(encl_lower_add_weight(l, matrix, 0, &step->operands[1]));
    step->operands[4] = encl_tensor_operand(out);
    ENCL_TRY(encl_lower_add_step(l, step));
    ENCL_TRY(emit_epilogue(l, out, out, bias, residual, activation, step->count, step->shape.columns));
cleanup:
    return status;
}

encl_status encl_lower_linear(encl_lowerer *l, const encl_value *values, int32_t count, encl_activation activation,
                              int32_t residual, bool padded, int32_t *tensor) {
    encl_status status = ENCL_OK;
    const encl_node *first = encl_graph_node(l->graph, values[0]);
    const encl_count rows = encl_lower_rows_of(l, values[0]);
    encl_weight_plan matrix = {.source_count = count, .parts = INT32_MAX};
    int32_t biases[ENCL_WEIGHT_SOURCES];
    encl_step step = {.op = ENCL_OP_LINEAR, .count = rows};
    encl_shape *s = &step.shape;
    encl_operand bias;
    int32_t x = -1;
    for (int32_t i = 0; i < count; i++) {
        const encl_node *node = encl_graph_node(l->graph, values[i]);
        matrix.sources[i] = node->weights[0];
        biases[i] = node->weights[1];
        s->columns += node->width;
    }
    s->depth = encl_graph_node(l->graph, first->inputs[0])->width;
    s->precision = encl_lower_precision(l, values[0]);
    const bool library = l->lowering->library && s->precision == ENCL_PRECISION_FP32;
    s->out_stride = padded && !library ? padded_width(l, s->columns) : s->columns;
    s->activation = activation;
    s->residual = residual >= 0;
    ENCL_TRY(encl_lower_tensor_of(l, first->inputs[0], rows, &x));
    ENCL_TRY(encl_lower_add_tensor(l, rows, s->out_stride, tensor));
    ENCL_TRY(add_vector(l, biases, count, first->width, &bias));
    ENCL_TRY(library ? emit_library(l, &step, x, &matrix, bias, residual, *tensor)
                     : emit_own(l, &step, x, &matrix, bias, residual, *tensor));
cleanup:
    return status;
}

// True where the value has one user, of this kind, and is not read back.
static bool ends_in(const encl_lowerer *l, encl_value value, encl_node_kind kind) {
    return l->uses[value - 1] == 1 && l->user[value - 1] != 0 &&
           encl_graph_node(l->graph, l->user[value - 1])->kind == kind;
}

encl_status encl_lower_linear_node(encl_lowerer *l, encl_value value) {
    if (ends_in(l, value, ENCL_NODE_ACTIVATION) || ends_in(l, value, ENCL_NODE_ADD) ||
        ends_in(l, value, ENCL_NODE_ATTENTION)) {
        l->pendings[value - 1] = (encl_pending_product){value, ENCL_ACTIVATION_NONE};
        return ENCL_OK;
    }
    return encl_lower_linear(l, &value, 1, ENCL_ACTIVATION_NONE, -1, false, &l->places[value - 1].tensor);
}

encl_status encl_lower_activation(encl_lowerer *l, encl_value value, const encl_node *node) {
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
    ENCL_TRY(add_vector(l, &none, 1, node->width, &zeros));
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

encl_status encl_lower_add(encl_lowerer *l, encl_value value, const encl_node *node) {
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
        ENCL_TRY(add_vector(l, &none, 1, node->width, &zeros));
        ENCL_TRY(emit_epilogue(l, x, *out, zeros, residual, ENCL_ACTIVATION_NONE, rows, node->width));
    }
cleanup:
    return status;
}
