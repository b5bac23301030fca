// Classification: a label for every text or pair, by a classifier or a next-sentence head.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/head.h"
#include "host/task/pipeline.h"
#include "host/task/reader.h"

// What a logit becomes.
typedef enum scoring {
    SCORING_SOFTMAX, // one label holds
    SCORING_SIGMOID, // each may hold
    SCORING_RAW,     // a regression's number
} scoring;

struct encl_classifier {
    encl_reader reader;
    encl_pipeline *pipeline;
    scoring scoring;
    const char *const *labels;
    size_t label_count;
    float *scores; // [label_count] of one text
};

// Of the run.
typedef struct result_stream {
    encl_classifier *classifier;
    encl_status (*sink)(void *context, const encl_classification *classification);
    void *context;
} result_stream;

// ---- Making one -------------------------------------------------------------------------------------------

// A classifier's head, else one that says whether the second text follows the first.
static encl_status choose_head(const encl_model *model, encl_head *head) {
    *head = ENCL_HEAD_CLASSIFY;
    if (encl_head_require(model, ENCL_HEAD_CLASSIFY) != ENCL_OK &&
        encl_head_require(model, ENCL_HEAD_NEXT_SENTENCE) == ENCL_OK) {
        *head = ENCL_HEAD_NEXT_SENTENCE;
    }
    return encl_head_require(model, *head);
}

static void set_labels(const encl_model *model, encl_head head, encl_classifier *c) {
    static const char *const next_sentence[] = {"is_next", "not_next"};
    const char *problem = model->config.problem_type;
    c->labels = head == ENCL_HEAD_NEXT_SENTENCE ? next_sentence : model->info.labels;
    c->label_count = (size_t)encl_head_width(model, head);
    c->scoring = SCORING_SOFTMAX;
    if (head == ENCL_HEAD_CLASSIFY && strcmp(problem, "regression") == 0) {
        c->scoring = SCORING_RAW;
    } else if (head == ENCL_HEAD_CLASSIFY &&
               (strcmp(problem, "multi_label_classification") == 0 || c->label_count == 1)) {
        c->scoring = SCORING_SIGMOID;
    }
}

encl_status encl_classifier_create(const encl_model *model, const encl_device *device,
                                   const encl_classify_options *options, encl_classifier **classifier) {
    static const encl_classify_options default_options = {.max_length = 0};
    encl_status status = ENCL_OK;
    encl_classifier *c = NULL;
    encl_graph *graph = NULL;
    encl_head head;
    *classifier = NULL;
    options = options == NULL ? &default_options : options;
    ENCL_TRY(encl_allocate(1, sizeof *c, (void **)&c));
    ENCL_TRY(encl_reader_init(model, options->max_length, options->refuse_long, &c->reader));
    ENCL_TRY(choose_head(model, &head));
    set_labels(model, head, c);
    ENCL_TRY(encl_allocate(c->label_count, sizeof *c->scores, (void **)&c->scores));
    ENCL_TRY(encl_head_graph(model, head, &graph));
    ENCL_TRY(encl_pipeline_create(device, &graph, &options->executable, ENCL_RESULT_SEQUENCES, c->reader.max_length,
                                  &c->pipeline));
    *classifier = c;
    c = NULL;
cleanup:
    encl_graph_destroy(graph);
    encl_classifier_destroy(c);
    return status;
}

void encl_classifier_destroy(encl_classifier *c) {
    if (c == NULL) {
        return;
    }
    encl_pipeline_destroy(c->pipeline);
    encl_reader_free(&c->reader);
    free(c->scores);
    free(c);
}

const encl_executable_info *encl_classifier_get_info(const encl_classifier *classifier) {
    return encl_pipeline_get_info(classifier->pipeline);
}

// ---- Running ----------------------------------------------------------------------------------------------

static encl_status next_sequence(void *context, encl_sequence *sequence) {
    encl_classifier *c = context;
    encl_status status = ENCL_OK;
    encl_text text;
    ENCL_TRY(encl_reader_next(&c->reader, &text));
    if (text.text != NULL) {
        ENCL_TRY(encl_reader_encode(&c->reader, &text));
        sequence->ids = c->reader.encoding.ids;
        sequence->types = c->reader.encoding.types;
        sequence->count = (int32_t)c->reader.encoding.count;
    }
cleanup:
    return status;
}

static void score(scoring how, const float *logits, size_t count, float *scores) {
    double highest = -INFINITY;
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        highest = fmax(highest, (double)logits[i]);
    }
    for (size_t i = 0; i < count; i++) {
        sum += exp((double)logits[i] - highest);
    }
    for (size_t i = 0; i < count; i++) {
        const double logit = (double)logits[i];
        scores[i] = how == SCORING_RAW       ? logits[i]
                    : how == SCORING_SIGMOID ? (float)(1 / (1 + exp(-logit)))
                                             : (float)(exp(logit - highest) / sum);
    }
}

static encl_status hand_out(void *context, const encl_sequence_result *result) {
    const result_stream *results = context;
    const encl_classifier *c = results->classifier;
    encl_classification classification = {
        .index = result->index,
        .scores = c->scores,
        .labels = c->labels,
        .label_count = c->label_count,
    };
    encl_status status = encl_result_check_finite(result, result->index);
    if (status != ENCL_OK) {
        return status;
    }
    score(c->scoring, result->values, c->label_count, c->scores);
    for (size_t i = 0; i < c->label_count; i++) {
        classification.best = c->scores[i] > c->scores[classification.best] ? i : classification.best;
    }
    return results->sink(results->context, &classification);
}

encl_status encl_classifier_run(encl_classifier *c, encl_status (*next)(void *context, encl_text *text),
                                void *next_context,
                                encl_status (*sink)(void *context, const encl_classification *classification),
                                void *sink_context, int64_t *truncated) {
    result_stream results = {c, sink, sink_context};
    if (truncated != NULL) {
        *truncated = 0;
    }
    encl_reader_start(&c->reader, next, next_context);
    encl_status status = encl_pipeline_run(c->pipeline, next_sequence, c, hand_out, &results);
    if (status == ENCL_OK && truncated != NULL) {
        *truncated = c->reader.truncated;
    }
    return status;
}
