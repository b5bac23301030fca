// encl eval, for questions about texts.
#include <stdlib.h>
#include <string.h>

#include "host/cli/eval.h"
#include "host/cli/interrupt.h"

// As the data sets' own baseline answers (CMRC 2018's run_squad).
enum { ANSWER_TOKENS = 30, BEST_SPANS = 20, WINDOW_STEP = 128, DOMAIN_LIMIT = 64 };

typedef struct answer_run {
    encl_eval *eval;
    encl_answer_score *scores; // [examples], 0 … 1
    cJSON *predictions;        // as the scorer reads them
} answer_run;

// {id: answer}, or, as CJRC's scorer has it, [{"id": id, "answer": answer}].
static encl_status keep_prediction(answer_run *run, const encl_example *example, const char *answer) {
    if (run->eval->predictions == NULL) {
        return ENCL_OK;
    }
    bool complete = false;
    if (cJSON_IsArray(run->predictions)) {
        encl_line line;
        encl_line_start(&line);
        encl_line_text(&line, "id", example->id);
        encl_line_text(&line, "answer", answer);
        complete = encl_array_add(run->predictions, encl_line_take(&line));
    } else {
        complete = cJSON_AddStringToObject(run->predictions, example->id, answer) != NULL;
    }
    return complete ? ENCL_OK : encl_fail(ENCL_OUT_OF_MEMORY, "cannot allocate a prediction");
}

static encl_status take_answers(void *context, const encl_answers *found) {
    answer_run *run = context;
    const encl_dataset *dataset = run->eval->dataset;
    const encl_example *example = &dataset->examples[found->index];
    const encl_answer *best = found->count > 0 ? &found->answers[0] : NULL;
    const char *const *answers = example->count > 0 ? dataset->answers + example->first : NULL;
    char *text = NULL;
    encl_status status = ENCL_OK;
    ENCL_TRY(encl_copy_text(found->context + (best != NULL ? best->byte_start : 0),
                            best != NULL ? best->byte_end - best->byte_start : 0, &text));
    ENCL_TRY(dataset->kind->scorer(text, answers, example->count, &run->scores[found->index]));
    ENCL_TRY(keep_prediction(run, example, text));
    ENCL_TRY(encl_eval_step(run->eval));
cleanup:
    free(text);
    return status;
}

// In per cent, over the questions of a domain (NULL: all).
static encl_eval_row score_domain(const answer_run *run, const char *domain) {
    const encl_dataset *dataset = run->eval->dataset;
    encl_eval_row row = {.name = domain};
    double exact = 0;
    double f1 = 0;
    double count = 0;
    for (size_t i = 0; i < dataset->count; i++) {
        if (domain == NULL || strcmp(dataset->examples[i].domain, domain) == 0) {
            exact += run->scores[i].exact;
            f1 += run->scores[i].f1;
            count++;
        }
    }
    row.values[0] = 100 * exact / count;
    row.values[1] = 100 * f1 / count;
    row.values[2] = count;
    return row;
}

static encl_status report_domains(const answer_run *run) {
    static const char *const columns[] = {"exact_match", "f1", "questions"};
    encl_eval *eval = run->eval;
    encl_status status = ENCL_OK;
    eval->report.columns = columns;
    eval->report.column_count = sizeof columns / sizeof columns[0];
    for (size_t i = 0; i < eval->dataset->count; i++) {
        const char *domain = eval->dataset->examples[i].domain;
        bool known = false;
        for (size_t r = 0; r < eval->report.row_count && !known; r++) {
            known = strcmp(eval->report.rows[r].name, domain) == 0;
        }
        if (!known && eval->report.row_count == DOMAIN_LIMIT) {
            return encl_fail(ENCL_FORMAT, "%s: found more than %d domains, expected fewer", eval->dataset->path,
                             DOMAIN_LIMIT);
        }
        if (!known) {
            const encl_eval_row row = score_domain(run, domain);
            ENCL_TRY(encl_eval_row_add(eval, &row));
        }
    }
cleanup:
    return status;
}

static encl_status report(const answer_run *run, int64_t windowed) {
    encl_eval *eval = run->eval;
    const encl_dataset *dataset = eval->dataset;
    const encl_eval_row all = score_domain(run, NULL);
    int64_t right = 0;
    for (size_t i = 0; i < dataset->count; i++) {
        right += run->scores[i].exact >= 1;
    }
    encl_eval_metric(eval, "exact_match", all.values[0]);
    encl_eval_metric(eval, "f1", all.values[1]);
    encl_eval_metric(eval, "average", (all.values[0] + all.values[1]) / 2);
    encl_eval_count(eval, "right", right);
    encl_eval_count(eval, "windowed", windowed);
    return dataset->kind->domains ? report_domains(run) : ENCL_OK;
}

encl_status encl_eval_answers(encl_eval *eval) {
    const encl_qa_options wanted = {
        .executable = eval->session->executable,
        .max_length = eval->options->max_length > 0 ? eval->options->max_length
                                                    : encl_model_get_info(eval->session->model)->max_length,
        .doc_stride = WINDOW_STEP,
        .stride_is_step = true,
        .max_answer_length = ANSWER_TOKENS,
        .n_best = BEST_SPANS,
        .check = encl_interrupt_asked,
    };
    encl_status status = ENCL_OK;
    encl_qa *qa = NULL;
    int64_t windowed = 0;
    answer_run run = {.eval = eval};
    run.predictions = eval->dataset->kind->domains ? cJSON_CreateArray() : cJSON_CreateObject();
    if (run.predictions == NULL) {
        return encl_fail(ENCL_OUT_OF_MEMORY, "cannot allocate the predictions");
    }
    ENCL_TRY(encl_allocate(eval->dataset->count, sizeof *run.scores, (void **)&run.scores));
    ENCL_TRY(encl_qa_create(eval->session->model, eval->session->device, &wanted, &qa));
    encl_eval_start(eval, encl_qa_get_info(qa));
    status = encl_qa_run(qa, encl_eval_next_text, eval, take_answers, &run, &windowed);
    encl_eval_stop(eval);
    ENCL_TRY(status);
    ENCL_TRY(report(&run, windowed));
    ENCL_TRY(eval->predictions != NULL ? encl_json_write_line(eval->predictions, run.predictions) : ENCL_OK);
cleanup:
    encl_qa_destroy(qa);
    cJSON_Delete(run.predictions);
    free(run.scores);
    return status;
}
