#include "host/model/head.h"

#include <string.h>

#include "host/model/model.h"

// What a dimension of a head's weight is.
typedef enum extent { NONE, HIDDEN, WIDTH } extent;

typedef struct weight_row {
    const char *name;
    const char *otherwise; // its name where `name` is not stored: a tied weight
    extent rows, columns;
} weight_row;

typedef struct head_row {
    const char *name;
    const char *title;        // in messages: "this checkpoint has no MLM head"
    const char *architecture; // the part of an architecture's name that the weights go with; NULL: any
    int32_t width;            // 0: as many as the first dimension of the weight `measure`
    size_t measure;
    bool pooler; // reads the pooler's output
    weight_row weights[ENCL_HEAD_WEIGHTS];
} head_row;

enum { TRANSFORM, TRANSFORM_BIAS, TRANSFORM_GAMMA, TRANSFORM_BETA, DECODER, DECODER_BIAS };
enum { WEIGHT, BIAS };

#define CLASSIFIER                                    \
    {                                                 \
        {"classifier.weight", NULL, WIDTH, HIDDEN}, { \
            "classifier.bias", NULL, WIDTH, NONE      \
        }                                             \
    }

static const head_row rows[ENCL_HEADS] = {
    [ENCL_HEAD_FILL_MASK] = {"fill-mask",
                             "MLM",
                             NULL,
                             0,
                             DECODER_BIAS,
                             false,
                             {
                                 {"cls.predictions.transform.dense.weight", NULL, HIDDEN, HIDDEN},
                                 {"cls.predictions.transform.dense.bias", NULL, HIDDEN, NONE},
                                 {"cls.predictions.transform.LayerNorm.weight", NULL, HIDDEN, NONE},
                                 {"cls.predictions.transform.LayerNorm.bias", NULL, HIDDEN, NONE},
                                 {"cls.predictions.decoder.weight", "embeddings.word_embeddings.weight", WIDTH, HIDDEN},
                                 {"cls.predictions.decoder.bias", "cls.predictions.bias", WIDTH, NONE},
                             }},
    [ENCL_HEAD_NEXT_SENTENCE] = {"next-sentence",
                                 "next-sentence",
                                 NULL,
                                 2,
                                 WEIGHT,
                                 true,
                                 {
                                     {"cls.seq_relationship.weight", NULL, WIDTH, HIDDEN},
                                     {"cls.seq_relationship.bias", NULL, WIDTH, NONE},
                                 }},
    [ENCL_HEAD_CLASSIFY] = {"classify", "classification", "SequenceClassification", 0, BIAS, true, CLASSIFIER},
    [ENCL_HEAD_NER] = {"ner", "token classification", "TokenClassification", 0, BIAS, false, CLASSIFIER},
    [ENCL_HEAD_QA] = {"qa",
                      "question-answering",
                      NULL,
                      2,
                      WEIGHT,
                      false,
                      {
                          {"qa_outputs.weight", NULL, WIDTH, HIDDEN},
                          {"qa_outputs.bias", NULL, WIDTH, NONE},
                      }},
    [ENCL_HEAD_MULTIPLE_CHOICE] = {"multiple-choice", "multiple-choice", "MultipleChoice", 1, WEIGHT, true, CLASSIFIER},
};

const char *encl_head_name(encl_head head) {
    return rows[head].name;
}

// ---- Weights ----------------------------------------------------------------------------------------------

// The name under which a weight is stored, NULL where it is not.
static const char *stored_name(const encl_model *model, const weight_row *weight) {
    if (encl_model_find_tensor(model, weight->name) != NULL) {
        return weight->name;
    }
    return weight->otherwise != NULL && encl_model_find_tensor(model, weight->otherwise) != NULL ? weight->otherwise
                                                                                                 : NULL;
}

// An architecture that names no task (a TensorFlow checkpoint has none) leaves it to the user what a classifier is of.
static bool fits_architecture(const encl_model *model, const head_row *row) {
    const char *architecture = model->config.architecture;
    return row->architecture == NULL || strstr(architecture, row->architecture) != NULL ||
           (strstr(architecture, "For") == NULL && strcmp(row->architecture, "MultipleChoice") != 0);
}

// The first weight that the model lacks, NULL: none.
static const char *missing_weight(const encl_model *model, const head_row *row) {
    for (size_t i = 0; i < ENCL_HEAD_WEIGHTS && row->weights[i].name != NULL; i++) {
        if (stored_name(model, &row->weights[i]) == NULL) {
            return row->weights[i].name;
        }
    }
    return row->pooler && !model->bert.has_pooler ? "pooler.dense.weight" : NULL;
}

