#include "runtime/op/operator.h"

typedef struct operator_row {
    const char *name;
    size_t buffers;
    size_t output;
} operator_row;

static const operator_row rows[ENCL_OPERATOR_COUNT] = {
#define ENCL_OPERATOR_ROW(name, text, buffers, output) {text, buffers, output},
    ENCL_OPERATOR_LIST(ENCL_OPERATOR_ROW)
#undef ENCL_OPERATOR_ROW
};

const char *encl_operator_name(encl_operator op) {
    return rows[op].name;
}

size_t encl_operator_buffers(encl_operator op) {
    return rows[op].buffers;
}

size_t encl_operator_output(encl_operator op) {
    return rows[op].output;
}

size_t encl_operator_scalars(encl_operator op, const encl_shape *shape, encl_scalar scalars[ENCL_OPERATOR_SCALARS]) {
    size_t n = 0;
#define INTEGER(value) scalars[n++].integer = (value)
#define REAL(value) scalars[n++].real = (value)
    INTEGER(shape->rows);
    switch (op) {
    case ENCL_OP_EMBED:
        INTEGER(shape->columns);
        INTEGER(shape->part_rows);
        REAL(shape->epsilon);
        break;
    case ENCL_OP_LINEAR:
        INTEGER(shape->columns);
        INTEGER(shape->depth);
        INTEGER(shape->first_row);
        INTEGER(shape->first_column);
        INTEGER(shape->x_stride);
        INTEGER(shape->out_stride);
        INTEGER((int32_t)shape->activation);
        INTEGER(shape->residual);
        break;
    case ENCL_OP_EPILOGUE:
        INTEGER(shape->columns);
        INTEGER((int32_t)shape->activation);
        INTEGER(shape->residual);
        break;
    case ENCL_OP_PACK:
        INTEGER(shape->depth);
        INTEGER(shape->first_column);
        INTEGER(shape->levels);
        INTEGER(shape->limit);
        INTEGER(shape->short_words);
        break;
    case ENCL_OP_QUANTIZE:
        INTEGER(shape->columns);
        INTEGER(shape->x_stride);
        INTEGER(shape->out_stride);
        INTEGER(shape->levels);
        break;
    case ENCL_OP_KEYS:
        INTEGER(shape->heads);
        INTEGER(shape->kv_stride);
        INTEGER(shape->key_column);
        break;
    case ENCL_OP_ATTENTION:
        INTEGER(shape->heads);
        INTEGER(shape->q_stride);
        INTEGER(shape->kv_stride);
        INTEGER(shape->key_column);
        INTEGER(shape->value_column);
        INTEGER(shape->out_stride);
        REAL(shape->scale);
        break;
    case ENCL_OP_LAYER_NORM:
        INTEGER(shape->columns);
        REAL(shape->epsilon);
        break;
    case ENCL_OP_POOL:
        INTEGER(shape->columns);
        INTEGER(shape->out_stride);
        INTEGER(shape->first_column);
        break;
    default: // GATHER, NORMALIZE, TOP_K
        INTEGER(shape->columns);
        break;
    }
#undef INTEGER
#undef REAL
    return n;
}

encl_status encl_operator_options(encl_operator op, const encl_shape *shape, encl_string *options) {
    switch (op) {
    case ENCL_OP_KEYS:
    case ENCL_OP_ATTENTION:
        return encl_string_format(options, " -DHEAD_SIZE=%d", (int)shape->head_size);
    case ENCL_OP_POOL:
        return encl_string_format(options, " -DPOOLING=%d", (int)shape->pooling);
    case ENCL_OP_TOP_K:
        return encl_string_format(options, " -DTOP_K=%d -DSEGMENT=%d", (int)shape->top_k, ENCL_TOP_K_SEGMENT);
    default:
        return ENCL_OK;
    }
}

static double activation_flops(encl_activation activation) {
    switch (activation) {
    case ENCL_ACTIVATION_NONE:
        return 0;
    case ENCL_ACTIVATION_RELU:
        return 1;
    case ENCL_ACTIVATION_GELU:
    case ENCL_ACTIVATION_GELU_TANH:
        return 9;
    default: // SILU, TANH: an exponential and a division
        return 5;
    }
}

// Words of a row of a product's x.
static double x_words(const encl_shape *shape) {
    return shape->x == ENCL_NUMBERS_FLOATS ? shape->depth : encl_quantized_words(shape->precision, shape->depth);
}

// Words of the weights of one output column.
static double weight_words(const encl_shape *shape) {
    return (double)encl_panel_words(shape->precision, shape->depth) / ENCL_PANEL;
}

void encl_operator_cost(encl_operator op, const encl_shape *shape, const encl_operator_work *work, double *flops,
                        double *bytes) {
    const double m = shape->rows - shape->first_row;
    const double n = shape->columns;
    const double k = shape->depth;
    const double width = (double)shape->heads * shape->head_size;
    const double tokens = work->tokens;
    *flops = 0;
    switch (op) {
    case ENCL_OP_EMBED:
        *flops = 10 * m * n;
        *bytes = 4 * (4 * m * n + 3 * m + 2 * n);
        break;
    case ENCL_OP_LINEAR:
        *flops = 2 * m * n * k;
        *bytes = 4 * (m * x_words(shape) + n * weight_words(shape) + n + m * n * (shape->residual ? 2 : 1));
        break;
    case ENCL_OP_EPILOGUE:
        *flops = m * n * ((shape->residual ? 2 : 1) + activation_flops(shape->activation));
        *bytes = 4 * (m * n * (shape->residual ? 3 : 2) + n);
        break;
    case ENCL_OP_PACK:
        *bytes = 4 * m * (k + weight_words(shape));
        break;
    case ENCL_OP_QUANTIZE:
        *bytes = 4 * m * (n + (double)encl_quantized_words(shape->precision, shape->columns));
        break;
    case ENCL_OP_KEYS:
        *bytes = 4 * (tokens + m * ENCL_PANEL) * width;
        break;
    case ENCL_OP_ATTENTION:
        *flops = 4 * work->pairs * width + 5 * work->pairs * shape->heads;
        *bytes = 4 * (2.0 * work->queries + 2 * tokens) * width;
        break;
    case ENCL_OP_LAYER_NORM:
        *flops = 7 * m * n;
        *bytes = 4 * (2 * m * n + 2 * n);
        break;
    case ENCL_OP_POOL:
        *bytes = 4 * ((shape->pooling == ENCL_POOLING_CLS ? m : tokens) + m) * n;
        break;
    case ENCL_OP_NORMALIZE:
        *flops = 3 * m * n;
        *bytes = 8 * m * n;
        break;
    case ENCL_OP_TOP_K:
        *flops = 3 * m * n;
        *bytes = 4 * m * (n + encl_top_k_width(shape->columns, shape->top_k));
        break;
    default: // GATHER
        *bytes = 4 * (2 * m * n + m);
        break;
    }
}
