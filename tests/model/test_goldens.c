// The fixtures' weights, read through the checkpoint room and computed in plain double precision, give the goldens.
// Where a device's result differs from a golden, this test says whether reading or computing is to blame.
// Layout of the goldens: tests/golden/make_model_goldens.py. ENCL_MINILM names a folder of all-MiniLM-L6-v2.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/checkpoint/checkpoint.h"
#include "host/model/config.h"
#include "runtime/base/json.h"
#include "test.h"

// Goldens have 7 significant digits: half a unit of the last one is at most 5e-7 of the value.
static bool is_close(double found, double expected) {
    return fabs(found - expected) <= 1e-6 * fmax(1, fabs(expected));
}

enum { GOLDEN_BYTES = 1 << 20 };

typedef struct plain_model {
    encl_config config;
    encl_checkpoint *checkpoint;
    const char *prefix; // of the encoder's tensors: "bert." or ""
} plain_model;

static void open_model(const char *folder, plain_model *model) {
    assert_ok(encl_checkpoint_open(folder, &model->checkpoint));
    assert_ok(encl_config_read(encl_checkpoint_folder(model->checkpoint), &model->config));
    const bool bare = encl_checkpoint_find(model->checkpoint, "embeddings.word_embeddings.weight") != NULL;
    model->prefix = bare ? "" : "bert.";
}

static void close_model(plain_model *model) {
    encl_checkpoint_close(model->checkpoint);
    encl_config_free(&model->config);
}

// The tensor of a layer (or, with layer -1, outside of the layers), which must have `elements`. Caller frees.
static float *read_tensor(const plain_model *model, int layer, const char *name, int64_t elements) {
    char full[256];
    if (layer < 0) {
        snprintf(full, sizeof full, "%s%s", model->prefix, name);
    } else {
        snprintf(full, sizeof full, "%sencoder.layer.%d.%s", model->prefix, layer, name);
    }
    const encl_tensor *tensor = encl_checkpoint_find(model->checkpoint, full);
    if (tensor == NULL || tensor->elements != elements) {
        fail_msg("%s: found %lld elements, expected %lld", full, tensor == NULL ? -1 : (long long)tensor->elements,
                 (long long)elements);
    }
    float *values = calloc((size_t)elements, sizeof *values);
    assert_non_null(values);
    assert_ok(encl_tensor_read(tensor, 0, elements, values));
    return values;
}

static double *zeros(int64_t count) {
    double *values = calloc((size_t)count, sizeof *values);
    assert_non_null(values);
    return values;
}

// ---- Operators, T rows ------------------------------------------------------------------------------------

// y[T, N] = x[T, K] · Wᵀ + b. Caller frees.
static double *linear(const plain_model *model, int layer, const char *name, const double *x, int T, int K, int N) {
    char text[128];
    snprintf(text, sizeof text, "%s.weight", name);
    float *weight = read_tensor(model, layer, text, (int64_t)N * K);
    snprintf(text, sizeof text, "%s.bias", name);
    float *bias = read_tensor(model, layer, text, N);
    double *y = zeros((int64_t)T * N);
    for (int t = 0; t < T; t++) {
        for (int n = 0; n < N; n++) {
            double sum = (double)bias[n];
            for (int k = 0; k < K; k++) {
                sum += x[t * K + k] * (double)weight[n * K + k];
            }
            y[t * N + n] = sum;
        }
    }
    free(weight);
    free(bias);
    return y;
}

static void layer_norm(const plain_model *model, int layer, const char *name, double *x, int T) {
    char text[128];
    const int H = model->config.hidden;
    snprintf(text, sizeof text, "%s.weight", name);
    float *gamma = read_tensor(model, layer, text, H);
    snprintf(text, sizeof text, "%s.bias", name);
    float *beta = read_tensor(model, layer, text, H);
    for (int t = 0; t < T; t++) {
        double *row = x + t * H;
        double mean = 0;
        double variance = 0;
        for (int h = 0; h < H; h++) {
            mean += row[h] / H;
        }
        for (int h = 0; h < H; h++) {
            variance += (row[h] - mean) * (row[h] - mean) / H;
        }
        for (int h = 0; h < H; h++) {
            row[h] =
                (row[h] - mean) / sqrt(variance + (double)model->config.epsilon) * (double)gamma[h] + (double)beta[h];
        }
    }
    free(gamma);
    free(beta);
}