static encl_status collect_head(encl_model *model, const head_row *row, encl_head_weights *head) {
    encl_status status = ENCL_OK;
    encl_head_weights found = {.width = row->width};
    if (!fits_architecture(model, row) || missing_weight(model, row) != NULL) {
        return ENCL_OK;
    }
    if (found.width == 0) {
        const encl_tensor *measured = encl_model_find_tensor(model, stored_name(model, &row->weights[row->measure]));
        found.width = measured->dimensions > 0 && measured->shape[0] <= INT32_MAX ? (int32_t)measured->shape[0] : 0;
    }
    for (size_t i = 0; i < ENCL_HEAD_WEIGHTS && row->weights[i].name != NULL; i++) {
        const weight_row *weight = &row->weights[i];
        const int64_t extents[] = {[NONE] = 0, [HIDDEN] = model->config.hidden, [WIDTH] = found.width};
        bool is_found = false;
        ENCL_TRY(encl_model_find_weight(model, stored_name(model, weight), extents[weight->rows],
                                        extents[weight->columns], false, &found.weights[i], &is_found));
        if (weight->otherwise != NULL) { // tied: both names are one weight
            encl_model_use_tensor(model, weight->otherwise);
        }
    }
    *head = found;
cleanup:
    return status;
}

// The labels are those of the classifier, if it classifies.
static encl_status check_labels(encl_model *model) {
    static const encl_head labelled[] = {ENCL_HEAD_CLASSIFY, ENCL_HEAD_NER};
    for (size_t i = 0; i < sizeof labelled / sizeof labelled[0]; i++) {
        const encl_head_weights *head = &model->heads[labelled[i]];
        if (head->width == 0 || (size_t)head->width == model->config.label_count) {
            continue;
        }
        if (model->config.labels_named) {
            return encl_fail(ENCL_FORMAT, "%s: tensor %s has %d rows, %s names %zu labels", model->path,
                             head->weights[WEIGHT].name, (int)head->width, model->config.file,
                             model->config.label_count);
        }
        return encl_config_number_labels(&model->config, (size_t)head->width);
    }
    return ENCL_OK;
}

encl_status encl_head_collect(encl_model *model) {
    for (size_t i = 0; i < ENCL_HEADS; i++) {
        const encl_status status = collect_head(model, &rows[i], &model->heads[i]);
        if (status != ENCL_OK) {
            return status;
        }
    }
    return check_labels(model);
}

// ---- What is missing --------------------------------------------------------------------------------------

// What transformers' classes have behind the encoder.
static const struct {
    const char *architecture; // the end of its name
    encl_head heads[2];
    size_t head_count;
    bool pooler;
} expectations[] = {
    {"ForPreTraining", {ENCL_HEAD_FILL_MASK, ENCL_HEAD_NEXT_SENTENCE}, 2, true},
    {"ForPretraining", {ENCL_HEAD_FILL_MASK, ENCL_HEAD_NEXT_SENTENCE}, 2, true}, // as PaddleNLP spells it
    {"ForMaskedLM", {ENCL_HEAD_FILL_MASK}, 1, false},
    {"ForNextSentencePrediction", {ENCL_HEAD_NEXT_SENTENCE}, 1, true},
    {"ForSequenceClassification", {ENCL_HEAD_CLASSIFY}, 1, true},
    {"ForTokenClassification", {ENCL_HEAD_NER}, 1, false},
    {"ForQuestionAnswering", {ENCL_HEAD_QA}, 1, false},
    {"ForMultipleChoice", {ENCL_HEAD_MULTIPLE_CHOICE}, 1, true},
    {"Model", {0}, 0, true},
};

encl_status encl_head_list_missing(const encl_model *model, encl_status (*add)(void *context, const char *name),
                                   void *context) {
    static const char *const pooler[] = {"pooler.dense.weight", "pooler.dense.bias"};
    const char *architecture = model->config.architecture;
    encl_status status = ENCL_OK;
    size_t e = 0;
    while (e < sizeof expectations / sizeof expectations[0] &&
           !encl_text_ends(architecture, expectations[e].architecture)) {
        e++;
    }
    if (e == sizeof expectations / sizeof expectations[0]) {
        return ENCL_OK;
    }
    for (size_t i = 0; i < 2 && expectations[e].pooler; i++) {
        if (encl_model_find_tensor(model, pooler[i]) == NULL) {
            ENCL_TRY(add(context, pooler[i]));
        }
    }
    for (size_t i = 0; i < expectations[e].head_count; i++) {
        const head_row *row = &rows[expectations[e].heads[i]];
        for (size_t j = 0; j < ENCL_HEAD_WEIGHTS && row->weights[j].name != NULL; j++) {
            const weight_row *weight = &row->weights[j];
            if (stored_name(model, weight) == NULL) {
                ENCL_TRY(add(context, weight->otherwise != NULL ? weight->otherwise : weight->name));
            }
        }
    }
cleanup:
    return status;
}

