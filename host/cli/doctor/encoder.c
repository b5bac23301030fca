// One encoder from end to end: two layers, made and run as models are, against the same arithmetic in plain C and
// double precision that shares no code with the operators' reference.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/doctor/doctor.h"
#include "runtime/base/random.h"

enum {
    LAYERS = 2,
    HIDDEN = 32,
    HEADS = 2,
    HEAD_SIZE = HIDDEN / HEADS,
    INTERMEDIATE = 64,
    VOCABULARY = 100,
    POSITIONS = 40,
    LAYER_WEIGHTS = 16, // query, key, value, output, each with bias; norm; up, down with biases; norm
    WEIGHTS = 5 + LAYERS * LAYER_WEIGHTS,
    SEQUENCES = 3,
    TOKENS = 64, // at most, in a batch
};
static const float epsilon = 1e-12f;
// By precision. Twelve sums of at most 64 products a layer, each rounded to 2⁻²⁴ of values up to 4, and normalized
// again. In bfloat16 an operand is rounded to 2⁻⁹ of itself, in int8 to about 2⁻⁸ of the largest in its row; the errors
// of a sum's products mostly cancel. What is wrong, and not just rounded, is off by more than 1.
static const double tolerances[] = {3e-5, 0.05, 0.2};

// ---- Weights ----------------------------------------------------------------------------------------------

typedef struct source {
    char name[16];
    uint64_t seed;
    int64_t width; // of a row
    float middle, spread;
} source;

typedef struct encoder {
    source sources[WEIGHTS];
    size_t count;
    encl_weight weights[WEIGHTS]; // in the order in which they are used
} encoder;

static float element(const source *s, int64_t index) {
    return s->middle + s->spread * encl_random_float(encl_random_at(s->seed, (uint64_t)index));
}

static encl_status read_rows(void *context, int64_t row, int64_t count, float *destination) {
    const source *s = context;
    for (int64_t i = 0; i < count * s->width; i++) {
        destination[i] = element(s, row * s->width + i);
    }
    return ENCL_OK;
}

static void add_weight(encoder *e, int64_t rows, int64_t columns, float middle, float spread) {
    source *s = &e->sources[e->count];
    snprintf(s->name, sizeof s->name, "weight %zu", e->count);
    s->seed = (e->count + 1) * 1000003u;
    s->width = columns == 0 ? 1 : columns;
    s->middle = middle;
    s->spread = spread;
    e->weights[e->count++] = (encl_weight){s->name, rows, columns, read_rows, s, NULL};
}

static void add_linear(encoder *e, int64_t out, int64_t in) {
    add_weight(e, out, in, 0, 1.5f / sqrtf((float)in));
    add_weight(e, out, 0, 0, 0.3f);
}

static void add_norm(encoder *e) {
    add_weight(e, HIDDEN, 0, 1, 0.2f);
    add_weight(e, HIDDEN, 0, 0, 0.2f);
}

static void make_weights(encoder *e) {
    e->count = 0;
    add_weight(e, VOCABULARY, HIDDEN, 0, 1);
    add_weight(e, POSITIONS, HIDDEN, 0, 0.5f);
    add_weight(e, 2, HIDDEN, 0, 0.5f);
    add_norm(e);
    for (size_t layer = 0; layer < LAYERS; layer++) {
        for (size_t i = 0; i < 4; i++) {
            add_linear(e, HIDDEN, HIDDEN);
        }
        add_norm(e);
        add_linear(e, INTERMEDIATE, HIDDEN);
        add_linear(e, HIDDEN, INTERMEDIATE);
        add_norm(e);
    }
}

// ---- The graph --------------------------------------------------------------------------------------------