static double activate(encl_activation activation, double x) {
    switch (activation) {
    case ENCL_ACTIVATION_GELU:
        return 0.5 * x * (1 + erf(x / sqrt(2)));
    case ENCL_ACTIVATION_GELU_TANH:
        return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
    case ENCL_ACTIVATION_RELU:
        return x > 0 ? x : 0;
    default:
        fail_msg("activation %d has no plain form here", (int)activation);
        return 0;
    }
}

// softmax(QKᵀ/√d)·V, head by head, over q, k, v [T, H]. Caller frees.
static double *attention(const double *q, const double *k, const double *v, int T, int H, int heads) {
    const int d = H / heads;
    double *result = zeros((int64_t)T * H);
    double *scores = zeros(T);
    for (int head = 0; head < heads; head++) {
        for (int t = 0; t < T; t++) {
            double sum = 0;
            for (int s = 0; s < T; s++) {
                double dot = 0;
                for (int i = head * d; i < (head + 1) * d; i++) {
                    dot += q[t * H + i] * k[s * H + i];
                }
                scores[s] = exp(dot / sqrt(d)); // tiny models and real ones stay far below overflow in double
                sum += scores[s];
            }
            for (int s = 0; s < T; s++) {
                for (int i = head * d; i < (head + 1) * d; i++) {
                    result[t * H + i] += scores[s] / sum * v[s * H + i];
                }
            }
        }
    }
    free(scores);
    return result;
}

// ---- The encoder ------------------------------------------------------------------------------------------

static double *embed(const plain_model *model, const int *ids, const int *types, int T) {
    const encl_config *config = &model->config;
    const int H = config->hidden;
    float *word = read_tensor(model, -1, "embeddings.word_embeddings.weight", (int64_t)config->vocabulary * H);
    float *place = read_tensor(model, -1, "embeddings.position_embeddings.weight", (int64_t)config->max_position * H);
    float *type =
        read_tensor(model, -1, "embeddings.token_type_embeddings.weight", (int64_t)config->type_vocabulary * H);
    double *x = zeros((int64_t)T * H);
    for (int t = 0; t < T; t++) {
        for (int h = 0; h < H; h++) {
            x[t * H + h] = (double)word[ids[t] * H + h] + (double)place[t * H + h] + (double)type[types[t] * H + h];
        }
    }
    free(word);
    free(place);
    free(type);
    layer_norm(model, -1, "embeddings.LayerNorm", x, T);
    return x;
}

// x ← LayerNorm(x + dense(y)); frees y.
static void residual(const plain_model *model, int layer, const char *part, double *x, double *y, int T, int K) {
    char name[64];
    const int H = model->config.hidden;
    snprintf(name, sizeof name, "%s.dense", part);
    double *projected = linear(model, layer, name, y, T, K, H);
    for (int i = 0; i < T * H; i++) {
        x[i] += projected[i];
    }
    snprintf(name, sizeof name, "%s.LayerNorm", part);
    layer_norm(model, layer, name, x, T);
    free(projected);
    free(y);
}

// The last hidden state [T, H] of one sequence. Caller frees.
static double *encode(const plain_model *model, const int *ids, const int *types, int T) {
    const int H = model->config.hidden;
    const int F = model->config.intermediate;
    double *x = embed(model, ids, types, T);
    for (int layer = 0; layer < model->config.layers; layer++) {
        double *q = linear(model, layer, "attention.self.query", x, T, H, H);
        double *k = linear(model, layer, "attention.self.key", x, T, H, H);
        double *v = linear(model, layer, "attention.self.value", x, T, H, H);
        residual(model, layer, "attention.output", x, attention(q, k, v, T, H, model->config.heads), T, H);
        free(q);
        free(k);
        free(v);
        double *y = linear(model, layer, "intermediate.dense", x, T, H, F);
        for (int i = 0; i < T * F; i++) {
            y[i] = activate(model->config.activation, y[i]);
        }
        residual(model, layer, "output", x, y, T, F);
    }
    return x;
}

