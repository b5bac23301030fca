// Models of a named shape with random weights: for measuring speed, not for meaning.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/model.h"
#include "runtime/base/random.h"

// name, layers, hidden, heads, intermediate, vocabulary, max_position, type_vocabulary, casing
static const encl_model_shape shapes[] = {
    // Sizes by themselves.
    {"minilm", 6, 384, 12, 1536, 30522, 512, 2, "uncased"},
    {"base", 12, 768, 12, 3072, 21128, 512, 2, "uncased"},
    {"large", 24, 1024, 16, 4096, 21128, 512, 2, "uncased"},
    // Google's BERT, and its whole-word-masking checkpoints.
    {"bert-base-chinese", 12, 768, 12, 3072, 21128, 512, 2, "uncased"},
    {"bert-base-uncased", 12, 768, 12, 3072, 30522, 512, 2, "uncased"},
    {"bert-base-cased", 12, 768, 12, 3072, 28996, 512, 2, "cased"},
    {"bert-large-uncased", 24, 1024, 16, 4096, 30522, 512, 2, "uncased"},
    {"bert-large-cased", 24, 1024, 16, 4096, 28996, 512, 2, "cased"},
    {"bert-large-uncased-whole-word-masking", 24, 1024, 16, 4096, 30522, 512, 2, "uncased"},
    {"bert-large-cased-whole-word-masking", 24, 1024, 16, 4096, 28996, 512, 2, "cased"},
    {"bert-base-multilingual-uncased", 12, 768, 12, 3072, 105879, 512, 2, "uncased"},
    {"bert-base-multilingual-cased", 12, 768, 12, 3072, 119547, 512, 2, "cased"},
    // HFL's Chinese models with whole-word masking.
    {"bert-wwm", 12, 768, 12, 3072, 21128, 512, 2, "uncased"},
    {"bert-wwm-ext", 12, 768, 12, 3072, 21128, 512, 2, "uncased"},
    {"roberta-wwm-ext", 12, 768, 12, 3072, 21128, 512, 2, "uncased"},
    {"roberta-wwm-ext-large", 24, 1024, 16, 4096, 21128, 512, 2, "uncased"},
    {"rbt3", 3, 768, 12, 3072, 21128, 512, 2, "uncased"},
    {"rbt4", 4, 768, 12, 3072, 21128, 512, 2, "uncased"},
    {"rbt6", 6, 768, 12, 3072, 21128, 512, 2, "uncased"},
    {"rbtl3", 3, 1024, 16, 4096, 21128, 512, 2, "uncased"},
    {"macbert-base", 12, 768, 12, 3072, 21128, 512, 2, "uncased"},
    {"macbert-large", 24, 1024, 16, 4096, 21128, 512, 2, "uncased"},
    // Sentence embeddings.
    {"minilm-l6", 6, 384, 12, 1536, 30522, 512, 2, "uncased"},
    {"minilm-l12", 12, 384, 12, 1536, 30522, 512, 2, "uncased"},
    {"bge-small-zh", 4, 512, 8, 2048, 21128, 512, 2, "uncased"},
    {"bge-base-zh", 12, 768, 12, 3072, 21128, 512, 2, "uncased"},
    {"bge-large-zh", 24, 1024, 16, 4096, 21128, 512, 2, "uncased"},
    {"bge-small-en", 12, 384, 12, 1536, 30522, 512, 2, "uncased"},
    {"bge-base-en", 12, 768, 12, 3072, 30522, 512, 2, "uncased"},
    {"bge-large-en", 24, 1024, 16, 4096, 30522, 512, 2, "uncased"},
    {"e5-small", 12, 384, 12, 1536, 30522, 512, 2, "uncased"},
    {"e5-base", 12, 768, 12, 3072, 30522, 512, 2, "uncased"},
    {"e5-large", 24, 1024, 16, 4096, 30522, 512, 2, "uncased"},
    {"arctic-xs", 6, 384, 12, 1536, 30522, 512, 2, "uncased"},
    {"arctic-s", 12, 384, 12, 1536, 30522, 512, 2, "uncased"},
    {"arctic-m", 12, 768, 12, 3072, 30522, 512, 2, "uncased"},
    {"arctic-l", 24, 1024, 16, 4096, 30522, 512, 2, "uncased"},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0], LAYERS_MOST = 999 };

const encl_model_shape *encl_model_shapes(size_t *count) {
    *count = SHAPES;
    return shapes;
}

// One weight's stream of numbers: element i depends on the seed, the weight and i alone.
typedef struct stream {
    char name[96];
    uint64_t seed;
    int64_t width;
    float middle; // LayerNorm gains are 1, all else is around 0
    float spread;
} stream;

