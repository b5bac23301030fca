#include "runtime/op/reference.h"

#include <math.h>

double encl_reference_activation(encl_activation activation, double x) {
    switch (activation) {
    case ENCL_ACTIVATION_GELU:
        return 0.5 * x * erfc(-x / sqrt(2.0));
    case ENCL_ACTIVATION_GELU_TANH:
        return 0.5 * x * (1.0 + tanh(sqrt(2.0 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case ENCL_ACTIVATION_RELU:
        return x > 0 ? x : 0;
    case ENCL_ACTIVATION_SILU:
        return x / (1.0 + exp(-x));
    case ENCL_ACTIVATION_TANH:
        return tanh(x);
    default:
        return x;
    }
}

static void layer_norm(double *row, int32_t width, const float *gamma, const float *beta, double epsilon) {
    double mean = 0;
    double variance = 0;
    for (int32_t i = 0; i < width; i++) {
        mean += row[i] / width;
    }
    for (int32_t i = 0; i < width; i++) {
        variance += (row[i] - mean) * (row[i] - mean) / width;
    }
    for (int32_t i = 0; i < width; i++) {
        row[i] = (row[i] - mean) / sqrt(variance + epsilon) * (double)gamma[i] + (double)beta[i];
    }
}

static void embed(const encl_shape *s, const void *const *buffers, double *out) {
    const float *position = buffers[4];
    const float *type = buffers[5];
    const int32_t *ids = buffers[8];
    const int32_t *types = buffers[9];
    const int32_t *positions = buffers[10];
    const int64_t width = s->columns;
    for (int64_t m = 0; m < s->rows; m++) {
        const float *word = buffers[ids[m] / s->part_rows];
        const int64_t row = ids[m] % s->part_rows;
        for (int64_t i = 0; i < width; i++) {
            out[m * width + i] = (double)word[row * width + i] + (double)position[positions[m] * width + i] +
                                 (double)type[types[m] * width + i];
        }
        layer_norm(out + m * width, s->columns, buffers[6], buffers[7], (double)s->epsilon);
    }
}

static void linear(const encl_shape *s, const void *const *buffers, double *out) {
    const float *x = buffers[0];
    const float *weight = buffers[1];
    const float *bias = buffers[2];
    const float *residual = buffers[3];
    for (int64_t m = s->first_row; m < s->rows; m++) {
        for (int64_t n = 0; n < s->columns; n++) {
            double sum = (double)bias[s->first_column + n];
            for (int64_t k = 0; k < s->depth; k++) {
                sum += (double)x[m * s->x_stride + k] * (double)weight[n * s->depth + k];
            }
            const int64_t at = m * s->out_stride + s->first_column + n;
            out[at] = encl_reference_activation(s->activation, sum) + (s->residual ? (double)residual[at] : 0.0);
        }
    }
}

static void epilogue(const encl_shape *s, const void *const *buffers, double *out) {
    const float *product = buffers[0];
    const float *bias = buffers[1];
    const float *residual = buffers[2];
    for (int64_t m = 0; m < s->rows; m++) {
        for (int64_t n = 0; n < s->columns; n++) {
            const int64_t at = m * s->columns + n;
            out[at] = encl_reference_activation(s->activation, (double)product[at] + (double)bias[n]) +
                      (s->residual ? (double)residual[at] : 0.0);
        }
    }
}

static void pack(const encl_shape *s, const void *const *buffers, double *out) {
    const float *source = buffers[0];
    for (int64_t r = 0; r < s->rows; r++) {
        const int64_t n = s->first_column + r;
        for (int64_t k = 0; k < s->depth; k++) {
            out[(n / ENCL_PANEL * s->depth + k) * ENCL_PANEL + n % ENCL_PANEL] = (double)source[r * s->depth + k];
        }
    }
}

static void keys(const encl_shape *s, const void *const *buffers, double *out) {
    const float *kv = buffers[0];
    const encl_key_panel *list = buffers[1];
    for (int64_t p = 0; p < s->rows; p++) {
        for (int64_t head = 0; head < s->heads; head++) {
            for (int64_t d = 0; d < s->head_size; d++) {
                for (int64_t j = 0; j < ENCL_PANEL; j++) {
                    const int64_t from =
                        (list[p].first_token + j) * s->kv_stride + s->key_column + head * s->head_size + d;
                    out[((p * s->heads + head) * s->head_size + d) * ENCL_PANEL + j] =
                        j < list[p].tokens ? (double)kv[from] : 0.0;
                }
            }
        }
    }
}

// One query row and head: softmax of the scores, then the weighted sum of the values.
static void attend(const encl_shape *s, const encl_attention_block *block, const float *q, const float *kv,
                   double *out) {
    double highest = -INFINITY;
    double total = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t k = 0; k < block->keys; k++) {
            const float *row = kv + (block->first_key + k) * (int64_t)s->kv_stride;
            double score = 0;
            for (int32_t d = 0; d < s->head_size; d++) {
                score += (double)q[d] * (double)row[s->key_column + d];
            }
            score *= (double)s->scale;
            if (pass == 0) {
                highest = fmax(highest, score);
                continue;
            }
            const double p = exp(score - highest);
            total += p;
            for (int32_t d = 0; d < s->head_size; d++) {
                out[d] = (k == 0 ? 0.0 : out[d]) + p * (double)row[s->value_column + d];
            }
        }
    }
    for (int32_t d = 0; d < s->head_size; d++) {
        out[d] /= total;
    }
}

static void attention(const encl_shape *s, const void *const *buffers, double *out) {
    const float *q = buffers[0];
    const float *kv = buffers[2];
    const encl_attention_block *list = buffers[3];
    for (int32_t i = 0; i < s->rows; i++) {
        for (int64_t r = list[i].first_query; r < list[i].first_query + list[i].queries; r++) {
            for (int64_t head = 0; head < s->heads; head++) {
                const int64_t column = head * s->head_size;
                attend(s, &list[i], q + r * s->q_stride + column, kv + column, out + r * s->out_stride + column);
            }
        }
    }
}

// x is the sequence's first row.
static double pooled(const encl_shape *s, const float *x, int64_t skipped, int64_t tokens) {
    const int64_t width = s->columns;
    double sum = s->pooling == ENCL_POOLING_MAX ? -INFINITY : 0.0;
    double weights = 0;
    for (int64_t i = skipped; i < tokens; i++) {
        const double v = (double)x[i * width];
        if (s->pooling == ENCL_POOLING_MAX) {
            sum = fmax(sum, v);
        } else if (s->pooling == ENCL_POOLING_WEIGHTED_MEAN) {
            sum += (double)(i + 1) * v;
            weights += (double)(i + 1);
        } else {
            sum += v;
        }
    }
    switch (s->pooling) {
    case ENCL_POOLING_CLS:
        return (double)x[skipped * width];
    case ENCL_POOLING_LAST:
        return (double)x[(tokens - 1) * width];
    case ENCL_POOLING_MEAN:
        return sum / (double)(tokens - skipped);
    case ENCL_POOLING_MEAN_SQRT_LEN:
        return sum / sqrt((double)(tokens - skipped));
    case ENCL_POOLING_WEIGHTED_MEAN:
        return sum / weights;
    default:
        return sum;
    }
}

// A plain selection: the largest that is not taken yet, k times; the first of equal ones.
static void top_k_of_segment(const float *x, int32_t first, int32_t columns, int32_t k, double *out) {
    for (int32_t i = 0; i < k; i++) {
        out[i] = -INFINITY;
        out[k + i] = -1;
        for (int32_t c = 0; c < columns; c++) {
            bool taken = false;
            for (int32_t j = 0; j < i; j++) {
                taken = taken || out[k + j] == (double)(first + c);
            }
            if (!taken && (double)x[c] > out[i]) {
                out[i] = (double)x[c];
                out[k + i] = (double)(first + c);
            }
        }
    }
    out[(ptrdiff_t)2 * k] = 0;
    for (int32_t c = 0; c < columns; c++) {
        out[(ptrdiff_t)2 * k] += exp((double)x[c] - fmax(out[0], -3.0e38));
    }
}

static void top_k(const encl_shape *s, const void *const *buffers, double *out) {
    const float *x = buffers[0];
    for (int64_t m = 0; m < s->rows; m++) {
        for (int32_t first = 0; first < s->columns; first += ENCL_TOP_K_SEGMENT) {
            const int32_t left = s->columns - first;
            top_k_of_segment(x + m * s->columns + first, first, left < ENCL_TOP_K_SEGMENT ? left : ENCL_TOP_K_SEGMENT,
                             s->top_k, out);
            out += 2 * s->top_k + 1;
        }
    }
}

static void rows_of_width(encl_operator op, const encl_shape *s, const void *const *buffers, double *out) {
    const float *x = buffers[0];
    const int32_t *index = buffers[1];
    const int32_t *begins = op == ENCL_OP_POOL ? buffers[2] : NULL;
    const int64_t width = s->columns;
    for (int64_t m = 0; m < s->rows; m++) {
        double *y = out + m * width;
        double square = 0;
        for (int64_t i = 0; i < width; i++) {
            switch (op) {
            case ENCL_OP_GATHER:
                y[i] = (double)x[index[m] * width + i];
                break;
            case ENCL_OP_POOL:
                out[m * s->out_stride + s->first_column + i] =
                    pooled(s, x + index[m] * width + i, begins[m] - index[m], index[m + 1] - index[m]);
                break;
            default:
                y[i] = (double)x[m * width + i];
                square += y[i] * y[i];
                break;
            }
        }
        if (op == ENCL_OP_LAYER_NORM) {
            layer_norm(y, s->columns, buffers[1], buffers[2], (double)s->epsilon);
        } else if (op == ENCL_OP_NORMALIZE) {
            for (int64_t i = 0; i < width; i++) {
                y[i] /= fmax(sqrt(square), 1e-12);
            }
        }
    }
}

void encl_reference(encl_operator op, const encl_shape *shape, const void *const *buffers, double *out) {
    switch (op) {
    case ENCL_OP_EMBED:
        embed(shape, buffers, out);
        break;
    case ENCL_OP_LINEAR:
        linear(shape, buffers, out);
        break;
    case ENCL_OP_EPILOGUE:
        epilogue(shape, buffers, out);
        break;
    case ENCL_OP_PACK:
        pack(shape, buffers, out);
        break;
    case ENCL_OP_KEYS:
        keys(shape, buffers, out);
        break;
    case ENCL_OP_ATTENTION:
        attention(shape, buffers, out);
        break;
    case ENCL_OP_TOP_K:
        top_k(shape, buffers, out);
        break;
    default:
        rows_of_width(op, shape, buffers, out);
        break;
    }
}