// Whether all elements of a vector are `expected`.
static encl_status is_constant(const encl_weight *vector, float expected, bool *constant) {
    enum { PART = 4096 };
    float values[PART];
    *constant = true;
    for (int64_t row = 0; row < vector->rows && *constant; row += PART) {
        const int64_t count = vector->rows - row < PART ? vector->rows - row : PART;
        const encl_status status = vector->read(vector->context, row, count, values);
        if (status != ENCL_OK) {
            return status;
        }
        for (int64_t i = 0; i < count; i++) {
            *constant = *constant && values[i] == expected;
        }
    }
    return ENCL_OK;
}

encl_status encl_head_is_untrained(const encl_model *model, bool *untrained) {
    static const struct {
        size_t weight;
        float initial;
    } initials[] = {{TRANSFORM_GAMMA, 1.0f}, {TRANSFORM_BETA, 0.0f}, {DECODER_BIAS, 0.0f}};
    const encl_head_weights *head = &model->heads[ENCL_HEAD_FILL_MASK];
    const encl_packed *packed = encl_checkpoint_packed(model->checkpoint);
    *untrained = head->width > 0;
    if (packed != NULL) {
        *untrained = packed->mlm_untrained;
        return ENCL_OK;
    }
    for (size_t i = 0; i < sizeof initials / sizeof initials[0] && *untrained; i++) {
        const encl_status status = is_constant(&head->weights[initials[i].weight], initials[i].initial, untrained);
        if (status != ENCL_OK) {
            *untrained = false;
            return status;
        }
    }
    return ENCL_OK;
}

int32_t encl_head_width(const encl_model *model, encl_head head) {
    return model->heads[head].width;
}

encl_status encl_head_require(const encl_model *model, encl_head head) {
    const head_row *row = &rows[head];
    if (model->heads[head].width > 0) {
        return ENCL_OK;
    }
    // A classifier may be there and be another head's: that says more than what else is missing.
    const bool is_other = !fits_architecture(model, row) && stored_name(model, &row->weights[WEIGHT]) != NULL;
    const char *missing = is_other ? NULL : missing_weight(model, row);
    if (missing != NULL) {
        return encl_fail(ENCL_UNSUPPORTED, "%s: this checkpoint has no %s head: found no tensor %s, expected one",
                         model->path, row->title, missing);
    }
    return encl_fail(ENCL_UNSUPPORTED, "%s: this checkpoint has no %s head: its architecture is %s", model->path,
                     row->title, model->config.architecture);
}

// ---- Graphs -----------------------------------------------------------------------------------------------

// decoder · LayerNorm(activation(transform · x)) + bias, for the rows that a batch lists (Devlin et al. 2019,
// section 3.1; the transform is in its code).
static encl_status add_fill_mask(const encl_model *model, const encl_weight *w, encl_graph *graph, encl_value x,
                                 encl_value *logits) {
    encl_status status = ENCL_OK;
    ENCL_TRY(encl_graph_select(graph, x, ENCL_SELECT_LISTED, &x));
    ENCL_TRY(encl_graph_linear(graph, x, &w[TRANSFORM], &w[TRANSFORM_BIAS], &x));
    ENCL_TRY(encl_graph_activation(graph, x, model->config.activation, &x));
    ENCL_TRY(encl_graph_layer_norm(graph, x, &w[TRANSFORM_GAMMA], &w[TRANSFORM_BETA], model->config.epsilon, &x));
    ENCL_TRY(encl_graph_linear(graph, x, &w[DECODER], &w[DECODER_BIAS], logits));
cleanup:
    return status;
}

encl_status encl_head_add(const encl_model *model, encl_head head, encl_graph *graph, encl_value hidden,
                          encl_value *logits) {
    encl_status status = ENCL_OK;
    const encl_weight *w = model->heads[head].weights;
    encl_value x = hidden;
    *logits = 0;
    ENCL_TRY(encl_head_require(model, head));
    if (head == ENCL_HEAD_FILL_MASK) {
        return add_fill_mask(model, w, graph, hidden, logits);
    }
    if (rows[head].pooler) {
        ENCL_TRY(encl_bert_pool(&model->bert, graph, hidden, &x));
    }
    ENCL_TRY(encl_graph_linear(graph, x, &w[WEIGHT], &w[BIAS], logits));
cleanup:
    return status;
}

encl_status encl_head_graph(const encl_model *model, encl_head head, encl_graph **graph) {
    encl_status status = ENCL_OK;
    encl_graph *made = NULL;
    encl_value value = 0;
    *graph = NULL;
    ENCL_TRY(encl_model_encode(model, &made, &value));
    ENCL_TRY(encl_head_add(model, head, made, value, &value));
    ENCL_TRY(encl_graph_output(made, value));
    *graph = made;
    made = NULL;
cleanup:
    encl_graph_destroy(made);
    return status;
}
