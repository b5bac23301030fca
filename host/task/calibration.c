// How far a low precision moves a model's numbers, and which layers keep it within the rule in float32.
#include "host/task/calibration.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/task/pipeline.h"
#include "runtime/base/clock.h"
#include "runtime/base/log.h"

enum { TIMED_TOKENS = 128, TIMED_RUNS = 5, BATCH_TOKENS = 1024 };

double encl_precision_rule(encl_precision precision) {
    static const double rules[] = {1, 0.9995, 0.99}; // in the order of encl_precision
    return rules[precision];
}

// ---- One precision ----------------------------------------------------------------------------------------

// The texts on their way through a pipeline, and what comes of their tokens.
typedef struct pass {
    const encl_calibrator *c;
    const encl_calibration_texts *texts;
    size_t next;
    float *kept; // [tokens, hidden] where the results go; NULL: they are compared with the reference
    double worst, sum;
} pass;

static encl_status next_text(void *context, encl_sequence *sequence) {
    pass *p = context;
    if (p->next < p->texts->count) {
        const int32_t begin = p->texts->offsets[p->next++];
        *sequence = (encl_sequence){.ids = p->texts->ids + begin,
                                    .types = p->texts->types + begin,
                                    .count = p->texts->offsets[p->next] - begin};
    }
    return ENCL_OK;
}

// −1 where a number is not finite: such a row is as wrong as can be.
static double cosine(const float *a, const float *b, int64_t count) {
    double product = 0;
    double a_square = 0;
    double b_square = 0;
    for (int64_t i = 0; i < count; i++) {
        product += (double)a[i] * (double)b[i];
        a_square += (double)a[i] * (double)a[i];
        b_square += (double)b[i] * (double)b[i];
    }
    const double found = product / sqrt(a_square * b_square);
    return isfinite(found) ? found : a_square == 0 && b_square == 0 ? 1 : -1;
}

static encl_status take_rows(void *context, const encl_sequence_result *result) {
    pass *p = context;
    const int64_t width = result->columns;
    const int64_t first = (int64_t)p->texts->offsets[result->index] * width;
    if (p->kept != NULL) {
        memcpy(p->kept + first, result->values, (size_t)(result->rows * width) * sizeof(float));
        return encl_result_check_finite(result, result->index);
    }
    for (int64_t row = 0; row < result->rows; row++) {
        const double found = cosine(p->c->reference + first + row * width, result->values + row * width, width);
        p->worst = fmin(p->worst, found);
        p->sum += found;
    }
    return ENCL_OK;
}