// ---- Goldens ----------------------------------------------------------------------------------------------

static const cJSON *get(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    assert_non_null(item);
    return item;
}

static int *read_integers(const cJSON *array, int count) {
    int *values = calloc((size_t)count, sizeof *values);
    assert_non_null(values);
    assert_int_equal(cJSON_GetArraySize(array), count);
    int i = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, array) {
        values[i++] = item->valueint;
    }
    return values;
}

static void compare(const char *what, const cJSON *array, const double *found, int count) {
    assert_int_equal(cJSON_GetArraySize(array), count);
    int i = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, array) {
        if (!is_close(found[i], item->valuedouble)) {
            fail_msg("%s[%d]: found %.9g, expected %.9g", what, i, found[i], item->valuedouble);
        }
        i++;
    }
}

// Rows of a golden that holds only some: {position, first: [8], norm}.
static void compare_rows(const cJSON *rows, const double *hidden, int H) {
    const cJSON *row;
    cJSON_ArrayForEach(row, rows) {
        const double *values = hidden + get(row, "position")->valueint * H;
        double sum = 0;
        for (int h = 0; h < H; h++) {
            sum += values[h] * values[h];
        }
        compare("rows.first", get(row, "first"), values, 8);
        assert_true(is_close(sqrt(sum), get(row, "norm")->valuedouble));
    }
}

static void check_sequence(const plain_model *model, const cJSON *sequence) {
    const int H = model->config.hidden;
    const int T = cJSON_GetArraySize(get(sequence, "ids"));
    int *ids = read_integers(get(sequence, "ids"), T);
    int *types = read_integers(get(sequence, "types"), T);
    double *hidden = encode(model, ids, types, T);
    const cJSON *whole = cJSON_GetObjectItemCaseSensitive(sequence, "last_hidden_state");
    if (whole != NULL) {
        compare("last_hidden_state", whole, hidden, T * H);
    } else {
        compare_rows(get(sequence, "rows"), hidden, H);
    }
    double *mean = zeros(H);
    for (int i = 0; i < T * H; i++) {
        mean[i % H] += hidden[i] / T;
    }
    compare("pooled.mean", get(get(sequence, "pooled"), "mean"), mean, H);
    free(mean);
    free(hidden);
    free(types);
    free(ids);
}

// Checks every sequence of a golden; gives how many there were.
static int check_golden(const char *path, const char *folder) {
    plain_model model;
    cJSON *golden = NULL;
    int count = 0;
    assert_ok(encl_json_read(path, GOLDEN_BYTES, &golden));
    open_model(folder, &model);
    assert_int_equal(get(golden, "hidden")->valueint, model.config.hidden);
    const cJSON *batch;
    const cJSON *sequence;
    cJSON_ArrayForEach(batch, get(golden, "batches")) {
        cJSON_ArrayForEach(sequence, get(batch, "sequences")) {
            check_sequence(&model, sequence);
            count++;
        }
    }
    close_model(&model);
    cJSON_Delete(golden);
    return count;
}

static void tiny_models_agree(void **state) {
    (void)state;
    static const char *const names[] = {"tiny-bert",         "tiny-bert-f16",      "tiny-bert-bf16",
                                        "tiny-bert-sharded", "tiny-bert-gelu-new", "tiny-bert-odd",
                                        "tiny-bert-40",      "tiny-sentence",      "tiny-pretraining"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        char folder[128];
        snprintf(path, sizeof path, "tests/golden/model/%s.json", names[i]);
        snprintf(folder, sizeof folder, "tests/fixtures/%s", names[i]);
        assert_true(check_golden(path, folder) >= 6);
    }
}

static void minilm_agrees(void **state) {
    (void)state;
    const char *folder = getenv("ENCL_MINILM");
    if (folder == NULL) {
        print_message("skipped: ENCL_MINILM names no folder of all-MiniLM-L6-v2\n");
        skip();
    }
    assert_int_equal(check_golden("tests/golden/minilm.json", folder), 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiny_models_agree),
        cmocka_unit_test(minilm_agrees),
    };
    return encl_test_main(tests);
}
