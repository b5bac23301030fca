// encl similarity: how alike texts are, as the cosine of their embeddings.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/input.h"
#include "host/cli/options.h"
#include "host/cli/output.h"
#include "host/cli/session.h"

// The matrix grows with the square of the texts.
enum { TEXT_LIMIT = 4096, BRIEF_COLUMNS = 32, NUMBER_TEXT = 24 };

typedef struct gathering {
    encl_input *input;
    encl_string texts; // one after the other, each with a NUL
    size_t count;
    int32_t width;
    float *embeddings; // [count, width]
    size_t capacity;   // of embeddings, in numbers
} gathering;

static encl_status next_text(void *context, encl_text *text) {
    gathering *gathered = context;
    encl_status status = encl_input_next(gathered->input, text);
    if (status == ENCL_OK && text->text != NULL) {
        status = encl_string_append(&gathered->texts, text->text, text->length);
    }
    if (status == ENCL_OK && text->text != NULL) {
        status = encl_string_append(&gathered->texts, "", 1);
    }
    return status;
}

static encl_status keep_embedding(void *context, const encl_embedding *embedding) {
    gathering *gathered = context;
    if (gathered->count == TEXT_LIMIT) {
        return encl_fail(ENCL_INVALID, "similarity: found more than %d texts, expected fewer", TEXT_LIMIT);
    }
    size_t width = (size_t)gathered->width;
    void *embeddings = gathered->embeddings;
    encl_status status = encl_reserve(&embeddings, &gathered->capacity, (gathered->count + 1) * width, sizeof(float));
    gathered->embeddings = embeddings;
    if (status == ENCL_OK) {
        memcpy(gathered->embeddings + gathered->count * width, embedding->values, width * sizeof(float));
        gathered->count++;
    }
    return status;
}

static double dot(const float *a, const float *b, int32_t width) {
    double sum = 0;
    for (int32_t i = 0; i < width; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

// scores[i, j] = e_i·e_j / (‖e_i‖ ‖e_j‖); 0 where an embedding is all zeros.
static encl_status compute_scores(const gathering *gathered, float **scores) {
    size_t count = gathered->count;
    size_t width = (size_t)gathered->width;
    void *memory = NULL;
    encl_status status = encl_allocate(count * count, sizeof(float), &memory);
    *scores = memory;
    for (size_t i = 0; i < count && status == ENCL_OK; i++) {
        const float *a = gathered->embeddings + i * width;
        double norm = dot(a, a, gathered->width);
        for (size_t j = 0; j <= i; j++) {
            const float *b = gathered->embeddings + j * width;
            double length = sqrt(norm * dot(b, b, gathered->width));
            float score = length > 0 ? (float)(dot(a, b, gathered->width) / length) : 0;
            (*scores)[i * count + j] = (*scores)[j * count + i] = score;
        }
    }
    return status;
}

static encl_status print_json(const float *scores, size_t count) {
    encl_line line;
    encl_line_start(&line);
    cJSON *matrix = encl_line_array(&line, "scores");
    for (size_t i = 0; i < count; i++) {
        encl_line_add(&line, matrix, encl_json_floats(scores + i * count, count));
    }
    return encl_line_print(&line, stdout);
}

static encl_status print_people(const gathering *gathered, const float *scores) {
    encl_status status = ENCL_OK;
    size_t count = gathered->count;
    encl_table *table = NULL;
    void *headings = NULL;
    encl_string numbers = {0};
    const char *text = gathered->texts.text;
    ENCL_TRY(encl_allocate(count + 2, sizeof(char *), &headings));
    const char **heading = headings;
    // Equal places, so that headings can point at them once the text does not move any more.
    for (size_t i = 0; i < count; i++) {
        char number[NUMBER_TEXT] = {0};
        snprintf(number, sizeof number, ">%zu", i);
        ENCL_TRY(encl_string_append(&numbers, number, sizeof number));
    }
    heading[0] = ">#";
    heading[1] = "text";
    for (size_t i = 0; i < count; i++) {
        heading[i + 2] = numbers.text + i * NUMBER_TEXT;
    }
    ENCL_TRY(encl_table_create(heading, count + 2, &table));
    for (size_t i = 0; i < count; i++, text += strlen(text) + 1) {
        char *brief = NULL;
        ENCL_TRY(encl_brief_text(text, strlen(text), BRIEF_COLUMNS, &brief));
        status = encl_table_cell(table, "%zu", i);
        status = status == ENCL_OK ? encl_table_cell(table, "%s", brief) : status;
        free(brief);
        for (size_t j = 0; j < count && status == ENCL_OK; j++) {
            status = encl_table_cell(table, "%.4f", (double)scores[i * count + j]);
        }
        ENCL_TRY(status);
    }
    ENCL_TRY(encl_table_print(table, stdout));
cleanup:
    encl_table_destroy(table);
    encl_string_free(&numbers);
    free(headings);
    return status;
}

static encl_status check(const encl_call *call) {
    return call->argument_count == 2
               ? encl_fail(ENCL_INVALID, "found one text, expected at least two, or none and lines of standard input")
               : ENCL_OK;
}

static encl_status run(encl_call *call) {
    const encl_input_options from = {0};
    encl_status status = ENCL_OK;
    encl_session session = {0};
    encl_embedder *embedder = NULL;
    gathering gathered = {0};
    float *scores = NULL;
    int64_t truncated = 0;
    ENCL_TRY(encl_session_open(call->globals, call->arguments[0], &session));
    const encl_embed_options options = {.executable = session.executable};
    ENCL_TRY(encl_embedder_create(session.model, session.device, &options, &embedder));
    ENCL_TRY(encl_input_open(&from, call->arguments + 1, call->argument_count - 1, &gathered.input));
    gathered.width = encl_embedder_width(embedder);
    ENCL_TRY(encl_embedder_run(embedder, next_text, &gathered, keep_embedding, &gathered, &truncated));
    if (gathered.count < 2) {
        status = encl_fail(ENCL_INVALID, "standard input: found %zu texts, expected at least two", gathered.count);
        goto cleanup;
    }
    encl_warn_truncated(truncated, (int64_t)gathered.count, encl_model_get_info(session.model)->max_length);
    ENCL_TRY(compute_scores(&gathered, &scores));
    ENCL_TRY(call->globals->json ? print_json(scores, gathered.count) : print_people(&gathered, scores));
cleanup:
    free(scores);
    free(gathered.embeddings);
    encl_string_free(&gathered.texts);
    encl_input_close(gathered.input);
    encl_embedder_destroy(embedder);
    encl_session_close(&session);
    return status;
}

const encl_command encl_command_similarity = {
    .name = "similarity",
    .summary = "Compare texts",
    .arguments = "MODEL TEXT TEXT...",
    .text = "Print the cosine of every two texts' embeddings. Without a TEXT, the texts are the lines of standard "
            "input.\v"
            "Example:\n  encl similarity ./all-MiniLM-L6-v2 'A cat sleeps.' 'A kitten naps.'",
    .minimum = 1,
    .maximum = SIZE_MAX,
    .check = check,
    .run = run,
};