static encl_status add_layer(encl_graph *graph, const encl_weight w[LAYER_WEIGHTS], encl_value *x) {
    encl_status status = ENCL_OK;
    encl_value q = 0;
    encl_value k = 0;
    encl_value v = 0;
    encl_value y = 0;
    ENCL_TRY(encl_graph_linear(graph, *x, &w[0], &w[1], &q));
    ENCL_TRY(encl_graph_linear(graph, *x, &w[2], &w[3], &k));
    ENCL_TRY(encl_graph_linear(graph, *x, &w[4], &w[5], &v));
    ENCL_TRY(encl_graph_attention(graph, q, k, v, HEADS, &y));
    ENCL_TRY(encl_graph_linear(graph, y, &w[6], &w[7], &y));
    ENCL_TRY(encl_graph_add(graph, y, *x, &y));
    ENCL_TRY(encl_graph_layer_norm(graph, y, &w[8], &w[9], epsilon, x));
    ENCL_TRY(encl_graph_linear(graph, *x, &w[10], &w[11], &y));
    ENCL_TRY(encl_graph_activation(graph, y, ENCL_ACTIVATION_GELU, &y));
    ENCL_TRY(encl_graph_linear(graph, y, &w[12], &w[13], &y));
    ENCL_TRY(encl_graph_add(graph, y, *x, &y));
    ENCL_TRY(encl_graph_layer_norm(graph, y, &w[14], &w[15], epsilon, x));
cleanup:
    return status;
}

static encl_status make_graph(const encoder *e, encl_graph **graph) {
    encl_status status = ENCL_OK;
    const encl_weight *w = e->weights;
    encl_value x = 0;
    ENCL_TRY(encl_graph_create(graph));
    ENCL_TRY(encl_graph_embed(*graph, &w[0], &w[1], &w[2], &w[3], &w[4], epsilon, &x));
    for (int32_t layer = 0; layer < LAYERS; layer++) {
        encl_graph_set_layer(*graph, layer + 1);
        ENCL_TRY(add_layer(*graph, w + 5 + (size_t)layer * LAYER_WEIGHTS, &x));
    }
    encl_graph_set_layer(*graph, LAYERS + 1);
    ENCL_TRY(encl_graph_output(*graph, x));
cleanup:
    return status;
}

// ---- The same in double precision -------------------------------------------------------------------------

static double weight_at(const encl_weight *weight, int64_t index) {
    return (double)element(weight->context, index);
}

// out[t][n] = bias[n] + Σ x[t][k] · weight[n][k]
static void dense(const encl_weight *w, int32_t tokens, int32_t in, int32_t width, const double *x, double *out) {
    for (int32_t t = 0; t < tokens; t++) {
        for (int32_t n = 0; n < width; n++) {
            double sum = weight_at(&w[1], n);
            for (int32_t k = 0; k < in; k++) {
                sum += x[t * in + k] * weight_at(&w[0], (int64_t)n * in + k);
            }
            out[t * width + n] = sum;
        }
    }
}

static void normalize(const encl_weight *w, int32_t tokens, double *x) {
    for (int32_t t = 0; t < tokens; t++) {
        double *row = x + (size_t)t * HIDDEN;
        double mean = 0;
        double square = 0;
        for (int32_t i = 0; i < HIDDEN; i++) {
            mean += row[i];
        }
        mean /= HIDDEN;
        for (int32_t i = 0; i < HIDDEN; i++) {
            square += (row[i] - mean) * (row[i] - mean);
        }
        const double scale = 1 / sqrt(square / HIDDEN + (double)epsilon);
        for (int32_t i = 0; i < HIDDEN; i++) {
            row[i] = (row[i] - mean) * scale * weight_at(&w[0], i) + weight_at(&w[1], i);
        }
    }
}

// One query of one head over all keys of its sequence.
static void attend(int32_t length, const double *q, const double *k, const double *v, double *out) {
    double scores[POSITIONS];
    double largest = -INFINITY;
    double sum = 0;
    for (int32_t key = 0; key < length; key++) {
        scores[key] = 0;
        for (int32_t i = 0; i < HEAD_SIZE; i++) {
            scores[key] += q[i] * k[key * HIDDEN + i] / sqrt(HEAD_SIZE);
        }
        largest = fmax(largest, scores[key]);
    }
    for (int32_t key = 0; key < length; key++) {
        scores[key] = exp(scores[key] - largest);
        sum += scores[key];
    }
    for (int32_t i = 0; i < HEAD_SIZE; i++) {
        out[i] = 0;
        for (int32_t key = 0; key < length; key++) {
            out[i] += scores[key] / sum * v[key * HIDDEN + i];
        }
    }
}

