// encl eval, for data sets of classes and of scores: texts or pairs through a classifier or an embedder.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/eval.h"
#include "host/model/head.h"

// ---- Classes ----------------------------------------------------------------------------------------------

typedef struct class_run {
    encl_eval *eval;
    int32_t *classes; // [label_count] of the model's labels
    size_t label_count;
    int32_t *gold; // [examples]
    int32_t *predicted;
} class_run;

// The labels are known with the first result.
static encl_status map_labels(class_run *run, const encl_classification *found) {
    void *classes = NULL;
    encl_status status = encl_allocate(found->label_count, sizeof *run->classes, &classes);
    run->classes = classes;
    run->label_count = found->label_count;
    return status == ENCL_OK
               ? encl_dataset_map_labels(run->eval->dataset->kind, found->labels, found->label_count, run->classes)
               : status;
}

static encl_status take_class(void *context, const encl_classification *found) {
    class_run *run = context;
    encl_eval *eval = run->eval;
    const encl_dataset_kind *kind = eval->dataset->kind;
    encl_status status = ENCL_OK;
    if (run->classes == NULL) {
        ENCL_TRY(map_labels(run, found));
    }
    const int32_t class = run->classes[found->best];
    run->gold[found->index] = eval->dataset->examples[found->index].label;
    run->predicted[found->index] = class;
    ENCL_TRY(encl_eval_predict(eval, "%lld\t%s\n", (long long)found->index,
                               class >= 0 ? kind->labels[class].name : found->labels[found->best]));
    ENCL_TRY(encl_eval_step(eval));
cleanup:
    return status;
}

static encl_status report_classes(class_run *run) {
    encl_eval *eval = run->eval;
    const encl_dataset_kind *kind = eval->dataset->kind;
    const size_t count = eval->dataset->count;
    void *memory = NULL;
    encl_status status = ENCL_OK;
    ENCL_TRY(encl_allocate(kind->label_count, sizeof(encl_tally), &memory));
    encl_tally *tallies = memory;
    encl_tally_classes(run->gold, run->predicted, count, tallies);
    const encl_tally sum = encl_tally_sum(tallies, kind->label_count);
    encl_eval_metric(eval, "accuracy", (double)sum.right / (double)count);
    encl_eval_count(eval, "right", sum.right);
    encl_eval_count(eval, "wrong", (int64_t)count - sum.right);
    for (size_t i = 0; i < kind->label_count; i++) {
        ENCL_TRY(encl_eval_tally_add(eval, kind->labels[i].name, &tallies[i]));
    }
cleanup:
    free(memory);
    return status;
}

encl_status encl_eval_classes(encl_eval *eval) {
    const size_t count = eval->dataset->count;
    const encl_classify_options wanted = {
        .executable = eval->session->executable,
        .max_length = eval->options->max_length,
    };
    encl_status status = ENCL_OK;
    encl_classifier *classifier = NULL;
    class_run run = {.eval = eval};
    // A next-sentence head, which serves as a classifier elsewhere, would be measured at what it does not say.
    ENCL_TRY(encl_head_require(eval->session->model, ENCL_HEAD_CLASSIFY));
    ENCL_TRY(encl_allocate(count, sizeof *run.gold, (void **)&run.gold));
    ENCL_TRY(encl_allocate(count, sizeof *run.predicted, (void **)&run.predicted));
    ENCL_TRY(encl_classifier_create(eval->session->model, eval->session->device, &wanted, &classifier));
    ENCL_TRY(encl_eval_predict(eval, "index\tprediction\n"));
    encl_eval_start(eval, encl_classifier_get_info(classifier));
    status = encl_classifier_run(classifier, encl_eval_next_text, eval, take_class, &run, &eval->truncated);
    encl_eval_stop(eval);
    ENCL_TRY(status);
    ENCL_TRY(report_classes(&run));
cleanup:
    encl_classifier_destroy(classifier);
    free(run.classes);
    free(run.gold);
    free(run.predicted);
    return status;
}

// ---- Scores -----------------------------------------------------------------------------------------------

// The embedder sees the texts of the pairs in turn.
typedef struct score_run {
    encl_eval *eval;
    bool second;    // the next text is a pair's second
    float *first;   // [width] embedding of the pair's first text
    double *gold;   // [pairs]
    double *cosine; // [pairs]
} score_run;

static encl_status next_of_pair(void *context, encl_text *text) {
    score_run *run = context;
    const encl_dataset *dataset = run->eval->dataset;
    if (run->eval->at == dataset->count) {
        return ENCL_OK;
    }
    const encl_example *example = &dataset->examples[run->eval->at];
    const encl_span span = run->second ? example->pair : example->text;
    *text = (encl_text){.text = span.text, .length = span.length};
    run->eval->at += run->second;
    run->second = !run->second;
    return ENCL_OK;
}

// a·b / (‖a‖ ‖b‖), 0 where a vector is all zeros.
static double cosine_of(const float *a, const float *b, int64_t width) {
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (int64_t i = 0; i < width; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    const double length = sqrt(aa) * sqrt(bb);
    return length > 0 ? ab / length : 0;
}

static encl_status take_embedding(void *context, const encl_embedding *embedding) {
    score_run *run = context;
    const size_t pair = (size_t)embedding->index / 2;
    if (embedding->index % 2 == 0) {
        memcpy(run->first, embedding->values, (size_t)embedding->columns * sizeof *run->first);
        return ENCL_OK;
    }
    run->gold[pair] = run->eval->dataset->examples[pair].score;
    run->cosine[pair] = cosine_of(run->first, embedding->values, embedding->columns);
    encl_status status = encl_eval_predict(run->eval, "%.9g\n", run->cosine[pair]);
    return status == ENCL_OK ? encl_eval_step(run->eval) : status;
}

encl_status encl_eval_scores(encl_eval *eval) {
    const size_t count = eval->dataset->count;
    const encl_embed_options wanted = {
        .executable = eval->session->executable,
        .max_length = eval->options->max_length,
        .pooling = eval->options->pooling,
        .pooling_count = eval->options->pooling_count,
    };
    encl_status status = ENCL_OK;
    encl_embedder *embedder = NULL;
    score_run run = {.eval = eval};
    double rho = 0;
    ENCL_TRY(encl_allocate(count, sizeof *run.gold, (void **)&run.gold));
    ENCL_TRY(encl_allocate(count, sizeof *run.cosine, (void **)&run.cosine));
    ENCL_TRY(encl_embedder_create(eval->session->model, eval->session->device, &wanted, &embedder));
    ENCL_TRY(encl_allocate((size_t)encl_embedder_width(embedder), sizeof *run.first, (void **)&run.first));
    encl_eval_start(eval, encl_embedder_get_info(embedder));
    status = encl_embedder_run(embedder, next_of_pair, &run, take_embedding, &run, &eval->truncated);
    encl_eval_stop(eval);
    ENCL_TRY(status);
    ENCL_TRY(encl_spearman(run.cosine, run.gold, count, &rho));
    encl_eval_metric(eval, "spearman", rho);
    encl_eval_metric(eval, "pearson", encl_pearson(run.cosine, run.gold, count));
cleanup:
    encl_embedder_destroy(embedder);
    free(run.first);
    free(run.gold);
    free(run.cosine);
    return status;
}