typedef struct streams {
    stream *rows;
    size_t count;
    uint64_t seed;
} streams;

static encl_status read_random(void *context, int64_t row, int64_t count, float *destination) {
    const stream *s = context;
    const uint64_t first = (uint64_t)(row * s->width);
    for (int64_t i = 0; i < count * s->width; i++) {
        destination[i] = s->middle + s->spread * encl_random_float(encl_random_at(s->seed, first + (uint64_t)i));
    }
    return ENCL_OK;
}

static encl_status find_random(void *context, const char *name, int64_t rows, int64_t columns, bool optional,
                               encl_weight *weight, bool *found) {
    streams *all = context;
    (void)optional;
    stream *s = &all->rows[all->count++];
    snprintf(s->name, sizeof s->name, "%s", name);
    // BERT's initialisation has a standard deviation of 0.02; a uniform spread of 0.035 has the same.
    s->seed = all->seed * 1000003u + (uint64_t)all->count;
    s->width = columns == 0 ? 1 : columns;
    s->middle = strstr(name, "LayerNorm.weight") != NULL ? 1.0f : 0.0f;
    s->spread = 0.035f;
    *weight = (encl_weight){s->name, rows, columns, read_random, s, NULL};
    *found = true;
    return ENCL_OK;
}

static encl_status unknown(const char *name) {
    encl_string list = {0};
    for (size_t i = 0; i < SHAPES; i++) {
        if (encl_string_list(&list, shapes[i].name) != ENCL_OK) {
            break;
        }
    }
    encl_status status =
        encl_fail(ENCL_NOT_FOUND, "shape '%s', expected one of %s", name, list.text == NULL ? "" : list.text);
    encl_string_free(&list);
    return status;
}

// What a configuration says in words.
static encl_status fill_texts(encl_config *config) {
    const struct {
        const char *text;
        char **copy;
    } rows[] = {{"", &config->file},           {"BertModel", &config->architecture},
                {"bert", &config->model_type}, {"", &config->note},
                {"", &config->dtype},          {"", &config->problem_type}};
    encl_status status = ENCL_OK;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && status == ENCL_OK; i++) {
        status = encl_copy_text(rows[i].text, strlen(rows[i].text), rows[i].copy);
    }
    return status;
}

// "base" is a row; "base:6" is that row with another number of layers.
static encl_status find_shape(const char *name, encl_model_shape *found) {
    const size_t length = strcspn(name, ":");
    const encl_model_shape *row = NULL;
    for (size_t i = 0; i < SHAPES; i++) {
        const bool same = strlen(shapes[i].name) == length && strncmp(shapes[i].name, name, length) == 0;
        row = same ? &shapes[i] : row;
    }
    if (row == NULL) {
        return unknown(name);
    }
    *found = *row;
    if (name[length] == ':') {
        char *end = NULL;
        const char *digits = name + length + 1;
        const long layers = strtol(digits, &end, 10);
        if (*digits < '0' || *digits > '9' || *end != '\0' || layers < 1 || layers > LAYERS_MOST) {
            return encl_fail(ENCL_INVALID, "shape '%s': found '%s' layers, expected 1 … %d", name, digits, LAYERS_MOST);
        }
        found->layers = (int32_t)layers;
    }
    return ENCL_OK;
}

encl_status encl_model_randomize(encl_model *model, const char *shape, uint64_t seed) {
    encl_status status = ENCL_OK;
    encl_model_shape sizes = {0};
    const encl_model_shape *row = &sizes;
    streams *all = NULL;
    ENCL_TRY(find_shape(shape, &sizes));
    encl_config *c = &model->config;
    c->layers = row->layers;
    c->hidden = row->hidden;
    c->heads = row->heads;
    c->intermediate = row->intermediate;
    c->vocabulary = row->vocabulary;
    c->max_position = row->max_position;
    c->type_vocabulary = row->type_vocabulary;
    c->epsilon = 1e-12f;
    c->activation = ENCL_ACTIVATION_GELU;
    ENCL_TRY(fill_texts(c));
    const size_t most =
        ENCL_BERT_EMBEDDING_WEIGHTS + ENCL_BERT_POOLER_WEIGHTS + (size_t)row->layers * ENCL_BERT_LAYER_WEIGHTS;
    // One block: the streams stand behind their list.
    ENCL_TRY(encl_allocate(1, sizeof *all + most * sizeof(stream), (void **)&all));
    model->random = all;
    *all = (streams){.rows = (stream *)(void *)(all + 1), .seed = seed};
    ENCL_TRY(encl_bert_collect(c, find_random, all, &model->bert));
cleanup:
    return status;
}