typedef struct buffers {
    double q[POSITIONS * HIDDEN], k[POSITIONS * HIDDEN], v[POSITIONS * HIDDEN];
    double y[POSITIONS * HIDDEN], z[POSITIONS * HIDDEN];
    double wide[POSITIONS * INTERMEDIATE];
    double x[POSITIONS * HIDDEN]; // the result
} buffers;

static void layer_of_one(const encl_weight *w, int32_t length, double *x, buffers *b) {
    dense(&w[0], length, HIDDEN, HIDDEN, x, b->q);
    dense(&w[2], length, HIDDEN, HIDDEN, x, b->k);
    dense(&w[4], length, HIDDEN, HIDDEN, x, b->v);
    for (int32_t t = 0; t < length; t++) {
        for (int32_t head = 0; head < HEADS; head++) {
            const int32_t at = head * HEAD_SIZE;
            attend(length, b->q + (size_t)t * HIDDEN + at, b->k + at, b->v + at, b->y + (size_t)t * HIDDEN + at);
        }
    }
    dense(&w[6], length, HIDDEN, HIDDEN, b->y, b->z);
    for (int32_t i = 0; i < length * HIDDEN; i++) {
        x[i] += b->z[i];
    }
    normalize(&w[8], length, x);
    dense(&w[10], length, HIDDEN, INTERMEDIATE, x, b->wide);
    for (int32_t i = 0; i < length * INTERMEDIATE; i++) {
        b->wide[i] *= 0.5 * (1 + erf(b->wide[i] / sqrt(2)));
    }
    dense(&w[12], length, INTERMEDIATE, HIDDEN, b->wide, b->z);
    for (int32_t i = 0; i < length * HIDDEN; i++) {
        x[i] += b->z[i];
    }
    normalize(&w[14], length, x);
}

// The last hidden state of one sequence, [length, HIDDEN], into b->x.
static void encode_one(const encoder *e, const int32_t *ids, const int32_t *types, int32_t length, buffers *b) {
    const encl_weight *w = e->weights;
    double *x = b->x;
    for (int32_t t = 0; t < length; t++) {
        for (int32_t i = 0; i < HIDDEN; i++) {
            x[t * HIDDEN + i] = weight_at(&w[0], (int64_t)ids[t] * HIDDEN + i) +
                                weight_at(&w[1], (int64_t)t * HIDDEN + i) +
                                weight_at(&w[2], (int64_t)types[t] * HIDDEN + i);
        }
    }
    normalize(&w[3], length, x);
    for (size_t layer = 0; layer < LAYERS; layer++) {
        layer_of_one(w + 5 + layer * LAYER_WEIGHTS, length, x, b);
    }
}

// ---- The runs ---------------------------------------------------------------------------------------------

static const int32_t lengths[SEQUENCES] = {5, 35, 1};

typedef struct batch {
    int32_t ids[TOKENS], types[TOKENS], offsets[SEQUENCES + 1];
    encl_batch packed;
} batch;

// The sequences from `first` on. What a sequence holds depends on its number alone.
static void make_batch(batch *b, int32_t first) {
    const int32_t count = SEQUENCES - first;
    int32_t tokens = 0;
    for (int32_t s = 0; s < count; s++) {
        b->offsets[s] = tokens;
        for (int32_t t = 0; t < lengths[first + s]; t++) {
            b->ids[tokens] = (int32_t)(encl_random_at((uint64_t)(first + s) + 7, (uint64_t)t) % VOCABULARY);
            b->types[tokens++] = t > lengths[first + s] / 2;
        }
    }
    b->offsets[count] = tokens;
    b->packed =
        (encl_batch){.tokens = tokens, .sequences = count, .ids = b->ids, .types = b->types, .offsets = b->offsets};
}