static int compare_times(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static encl_status drop_rows(void *context, const encl_sequence_result *result) {
    (void)context;
    (void)result;
    return ENCL_OK;
}

// The median time of a few runs over one text of 128 tokens: the first of the texts, over and over.
static encl_status time_text(const encl_calibrator *c, encl_pipeline *pipeline, int64_t *ns) {
    encl_status status = ENCL_OK;
    int32_t ids[TIMED_TOKENS];
    int32_t types[TIMED_TOKENS] = {0};
    const int32_t limit = c->texts.longest < TIMED_TOKENS ? c->texts.longest : TIMED_TOKENS;
    int32_t offsets[] = {0, limit};
    const encl_calibration_texts one = {.ids = ids, .types = types, .offsets = offsets, .count = 1};
    int64_t times[TIMED_RUNS];
    for (int32_t i = 0; i < limit; i++) {
        ids[i] = c->texts.ids[(size_t)i % c->texts.tokens];
    }
    for (int32_t i = 0; i < TIMED_RUNS; i++) {
        pass p = {.c = c, .texts = &one};
        const int64_t start = encl_clock_ns();
        ENCL_TRY(encl_pipeline_run(pipeline, next_text, &p, drop_rows, NULL));
        times[i] = encl_clock_ns() - start;
    }
    qsort(times, TIMED_RUNS, sizeof times[0], compare_times);
    *ns = times[TIMED_RUNS / 2];
cleanup:
    return status;
}

static encl_status make_graph(const encl_model *model, encl_graph **graph) {
    const encl_embed_options tokens = {.tokens = true};
    return encl_model_embed_graph(model, &tokens, graph);
}

// All texts in one precision, then the time of one.
static encl_status compute(const encl_calibrator *c, encl_precision precision, const bool *exact_layers, pass *p,
                           int64_t *text_ns) {
    encl_status status = ENCL_OK;
    encl_graph *graph = NULL;
    encl_pipeline *pipeline = NULL;
    encl_executable_options options = c->options->executable;
    options.precision = precision;
    options.exact_layers = exact_layers;
    options.exact_layer_count = exact_layers == NULL ? 0 : (size_t)c->model->config.layers + 1;
    options.on_profile = NULL;
    options.capacity = (encl_capacity){.tokens = c->texts.longest < BATCH_TOKENS ? BATCH_TOKENS : c->texts.longest};
    if (c->options->check != NULL) {
        ENCL_TRY(c->options->check(c->options->check_context));
    }
    ENCL_TRY(make_graph(c->model, &graph));
    ENCL_TRY(encl_pipeline_create(c->device, &graph, &options, ENCL_RESULT_TOKENS, c->texts.longest, &pipeline));
    p->c = c;
    p->texts = &c->texts;
    ENCL_TRY(encl_pipeline_run(pipeline, next_text, p, take_rows, p));
    ENCL_TRY(time_text(c, pipeline, text_ns));
cleanup:
    encl_pipeline_destroy(pipeline);
    encl_graph_destroy(graph);
    return status;
}

encl_status encl_calibrator_open(const encl_model *model, const encl_device *device,
                                 const encl_calibrate_options *options, encl_calibrator *calibrator) {
    *calibrator = (encl_calibrator){.model = model, .device = device, .options = options};
    return encl_calibration_texts_read(model, options, &calibrator->texts);
}

encl_status encl_calibrator_start(encl_calibrator *calibrator) {
    encl_status status = ENCL_OK;
    encl_calibrator *c = calibrator;
    pass p = {0};
    ENCL_TRY(encl_allocate(c->texts.tokens * (size_t)c->model->config.hidden, sizeof(float), (void **)&c->reference));
    p.kept = c->reference;
    ENCL_TRY(compute(c, ENCL_PRECISION_FP32, NULL, &p, &c->float32_ns));
cleanup:
    return status;
}

void encl_calibrator_close(encl_calibrator *calibrator) {
    encl_calibration_texts_free(&calibrator->texts);
    free(calibrator->reference);
    *calibrator = (encl_calibrator){0};
}

encl_status encl_calibrator_measure(const encl_calibrator *calibrator, encl_precision precision,
                                    const bool *exact_layers, encl_calibration_figures *figures) {
    pass p = {.worst = 1};
    *figures = (encl_calibration_figures){0};
    const encl_status status = compute(calibrator, precision, exact_layers, &p, &figures->text_ns);
    if (status == ENCL_OK) {
        figures->worst = p.worst;
        figures->mean = p.sum / (double)calibrator->texts.tokens;
    }
    return status;
}

// ---- Layers in float32 ------------------------------------------------------------------------------------

static bool keeps_rule(const encl_calibration_figures *figures, encl_precision precision) {
    return figures->worst >= encl_precision_rule(precision);
}

// A layer, and what all others give in the low precision while it is in float32.
typedef struct candidate {
    int32_t layer;
    encl_calibration_figures figures;
} candidate;

static int best_first(const void *a, const void *b) {
    const candidate *x = a;
    const candidate *y = b;
    return x->figures.worst != y->figures.worst ? (x->figures.worst < y->figures.worst ? 1 : -1) : x->layer - y->layer;
}

static void keep_best(const candidate *candidates, int32_t count, encl_calibration *calibration) {
    memset(calibration->exact_layers, 0, calibration->exact_layer_count * sizeof *calibration->exact_layers);
    for (int32_t i = 0; i < count; i++) {
        calibration->exact_layers[candidates[i].layer] = true;
    }
    calibration->exact = count;
}

// Each layer alone in float32, to see how much that mends; best first.
static encl_status rank_layers(const encl_calibrator *c, encl_precision precision, encl_calibration *calibration,
                               candidate *candidates) {
    encl_status status = ENCL_OK;
    const int32_t layers = c->model->config.layers;
    for (int32_t i = 0; i < layers; i++) {
        candidates[i].layer = i + 1;
        keep_best(&candidates[i], 1, calibration);
        ENCL_TRY(encl_calibrator_measure(c, precision, calibration->exact_layers, &candidates[i].figures));
        encl_debug("precision %s with layer %d in fp32: worst cosine %.5f", encl_precision_name(precision), (int)i + 1,
                   candidates[i].figures.worst);
    }
    qsort(candidates, (size_t)layers, sizeof *candidates, best_first);
cleanup:
    return status;
}

// The fewest of the best layers that keep the rule, found by halving: with all of them, it is kept. Where one more
// makes it worse, which happens by chance, some layer too many may be the result; that it keeps the rule was measured.
static encl_status count_layers(const encl_calibrator *c, encl_precision precision, const candidate *candidates,
                                encl_calibration *calibration, encl_calibration_figures *figures) {
    encl_status status = ENCL_OK;
    int32_t few = 1;
    int32_t enough = c->model->config.layers;
    *figures = (encl_calibration_figures){1, 1, c->float32_ns};
    if (keeps_rule(&candidates[0].figures, precision)) {
        *figures = candidates[0].figures;
        enough = 1;
    }
    while (enough - few > 1) {
        const int32_t middle = (few + enough) / 2;
        encl_calibration_figures found;
        keep_best(candidates, middle, calibration);
        ENCL_TRY(encl_calibrator_measure(c, precision, calibration->exact_layers, &found));
        if (keeps_rule(&found, precision)) {
            enough = middle;
            *figures = found;
        } else {
            few = middle;
        }
    }
    keep_best(candidates, enough, calibration);
cleanup:
    return status;
}

encl_status encl_calibrator_find(const encl_calibrator *c, encl_precision precision, encl_calibration *calibration) {
    encl_status status = ENCL_OK;
    const size_t layers = (size_t)c->model->config.layers;
    encl_calibration made = {.precision = precision, .tokens = (int64_t)c->texts.tokens, .float32_ns = c->float32_ns};
    encl_calibration_figures figures;
    candidate *candidates = NULL;
    *calibration = (encl_calibration){0};
    ENCL_TRY(encl_allocate(layers + 1, sizeof *made.exact_layers, (void **)&made.exact_layers));
    made.exact_layer_count = layers + 1;
    if (precision == ENCL_PRECISION_FP32) {
        figures = (encl_calibration_figures){1, 1, c->float32_ns}; // by definition, not by rounding
    } else {
        ENCL_TRY(encl_calibrator_measure(c, precision, NULL, &figures));
    }
    made.all_worst = figures.worst;
    made.all_mean = figures.mean;
    if (!keeps_rule(&figures, precision)) {
        ENCL_TRY(encl_allocate(layers, sizeof *candidates, (void **)&candidates));
        ENCL_TRY(rank_layers(c, precision, &made, candidates));
        ENCL_TRY(count_layers(c, precision, candidates, &made, &figures));
    }
    made.worst = figures.worst;
    made.mean = figures.mean;
    made.text_ns = figures.text_ns;
    *calibration = made;
    made = (encl_calibration){0};
cleanup:
    free(candidates);
    encl_calibration_free(&made);
    return status;
}

encl_status encl_model_calibrate(const encl_model *model, const encl_device *device, encl_precision precision,
                                 const encl_calibrate_options *options, encl_calibration *calibration) {
    static const encl_calibrate_options defaults = {0};
    encl_status status = ENCL_OK;
    encl_calibrator calibrator = {0};
    *calibration = (encl_calibration){0};
    ENCL_TRY(encl_calibrator_open(model, device, options == NULL ? &defaults : options, &calibrator));
    ENCL_TRY(encl_calibrator_start(&calibrator));
    ENCL_TRY(encl_calibrator_find(&calibrator, precision, calibration));
cleanup:
    encl_calibrator_close(&calibrator);
    return status;
}

void encl_calibration_free(encl_calibration *calibration) {
    free(calibration->exact_layers);
    *calibration = (encl_calibration){0};
}
