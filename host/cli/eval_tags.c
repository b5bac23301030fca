// encl eval, for words with tags.
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "host/cli/eval.h"
#include "host/cli/interrupt.h"

typedef struct tag_run {
    encl_eval *eval;
    const char *const *labels; // [label_count] of the model
    size_t label_count;
    encl_tag *tags;       // [label_count] the same, taken apart
    encl_tag_types types; // of the data and the model
    encl_tag *predicted;  // [word_count]
    encl_tally *tallies;  // [types]
} tag_run;

static encl_status fail_labels(const tag_run *run, const char *missing) {
    encl_string found = {0};
    encl_string expected = {0};
    encl_status status = ENCL_OK;
    for (size_t i = 0; i < run->label_count && status == ENCL_OK; i++) {
        status = encl_string_list(&found, run->labels[i]);
    }
    for (size_t i = 0; i < run->eval->dataset->types.count && status == ENCL_OK; i++) {
        status = encl_string_list(&expected, run->eval->dataset->types.names[i]);
    }
    if (status == ENCL_OK) {
        status = encl_fail(
            ENCL_INVALID, "the model's labels: found %s, expected O and tags of the types in the data, %s: no %s",
            found.text != NULL ? found.text : "none", expected.text != NULL ? expected.text : "none", missing);
    }
    encl_string_free(&found);
    encl_string_free(&expected);
    return status;
}

// The model's labels as tags. Types go by their names, in any case; each type of the data must be one of the model's.
static encl_status map_labels(tag_run *run) {
    const encl_tag_types *data = &run->eval->dataset->types;
    encl_status status = ENCL_OK;
    encl_tag ignored;
    for (size_t i = 0; i < data->count; i++) { // the data's types keep their numbers
        encl_string tag = {0};
        status = encl_string_format(&tag, "B-%s", data->names[i]);
        status = status == ENCL_OK ? encl_tag_parse(tag.text, tag.length, &run->types, &ignored) : status;
        encl_string_free(&tag);
        ENCL_TRY(status);
    }
    for (size_t i = 0; i < run->label_count; i++) {
        if (encl_tag_parse(run->labels[i], strlen(run->labels[i]), &run->types, &run->tags[i]) != ENCL_OK) {
            return fail_labels(run, "tag in one of them");
        }
        for (size_t t = 0; t < data->count && run->tags[i].type >= (int32_t)data->count; t++) {
            if (strcasecmp(run->types.names[run->tags[i].type], data->names[t]) == 0) {
                run->tags[i].type = (int32_t)t;
            }
        }
    }
    for (size_t t = 0; t < data->count; t++) {
        bool found = false;
        for (size_t i = 0; i < run->label_count; i++) {
            found = found || run->tags[i].type == (int32_t)t;
        }
        ENCL_TRY(found ? ENCL_OK : fail_labels(run, data->names[t]));
    }
cleanup:
    return status;
}

static encl_status next_words(void *context, encl_words *words) {
    encl_eval *eval = ((tag_run *)context)->eval;
    if (eval->at < eval->dataset->count) {
        const encl_example *sentence = &eval->dataset->examples[eval->at++];
        *words = (encl_words){eval->dataset->words + sentence->first, sentence->count};
    }
    return ENCL_OK;
}

// As the data set writes it.
static encl_status predict_tag(encl_eval *eval, const encl_tag_types *types, encl_tag tag, const char *gap) {
    return tag.part == 'O' ? encl_eval_predict(eval, "%sO", gap)
                           : encl_eval_predict(eval, "%s%c-%s", gap, tag.part, types->names[tag.type]);
}

static encl_status take_labels(void *context, const encl_word_labels *found) {
    tag_run *run = context;
    encl_eval *eval = run->eval;
    const encl_dataset *dataset = eval->dataset;
    const encl_example *sentence = &dataset->examples[found->index];
    encl_status status = ENCL_OK;
    for (size_t i = 0; i < sentence->count; i++) {
        const size_t word = sentence->first + i;
        run->predicted[word] = run->tags[found->labels[i]];
        ENCL_TRY(encl_eval_predict(eval, "%s", dataset->words[word]));
        ENCL_TRY(predict_tag(eval, &run->types, dataset->tags[word], " "));
        ENCL_TRY(predict_tag(eval, &run->types, run->predicted[word], " "));
        ENCL_TRY(encl_eval_predict(eval, "\n"));
    }
    ENCL_TRY(encl_eval_predict(eval, "\n"));
    ENCL_TRY(encl_eval_step(eval));
cleanup:
    return status;
}

static encl_status report(tag_run *run) {
    encl_eval *eval = run->eval;
    const encl_dataset *dataset = eval->dataset;
    encl_status status = ENCL_OK;
    ENCL_TRY(encl_allocate(run->types.count, sizeof *run->tallies, (void **)&run->tallies));
    for (size_t i = 0; i < dataset->count; i++) {
        const encl_example *sentence = &dataset->examples[i];
        encl_tally_entities(dataset->tags + sentence->first, run->predicted + sentence->first, sentence->count,
                            run->tallies);
    }
    const encl_tally sum = encl_tally_sum(run->tallies, run->types.count);
    const encl_f1 f1 = encl_tally_f1(&sum);
    encl_eval_metric(eval, "precision", f1.precision);
    encl_eval_metric(eval, "recall", f1.recall);
    encl_eval_metric(eval, "f1", f1.f1);
    encl_eval_count(eval, "right", sum.right);
    encl_eval_count(eval, "wrong", sum.predicted - sum.right);
    encl_eval_count(eval, "missed", sum.gold - sum.right);
    for (size_t i = 0; i < run->types.count; i++) {
        if (run->tallies[i].gold + run->tallies[i].predicted > 0) {
            ENCL_TRY(encl_eval_tally_add(eval, run->types.names[i], &run->tallies[i]));
        }
    }
cleanup:
    return status;
}

encl_status encl_eval_tags(encl_eval *eval) {
    const encl_model_info *info = encl_model_get_info(eval->session->model);
    const encl_ner_options wanted = {
        .executable = eval->session->executable,
        .max_length = eval->options->max_length,
        .check = encl_interrupt_asked,
    };
    encl_status status = ENCL_OK;
    encl_ner *ner = NULL;
    tag_run run = {.eval = eval, .labels = info->labels, .label_count = info->label_count};
    ENCL_TRY(encl_allocate(run.label_count, sizeof *run.tags, (void **)&run.tags));
    ENCL_TRY(encl_allocate(eval->dataset->word_count, sizeof *run.predicted, (void **)&run.predicted));
    ENCL_TRY(encl_ner_create(eval->session->model, eval->session->device, &wanted, &ner));
    ENCL_TRY(map_labels(&run));
    encl_eval_start(eval, encl_ner_get_info(ner));
    status = encl_ner_label_words(ner, next_words, &run, take_labels, &run);
    encl_eval_stop(eval);
    ENCL_TRY(status);
    ENCL_TRY(report(&run));
cleanup:
    encl_ner_destroy(ner);
    encl_tag_types_free(&run.types);
    free(run.tags);
    free(run.predicted);
    free(run.tallies);
    return status;
}