// Holds a run's output against the reference; NaN is an infinite error.
static encl_status compare(const encoder *e, const batch *b, const float *found, encl_encoder_check *result) {
    buffers *expected = NULL;
    const encl_status status = encl_allocate(1, sizeof *expected, (void **)&expected);
    if (status != ENCL_OK) {
        return status;
    }
    for (int32_t s = 0; s < b->packed.sequences; s++) {
        const int32_t start = b->offsets[s];
        const int32_t length = b->offsets[s + 1] - start;
        encode_one(e, b->ids + start, b->types + start, length, expected);
        for (int32_t i = 0; i < length * HIDDEN; i++) {
            const double error = fabs((double)found[start * HIDDEN + i] - expected->x[i]);
            if (!(error <= result->max_error)) {
                result->max_error = isnan(error) ? INFINITY : error;
            }
        }
    }
    free(expected);
    return ENCL_OK;
}

static encl_status output_of(encl_event *event, int32_t tokens, const float **data) {
    int64_t rows = 0;
    int64_t columns = 0;
    encl_status status = encl_event_wait(event, -1);
    status = status == ENCL_OK ? encl_event_output(event, 0, data, &rows, &columns) : status;
    if (status == ENCL_OK && (rows != tokens || columns != HIDDEN)) {
        status = encl_fail(ENCL_INTERNAL, "the encoder's output: found %lld x %lld, expected %d x %d", (long long)rows,
                           (long long)columns, tokens, HIDDEN);
    }
    return status;
}

// All sequences and, while these run, all but the first.
static encl_status run_both(encl_executable *executable, const encoder *e, encl_encoder_check *result) {
    encl_status status = ENCL_OK;
    batch all;
    batch rest;
    encl_event *first = NULL;
    encl_event *second = NULL;
    const float *whole = NULL;
    const float *part = NULL;
    make_batch(&all, 0);
    make_batch(&rest, 1);
    ENCL_TRY(encl_executable_run(executable, &all.packed, false, &first));
    ENCL_TRY(encl_executable_run(executable, &rest.packed, false, &second));
    ENCL_TRY(output_of(first, all.packed.tokens, &whole));
    ENCL_TRY(output_of(second, rest.packed.tokens, &part));
    ENCL_TRY(compare(e, &all, whole, result));
    ENCL_TRY(compare(e, &rest, part, result));
    const bool same =
        memcmp(whole + (size_t)lengths[0] * HIDDEN, part, (size_t)rest.packed.tokens * HIDDEN * sizeof(float)) == 0;
    if (!(result->max_error <= result->tolerance)) {
        result->reason = isfinite(result->max_error) ? "error too large" : "not finite";
    } else if (result->same_bits && !same) {
        result->reason = "other bits in another batch, though the same were promised";
    }
    result->passed = result->reason == NULL;
cleanup:
    encl_event_release(second);
    encl_event_release(first);
    return status;
}

encl_status encl_encoder_check_run(const encl_device *device, encl_precision precision, encl_encoder_check *result) {
    encl_status status = ENCL_OK;
    encoder e;
    encl_graph *graph = NULL;
    encl_executable *executable = NULL;
    const encl_executable_options options = {.capacity = {.tokens = TOKENS, .sequences = SEQUENCES},
                                             .precision = precision};
    *result = (encl_encoder_check){.tolerance = tolerances[precision], .gemm = ""};
    make_weights(&e);
    ENCL_TRY(make_graph(&e, &graph));
    ENCL_TRY(encl_executable_create(device, graph, &options, &executable));
    const encl_executable_info *info = encl_executable_get_info(executable);
    static const char *const providers[] = {"tile", "plain", "group", "clblast"};
    for (size_t i = 0; i < sizeof providers / sizeof providers[0]; i++) {
        if (strcmp(info->gemm, providers[i]) == 0) {
            result->gemm = providers[i]; // outlives the executable
        }
    }
    result->same_bits = info->same_bits;
    result->quarantined = info->quarantined;
    ENCL_TRY(run_both(executable, &e, result));
cleanup:
    encl_executable_destroy(executable);
    encl_graph_destroy(graph);
    return status;
}
